/* SPDX-License-Identifier: MIT */
/*
 * Pipes from their server's side: held ends, bytes, notices; and sockets over pipes, whose source
 * sends calls to the server.
 */
#include "ktest.h"

static char data[3 * PAGE], back[3 * PAGE];

static void data_fill(void)
{
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (char)(i * 7 + i / PAGE);
	memset(back, 0, sizeof(back));
}

/* --- bytes -------------------------------------------------------------------------------- */

TEST(pipe_bytes_of_a_server)
{
	int p = (int)k_pipe_create(2 * PAGE, 0);
	struct k_pipe_info info;

	data_fill();
	CHECK(p >= 0);
	CHECK_EQ(k_pipe_write(p, data, 1), -EPIPE);
	CHECK_EQ(k_pipe_read(p, back, 1, 0, 0), 0);		/* no writers: the end */
	CHECK_EQ(k_pipe_hold(p, 4), -EINVAL);
	CHECK_EQ(k_pipe_hold(p, K_PIPE_READER), 0);
	CHECK_EQ(k_pipe_write(p, data, 0), 0);
	CHECK_EQ(k_pipe_write(p, data, 5), 5);
	CHECK_EQ(k_pipe_write(p, data + 5, 3 * PAGE), 2 * PAGE - 5);
	CHECK_EQ(k_pipe_write(p, data, 1), -EAGAIN);
	CHECK_EQ(k_pipe_info(p, &info), 0);
	CHECK(info.bytes == 2 * PAGE && info.room == 0 && info.capacity == 2 * PAGE &&
	      info.readers == 1 && info.writers == 0);
	CHECK(info.put == 2 * PAGE && info.taken == 0);
	CHECK_EQ(k_pipe_read(p, back, PAGE, K_PIPE_PEEK, 100), PAGE);
	CHECK_EQ(memcmp(back, data + 100, PAGE), 0);
	CHECK_EQ(k_pipe_read(p, back, PAGE, K_PIPE_PEEK, 2 * PAGE - 3), 3);
	CHECK_EQ(memcmp(back, data + 2 * PAGE - 3, 3), 0);
	CHECK_EQ(k_pipe_read(p, NULL, 9 * PAGE, K_PIPE_PEEK, 7), 2 * PAGE - 7);
	CHECK_EQ(k_pipe_read(p, back, 1, K_PIPE_PEEK, 2 * PAGE), 0);
	CHECK_EQ(k_pipe_read(p, back, 1, K_PIPE_PEEK, ~0ul), 0);
	CHECK_EQ(k_pipe_read(p, back, 10, 0, 0), 10);
	CHECK_EQ(memcmp(back, data, 10), 0);
	CHECK_EQ(k_pipe_read(p, NULL, PAGE, K_PIPE_AT, 9), -EAGAIN);
	CHECK_EQ(k_pipe_read(p, NULL, PAGE, K_PIPE_AT, 11), -EAGAIN);
	CHECK_EQ(k_pipe_read(p, NULL, PAGE, K_PIPE_AT, 10), PAGE);
	CHECK_EQ(k_pipe_read(p, NULL, PAGE, K_PIPE_AT | K_PIPE_PEEK, PAGE + 10), -EINVAL);
	CHECK_EQ(k_pipe_info(p, &info), 0);
	/* the page that is being read is not free */
	CHECK(info.bytes == PAGE - 10 && info.room == PAGE);
	CHECK(info.put == 2 * PAGE && info.taken == PAGE + 10);
	CHECK_EQ(k_pipe_write(p, data, PAGE), PAGE);
	CHECK_EQ(k_pipe_read(p, back, sizeof(back), K_PIPE_AT, PAGE + 10), 2 * PAGE - 10);
	CHECK_EQ(memcmp(back, data + PAGE + 10, PAGE - 10), 0);
	CHECK_EQ(memcmp(back + PAGE - 10, data, PAGE), 0);
	CHECK_EQ(k_pipe_info(p, &info), 0);
	CHECK(info.put == 3 * PAGE && info.taken == 3 * PAGE);
	CHECK_EQ(k_pipe_read(p, back, 1, 0, 0), 0);
	CHECK_EQ(k_pipe_hold(p, K_PIPE_READER | K_PIPE_WRITER), 0);
	CHECK_EQ(k_pipe_read(p, back, 1, 0, 0), -EAGAIN);
	CHECK_EQ(k_pipe_read(p, back, 1, K_PIPE_PEEK, 0), -EAGAIN);
	CHECK_EQ(k_pipe_read(p, back, 1, K_PIPE_AT, 3 * PAGE), -EAGAIN);
	CHECK_EQ(k_pipe_read(p, back, 0, 0, 0), 0);
	CHECK_EQ(k_pipe_write(p, data, 9), 9);
	CHECK_EQ(k_pipe_hold(p, K_PIPE_READER), 0);
	CHECK_EQ(k_pipe_read(p, back, 4, 0, 0), 4);		/* what is there stays */
	CHECK_EQ(k_pipe_hold(p, 0), 0);				/* nobody is left: it goes */
	CHECK_EQ(k_pipe_read(p, back, 4, 0, 0), 0);
	CHECK_EQ(k_handle_close(p), 0);
}

