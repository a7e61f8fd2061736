/* SPDX-License-Identifier: MIT */
/*
 * Sockets: what all of them have, and the operations by which the kinds differ.
 *
 * A socket is one description of the network server (its cookie finds the socket) or, before it is
 * accepted, none yet. `core` has what is alike (numbers, addresses, messages, general options,
 * waiting, limits); a kind (struct socket_ops; kinds.c has the table of family, type and protocol)
 * does the rest. Kinds:
 *
 *	socket/stream.c		TCP: plane SOCKET, two kernel pipes	socket_stream_ops
 *	socket/datagram.c	UDP, ping and raw sockets: plane NONE	socket_udp_ops,
 *								socket_ping_ops, socket_raw_ops
 *	interface/netlink.c	AF_NETLINK: plane NONE			socket_netlink_ops
 *
 * Operations get the request (who asks, how to wait) and find the socket in r->s. A NULL operation
 * gives EOPNOTSUPP unless it says otherwise.
 */
#ifndef NETSTACK_CORE_SOCKET_H
#define NETSTACK_CORE_SOCKET_H

#include "address.h"
#include "message.h"
#include "request.h"

struct socket_ops {
	const char *name;
	uint8_t plane;			/* K_PLANE_SOCKET or K_PLANE_NONE */

	/*
	 * Everything beyond the fields that socket_new() sets. 0 or errno; on failure `destroy` is
	 * called, so it must cope with half.
	 */
	int (*create)(struct net_request *r, struct socket *s);
	/* The description is closed (or was never made): no call is parked any more. Frees all of
	   s->own; the core then frees s unless it returns true: then the kind goes on with it (data
	   still to be sent) and calls socket_free(s) at last. */
	bool (*destroy)(struct socket *s);

	/*
	 * socket(): makes the description of a fresh socket with its pipes. NULL: socket_open(s,
	 * -1, -1, flags)
	 */
	int (*open)(struct socket *s, uint32_t flags);

	/* Addresses were read, not yet checked. */
	int64_t (*bind)(struct net_request *r, const struct net_sockaddr *a);
	/* AF_UNSPEC, too */
	int64_t (*connect)(struct net_request *r, const struct net_sockaddr *a);
	/* 0 <= backlog <= SOMAXCONN */
	int64_t (*listen)(struct net_request *r, int backlog);
	/* flags: LX_SOCK_NONBLOCK | LX_SOCK_CLOEXEC. Answers itself (socket_answer_accepted). */
	int64_t (*accept)(struct net_request *r, uint32_t flags, uint64_t address,
			  uint64_t size_at);
	/* how is valid */
	int64_t (*shutdown)(struct net_request *r, int how);
	/* getsockname, getpeername: 0 or errno */
	int64_t (*name_of)(struct net_request *r, bool peer, struct net_sockaddr *out);

	/* message.h says how. */
	int64_t (*send)(struct net_request *r, struct net_message *msg);
	int64_t (*recv)(struct net_request *r, struct net_message *msg);

	/*
	 * close() has closed it, with SO_LINGER, and `destroy` goes on with it: net_wait() until
	 * all is delivered. NULL: never waits
	 */
	int64_t (*linger)(struct net_request *r);
	int64_t (*sendfile)(struct net_request *r);	/* the kernel left it to us; NULL: EINVAL */

	/*
	 * Optional, asked first; NET_PASS: the general code goes on (SOL_SOCKET, IP and IPV6 levels
	 * that every kind has, then ENOPROTOOPT). set: `value` holds the first min(size, 256)
	 * bytes; the rest is at `from` in the caller. get: fill `value` (room for 256 bytes), set
	 * *size.
	 */
	int64_t (*set_option)(struct net_request *r, int level, int name, const void *value,
			      uint32_t size, uint64_t from);
	int64_t (*get_option)(struct net_request *r, int level, int name, void *value,
			      uint32_t *size);
	/*
	 * Optional: the general code has changed s->option; bring it to where it has effect. 0 or
	 * errno
	 */
	int (*option_changed)(struct socket *s, int level, int name);
	/* Optional, asked before interface requests; NET_PASS */
	int64_t (*ioctl)(struct net_request *r, uint32_t command, uint64_t arg);
	/* Level bits (LX_POLL*) now; NULL for SOCKET planes, which set their sources themselves. */
	uint32_t (*ready)(struct socket *s);
	/* For SOCKET planes: s->error was set or taken. */
	void (*error_changed)(struct socket *s);
};

/* Options that every kind has; in the units of their getsockopt. */
struct socket_options {
	bool reuse_address, reuse_port, keepalive, broadcast, oob_inline, dont_route, no_check,
		pass_cred, timestamp, timestamp_ns;
	bool linger;
	bool v6_only, mtu_discover_set, header_included, receive_error, receive_error6, free_bind;
	/*
	 * what recvmsg adds: IP_PKTINFO, IP_RECVTTL, IP_RECVTOS, IPV6_RECVPKTINFO,
	 * IPV6_RECVHOPLIMIT, IPV6_RECVTCLASS, IP_RECVORIGDSTADDR
	 */
	bool pkt_info, receive_ttl, receive_tos, pkt_info6, receive_hops, receive_class,
		receive_origin;
	bool multicast_loop, multicast_loop6, multicast_all;
	uint8_t tos, traffic_class, multicast_ttl, mtu_discover;
	int16_t ttl, hops, multicast_hops;	/* -1: the default */
	int32_t linger_seconds, receive_low, priority;
	/* as given by getsockopt (Linux: twice what was set) */
	uint32_t receive_buffer, send_buffer;
	uint32_t mark;
	uint32_t interface;			/* SO_BINDTODEVICE: index, 0: any */
	uint32_t multicast_interface, multicast_interface6;	/* index, 0: by route */
	ip4_addr_t multicast_address;		/* IP_MULTICAST_IF given as address */
	int64_t receive_timeout, send_timeout;	/* ns, 0: none */
};

