/* SPDX-License-Identifier: MIT */
/*
 * AF_UNIX sockets over the mock kernel: by subject, and then a long conversation in which the
 * server is killed before each of its kernel calls, after which the call is delivered again:
 * nothing may be lost, doubled or told wrong.
 */
#include "vfs_check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "linux.h"
#include "posix_vfs.h"
#include "socket.h"
#include "socket_linux.h"

static struct mock_caller *me, *other;

#define SYS(c, n, ...) mock_call(c, n, (const uint64_t[6]){ __VA_ARGS__ })
#define P(s) (uint64_t)(uintptr_t)(s)

enum {
	read_ = 0,
	write_ = 1,
	open_ = 2,
	fstat_ = 5,
	pipe2_ = 293,
	socket_ = 41,
	connect_ = 42,
	accept_ = 43,
	sendto_ = 44,
	recvfrom_ = 45,
	sendmsg_ = 46,
	recvmsg_ = 47,
	shutdown_ = 48,
	bind_ = 49,
	listen_ = 50,
	getsockname_ = 51,
	getpeername_ = 52,
	socketpair_ = 53,
	setsockopt_ = 54,
	getsockopt_ = 55,
	unlink_ = 87,
	accept4_ = 288,
	recvmmsg_ = 299,
	sendmmsg_ = 307
};
enum { IN = LX_POLLIN, OUT = LX_POLLOUT, ERR = LX_POLLERR, HUP = LX_POLLHUP, RDHUP = LX_POLLRDHUP };

static char buffer[1 << 19];

static void begin(void)
{
	vfs_setup(NULL, 0);
	me = mock_caller_new(10);
	other = mock_caller_new(11);
}

static void pair(int sv[2], unsigned type)
{
	CHECK_EQ(SYS(me, socketpair_, LX_AF_UNIX, type, 0, P(sv)), 0);
}

static void close_all(void)
{
	for (int i = 0; i < MOCK_FDS; i++) {
		mock_fd_close_any(me, i);
		mock_fd_close_any(other, i);
	}
	mock_drain();
	vfs_check("when all is closed");
	CHECK_EQ(mock_count(K_OBJECT_PIPE), 0);
	CHECK_EQ(mock_count(K_OBJECT_SOURCE), 0);
}

static uint64_t name_of(struct lx_sockaddr_un *a, const char *path)
{
	memset(a, 0, sizeof *a);
	a->family = LX_AF_UNIX;
	strcpy(a->path, path);
	return 2 + strlen(path) + 1;
}

/* A message with descriptors. */
struct letter {
	struct lx_msghdr h;
	uint64_t iov[2];
	struct {
		struct lx_cmsghdr head;
		int32_t fd[8];
	} control;
};

static void letter_write(struct letter *l, const char *text, const int *fd, int count)
{
	memset(l, 0, sizeof *l);
	l->iov[0] = P(text);
	l->iov[1] = strlen(text);
	l->h.iov = P(l->iov);
	l->h.iov_count = 1;
	if (!count)
		return;
	l->control.head = (struct lx_cmsghdr){ sizeof l->control.head + (size_t)count * 4,
					       LX_SOL_SOCKET, LX_SCM_RIGHTS };
	memcpy(l->control.fd, fd, (size_t)count * 4);
	l->h.control = P(&l->control);
	l->h.control_size = l->control.head.size;
}

static void letter_room(struct letter *l, uint64_t n)
{
	memset(l, 0, sizeof *l);
	l->iov[0] = P(buffer);
	l->iov[1] = n;
	l->h.iov = P(l->iov);
	l->h.iov_count = 1;
	l->h.control = P(&l->control);
	l->h.control_size = sizeof l->control;
}

static int letter_fds(const struct letter *l)
{
	return l->h.control_size ? (int)((l->control.head.size - sizeof l->control.head) / 4) : 0;
}

/* --- subjects ----------------------------------------------------------------------------- */