TEST(pipe_calls_check_what_they_get)
{
	int p = (int)k_pipe_create(PAGE, 0), e = (int)k_endpoint_create(), weak, call;
	struct k_pipe_info info;

	CHECK_EQ(k_pipe_hold(p, K_PIPE_READER | K_PIPE_WRITER), 0);
	CHECK_EQ(k_pipe_write(p, (void *)0xdead000, 10), -EFAULT);
	CHECK_EQ(k_pipe_write(p, "abc", 3), 3);
	CHECK_EQ(k_pipe_read(p, (void *)0xdead000, 10, 0, 0), -EFAULT);
	CHECK_EQ(k_pipe_read(p, (void *)0xffff800000000000, 10, K_PIPE_PEEK, 0), -EFAULT);
	CHECK_EQ(k_pipe_read(p, back, 1, 4, 0), -EINVAL);
	CHECK_EQ(k_pipe_read(p, back, 1, 0, 1), -EINVAL);
	CHECK_EQ(k_pipe_info(p, (void *)8), -EFAULT);
	CHECK_EQ(k_pipe_arm(p, K_PIPE_DATA), -EINVAL);		/* nobody would hear */
	CHECK_EQ(k_pipe_arm(p, 0), 0);
	CHECK_EQ(k_pipe_bind(p, p, 1), -EINVAL);
	call = (int)k_handle_duplicate(e, K_RIGHT_CALL, 0);
	CHECK_EQ(k_pipe_bind(p, call, 1), -EPERM);
	CHECK_EQ(k_pipe_bind(p, e, 1), 0);
	CHECK_EQ(k_pipe_arm(p, 16), -EINVAL);
	weak = (int)k_handle_duplicate(p, K_RIGHT_READ, 0);
	CHECK_EQ(k_pipe_hold(weak, 0), -EPERM);
	CHECK_EQ(k_pipe_bind(weak, e, 1), -EPERM);
	CHECK_EQ(k_pipe_arm(weak, 0), -EPERM);
	CHECK_EQ(k_pipe_write(weak, "x", 1), -EPERM);
	CHECK_EQ(k_pipe_info(weak, &info), 0);
	CHECK_EQ(k_pipe_read(weak, back, 9, 0, 0), 3);
	CHECK_EQ(k_pipe_read(e, back, 9, 0, 0), -EINVAL);
	k_handle_close(weak);
	weak = (int)k_handle_duplicate(p, K_RIGHT_WRITE, 0);
	CHECK_EQ(k_pipe_read(weak, back, 9, 0, 0), -EPERM);
	k_handle_close(weak);
	k_handle_close(call);
	CHECK_EQ(k_handle_close(p), 0);
	CHECK_EQ(k_handle_close(e), 0);
}

TEST(pipe_packets_of_a_server)
{
	int p = (int)k_pipe_create(2 * PAGE, 1);

	CHECK_EQ(k_pipe_hold(p, K_PIPE_READER | K_PIPE_WRITER), 0);
	CHECK_EQ(k_pipe_write(p, "abc", 3), 3);
	CHECK_EQ(k_pipe_write(p, "defg", 4), 4);
	CHECK_EQ(k_pipe_write(p, "h", 1), -EAGAIN);
	CHECK_EQ(k_pipe_read(p, back, 10, K_PIPE_PEEK, 1), -EINVAL);
	CHECK_EQ(k_pipe_read(p, back, 10, K_PIPE_PEEK, 0), 3);
	CHECK_EQ(k_pipe_read(p, back, 2, 0, 0), 2);		/* the rest is lost */
	CHECK_EQ(k_pipe_read(p, NULL, 10, K_PIPE_PEEK, 0), 4);
	CHECK_EQ(k_pipe_read(p, NULL, 1, 0, 0), 1);
	CHECK_EQ(k_pipe_read(p, back, 10, 0, 0), -EAGAIN);
	CHECK_EQ(k_pipe_write(p, data, PAGE + 10), PAGE + 10);
	CHECK_EQ(k_pipe_read(p, back, sizeof(back), 0, 0), PAGE);
	CHECK_EQ(k_pipe_read(p, back, sizeof(back), 0, 0), 10);
	CHECK_EQ(k_handle_close(p), 0);
}

/* --- notices ------------------------------------------------------------------------------ */

static int notice_expect(int e, uint64_t cookie, uint64_t events)
{
	struct k_message m;
	int r = ktest_receive(e, &m);

	if (r)
		return r;
	if (m.kind != K_MSG_PIPE || m.cookie != cookie || m.call)
		return -EINVAL;
	return m.extra[0] == events ? 0 : (int)m.extra[0] + 1000;
}

static int notice_none(int e)
{
	struct k_message m;

	return (int)k_receive(e, NULL, &m, 0) == -ETIMEDOUT ? 0 : (int)m.kind;
}

TEST(pipe_notices)
{
	int p = (int)k_pipe_create(4 * PAGE, 0), e = (int)k_endpoint_create();

	data_fill();
	CHECK_EQ(k_pipe_hold(p, K_PIPE_READER | K_PIPE_WRITER), 0);
	CHECK_EQ(k_pipe_bind(p, e, 0x123456789a), 0);
	CHECK_EQ(k_pipe_arm(p, K_PIPE_ROOM), 0);		/* holds already */
	CHECK_EQ(notice_expect(e, 0x123456789a, K_PIPE_ROOM), 0);
	CHECK_EQ(k_pipe_arm(p, K_PIPE_DATA), 0);
	CHECK_EQ(notice_none(e), 0);
	CHECK_EQ(k_pipe_write(p, data, 10), 10);
	CHECK_EQ(k_pipe_write(p, data, 10), 10);
	CHECK_EQ(notice_expect(e, 0x123456789a, K_PIPE_DATA | K_PIPE_ROOM), 0);
	CHECK_EQ(k_pipe_write(p, data, 10), 10);		/* once */
	CHECK_EQ(notice_none(e), 0);
	/* ROOM: half of it, not less. */
	CHECK_EQ(k_pipe_write(p, data, 3 * PAGE), 3 * PAGE);
	CHECK_EQ(k_pipe_arm(p, K_PIPE_ROOM | K_PIPE_NO_WRITERS), 0);
	CHECK_EQ(k_pipe_read(p, NULL, PAGE, 0, 0), PAGE);
	CHECK_EQ(notice_none(e), 0);
	CHECK_EQ(k_pipe_read(p, NULL, PAGE, 0, 0), PAGE);
	CHECK_EQ(notice_expect(e, 0x123456789a, K_PIPE_DATA | K_PIPE_ROOM), 0);
	CHECK_EQ(k_pipe_hold(p, K_PIPE_READER), 0);
	CHECK_EQ(notice_none(e), 0);				/* disarmed */
	CHECK_EQ(k_pipe_arm(p, K_PIPE_NO_WRITERS), 0);
	CHECK_EQ(notice_expect(e, 0x123456789a, K_PIPE_DATA | K_PIPE_ROOM | K_PIPE_NO_WRITERS), 0);
	CHECK_EQ(k_pipe_arm(p, K_PIPE_NO_READERS), 0);
	CHECK_EQ(k_pipe_hold(p, 0), 0);
	CHECK_EQ(notice_expect(e, 0x123456789a,
			       K_PIPE_ROOM | K_PIPE_NO_WRITERS | K_PIPE_NO_READERS),
		 0);
	CHECK_EQ(k_handle_close(p), 0);
	CHECK_EQ(k_handle_close(e), 0);
}