struct socket {
	/* of its description; & 0xffffffff is the inode shown. Unique for ever */
	uint64_t cookie;
	struct socket *chain;		/* hash of cookies */
	struct socket *next, *prev;	/* all sockets, oldest first (socket_first) */
	const struct socket_ops *ops;
	/* as given to socket(), protocol resolved (0 became TCP, UDP) */
	uint16_t family, type, protocol;
	bool closed;			/* its description is gone */
	bool opened;			/* it has (had) a description */
	uint32_t uid;			/* owner: fsuid of who made it */
	int32_t pid;
	uint64_t cred;
	int source;			/* readiness */
	uint32_t ready;			/* bits that were last set in the source */
	int error;			/* SO_ERROR: pending, positive; socket_error_set/take */
	struct socket_options option;
	struct srv_parked_list readers;	/* calls that wait for data, connections */
	struct srv_parked_list writers;	/* for room, for the end of connect */
	void *own;			/* the kind's */
};

/* --- finding, making ---------------------------------------------------------------------- */

/* NULL: unknown (a predecessor's): the core answers such calls. */
struct socket *socket_find(uint64_t cookie);
extern struct socket *socket_first;	/* for /proc/net and netlink: walk by ->next */
unsigned socket_count(void);
/*
 * A socket without description: a listener's child, or what socket() is about to open. ENFILE
 * beyond the limits (4096 in all; 2048 of one uid other than 0). `like` gives family, options,
 * owner for a child; NULL: defaults, owner is r's caller. Calls ops->create.
 */
int socket_new(struct net_request *r, const struct socket_ops *ops, int family, int type,
	       int protocol, const struct socket *like, struct socket **out);
/* Makes its description; the handle. */
int socket_open(struct socket *s, int pipe_in, int pipe_out, uint32_t flags /* LX_SOCK_NONBLOCK */);
/* One of a predecessor, whose description lives on: its cookie, its source. NULL: no memory. */
struct socket *socket_restore(uint64_t cookie, const struct socket_ops *ops, int family, int type,
			      int protocol, int source);
/* a new cookie: the description with the old one is closed, and that must not reach it */
void socket_renumber(struct socket *s);
void socket_numbers_after(uint64_t cookie);	/* cookies of a predecessor: never used again */
void socket_free(struct socket *s);	/* source and memory; after ops->destroy */
/*
 * SO_LINGER: close() comes to us, to wait, or to be over when the other side knows of it. s may be
 * NULL
 */
bool socket_lingers(const struct socket *s);
/* the description is gone, or there was none: destroy and free */
void socket_close(struct socket *s);
extern uint32_t socket_default_buffer[2];	/* SO_RCVBUF, SO_SNDBUF of new sockets: 212992 */

/*
 * kinds.c: family, type, protocol -> ops; *protocol is resolved. EAFNOSUPPORT, ESOCKTNOSUPPORT,
 * EPROTONOSUPPORT, EPERM (raw without capability), EINVAL
 */
int socket_kind(struct net_request *r, int family, int type, int *protocol,
		const struct socket_ops **out);

/* --- readiness, errors -------------------------------------------------------------------- */

/*
 * For kinds with `ready`: brings the source up to date, wakes parked readers and writers whose side
 * is ready. events: what has just happened (LX_POLLIN for one more packet, LX_POLLOUT for room):
 * edge-triggered waiters hear of it even if the level stays. 0: only levels.
 */
void socket_changed(struct socket *s, uint32_t events);
/* Sets the pending error (positive errno), POLLERR with socket_changed(). */
void socket_error_set(struct socket *s, int error);
/* Takes it: 0 or negative errno. */
int socket_error_take(struct socket *s);

/* --- options.c ---------------------------------------------------------------------------- */

/*
 * An int as setsockopt takes it for most options (EINVAL if size < 4). IP-level ones also take one
 * byte: net_option_int_short.
 */
int net_option_int(const void *value, uint32_t size, int32_t *out);
int net_option_int_short(const void *value, uint32_t size, int32_t *out);
/* getsockopt's answer of an int. */
int64_t net_option_put(void *value, uint32_t *size, int32_t n);

extern const struct socket_ops socket_stream_ops, socket_udp_ops, socket_ping_ops, socket_raw_ops,
	socket_netlink_ops;

/* --- what others give the core ------------------------------------------------------------ */

/*
 * netstack/interface: SIOCGIF..., SIOCSIF..., SIOCADDRT..., on any socket. -ENOTTY: not an
 * interface request.
 */
int64_t interface_ioctl(struct net_request *r, uint32_t command, uint64_t arg);
/* Texts of /proc/net: PROTO_PS_PROC_OPEN and so on (sysroot/proto/posix_vfs.h) */
srv_handler interface_proc_open, interface_proc_refresh, interface_proc_write;

#endif
