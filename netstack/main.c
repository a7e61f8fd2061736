/* SPDX-License-Identifier: MIT */
/*
 * The network server: README.md tells how it is built.
 *
 * A round: receive one message, run what it asks for, then until nothing is left to do: calls that
 * were woken, streams that were touched, lwIP's packets and timers.
 */
#include <errno.h>
#include <stdlib.h>

#include "socket_calls.h"
#include "glue.h"
#include "listener.h"
#include "message.h"
#include "pipe.h"
#include "posix_vfs.h"
#include "saved.h"
#include "server.h"
#include "shortcuts.h"
#include "socket.h"
#include "start.h"
#include "stream.h"
#include "syscall_names.h"

/* --- numbers ------------------------------------------------------------------------------ */

/* Needs no socket of ours: works for one of a dead predecessor, or has none */
#define ANY 1u

static const struct entry {
	uint16_t number;
	uint8_t flags;
	net_function *function;
	const char *name;
} entries[] = {
	{ 0, 0, in_read, "read" },
	{ 1, 0, in_write, "write" },
	{ 19, 0, in_readv, "readv" },
	{ 20, 0, in_writev, "writev" },
	{ 327, 0, in_readv, "preadv2" },
	{ 328, 0, in_writev, "pwritev2" },
	{ 3, ANY, in_close, "close" },
	{ 33, ANY, in_dup, "dup2" },
	{ 292, ANY, in_dup, "dup3" },
	{ 8, ANY, in_no_position, "lseek" },
	{ 17, ANY, in_no_position, "pread64" },
	{ 18, ANY, in_no_position, "pwrite64" },
	{ 295, ANY, in_no_position, "preadv" },
	{ 296, ANY, in_no_position, "pwritev" },
	{ 16, ANY, in_ioctl, "ioctl" },
	{ 72, ANY, in_fcntl, "fcntl" },
	{ 40, 0, in_sendfile, "sendfile" },
	{ 41, ANY, in_socket, "socket" },
	{ 53, ANY, in_socketpair, "socketpair" },
	{ 42, 0, in_connect, "connect" },
	{ 43, 0, in_accept, "accept" },
	{ 288, 0, in_accept4, "accept4" },
	{ 44, 0, in_sendto, "sendto" },
	{ 45, 0, in_recvfrom, "recvfrom" },
	{ 46, 0, in_sendmsg, "sendmsg" },
	{ 47, 0, in_recvmsg, "recvmsg" },
	{ 307, 0, in_sendmmsg, "sendmmsg" },
	{ 299, 0, in_recvmmsg, "recvmmsg" },
	{ 48, 0, in_shutdown, "shutdown" },
	{ 49, 0, in_bind, "bind" },
	{ 50, 0, in_listen, "listen" },
	{ 51, 0, in_getsockname, "getsockname" },
	{ 52, 0, in_getpeername, "getpeername" },
	{ 54, 0, in_setsockopt, "setsockopt" },
	{ 55, 0, in_getsockopt, "getsockopt" },
};
#define ENTRIES (sizeof entries / sizeof entries[0])

/* Calls about the node behind a descriptor, which the VFS sends here. (fcntl is served above.) */
static const uint16_t node_numbers[] = { PROTO_NODE_NUMBERS };
#define NODES (sizeof node_numbers / sizeof node_numbers[0])

static uint8_t index_of[K_ROUTE_NUMBERS];	/* into entries, + 1 */

static void call(const struct k_message *m)
{
	const struct entry *e = &entries[index_of[m->number] - 1];

	if (!(e->flags & ANY) && m->flags & (K_MSGF_BADFD | K_MSGF_FOREIGNFD))
		srv_answer(m->call, m->flags & K_MSGF_BADFD ? -EBADF : -ENOTSOCK);
	else if (!(e->flags & ANY) && !socket_find(m->cookie))
		net_request_run(m, socket_stale);
	else
		net_request_run(m, e->function);
}

static void node_call(const struct k_message *m)
{
	net_request_run(m, in_node);
}

/* --- messages that are not calls ---------------------------------------------------------- */

static void closed(uint64_t cookie)
{
	struct socket *s = socket_find(cookie);

	if (s)
		socket_close(s);
}