/*
 * A notice that is on its way can be called back, says what is true when it arrives, and goes with
 * its pipe.
 */
TEST(pipe_notice_on_its_way)
{
	int p = (int)k_pipe_create(2 * PAGE, 0), e = (int)k_endpoint_create(),
	    e2 = (int)k_endpoint_create();

	CHECK_EQ(k_pipe_hold(p, K_PIPE_READER | K_PIPE_WRITER), 0);
	CHECK_EQ(k_pipe_bind(p, e, 1), 0);
	CHECK_EQ(k_pipe_arm(p, K_PIPE_ROOM), 0);
	CHECK_EQ(k_pipe_arm(p, 0), 0);
	CHECK_EQ(notice_none(e), 0);
	CHECK_EQ(k_pipe_arm(p, K_PIPE_ROOM), 0);
	CHECK_EQ(k_pipe_arm(p, K_PIPE_DATA), 0);		/* the last one counts */
	CHECK_EQ(notice_none(e), 0);
	CHECK_EQ(k_pipe_write(p, "x", 1), 1);
	CHECK_EQ(k_pipe_read(p, back, 1, 0, 0), 1);
	CHECK_EQ(notice_expect(e, 1, K_PIPE_ROOM), 0);		/* the byte is gone again */
	CHECK_EQ(k_pipe_arm(p, K_PIPE_ROOM), 0);
	CHECK_EQ(k_pipe_bind(p, e2, 2), 0);
	CHECK_EQ(notice_none(e), 0);
	CHECK_EQ(notice_none(e2), 0);
	CHECK_EQ(k_pipe_arm(p, K_PIPE_ROOM), 0);
	CHECK_EQ(notice_expect(e2, 2, K_PIPE_ROOM), 0);
	CHECK_EQ(k_pipe_arm(p, K_PIPE_DATA), 0);
	CHECK_EQ(k_pipe_bind(p, -1, 0), 0);
	CHECK_EQ(k_pipe_write(p, "x", 1), 1);
	CHECK_EQ(notice_none(e2), 0);
	CHECK_EQ(k_pipe_bind(p, e, 3), 0);
	CHECK_EQ(k_pipe_arm(p, K_PIPE_DATA), 0);
	CHECK_EQ(k_handle_close(p), 0);				/* with its notice */
	CHECK_EQ(notice_none(e), 0);
	CHECK_EQ(k_handle_close(e), 0);
	CHECK_EQ(k_handle_close(e2), 0);
}

/* The endpoint is given up while the pipe is bound to it, armed or with its notice under way. */
TEST(pipe_of_a_given_up_endpoint)
{
	for (int queued = 0; queued < 2; queued++) {
		int p = (int)k_pipe_create(PAGE, 0), e = (int)k_endpoint_create();

		CHECK_EQ(k_pipe_hold(p, K_PIPE_READER | K_PIPE_WRITER), 0);
		CHECK_EQ(k_pipe_bind(p, e, 1), 0);
		CHECK_EQ(k_pipe_arm(p, queued ? K_PIPE_ROOM : K_PIPE_DATA), 0);
		CHECK_EQ(k_handle_close(e), 0);
		CHECK_EQ(k_pipe_write(p, "x", 1), 1);
		CHECK_EQ(k_pipe_arm(p, K_PIPE_DATA), 0);	/* told to nobody */
		CHECK_EQ(k_pipe_read(p, back, 1, 0, 0), 1);
		CHECK_EQ(k_handle_close(p), 0);
	}
}

struct predecessor {
	int pipe, endpoint;
	volatile int ready;
};

static void predecessor_main(void *arg)
{
	struct predecessor *s = arg;
	struct k_message m;

	k_pipe_hold(s->pipe, K_PIPE_READER);
	k_pipe_bind(s->pipe, s->endpoint, 77);
	k_pipe_arm(s->pipe, K_PIPE_DATA);
	s->ready = 1;
	k_receive(s->endpoint, NULL, &m, K_FOREVER);
}

/*
 * A server dies: what it has held and armed is its successor's. The pipe's handle may be gone, too.
 */