static void test_stream(void)
{
	int sv[2];

	pair(sv, LX_SOCK_STREAM | LX_SOCK_CLOEXEC);
	CHECK(me->cloexec[0] && me->cloexec[1]);
	CHECK_EQ(mock_ready(me, sv[0]), OUT);
	CHECK_EQ(mock_write(me, sv[0], "abc", 3), 3);
	CHECK_EQ(mock_ready(me, sv[1]), IN | OUT);
	CHECK_EQ(SYS(me, recvfrom_, 1, P(buffer), 2, LX_MSG_PEEK), 2);
	CHECK_EQ(mock_read(me, sv[1], buffer, 10), 3);
	CHECK_EQ(mock_read(me, sv[1], buffer, 10), -EAGAIN);
	/* waits in the server */
	CHECK_EQ(SYS(me, recvfrom_, 1, P(buffer), 4, LX_MSG_WAITALL), MOCK_PARKED);
	other->fd[0] = me->fd[0];
	CHECK_EQ(mock_write(other, 0, "ab", 2), 2);
	mock_drain();
	CHECK_EQ(me->state, MOCK_HELD);
	CHECK_EQ(mock_write(other, 0, "cde", 3), 3);
	mock_drain();
	CHECK_EQ(me->result, 4);
	CHECK(!memcmp(buffer, "abcd", 4));
	CHECK_EQ(mock_read(me, sv[1], buffer, 10), 1);
	/* halves */
	CHECK_EQ(SYS(me, shutdown_, 0, 1), 0);
	CHECK_EQ(mock_ready(me, 1), IN | OUT | RDHUP);
	CHECK_EQ(mock_read(me, 1, buffer, 10), 0);
	CHECK_EQ(mock_write(me, 0, "x", 1), MOCK_TO_SERVER);
	CHECK_EQ(me->number, PROTO_PS_FAIL);
	CHECK_EQ(SYS(me, sendto_, 0, P("x"), 1, LX_MSG_NOSIGNAL), -EPIPE);
	CHECK_EQ(mock_write(me, 1, "back", 4), 4);
	CHECK_EQ(mock_read(me, 0, buffer, 10), 4);
	other->fd[0] = NULL;
	/* the end, with unread data */
	CHECK_EQ(mock_write(me, 1, "lost", 4), 4);
	mock_close(me, 0);
	/* declined: the server has not heard of it yet */
	CHECK_EQ(mock_ready(me, 1) & (ERR | HUP), 0);
	mock_drain();
	CHECK_EQ(mock_ready(me, 1), IN | OUT | RDHUP | HUP | ERR);
	CHECK_EQ(mock_read(me, 1, buffer, 10), -ECONNRESET);
	CHECK_EQ(mock_read(me, 1, buffer, 10), 0);
	close_all();
}

static void test_timeouts(void)
{
	struct lx_timeval t = { 0, 1000 };
	int sv[2];

	pair(sv, LX_SOCK_DGRAM);
	CHECK_EQ(SYS(me, setsockopt_, 0, LX_SOL_SOCKET, LX_SO_RCVTIMEO, P(&t), sizeof t), 0);
	CHECK_EQ(SYS(me, recvfrom_, 0, P(buffer), 10, 0), MOCK_PARKED);
	mock_cancel(me);
	CHECK_EQ(me->result, -K_RESTART_NOHAND);
	CHECK_EQ(SYS(me, recvfrom_, 1, P(buffer), 10, 0), MOCK_PARKED);
	mock_cancel(me);
	CHECK_EQ(me->result, -K_RESTART_SYS);
	close_all();
}

