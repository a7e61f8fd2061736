/* SPDX-License-Identifier: MIT */
/*
 * Sockets that send and receive packets one by one: UDP, ping and raw sockets.
 *
 * What is alike (the queue, addresses, control messages, groups, errors) is in datagram*.c; a kind
 * says how an address is taken, how a packet is made and which packets are its own. lwIP does IP
 * and ICMP below; its UDP serves only its own DHCP: which socket gets a datagram is decided by
 * Linux's rules, so tap.c sees each packet before lwIP's protocols do. A datagram from one socket
 * of this machine to another goes straight into its queue.
 */
#ifndef NETSTACK_SOCKET_DATAGRAM_H
#define NETSTACK_SOCKET_DATAGRAM_H

#include "lwip/netif.h"
#include "lwip/pbuf.h"
#include "socket.h"

/* What a packet brought beside its data. */
struct arrival {
	struct net_endpoint from, to;
	uint32_t index;			/* of the interface */
	uint8_t ttl, tos;
	uint8_t protocol;
	/* to a group, or broadcast: everybody who wants it has it */
	bool many;
};

/* An error that a router or the other side told, as IP_RECVERR shows it. */
struct fault {
	int error;
	/* told without IP_RECVERR, too, if the socket is connected */
	bool fatal;
	uint8_t origin, type, code;	/* origin: 2 ICMP, 3 ICMPv6 */
	uint32_t info;
	ip_addr_t offender;
	struct net_endpoint local, remote;	/* of the packet that it is about */
	const void *data;		/* of that packet, as much as came back */
	uint32_t size;
};

struct packet {
	struct packet *next;
	struct arrival arrival;
	struct fault fault;		/* in the queue of errors */
	int64_t when;			/* CLOCK_REALTIME */
	uint32_t size;
	uint8_t data[];
};

struct packet_queue {
	struct packet *first, **last;
	uint32_t charge;		/* bytes of memory */
};

struct membership {
	struct membership *next;
	ip_addr_t group;
	uint32_t index;
};

struct datagram {
	struct socket *s;
	struct datagram *next, *prev;	/* all of them */
	struct datagram *port_next, **port_at;	/* those with a port that is alike */
	struct net_endpoint local, peer;
	bool bound;			/* has a port (UDP) or a number (ping), and is in a chain */
	bool address_given, port_given;	/* by bind(): stays when the connection is undone */
	bool connected, shut_read, shut_write;
	/* IPV6_2292PKTINFO and HOPLIMIT: the first RFC's names of what recvmsg adds */
	bool old_info, old_hops;
	struct packet_queue queue, errors;
	int64_t stamp;			/* of the last packet taken; 0: none */
	struct membership *memberships;
	unsigned membership_count;
	/* ICMP_FILTER, ICMP6_FILTER: bits of types that are not wanted */
	uint32_t filter[8];
	int checksum_at;		/* IPV6_CHECKSUM; -1: none */
};

/* Where a packet goes, and how. */
struct outgoing {
	struct net_endpoint to;
	ip_addr_t from;
	struct netif *netif;
	bool local;			/* to this machine only */
	bool many, broadcast;
	uint8_t ttl, tos;
};

static inline struct datagram *datagram_of(const struct socket *s)
{
	return s->own;
}

extern struct datagram *datagram_first;

/* --- datagram.c: the operations, and the queue -------------------------------------------- */

int datagram_create(struct net_request *r, struct socket *s);
bool datagram_destroy(struct socket *s);	/* less what the kind did */
int64_t datagram_shutdown(struct net_request *r, int how);
int64_t datagram_name(struct net_request *r, bool peer, struct net_sockaddr *out);
int64_t datagram_recv(struct net_request *r, struct net_message *msg);
int64_t datagram_ioctl(struct net_request *r, uint32_t command, uint64_t arg);
uint32_t datagram_ready(struct socket *s);

struct packet *packet_new(uint32_t size);
/* The packet is the socket's from here on; it is dropped silently if there is no room. */
void datagram_put(struct datagram *d, struct packet *p);
/* A copy of a part of p for it. */
void datagram_put_copy(struct datagram *d, const struct arrival *a, struct pbuf *p, uint16_t from,
		       uint16_t size);
void datagram_fault(struct datagram *d, const struct fault *f);
/*
 * Would the socket take what comes from there to there? Local address, connection, interface; ports
 * are not looked at.
 */