TEST(pipe_binding_survives_its_server)
{
	static struct predecessor s;
	struct k_description d = { .cookie = 5,
				   .status = 1,
				   .plane = K_PLANE_PIPE_WRITE,
				   .object2 = -1,
				   .source = -1,
				   .flags = K_DESCRIPTION_QUIET };
	struct k_pipe_info info;
	int t, fd, again;

	s = (struct predecessor){ .pipe = (int)k_pipe_create(PAGE, 0),
				  .endpoint = (int)k_endpoint_create() };
	d.object = s.pipe;
	fd = (int)k_description_create(s.endpoint, &d);
	t = ktest_thread(predecessor_main, &s);
	CHECK(ktest_wait(&s.ready));
	CHECK(ktest_wait_state(t, K_THREAD_BLOCKED));
	ktest_thread_free(t);
	CHECK_EQ(k_pipe_info(s.pipe, &info), 0);
	CHECK(info.readers == 1 && info.writers == 1);
	again = (int)k_handle_duplicate(s.pipe, K_RIGHTS_ALL, 0);
	CHECK_EQ(k_handle_close(s.pipe), 0);
	CHECK_EQ(k_pipe_write(again, "x", 1), 1);
	CHECK_EQ(notice_expect(s.endpoint, 77, K_PIPE_DATA | K_PIPE_ROOM), 0);
	CHECK_EQ(k_pipe_arm(again, K_PIPE_NO_WRITERS), 0);
	CHECK_EQ(k_handle_close(again), 0);
	/* the pipe goes with it, and tells nobody */
	CHECK_EQ(k_handle_close(fd), 0);
	CHECK_EQ(notice_none(s.endpoint), 0);
	CHECK_EQ(k_handle_close(s.endpoint), 0);
}

/* --- users -------------------------------------------------------------------------------- */

/* A thread that makes one call of a user's. */
struct user {
	long number, arg[6];
	volatile long result;
	volatile int done;
	int thread;
};

static void user_main(void *arg)
{
	struct user *u = arg;

	u->result = k_syscall6(u->number, u->arg[0], u->arg[1], u->arg[2], u->arg[3], u->arg[4],
			       u->arg[5]);
	u->done = 1;
}

static void user_call(struct user *u, long number, long a, const void *b, long c, long d)
{
	*u = (struct user){ .number = number, .arg = { a, (long)b, c, d } };
	u->thread = ktest_user_thread(user_main, u, K_PRIORITY_USER);
}

static long user_end(struct user *u)
{
	if (!ktest_wait(&u->done))
		u->result = -ETIMEDOUT;
	ktest_thread_free(u->thread);
	return u->result;
}

static long user_do(long number, long a, const void *b, long c, long d)
{
	static struct user u;

	user_call(&u, number, a, b, c, d);
	return user_end(&u);
}

/* Whoever waits for an end hears when the server lets it go. */
TEST(pipe_hold_ends_wake)
{
	struct { int fd; int16_t events, revents; } poll = { .events = 1 };
	struct k_description d = { .cookie = 5,
				   .plane = K_PLANE_PIPE_READ,
				   .object2 = -1,
				   .source = -1,
				   .flags = K_DESCRIPTION_QUIET };
	int p = (int)k_pipe_create(PAGE, 0), e = (int)k_endpoint_create(), fd;
	static struct user u, v;
	struct k_message m;

	d.object = p;
	CHECK_EQ(k_pipe_hold(p, K_PIPE_WRITER), 0);
	fd = (int)k_description_create(e, &d);
	poll.fd = fd;
	user_call(&u, K_OP_read, fd, back, 10, 0);
	CHECK(ktest_wait_state(u.thread, K_THREAD_BLOCKED));
	CHECK_EQ(k_pipe_hold(p, K_PIPE_WRITER), 0);		/* as it was */
	CHECK(!u.done);
	CHECK_EQ(k_pipe_write(p, "abc", 3), 3);
	CHECK_EQ(user_end(&u), 3);
	user_call(&u, K_OP_read, fd, back, 10, 0);
	user_call(&v, K_OP_poll, (long)&poll, (void *)1, -1, 0);
	CHECK(ktest_wait_state(u.thread, K_THREAD_BLOCKED) &&
	      ktest_wait_state(v.thread, K_THREAD_BLOCKED));
	CHECK_EQ(k_pipe_hold(p, 0), 0);
	CHECK_EQ(user_end(&u), 0);
	CHECK_EQ(user_end(&v), 1);
	CHECK_EQ(k_handle_close(fd), 0);
	/* the other end */
	d.plane = K_PLANE_PIPE_WRITE;
	d.status = 1;
	CHECK_EQ(k_pipe_hold(p, K_PIPE_READER), 0);
	fd = (int)k_description_create(e, &d);
	user_call(&u, K_OP_write, fd, data, 2 * PAGE, 0);
	CHECK(ktest_wait_state(u.thread, K_THREAD_BLOCKED));
	CHECK_EQ(k_pipe_hold(p, 0), 0);
	CHECK_EQ(ktest_receive(e, &m), 0);
	CHECK_EQ(m.flags & K_MSGF_DECLINED, K_MSGF_DECLINED);
	CHECK_EQ(m.extra[0], PAGE);
	CHECK_EQ(m.extra[1], EPIPE);
	CHECK_EQ(ktest_answer(e, m.call, PAGE), 0);
	CHECK_EQ(user_end(&u), PAGE);
	CHECK_EQ(k_handle_close(fd), 0);
	CHECK_EQ(k_handle_close(p), 0);
	ktest_endpoint_free(e);
}

/* --- sockets ------------------------------------------------------------------------------ */

/* A socket whose other ends the server holds: it reads from `in`, writes to `out`. */
struct socket {
	int endpoint, in, out, source, fd;
};

static void socket_open(struct socket *s, size_t capacity, uint32_t decline)
{
	struct k_description d = {
		.cookie = 99, .status = 2, .plane = K_PLANE_SOCKET, .flags = K_DESCRIPTION_QUIET
	};

	s->endpoint = (int)k_endpoint_create();
	d.object = s->in = (int)k_pipe_create(capacity, 0);
	d.object2 = s->out = (int)k_pipe_create(capacity, 0);
	d.source = s->source = (int)k_source_create();
	k_source_set(s->source, decline, 0, 0);
	k_pipe_hold(s->in, K_PIPE_WRITER);
	k_pipe_hold(s->out, K_PIPE_READER);
	s->fd = (int)k_description_create(s->endpoint, &d);
}