static void test_names(void)
{
	struct lx_sockaddr_un a, b;
	uint64_t n = name_of(&a, "/tmp/s");
	int32_t size = sizeof b;

	CHECK_EQ(SYS(me, socket_, LX_AF_UNIX, LX_SOCK_STREAM, 0), 0);
	CHECK_EQ(mock_ready(me, 0), OUT | HUP);
	CHECK_EQ(SYS(me, listen_, 0, 1), -EINVAL);
	CHECK_EQ(SYS(me, bind_, 0, P(&a), n), 0);
	CHECK_EQ(SYS(me, bind_, 0, P(&a), n), -EADDRINUSE);
	CHECK_EQ(SYS(other, socket_, LX_AF_UNIX, LX_SOCK_STREAM, 0), 0);
	CHECK_EQ(SYS(other, connect_, 0, P(&a), n), -ECONNREFUSED);
	CHECK_EQ(SYS(me, listen_, 0, 0), 0);
	CHECK_EQ(SYS(other, connect_, 0, P(&a), n), 0);
	CHECK_EQ(mock_ready(me, 0), IN);
	CHECK_EQ(mock_write(other, 0, "early", 5), 5);
	/* the queue is full */
	CHECK_EQ(SYS(other, socket_, LX_AF_UNIX, LX_SOCK_STREAM, 0), 1);
	CHECK_EQ(SYS(other, connect_, 1, P(&a), n), MOCK_PARKED);
	CHECK_EQ(SYS(me, accept_, 0, P(&b), P(&size)), 1);
	CHECK_EQ(size, 2);
	CHECK_EQ(other->state, MOCK_ANSWERED);
	CHECK_EQ(other->result, 0);
	CHECK_EQ(mock_read(me, 1, buffer, 10), 5);
	CHECK_EQ(mock_ready(me, 0), IN);
	size = sizeof b;
	CHECK_EQ(SYS(other, getpeername_, 0, P(&b), P(&size)), 0);
	CHECK_EQ(size, (int)n);
	CHECK(!strcmp(b.path, "/tmp/s"));
	/* EMFILE and EFAULT leave the connection in the queue */
	CHECK_EQ(SYS(me, accept_, 0, 16, P(&size)), -EFAULT);
	mock_drain();
	vfs_check("after a refused accept");
	CHECK_EQ(mock_ready(me, 0), IN);
	CHECK_EQ(SYS(me, accept_, 0), 2);
	CHECK_EQ(mock_write(me, 2, "hello", 5), 5);
	CHECK_EQ(mock_read(other, 1, buffer, 10), 5);
	/* the listener goes with someone in its queue */
	CHECK_EQ(SYS(other, socket_, LX_AF_UNIX, LX_SOCK_STREAM, 0), 2);
	CHECK_EQ(SYS(other, connect_, 2, P(&a), n), 0);
	mock_close(me, 0);
	mock_drain();
	CHECK_EQ(mock_read(other, 2, buffer, 10), -ECONNRESET);
	CHECK_EQ(SYS(me, unlink_, P("/tmp/s")), 0);
	close_all();
}

static void test_packets(void)
{
	struct lx_sockaddr_un a;
	uint64_t n = name_of(&a, "/tmp/d");
	int sv[2], sent = 0;

	pair(sv, LX_SOCK_SEQPACKET);
	CHECK_EQ(mock_write(me, 0, "abc", 3), 3);
	CHECK_EQ(mock_write(me, 0, "", 0), 0);
	CHECK_EQ(mock_ready(me, 1), IN | OUT);
	CHECK_EQ(SYS(me, recvfrom_, 1, P(buffer), 2, LX_MSG_TRUNC), 3);
	CHECK_EQ(mock_read(me, 1, buffer, 0), 0);	/* takes nothing */
	CHECK_EQ(SYS(me, recvfrom_, 1, P(buffer), 0, 0), 0);
	CHECK_EQ(mock_write(me, 1, "lost", 4), 4);
	mock_close(me, 0);
	mock_drain();
	CHECK_EQ(mock_ready(me, 1), IN | OUT | HUP | RDHUP | ERR);
	CHECK_EQ(mock_read(me, 1, buffer, 10), -ECONNRESET);
	CHECK_EQ(mock_read(me, 1, buffer, 10), 0);
	close_all();
	CHECK_EQ(SYS(me, socket_, LX_AF_UNIX, LX_SOCK_DGRAM, 0), 0);
	CHECK_EQ(SYS(me, bind_, 0, P(&a), n), 0);
	CHECK_EQ(SYS(other, socket_, LX_AF_UNIX, LX_SOCK_DGRAM, 0), 0);
	CHECK_EQ(SYS(other, connect_, 0, P(&a), n), 0);
	while (SYS(other, sendto_, 0, P("x"), 1, LX_MSG_DONTWAIT) == 1)
		sent++;
	CHECK_EQ(other->result, -EAGAIN);
	CHECK_EQ(mock_ready(other, 0), 0);
	CHECK_EQ(SYS(other, sendto_, 0, P("y"), 1, 0), MOCK_PARKED);
	CHECK_EQ(SYS(me, recvfrom_, 0, P(buffer), 10, 0), 1);
	CHECK_EQ(other->result, 1);
	for (int i = 0; i < sent; i++)
		CHECK_EQ(SYS(me, recvfrom_, 0, P(buffer), 10, 0), 1);
	CHECK_EQ(buffer[0], 'y');
	CHECK_EQ(SYS(me, recvfrom_, 0, P(buffer), 10, 0), MOCK_PARKED);
	CHECK_EQ(mock_ready(other, 0), OUT);
	CHECK_EQ(SYS(other, sendto_, 0, P("z"), 1, 0), 1);
	CHECK_EQ(me->result, 1);
	mock_close(me, 0);
	CHECK_EQ(SYS(other, sendto_, 0, P("x"), 1, 0), -ECONNREFUSED);
	CHECK_EQ(SYS(other, sendto_, 0, P("x"), 1, 0), -ENOTCONN);
	CHECK_EQ(SYS(me, unlink_, P("/tmp/d")), 0);
	close_all();
}