bool datagram_fits(const struct datagram *d, const struct arrival *a);

struct datagram_ports;

/* --- datagram_send.c ---------------------------------------------------------------------- */

/* Is ip of the socket's own family? UDP sockets of IPv6 take IPv4, too, the other kinds do not. */
bool datagram_own_family(const struct socket *s, const ip_addr_t *ip);
/* bind()'s checks of an address. */
int datagram_bind_check(struct net_request *r, const struct net_sockaddr *a,
			struct net_endpoint *at);
/* bind() of a kind that has numbers, after the checks: takes address and number. */
int datagram_bind(struct net_request *r, struct datagram_ports *ports,
		  const struct net_endpoint *at);
/*
 * connect(); AF_UNSPEC undoes it. ports: where one without a number takes one; NULL: the kind has
 * none.
 */
int datagram_connect(struct net_request *r, const struct net_sockaddr *a,
		     struct datagram_ports *ports);
/* Where the message goes: address, control messages, route, source. 0 or errno; commits nothing. */
int datagram_route(struct net_request *r, const struct net_message *msg, struct outgoing *o);
/* A packet with room for `size` bytes at *data and headers before it; NULL: no memory. */
struct pbuf *datagram_pbuf(uint32_t size, void **data);
/*
 * The caller's data. An error that came for an earlier packet is told instead, and nothing is sent.
 * After the last other k_caller_*.
 */
int64_t datagram_read(struct net_request *r, const struct net_message *msg, void *to);
/* Both: a packet with the caller's data in it. */
int64_t datagram_compose(struct net_request *r, const struct net_message *msg, struct pbuf **p,
			 void **data);
/* Adds the IP header and sends. Frees p. 0 or errno. */
int datagram_output(const struct datagram *d, const struct outgoing *o, struct pbuf *p,
		    uint8_t protocol);
bool datagram_is_broadcast(const ip_addr_t *ip);

#define DATAGRAM_OLD_PKTINFO	2	/* IPV6_2292PKTINFO */
#define DATAGRAM_OLD_HOPLIMIT	8	/* IPV6_2292HOPLIMIT */

/* --- datagram_option.c -------------------------------------------------------------------- */

int64_t datagram_set_option(struct net_request *r, int level, int name, const void *value,
			    uint32_t size, uint64_t from);
int64_t datagram_get_option(struct net_request *r, int level, int name, void *value,
			    uint32_t *size);
void datagram_leave_all(struct datagram *d);
/* Has the socket asked for it? Without memberships IP_MULTICAST_ALL says. */
bool datagram_joined(const struct datagram *d, const ip_addr_t *group, uint32_t index);
/* Has any socket of this machine joined it there? */
bool datagram_anybody_joined(const ip_addr_t *group, uint32_t index);

/* --- datagram_port.c: numbers that sockets of a kind have one each: UDP's ports, ping's
 * identifiers  */

#define DATAGRAM_CHAINS 256u
struct datagram_ports {
	struct datagram *chain[DATAGRAM_CHAINS];
};
extern struct datagram_ports udp_ports, ping_ports;

/* Takes d->local.port, or chooses one if it is 0. -EADDRINUSE */
int datagram_port_take(struct datagram_ports *ports, struct datagram *d);
void datagram_port_drop(struct datagram *d);
static inline struct datagram *datagram_port_first(const struct datagram_ports *ports,
						   uint16_t port)
{
	return ports->chain[port % DATAGRAM_CHAINS];
}

/* --- the kinds: what came in -------------------------------------------------------------- */

/* True: somebody has it. p's payload begins `from` bytes in. */
bool udp_deliver(const struct arrival *a, struct pbuf *p, uint16_t from, uint16_t size);
void udp_fault(const struct fault *f);
void ping_deliver(const struct arrival *a, struct pbuf *p, uint16_t from);
void ping_fault(const struct fault *f);
/* header: size of the IP headers. */
void raw_deliver(const struct arrival *a, struct pbuf *p, uint16_t header);
void raw_fault(const struct fault *f, uint8_t protocol);

/* tap.c: a protocol that somebody wants to see. */
/* from the first datagram socket, and the first connection over the wire, on. 0 or errno */
int tap_begin(void);
int tap_add(uint8_t protocol);
void tap_remove(uint8_t protocol);
bool raw_wanted(uint8_t protocol);	/* are there raw sockets for it? */

#endif