static void socket_close(struct socket *s)
{
	k_handle_close(s->fd);
	k_handle_close(s->in);
	k_handle_close(s->out);
	k_handle_close(s->source);
	ktest_endpoint_free(s->endpoint);
}

/* The next call that comes to the server declined, with what it had done and why: 0, and *call. */
static int declined(struct socket *s, uint64_t done, uint64_t reason, uint64_t *call)
{
	struct k_message m;
	int r = ktest_receive(s->endpoint, &m);

	*call = m.call;
	if (r)
		return r;
	if (m.kind != K_MSG_CALL || !(m.flags & K_MSGF_DECLINED) || m.cookie != 99)
		return -EINVAL;
	return m.extra[0] == done && m.extra[1] == reason ? 0 : -EDOM;
}

static int poll_bits(int fd, int16_t events)
{
	struct { int fd; int16_t events, revents; } p = { fd, events, 0 };

	return user_do(K_OP_poll, (long)&p, (void *)1, 0, 0) < 0 ? -1 : p.revents;
}

#define ANY 0x7fdf	/* all that poll knows but POLLNVAL */

TEST(socket_declines_by_its_source)
{
	struct k_forward f = { .flags = K_FORWARD_KERNEL, .handle = { -1, -1 } };
	static struct user u;
	struct socket s;
	uint64_t call;

	socket_open(&s, 2 * PAGE, K_SOURCE_DECLINE_READ | K_SOURCE_DECLINE_WRITE);
	CHECK_EQ(k_pipe_write(s.in, "abc", 3), 3);
	CHECK_EQ(poll_bits(s.fd, ANY), 0);		/* the pipes do not count */
	CHECK_EQ(k_source_set(s.source, 4, 0, 0), 0);
	CHECK_EQ(poll_bits(s.fd, ANY), 0x104);		/* POLLOUT, POLLWRNORM */
	CHECK_EQ(k_source_set(s.source, 0, 4, 0), 0);
	user_call(&u, K_OP_read, s.fd, back, 10, 0);
	CHECK_EQ(declined(&s, 0, 0, &call), 0);
	CHECK_EQ(ktest_answer(s.endpoint, call, -ENOTCONN), 0);
	CHECK_EQ(user_end(&u), -ENOTCONN);
	user_call(&u, K_OP_write, s.fd, back, 10, 0);
	CHECK_EQ(declined(&s, 0, 0, &call), 0);
	CHECK_EQ(ktest_answer(s.endpoint, call, -ENOTCONN), 0);
	CHECK_EQ(user_end(&u), -ENOTCONN);
	/* the server has seen it, and sends it to the pipe */
	user_call(&u, K_OP_read, s.fd, back, 10, 0);
	CHECK_EQ(declined(&s, 0, 0, &f.call), 0);
	CHECK_EQ(k_caller_forward(s.endpoint, &f), 0);
	CHECK_EQ(user_end(&u), 3);
	/* each direction by itself */
	CHECK_EQ(k_source_set(s.source, 0, K_SOURCE_DECLINE_WRITE, 0), 0);
	CHECK_EQ(poll_bits(s.fd, ANY), 0x104);
	CHECK_EQ(user_do(K_OP_write, s.fd, data, 10, 0), 10);
	user_call(&u, K_OP_read, s.fd, back, 10, 0);
	CHECK_EQ(declined(&s, 0, 0, &call), 0);
	CHECK_EQ(ktest_answer(s.endpoint, call, 1), 0);
	CHECK_EQ(user_end(&u), 1);
	CHECK_EQ(k_source_set(s.source, K_SOURCE_DECLINE_WRITE, K_SOURCE_DECLINE_READ, 0), 0);
	CHECK_EQ(k_pipe_write(s.in, "abc", 3), 3);
	CHECK_EQ(poll_bits(s.fd, ANY), 0x41);
	CHECK_EQ(user_do(K_OP_read, s.fd, back, 10, 0), 3);
	/* calls alone: readiness stays the pipe's */
	CHECK_EQ(k_source_set(s.source, K_SOURCE_CALLS_READ | K_SOURCE_CALLS_WRITE,
			      K_SOURCE_DECLINE_WRITE, 0),
		 0);
	CHECK_EQ(k_pipe_write(s.in, "abc", 3), 3);
	CHECK_EQ(poll_bits(s.fd, ANY), 0x145);
	user_call(&u, K_OP_read, s.fd, back, 10, 0);
	CHECK_EQ(declined(&s, 0, 0, &call), 0);
	CHECK_EQ(ktest_answer(s.endpoint, call, -ETIME), 0);
	CHECK_EQ(user_end(&u), -ETIME);
	CHECK_EQ(k_source_set(s.source, K_SOURCE_DECLINE_WRITE,
			      K_SOURCE_CALLS_READ | K_SOURCE_CALLS_WRITE, 0),
		 0);
	CHECK_EQ(user_do(K_OP_read, s.fd, back, 10, 0), 3);
	/* a pending error */
	CHECK_EQ(k_source_set(s.source, 8, K_SOURCE_DECLINE_WRITE, 0), 0);
	CHECK_EQ(poll_bits(s.fd, ANY), 0x10c);
	user_call(&u, K_OP_read, s.fd, back, 10, 0);
	CHECK_EQ(declined(&s, 0, 0, &call), 0);
	CHECK_EQ(k_source_set(s.source, 0, 8, 0), 0);
	CHECK_EQ(ktest_answer(s.endpoint, call, -ECONNRESET), 0);
	CHECK_EQ(user_end(&u), -ECONNRESET);
	/* both ends of both directions gone: it hangs up */
	CHECK_EQ(k_pipe_hold(s.in, 0), 0);
	CHECK_EQ(poll_bits(s.fd, ANY), 0x2000 | 0x41 | 0x104);
	CHECK_EQ(k_pipe_hold(s.out, 0), 0);
	/* and what it wrote was not read: POLLERR */
	CHECK_EQ(poll_bits(s.fd, ANY), 0x2000 | 0x41 | 0x104 | 0x10 | 8);
	user_call(&u, K_OP_read, s.fd, back, 10, 0);
	CHECK_EQ(declined(&s, 0, 0, &f.call), 0);
	/* the server knows of nothing: then it is the end of the file */
	CHECK_EQ(k_caller_forward(s.endpoint, &f), 0);
	CHECK_EQ(user_end(&u), 0);
	/* also when a direction is declined; whether that is an error, the server says then */
	CHECK_EQ(k_source_set(s.source, K_SOURCE_DECLINE_READ, 0, 0), 0);
	CHECK_EQ(poll_bits(s.fd, ANY), 0x104 | 0x10);
	socket_close(&s);
}