static void test_rights(void)
{
	struct letter l;
	int sv[2], p[2];

	for (unsigned type = LX_SOCK_STREAM; type <= LX_SOCK_SEQPACKET;
	     type += type == LX_SOCK_STREAM ? 1 : 3) {
		pair(sv, type);
		CHECK_EQ(SYS(me, pipe2_, P(p), 0), 0);
		letter_write(&l, "abcd", p, 2);
		CHECK_EQ(SYS(me, sendmsg_, 0, P(&l), 0), 4);
		vfs_check("with descriptors on their way");
		mock_close(me, p[0]);
		mock_close(me, p[1]);
		mock_drain();
		other->fd[9] = me->fd[sv[1]];
		letter_room(&l, 3);
		CHECK_EQ(SYS(other, recvmsg_, 9, P(&l), 0), 3);
		CHECK_EQ(letter_fds(&l), 2);
		CHECK(mock_description(other, l.control.fd[1])->plane == K_PLANE_PIPE_WRITE);
		other->fd[9] = NULL;
		/* a second one is thrown away by a plain read, or with its socket */
		letter_write(&l, "xy", sv, 1);
		CHECK_EQ(SYS(me, sendmsg_, 0, P(&l), 0), 2);
		if (type == LX_SOCK_STREAM)
			CHECK_EQ(mock_read(me, sv[1], buffer, 10), 3);
		close_all();
	}
	/* circles */
	pair(sv, LX_SOCK_STREAM);
	pair(p, LX_SOCK_STREAM);
	letter_write(&l, "a", &sv[1], 1);
	CHECK_EQ(SYS(me, sendmsg_, (uint64_t)p[0], P(&l), 0), 1);
	letter_write(&l, "a", &p[1], 1);
	CHECK_EQ(SYS(me, sendmsg_, (uint64_t)sv[0], P(&l), 0), 1);
	mock_close(me, sv[1]);
	mock_close(me, p[1]);
	mock_close(me, sv[0]);
	mock_drain();
	vfs_check("with a circle that is still reachable");
	CHECK(mock_count(K_OBJECT_PIPE) > 0);
	close_all();
}

static void test_credentials(void)
{
	int sv[2], on = 1;
	struct letter l;

	pair(sv, LX_SOCK_STREAM);
	CHECK_EQ(mock_write(me, 0, "before", 6), 6);
	CHECK_EQ(SYS(me, setsockopt_, 1, LX_SOL_SOCKET, LX_SO_PASSCRED, P(&on), 4), 0);
	CHECK_EQ(mock_write(me, 0, "ab", 2), 2);
	CHECK_EQ(mock_write(me, 0, "cd", 2), 2);
	other->fd[0] = me->fd[0];
	CHECK_EQ(mock_write(other, 0, "ef", 2), 2);
	other->fd[0] = NULL;
	letter_room(&l, 100);
	CHECK_EQ(SYS(me, recvmsg_, 1, P(&l), 0), 6);
	CHECK_EQ(l.control.fd[0], 0);
	letter_room(&l, 100);
	CHECK_EQ(SYS(me, recvmsg_, 1, P(&l), 0), 4);
	CHECK_EQ(l.control.fd[0], 10);
	letter_room(&l, 100);
	CHECK_EQ(SYS(me, recvmsg_, 1, P(&l), 0), 2);
	CHECK_EQ(l.control.fd[0], 11);
	close_all();
}