/* With the shortcuts off: what the kernel would have left to us. */
static bool declines(const struct k_message *m)
{
	return m->number == 3 && socket_lingers(socket_find(m->cookie));
}

static const char *number_name(int number)
{
	return number >= 0 && number < K_ROUTE_NUMBERS ? syscall_names[number] : NULL;
}

static struct srv_ops ops = {
	.shortcuts = &syscall_shortcuts,
	.declines = declines,
	.closed = closed,
	.done = closing_done,
	.notify = net_lwip_notify,
	.pipe = pipe_notice,
	.number_name = number_name,
};

static const struct srv_number private_numbers[] = {
	{ PROTO_PS_PROC_OPEN, interface_proc_open, "proc_open" },
	{ PROTO_PS_PROC_REFRESH, interface_proc_refresh, "proc_refresh" },
	{ PROTO_PS_PROC_WRITE, interface_proc_write, "proc_write" },
};
#define PRIVATES (sizeof private_numbers / sizeof private_numbers[0])

static void numbers_setup(void)
{
	static struct srv_number list[ENTRIES + NODES + PRIVATES];
	size_t n = 0;

	for (size_t i = 0; i < NODES; i++)
		list[n++] = (struct srv_number){ node_numbers[i], node_call, "node" };
	/* after these: a later one replaces an earlier one */
	for (size_t i = 0; i < ENTRIES; i++) {
		list[n++] = (struct srv_number){ entries[i].number, call, entries[i].name };
		index_of[entries[i].number] = (uint8_t)(i + 1);
	}
	for (size_t i = 0; i < PRIVATES; i++)
		list[n++] = private_numbers[i];
	ops.numbers = list;
	ops.number_count = n;
}

/* --- taking over -------------------------------------------------------------------------- */

#define HANDLES_MAX 65536

/*
 * A predecessor's connections are lost. Its pipes and sources are in the handle table that we
 * inherit: let everybody who waits there find an end, and an error first. Descriptions stay with
 * the programs; calls on them are socket_stale()'s. Listeners live on (listener.h).
 */
static void take_over(int endpoint)
{
	uint64_t from = 0, cookies[64];
	struct k_handle_info info;
	long n;

	while ((n = k_endpoint_descriptions(endpoint, &from, cookies,
					    sizeof cookies / sizeof cookies[0])) > 0) {
		listener_keep(cookies, n);
		for (long i = 0; i < n; i++)
			socket_numbers_after(cookies[i]);
	}
	listener_keep_end();
	for (int h = 0; h < HANDLES_MAX; h++) {
		if (k_handle_info(h, &info) < 0 || listener_owns(h))
			continue;
		if (info.type == K_OBJECT_SOURCE)
			k_source_set(h,
				     LX_POLLIN | LX_POLLOUT | LX_POLLERR | LX_POLLHUP |
					     LX_POLLRDHUP,
				     0, 1);
		else if (info.type == K_OBJECT_PIPE)
			k_pipe_bind(h, -1, 0);
		if (info.type == K_OBJECT_PIPE)
			k_pipe_hold(h, 0);
		if (info.type == K_OBJECT_SOURCE || info.type == K_OBJECT_PIPE ||
		    info.type == K_OBJECT_DESCRIPTION)
			k_handle_close(h);
	}
}

/* --- the loop ----------------------------------------------------------------------------- */

static void due(struct srv_timer *t)
{
	(void)t;	/* the round that follows does it */
}

static void settle(void)
{
	do {
		net_request_settle();
		stream_settle();
		net_lwip_poll();
	} while (net_request_settle() || stream_settle());
}

int main(void)
{
	static struct srv_timer timer = { .fn = due };
	int endpoint = srv_handle_need(PROTO_START_ENDPOINT);

	net_request_setup(srv_handle("posix"), srv_handle("creds"));
	numbers_setup();
	srv_setup(endpoint, &ops);
	saved_setup(srv_handle(PROTO_START_STATE));
	if (srv_arg("restarted"))
		take_over(endpoint);
	net_lwip_setup();
	wire_setup();
	listener_restore();
	for (;;) {
		int64_t deadline;

		settle();
		deadline = net_lwip_deadline();
		if (deadline == K_FOREVER)
			srv_timer_cancel(&timer);
		else if (!timer.index || timer.deadline != deadline)
			srv_timer_set(&timer, deadline);
		srv_round();
	}
}