/* Threads that wait in the pipes when the server takes a direction back. */
TEST(socket_decline_wakes_who_waits)
{
	static struct user u, v;
	struct socket s;
	uint64_t call;

	socket_open(&s, PAGE, 0);
	for (int error = 0; error < 2; error++) {
		uint32_t bits = error ? 8 : K_SOURCE_DECLINE_READ;

		user_call(&u, K_OP_read, s.fd, back, 10, 0);
		user_call(&v, K_OP_recvfrom, s.fd, back, 10, 0);
		CHECK(ktest_wait_state(u.thread, K_THREAD_BLOCKED) &&
		      ktest_wait_state(v.thread, K_THREAD_BLOCKED));
		/* not theirs */
		CHECK_EQ(k_source_set(s.source, K_SOURCE_DECLINE_WRITE, 0, 0), 0);
		ktest_sleep(MS);
		CHECK(!u.done && !v.done);
		CHECK_EQ(k_source_set(s.source, bits, K_SOURCE_DECLINE_WRITE, 0), 0);
		CHECK_EQ(declined(&s, 0, 0, &call), 0);
		CHECK_EQ(ktest_answer(s.endpoint, call, -EIO), 0);
		CHECK_EQ(declined(&s, 0, 0, &call), 0);
		CHECK_EQ(ktest_answer(s.endpoint, call, -EIO), 0);
		CHECK_EQ(user_end(&u), -EIO);
		CHECK_EQ(user_end(&v), -EIO);
		CHECK_EQ(k_source_set(s.source, 0, bits, 0), 0);
	}
	/* What a write has moved is its result. */
	user_call(&u, K_OP_write, s.fd, data, 3 * PAGE, 0);
	CHECK(ktest_wait_state(u.thread, K_THREAD_BLOCKED));
	CHECK_EQ(k_source_set(s.source, K_SOURCE_DECLINE_WRITE, 0, 0), 0);
	CHECK_EQ(user_end(&u), PAGE);
	CHECK_EQ(k_source_set(s.source, 0, K_SOURCE_DECLINE_WRITE, 0), 0);
	CHECK_EQ(k_pipe_read(s.out, NULL, PAGE, 0, 0), PAGE);
	/* The same when the reader goes; the next one is told. */
	user_call(&u, K_OP_write, s.fd, data, 3 * PAGE, 0);
	CHECK(ktest_wait_state(u.thread, K_THREAD_BLOCKED));
	CHECK_EQ(k_pipe_hold(s.out, 0), 0);
	CHECK_EQ(user_end(&u), PAGE);
	user_call(&u, K_OP_write, s.fd, data, 10, 0);
	CHECK_EQ(declined(&s, 0, EPIPE, &call), 0);
	CHECK_EQ(ktest_answer(s.endpoint, call, -EPIPE), 0);
	CHECK_EQ(user_end(&u), -EPIPE);
	socket_close(&s);
}

/* poll and epoll look again when a direction comes back; what they report is poll's bits alone. */
TEST(socket_pollers_look_again)
{
	struct { int fd; int16_t events, revents; } p;
	struct __attribute__((packed)) {
		uint32_t events;
		uint64_t data;
	} want = { 0x0fffffffu, 7 }, got[2];
	struct k_description d = { .status = 2,
				   .plane = K_PLANE_WAITSET,
				   .object = -1,
				   .object2 = -1,
				   .source = -1,
				   .flags = K_DESCRIPTION_QUIET };
	static struct user u, v;
	struct socket s;
	int set;

	socket_open(&s, PAGE, K_SOURCE_DECLINE_READ | K_SOURCE_DECLINE_WRITE);
	set = (int)k_description_create(s.endpoint, &d);
	CHECK_EQ(user_do(K_OP_epoll_ctl, set, (void *)1, s.fd, (long)&want), 0);
	CHECK_EQ(user_do(K_OP_epoll_wait, set, got, 2, 0), 0);
	p.fd = s.fd;
	p.events = 1;
	CHECK_EQ(k_pipe_write(s.in, "abc", 3), 3);
	user_call(&u, K_OP_poll, (long)&p, (void *)1, -1, 0);
	user_call(&v, K_OP_epoll_wait, set, got, 2, -1);
	CHECK(ktest_wait_state(u.thread, K_THREAD_BLOCKED) &&
	      ktest_wait_state(v.thread, K_THREAD_BLOCKED));
	CHECK_EQ(k_source_set(s.source, 0, K_SOURCE_DECLINE_READ, 0), 0);
	CHECK_EQ(user_end(&u), 1);
	CHECK_EQ(p.revents, 1);
	CHECK_EQ(user_end(&v), 1);
	CHECK_EQ(got[0].events, 0x41);
	CHECK_EQ(got[0].data, 7);
	CHECK_EQ(k_source_set(s.source, K_SOURCE_DECLINE_READ, 0, 0), 0);
	CHECK_EQ(user_do(K_OP_epoll_wait, set, got, 2, 0), 0);
	user_call(&v, K_OP_epoll_wait, set, got, 2, -1);
	CHECK(ktest_wait_state(v.thread, K_THREAD_BLOCKED));
	CHECK_EQ(k_source_set(s.source, 0, K_SOURCE_DECLINE_WRITE, 0), 0);
	CHECK_EQ(user_end(&v), 1);
	CHECK_EQ(got[0].events, 0x104);
	CHECK_EQ(k_handle_close(set), 0);
	socket_close(&s);
}