static void test_foreign(void)
{
	struct proto_node node = { .number = fstat_, .mode = LX_S_IFSOCK | 0777, .inode = 77 };
	struct lx_stat st;
	int sv[2];

	CHECK_EQ(SYS(me, socket_, LX_AF_INET, LX_SOCK_STREAM, 0), -EAFNOSUPPORT);
	CHECK_EQ(SYS(me, socket_, 17, LX_SOCK_STREAM, 0), -EAFNOSUPPORT);
	pair(sv, LX_SOCK_STREAM);
	CHECK_EQ(SYS(me, fstat_, 0, P(&st)), 0);
	CHECK_EQ(st.mode, LX_S_IFSOCK | 0777);
	me->state = MOCK_HELD;
	node.arg[1] = P(&st);
	CHECK_EQ(mock_forward_back(me, PROTO_VFS_NODE, me->arg, &node, sizeof node, -1), 0);
	CHECK_EQ(st.mode, LX_S_IFSOCK | 0777);
	CHECK_EQ(st.ino, 77);
	close_all();
}

/* --- killed again and again --------------------------------------------------------------- */

static struct lx_sockaddr_un address;
static struct letter out, in;
static int fds[2];
static struct lx_mmsghdr batch[2];
static uint64_t batch_iov[2][2];
static struct lx_timeval minute = { 60, 0 };

/* One call of the conversation: a system call, or a read or write by the kernel's shortcut. */
struct step {
	int who, number;
	uint64_t arg[6];
	const char *text;	/* what must be in the buffer afterwards */
};

static const struct step steps[] = {
	{ 0, socketpair_, { LX_AF_UNIX, LX_SOCK_STREAM, 0, P(fds) }, NULL },
	{ 0, sendto_, { 0, P("one"), 3, LX_MSG_NOSIGNAL | 0x8000 }, NULL },
	{ 0, recvfrom_, { 1, P(buffer), 2, LX_MSG_WAITALL }, "on" },
	/* "abcd" and a descriptor */
	{ 0, sendmsg_, { 0, P(&out), 0 }, NULL },
	{ 0, recvmsg_, { 1, P(&in), 0 }, "eabcd" },
	{ 0, setsockopt_, { 1, LX_SOL_SOCKET, LX_SO_RCVTIMEO, P(&minute), 16 }, NULL },
	{ 0, write_, { 0, P("kernel"), 6 }, NULL },
	{ 0, read_, { 1, P(buffer), 100 }, "kernel" },
	{ 0, sendmmsg_, { 0, P(batch), 2, 0 }, NULL },
	{ 0, recvfrom_, { 1, P(buffer), 4, LX_MSG_WAITALL }, "ABCD" },
	{ 0, shutdown_, { 0, 1 }, NULL },
	{ 0, recvfrom_, { 1, P(buffer), 4, 0 }, NULL },
	{ 0, socket_, { LX_AF_UNIX, LX_SOCK_STREAM, 0 }, NULL },
	{ 0, bind_, { 3, P(&address), 9 }, NULL },
	{ 0, listen_, { 3, 5 }, NULL },
	{ 1, socket_, { LX_AF_UNIX, LX_SOCK_STREAM, 0 }, NULL },
	{ 1, connect_, { 0, P(&address), 9 }, NULL },
	{ 1, write_, { 0, P("early"), 5 }, NULL },
	{ 0, accept4_, { 3, 0, 0, 0 }, NULL },
	{ 0, read_, { 4, P(buffer), 100 }, "early" },
	{ 0, write_, { 4, P("answer"), 6 }, NULL },
	{ 1, read_, { 0, P(buffer), 100 }, "answer" },
	{ 1, socketpair_, { LX_AF_UNIX, LX_SOCK_DGRAM, 0, P(fds) }, NULL },
	{ 1, sendto_, { 1, P("datagram"), 8, 0 }, NULL },
	{ 1, sendmmsg_, { 1, P(batch), 2, 0 }, NULL },
	{ 1, recvfrom_, { 2, P(buffer), 100, 0 }, "datagram" },
	{ 1, recvfrom_, { 2, P(buffer), 100, 0 }, "AB" },
	{ 1, recvfrom_, { 2, P(buffer), 100, 0 }, "CD" },
	{ 1, recvfrom_, { 2, P(buffer), 100, LX_MSG_DONTWAIT }, NULL },
	{ 0, unlink_, { P("/tmp/sock") }, NULL },
};
#define STEPS (sizeof steps / sizeof steps[0])

