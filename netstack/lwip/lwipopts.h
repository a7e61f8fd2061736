/* SPDX-License-Identifier: MIT */
/*
 * lwIP's options: IPv4 and IPv6, TCP, UDP, raw sockets, used through the raw API in one thread.
 *
 * Memory: objects (PCBs, segments) come from pools in the heap with a limit each; packets
 * (PBUF_RAM) from netmem, which the driver's device reads and writes (memory.c). Time: stack.c
 * calls the timers itself, and only those that have work.
 */
#ifndef NETSTACK_LWIPOPTS_H
#define NETSTACK_LWIPOPTS_H

#define LWIP_HOOK_FILENAME "lwip_hooks.h"

#define NO_SYS				1
#define SYS_LIGHTWEIGHT_PROT		0
#define LWIP_NETCONN			0
#define LWIP_SOCKET			0
#define LWIP_TIMERS			0

/* --- memory ------------------------------------------------------------------------------- */
#define MEM_ALIGNMENT			8
#define MEM_SIZE			0x400000	/* only says how wide sizes are */
#define MEM_CUSTOM_ALLOCATOR		1
#define MEM_CUSTOM_MALLOC		net_memory_alloc
#define MEM_CUSTOM_CALLOC		net_memory_calloc
#define MEM_CUSTOM_FREE			net_memory_free
#define MEMP_MEM_MALLOC			1		/* memp_objects.h */
#define PBUF_POOL_SIZE			32
#define LWIP_SUPPORT_CUSTOM_PBUF	1
#define LWIP_PBUF_REF_T			u16_t
#define MEMP_NUM_REASSDATA		16
#define MEMP_NUM_TCP_SEG		16384

/* --- link, IPv4 --------------------------------------------------------------------------- */
#define LWIP_ETHERNET			1
#define LWIP_ARP			1
#define ARP_TABLE_SIZE			127
#define ARP_QUEUEING			1
/* Packets for a neighbour that has not answered yet; all together at most 256 (memory.c) */
#define ARP_QUEUE_LEN			32
#define ETHARP_SUPPORT_STATIC_ENTRIES	1
#define ETHARP_TRUST_IP_MAC		0
#define LWIP_IPV4			1
#define IP_FORWARD			0
/* As Linux; UDP, TCP, raw and ICMP have it from here */
#define IP_DEFAULT_TTL			64
#define LWIP_ICMP6_HL			64
#define IP_REASSEMBLY			1
#define IP_REASS_MAX_PBUFS		192		/* two datagrams of 64 KiB and some */
#define IP_REASS_MAXAGE			30
#define IP_FRAG				1
#define IP_SOF_BROADCAST		1
#define IP_SOF_BROADCAST_RECV		0
#define LWIP_ICMP			1
#define LWIP_BROADCAST_PING		0
#define LWIP_MULTICAST_PING		0
#define LWIP_IGMP			1
#define LWIP_MULTICAST_TX_OPTIONS	1
#define LWIP_DHCP			1
#define LWIP_DHCP_DOES_ACD_CHECK	0
#define LWIP_ACD			0
#define LWIP_AUTOIP			0
/* Only so that DHCP asks for servers: what dns.c would have is in interface.c */
#define LWIP_DNS			1
#define DNS_MAX_SERVERS			3
#define LWIP_DHCP_MAX_DNS_SERVERS	3
#define LWIP_DHCP_GET_NTP_SRV		0

/* --- IPv6 --------------------------------------------------------------------------------- */
#define LWIP_IPV6			1
#define LWIP_IPV6_NUM_ADDRESSES		6
/* Pointers do not fit into its 32-bit fields */
#define IPV6_FRAG_COPYHEADER		1
#define LWIP_IPV6_FRAG			1
#define LWIP_IPV6_REASS			1
#define LWIP_IPV6_MLD			1
#define LWIP_ICMP6			1
#define LWIP_IPV6_AUTOCONFIG		1
#define LWIP_IPV6_SEND_ROUTER_SOLICIT	1
#define LWIP_IPV6_DUP_DETECT_ATTEMPTS	1
#define LWIP_IPV6_DHCP6			0
#define LWIP_ND6_NUM_NEIGHBORS		32
#define LWIP_ND6_NUM_DESTINATIONS	32
#define LWIP_ND6_QUEUEING		1
#define MEMP_NUM_ND6_QUEUE		32
#define LWIP_ND6_RDNSS_MAX_DNS_SERVERS	3

/* --- TCP, UDP, raw ------------------------------------------------------------------------ */
#define LWIP_TCP			1
/* Delayed acknowledgements; twice this is the slow timer */
#define TCP_TMR_INTERVAL		50
#define TCP_MSS				1460
#define LWIP_WND_SCALE			1
#define TCP_RCV_SCALE			2
/* A kernel pipe has 128: what has come always fits */
#define TCP_WND				(120 * 1024)
#define TCP_WND_UPDATE_THRESHOLD	(TCP_WND / 4)
#define TCP_SND_BUF			(128 * 1024)
#define TCP_SND_QUEUELEN		1024
#define TCP_OVERSIZE			TCP_MSS
#define TCP_QUEUE_OOSEQ			1
#define TCP_OOSEQ_MAX_BYTES		TCP_WND
#define TCP_OOSEQ_MAX_PBUFS		256
#define LWIP_TCP_SACK_OUT		1
#define LWIP_TCP_TIMESTAMPS		0
#define LWIP_TCP_KEEPALIVE		1
#define LWIP_TCP_RTO_TIME		1000
#define TCP_MAXRTX			12
/* The most that lwIP takes: socket/wire.c gives up before */
#define TCP_SYNMAXRTX			12
#define TCP_MSL				30000
#define TCP_FIN_WAIT_TIMEOUT		60000
#define TCP_SYN_RCVD_TIMEOUT		20000
#define TCP_LISTEN_BACKLOG		1
#define TCP_DEFAULT_LISTEN_BACKLOG	255
/* They are about pools that we do not have */
#define LWIP_DISABLE_TCP_SANITY_CHECKS	1
#define LWIP_UDP			1
#define LWIP_UDPLITE			0
#define LWIP_RAW			1
#define SO_REUSE			1
#define SO_REUSE_RXTOALL		1
#define LWIP_RANDOMIZE_INITIAL_LOCAL_PORTS 1

/* --- interfaces --------------------------------------------------------------------------- */
#define LWIP_HAVE_LOOPIF		1
#define LWIP_NETIF_LOOPBACK		1
#define LWIP_LOOPIF_MULTICAST		1
#define LWIP_LOOPBACK_MAX_PBUFS		0
#define LWIP_NETIF_HOSTNAME		0
#define LWIP_NETIF_EXT_STATUS_CALLBACK	1
#define LWIP_NETIF_TX_SINGLE_PBUF	0
#define LWIP_CHECKSUM_CTRL_PER_NETIF	1
#define LWIP_CHECKSUM_ON_COPY		0
#define LWIP_CHKSUM			net_checksum
#define LWIP_CHKSUM_ALGORITHM		3

/* --- what is counted: /proc/net ----------------------------------------------------------- */
#define LWIP_STATS			1
#define LWIP_STATS_LARGE		1
#define MIB2_STATS			1
#define MEM_STATS			0
#define MEMP_STATS			1

#endif