#define MSG_PEEK 2
#define MSG_DONTWAIT 0x40
#define MSG_NOSIGNAL 0x4000

TEST(socket_sendto_and_recvfrom)
{
	struct k_description d = { .cookie = 99,
				   .status = 2,
				   .plane = K_PLANE_NULL,
				   .object = -1,
				   .object2 = -1,
				   .source = -1,
				   .flags = K_DESCRIPTION_QUIET };
	static struct user u;
	struct socket s;
	uint64_t call;
	int other;

	data_fill();
	socket_open(&s, PAGE, 0);
	CHECK_EQ(user_do(K_OP_sendto, s.fd, data, 100, 0), 100);
	CHECK_EQ(user_do(K_OP_sendto, s.fd, data, 2 * PAGE, MSG_DONTWAIT | MSG_NOSIGNAL),
		 PAGE - 100);
	CHECK_EQ(user_do(K_OP_sendto, s.fd, data, 1, MSG_DONTWAIT), -EAGAIN);
	CHECK_EQ(user_do(K_OP_sendto, s.fd, data, 0, 0), 0);
	CHECK_EQ(user_do(K_OP_recvfrom, s.fd, back, 10, MSG_DONTWAIT), -EAGAIN);
	CHECK_EQ(k_pipe_write(s.in, "hello", 5), 5);
	CHECK_EQ(user_do(K_OP_recvfrom, s.fd, back, 3, 0), 3);
	CHECK_EQ(user_do(K_OP_recvfrom, s.fd, back + 3, 3, MSG_DONTWAIT), 2);
	CHECK_EQ(memcmp(back, "hello", 5), 0);
	CHECK_EQ(user_do(K_OP_recvfrom, 4000, back, 3, 0), -EBADF);
	/* the server's: flags, addresses, nothing to read, no reader, no socket */
	user_call(&u, K_OP_recvfrom, s.fd, back, 3, MSG_PEEK);
	CHECK_EQ(declined(&s, 0, 0, &call), 0);
	ktest_answer(s.endpoint, call, 21);
	CHECK_EQ(user_end(&u), 21);
	u = (struct user){ .number = K_OP_sendto,
			   .arg = { s.fd, (long)data, 3, 0, (long)data, 16 } };
	u.thread = ktest_user_thread(user_main, &u, K_PRIORITY_USER);
	CHECK_EQ(declined(&s, 0, 0, &call), 0);
	ktest_answer(s.endpoint, call, 22);
	CHECK_EQ(user_end(&u), 22);
	user_call(&u, K_OP_recvfrom, s.fd, back, 0, 0);
	CHECK_EQ(declined(&s, 0, 0, &call), 0);
	ktest_answer(s.endpoint, call, 23);
	CHECK_EQ(user_end(&u), 23);
	k_pipe_hold(s.out, 0);
	user_call(&u, K_OP_sendto, s.fd, data, 3, MSG_NOSIGNAL);
	CHECK_EQ(declined(&s, 0, EPIPE, &call), 0);
	ktest_answer(s.endpoint, call, -EPIPE);
	CHECK_EQ(user_end(&u), -EPIPE);
	other = (int)k_description_create(s.endpoint, &d);
	user_call(&u, K_OP_sendto, other, data, 3, 0);
	CHECK_EQ(declined(&s, 0, 0, &call), 0);
	ktest_answer(s.endpoint, call, -ENOTSOCK);
	CHECK_EQ(user_end(&u), -ENOTSOCK);
	k_handle_close(other);
	socket_close(&s);
}

TEST(sendfile_to_a_socket)
{
	struct k_description d = { .status = 2,
				   .plane = K_PLANE_STREAM,
				   .object2 = -1,
				   .source = -1,
				   .flags = K_DESCRIPTION_QUIET };
	static struct user u;
	struct socket s;
	uint64_t call;
	int file;

	data_fill();
	socket_open(&s, PAGE, 0);
	d.object = (int)k_mobject_create(0, 0);
	CHECK_EQ(k_mobject_write(d.object, 0, data, 3 * PAGE), 3 * PAGE);
	file = (int)k_description_create(s.endpoint, &d);
	CHECK_EQ(user_do(K_OP_sendfile, s.fd, (void *)(long)file, 0, 100), 100);
	CHECK_EQ(k_pipe_read(s.out, back, PAGE, 0, 0), 100);
	CHECK_EQ(memcmp(back, data, 100), 0);
	user_call(&u, K_OP_sendfile, s.fd, (void *)(long)file, 0, 3 * PAGE);
	CHECK(ktest_wait_state(u.thread, K_THREAD_BLOCKED));
	k_pipe_hold(s.out, 0);
	CHECK(user_end(&u) > 0);			/* what had gone */
	user_call(&u, K_OP_sendfile, s.fd, (void *)(long)file, 0, PAGE);
	CHECK_EQ(declined(&s, 0, EPIPE, &call), 0);
	ktest_answer(s.endpoint, call, -EPIPE);
	CHECK_EQ(user_end(&u), -EPIPE);
	k_source_set(s.source, K_SOURCE_DECLINE_WRITE, 0, 0);
	user_call(&u, K_OP_sendfile, s.fd, (void *)(long)file, 0, PAGE);
	CHECK_EQ(declined(&s, 0, 0, &call), 0);
	ktest_answer(s.endpoint, call, -ENOTCONN);
	CHECK_EQ(user_end(&u), -ENOTCONN);
	k_handle_close(file);
	k_handle_close(d.object);
	socket_close(&s);
}