static int64_t play(const struct step *s)
{
	struct mock_caller *c = s->who ? other : me;

	switch (s->number) {
	case read_:
		return mock_read(c, (int)s->arg[0], (void *)s->arg[1], s->arg[2]);
	case write_:
		return mock_write(c, (int)s->arg[0], (const void *)s->arg[1], s->arg[2]);
	case recvmsg_:
		letter_room(&in, 100);
		break;
	case sendmsg_:
		letter_write(&out, "abcd", (const int[]){ 0 }, 1);
		break;
	}
	return mock_call(c, s->number, s->arg);
}

/*
 * A server that died when it had given descriptors, and not yet said so, gives them again: the
 * caller has some more than he knows of.
 */
static void one_descriptor(void)
{
	int fd = in.control.fd[0];

	CHECK_EQ(letter_fds(&in), 1);
	CHECK(mock_description(me, fd));
	for (int i = 2; i < fd; i++)
		mock_fd_close_any(me, i);
	me->fd[2] = me->fd[fd];
	if (fd != 2)
		me->fd[fd] = NULL;
}

static void conversation(unsigned nth, const int64_t *expect, int64_t *results, unsigned *kills)
{
	begin();
	name_of(&address, "/tmp/sock");
	for (int i = 0; i < 2; i++) {
		batch_iov[i][0] = P("ABCD" + 2 * i);
		batch_iov[i][1] = 2;
		batch[i] =
			(struct lx_mmsghdr){ .header = { .iov = P(batch_iov[i]), .iov_count = 1 } };
	}
	for (volatile unsigned i = 0; i < STEPS; i++) {
		struct mock_caller *volatile c = steps[i].who ? other : me;
		volatile int64_t r;

		memset(buffer, 0, 200);
		mock_calls = 0;
		if (!setjmp(mock_death)) {
			mock_kill_at = nth;
			r = play(&steps[i]);
			mock_kill_at = 0;
		} else {
			(*kills)++;
			vfs_restart();
			r = c->state == MOCK_ANSWERED ? c->result : mock_redeliver(c);
		}
		if (steps[i].number == recvmsg_)
			one_descriptor();
		mock_drain();
		vfs_check("after a kill");
		if (steps[i].text && memcmp(buffer, steps[i].text, strlen(steps[i].text))) {
			fprintf(stderr, "step %u, killed at %u: \"%.20s\", not \"%s\"\n", i, nth,
				buffer, steps[i].text);
			abort();
		}
		if (expect && r != expect[i]) {
			fprintf(stderr, "step %u (call %d), killed at %u: %ld, not %ld\n", i,
				steps[i].number, nth, (long)r, (long)expect[i]);
			abort();
		}
		if (results)
			results[i] = r;
	}
	close_all();
}

static void test_kill(void)
{
	int64_t expect[STEPS];
	unsigned kills = 0;

	conversation(0, NULL, expect, &kills);
	for (volatile unsigned nth = 1; nth < 24; nth++)
		conversation(nth, expect, NULL, &kills);
	CHECK(kills > 150);
}

/* Whoever is parked when the server dies comes again and waits on. */
static void test_parked_kill(void)
{
	int sv[2];

	pair(sv, LX_SOCK_STREAM);
	CHECK_EQ(SYS(me, recvfrom_, 0, P(buffer), 6, LX_MSG_WAITALL), MOCK_PARKED);
	other->fd[0] = me->fd[1];
	CHECK_EQ(mock_write(other, 0, "abc", 3), 3);
	mock_drain();
	CHECK_EQ(me->state, MOCK_HELD);
	vfs_restart();
	CHECK_EQ(mock_redeliver(me), MOCK_PARKED);
	CHECK_EQ(mock_write(other, 0, "def", 3), 3);
	mock_drain();
	CHECK_EQ(me->state, MOCK_ANSWERED);
	CHECK_EQ(me->result, 6);
	CHECK(!memcmp(buffer, "abcdef", 6));
	other->fd[0] = NULL;
	close_all();
}