/* --- forward to the server behind a descriptor -------------------------------------------- */

TEST(forward_to_a_descriptor)
{
	int e = (int)k_endpoint_create(), c = (int)k_handle_duplicate(e, K_RIGHT_CALL, 0),
	    e2 = (int)k_endpoint_create(), own, other;
	struct k_description d = { .cookie = 8,
				   .status = 2,
				   .plane = K_PLANE_NULL,
				   .object = -1,
				   .object2 = -1,
				   .source = -1,
				   .flags = K_DESCRIPTION_QUIET };
	struct k_forward f = { .flags = K_FORWARD_DESCRIPTOR,
			       .endpoint = -1,
			       .handle = { -1, -1 } };
	static struct user u;
	struct k_message m;

	own = (int)k_description_create(e, &d);
	d.cookie = 9;
	other = (int)k_description_create(e2, &d);
	ktest_routes_home(c);
	user_call(&u, KTEST_SERVER, other, NULL, 3, 4);
	CHECK_EQ(ktest_receive(e, &m), 0);
	CHECK_EQ(m.cookie, 0);
	f.call = m.call;
	f.flags |= K_FORWARD_ARGS;
	f.number = K_ROUTE_NUMBERS;
	f.arg[0] = (uint64_t)other;
	/* what servers say to each other takes a handle */
	CHECK_EQ(k_caller_forward(e, &f), -EINVAL);
	f.number = 5;
	f.arg[0] = 4000;
	CHECK_EQ(k_caller_forward(e, &f), -EBADF);
	f.arg[0] = (uint64_t)own;
	CHECK_EQ(k_caller_forward(e, &f), -ELOOP);
	f.flags = K_FORWARD_DESCRIPTOR;
	CHECK_EQ(k_caller_forward(e, &f), 0);
	CHECK_EQ(ktest_receive(e2, &m), 0);
	CHECK_EQ(m.kind, K_MSG_CALL);
	CHECK_EQ(m.number, KTEST_SERVER);
	CHECK_EQ(m.cookie, 9);
	CHECK_EQ(m.arg[3], 4);
	CHECK_EQ(m.flags, K_MSGF_FORWARDED);
	CHECK_EQ(k_handle_close(other), 0);		/* the call keeps it */
	f.flags |= K_FORWARD_ARGS;			/* and back, about another one */
	f.number = 6;
	f.arg[0] = (uint64_t)own;
	CHECK_EQ(k_caller_forward(e2, &f), 0);
	CHECK_EQ(ktest_receive(e, &m), 0);
	CHECK_EQ(m.number, 6);
	CHECK_EQ(m.cookie, 8);
	CHECK_EQ(ktest_answer(e, m.call, 33), 0);
	CHECK_EQ(user_end(&u), 33);
	ktest_routes_home(-1);
	k_handle_close(own);
	k_handle_close(c);
	ktest_endpoint_free(e);
	ktest_endpoint_free(e2);
}

/* --- message-signalled interrupts --------------------------------------------------------- */

TEST(irq_message_signalled)
{
	int e = (int)k_endpoint_create(), n = (int)k_notification_create(e, 1), all[160], made = 0,
	    h;
	struct k_irq_message a, b;

	h = (int)k_irq_create(ktest_control, 0, K_IRQ_MSI, n);
	CHECK(h >= 0);
	CHECK_EQ(k_irq_message(h, &a), 0);
	CHECK_EQ(a.address >> 20, 0xfee);
	CHECK(a.data >= 32 && a.data < 256);
	CHECK_EQ(k_irq_ack(h), 0);
	CHECK_EQ(k_irq_bind(h, n), 0);
	CHECK_EQ(k_irq_message(n, &b), -EINVAL);
	CHECK_EQ(k_irq_message(h, (void *)8), -EFAULT);
	CHECK_EQ(k_irq_create(ktest_control, 0, K_IRQ_MSI | K_IRQ_LEVEL, n), -EINVAL);
	CHECK_EQ(k_irq_create(n, 0, K_IRQ_MSI, n), -EINVAL);
	all[0] = (int)k_irq_create(ktest_control, 5, K_IRQ_ISA, n);
	if (all[0] >= 0) {				/* a line has none */
		CHECK_EQ(k_irq_message(all[0], &b), -EINVAL);
		CHECK_EQ(k_irq_create(ktest_control, 5, K_IRQ_ISA, n), -EBUSY);
		CHECK_EQ(k_handle_close(all[0]), 0);
	}
	while (made < 160 && (all[made] = (int)k_irq_create(ktest_control, 0, K_IRQ_MSI, n)) >= 0) {
		CHECK_EQ(k_irq_message(all[made], &b), 0);
		CHECK(b.data != a.data);
		made++;
	}
	CHECK(made >= 16 && made < 160);
	CHECK_EQ(all[made], -ENOSPC);
	while (made)
		CHECK_EQ(k_handle_close(all[--made]), 0);
	all[0] = (int)k_irq_create(ktest_control, 0, K_IRQ_MSI, n);
	CHECK(all[0] >= 0);
	CHECK_EQ(k_handle_close(all[0]), 0);
	CHECK_EQ(k_handle_close(h), 0);
	CHECK_EQ(k_handle_close(n), 0);
	CHECK_EQ(k_handle_close(e), 0);
}