/* --- at random ---------------------------------------------------------------------------- */

static uint64_t seed = 12345;

static uint32_t chance(uint32_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 11) % n;
}

#define FDS 14

static void send_letter(struct mock_caller *c)
{
	static struct letter l;
	int fd[3], n = 0;

	for (uint32_t want = chance(4); want; want--) {
		fd[n] = (int)chance(FDS);
		n += c->fd[fd[n]] != NULL;
	}
	letter_write(&l, chance(4) ? "text" : "", fd, n);
	SYS(c, sendmsg_, chance(FDS), P(&l), LX_MSG_DONTWAIT | LX_MSG_NOSIGNAL);
}

static void receive_letter(struct mock_caller *c)
{
	static struct letter l;

	letter_room(&l, 1 + chance(20));
	if (chance(5) == 0)
		l.h.control_size = chance(40);
	SYS(c, recvmsg_, chance(FDS), P(&l), LX_MSG_DONTWAIT | (chance(8) ? 0 : LX_MSG_PEEK));
}

static void random_call(struct mock_caller *c)
{
	static const uint8_t types[] = { LX_SOCK_STREAM, LX_SOCK_DGRAM, LX_SOCK_SEQPACKET };
	struct lx_sockaddr_un a = { .family = LX_AF_UNIX, .path = { 0, (char)('a' + chance(4)) } };
	uint64_t fd = chance(FDS), type = types[chance(3)];
	int sv[2], on = (int)chance(2);

	switch (chance(16)) {
	case 0:
		SYS(c, socketpair_, LX_AF_UNIX, type, 0, P(sv));
		break;
	case 1:
		SYS(c, socket_, LX_AF_UNIX, type, 0);
		break;
	case 2:
		SYS(c, bind_, fd, P(&a), 4);
		break;
	case 3:
		SYS(c, listen_, fd, chance(3));
		break;
	case 4:
		SYS(c, connect_, fd, P(&a), 4);
		break;
	case 5:
		SYS(c, accept4_, fd, 0, 0, 0);
		break;
	case 6:
	case 7:
	case 8:
		send_letter(c);
		break;
	case 9:
	case 10:
		receive_letter(c);
		break;
	case 11:
		SYS(c, shutdown_, fd, chance(3));
		break;
	case 12:
		SYS(c, setsockopt_, fd, LX_SOL_SOCKET, LX_SO_PASSCRED, P(&on), 4);
		break;
	case 13:
		SYS(c, sendto_, fd, P("datagram"), chance(9), LX_MSG_DONTWAIT | LX_MSG_NOSIGNAL,
		    P(&a), chance(2) ? 4 : 0);
		break;
	default:
		mock_fd_close_any(c, (int)fd);
		break;
	}
	if (c->state == MOCK_HELD)
		mock_cancel(c);
}

static void test_random(void)
{
	for (unsigned i = 0; i < 30000; i++) {
		struct mock_caller *c = chance(2) ? me : other;

		random_call(c);
		for (int fd = FDS; fd < MOCK_FDS; fd++)
			mock_fd_close_any(c, fd);
		mock_drain();
		if (i % 16 == 0)
			vfs_check("in the middle of it");
		if (chance(200) == 0)
			vfs_restart();
	}
	for (int i = 0; i < MOCK_FDS; i++) {
		mock_fd_close_any(me, i);
		mock_fd_close_any(other, i);
	}
	mock_drain();
	garbage_suspected = true;	/* what a second brings */
	pair((int[2]){ 0 }, LX_SOCK_DGRAM);
	close_all();
}

int main(void)
{
	static void (*const tests[])(void) = { test_stream,  test_timeouts,    test_names,
					       test_packets, test_rights,      test_credentials,
					       test_foreign, test_parked_kill, test_random };

	for (unsigned i = 0; i < sizeof tests / sizeof tests[0]; i++) {
		begin();
		tests[i]();
		vfs_check("after a test");
	}
	test_kill();
	puts("vfs_socket: all passed");
	return 0;
}
