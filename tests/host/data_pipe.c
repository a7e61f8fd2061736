/* SPDX-License-Identifier: MIT */
/*
 * Pipes: exact results of single calls, then random traffic against the promises (order, atomicity,
 * no lost wake-up).
 */
#include "data_mock.h"
#include "data/pipe.h"

#define P(...) ((uint64_t)(__VA_ARGS__))

static char buffer[1 << 20], out[1 << 20];

static void pipe_pair(size_t capacity, bool packets, uint32_t status, int *fd)
{
	struct pipe *p;

	CHECK(!pipe_create(NULL, capacity, packets, &p));
	fd[0] = mock_open(K_PLANE_PIPE_READ, status, pipe_object(p), NULL, NULL);
	fd[1] = mock_open(K_PLANE_PIPE_WRITE, status | 1, pipe_object(p), NULL, NULL);
	object_put(pipe_object(p));
}

static int64_t do_read(int fd, void *to, uint64_t n)
{
	return mock_call(0, op_read, P(fd), P(to), n, 0, 0, 0);
}
static int64_t do_write(int fd, const void *from, uint64_t n)
{
	return mock_call(0, op_write, P(fd), P(from), n, 0, 0, 0);
}
static void do_close(int fd) { CHECK(mock_call(0, op_close, P(fd), 0, 0, 0, 0, 0) == 0); }

static void test_basics(void)
{
	int fd[2];

	pipe_pair(65536, false, O_NONBLOCK, fd);
	CHECK(do_read(fd[0], out, 10) == -EAGAIN);
	CHECK(do_read(fd[0], out, 0) == 0);
	CHECK(do_read(fd[1], out, 1) == -EBADF && do_write(fd[0], out, 1) == -EBADF);
	CHECK(do_write(fd[1], "hello", 5) == 5 && do_read(fd[0], out, 3) == 3 &&
	      do_read(fd[0], out + 3, 9) == 2);
	CHECK(!memcmp(out, "hello", 5));
	CHECK(do_read(fd[0], (void *)USER_END, 1) == -EFAULT);
	CHECK(mock_call(0, op_lseek, P(fd[0]), 0, 7, 0, 0, 0) == -EINVAL);
	CHECK(mock_call(0, op_lseek, P(fd[0]), 0, 0, 0, 0, 0) == -ESPIPE);
	CHECK(mock_call(0, op_pread64, P(fd[0]), P(out), 1, 0, 0, 0) == -ESPIPE);
	CHECK(mock_call(0, op_pread64, P(fd[0]), P(out), 1, P(-1), 0, 0) == -EINVAL);
	for (int i = 0; i < 16; i++)
		CHECK(do_write(fd[1], buffer, 4096) == 4096);
	CHECK(do_write(fd[1], buffer, 1) == -EAGAIN);
	CHECK(description_ready(mock_description(fd[1])) == 0);
	CHECK(do_read(fd[0], out, 4095) == 4095 && do_write(fd[1], buffer, 1) == -EAGAIN);
	CHECK(do_read(fd[0], out, 1) == 1 &&
	      description_ready(mock_description(fd[1])) == POLL_OUT);
	CHECK(do_write(fd[1], buffer, 5000) == 4096);
	CHECK(mock_call(0, op_fcntl, P(fd[0]), F_SETPIPE_SZ, 32768, 0, 0, 0) == -EBUSY);
	CHECK(mock_call(0, op_fcntl, P(fd[0]), F_SETPIPE_SZ, 100000, 0, 0, 0) == 131072);
	CHECK(mock_call(0, op_fcntl, P(fd[1]), F_GETPIPE_SZ, 0, 0, 0, 0) == 131072);
	CHECK(do_write(fd[1], buffer, 80000) == 65536);
	do_close(fd[1]);
	CHECK(description_ready(mock_description(fd[0])) == (POLL_IN | POLLHUP));
	CHECK(do_read(fd[0], out, sizeof(out)) == 131072 && do_read(fd[0], out, 1) == 0);
	CHECK(description_ready(mock_description(fd[0])) == POLLHUP);
	do_close(fd[0]);
	pipe_pair(4096, false, 0, fd);
	do_close(fd[0]);
	CHECK(description_ready(mock_description(fd[1])) == (POLL_OUT | POLLERR));
	CHECK(do_write(fd[1], "x", 0) == 0 && do_write(fd[1], "x", 1) == OP_DECLINE &&
	      calls[0].reason == EPIPE);
	do_close(fd[1]);
	mock_leak_check();
}

static void test_packets(void)
{
	int fd[2];

	pipe_pair(8192, true, O_NONBLOCK, fd);
	CHECK(do_write(fd[1], "abc", 3) == 3 && do_write(fd[1], "defg", 4) == 4 &&
	      do_write(fd[1], "h", 1) == -EAGAIN);
	CHECK(do_read(fd[0], out, 2) == 2 && do_read(fd[0], out, 100) == 4 && out[0] == 'd');
	CHECK(do_write(fd[1], buffer, 5000) == 5000 && do_read(fd[0], out, 9999) == 4096 &&
	      do_read(fd[0], out, 9999) == 904);
	mock_leak_check();
}

static void test_vectors(void)
{
	uint64_t v[6] = { P("ab"), 2, P("cdef"), 0, P("ghi"), 3 },
		 w[4] = { P(out), 1, P(out + 10), 4 };
	int fd[2];

	pipe_pair(8192, false, O_NONBLOCK, fd);
	CHECK(mock_call(0, op_writev, P(fd[1]), P(v), 3, 0, 0, 0) == 5);
	CHECK(mock_call(0, op_readv, P(fd[0]), P(w), 2, 0, 0, 0) == 5 && out[0] == 'a' &&
	      !memcmp(out + 10, "bghi", 4));
	CHECK(mock_call(0, op_writev, P(fd[1]), P(v), 1025, 0, 0, 0) == -EINVAL);
	v[1] = P(-1);
	CHECK(mock_call(0, op_writev, P(fd[1]), P(v), 3, 0, 0, 0) == -EINVAL);
	CHECK(mock_call(0, op_preadv2, P(fd[0]), P(w), 2, P(-1), 0, 0x100) == -EOPNOTSUPP);
	CHECK(mock_call(0, op_preadv2, P(fd[0]), P(w), 2, P(-1), 0, RWF_NOWAIT) == -EAGAIN);
	mock_leak_check();
}

/* A blocked call ends as it should when it is stopped; its description outlives the descriptor. */
static void test_blocked(void)
{
	int fd[2];

	pipe_pair(4096, false, 0, fd);
	CHECK(mock_call(1, op_read, P(fd[0]), P(out), 10, 0, 0, 0) == NOTHING);
	mock_interrupt(1);
	mock_settle();
	CHECK(calls[1].result == -K_RESTART_SYS);
	mock_resume(1);
	mock_settle();
	CHECK(calls[1].result == NOTHING);
	do_close(fd[0]);
	CHECK(do_write(fd[1], "hello", 5) == 5 && calls[1].result == 5);
	mock_forget(1);
	CHECK(do_write(fd[1], "x", 1) == OP_DECLINE);
	do_close(fd[1]);
	pipe_pair(4096, false, 0, fd);
	CHECK(mock_call(1, op_write, P(fd[1]), P(buffer), 10000, 0, 0, 0) == NOTHING);
	mock_interrupt(1);
	mock_settle();
	CHECK(calls[1].result == 4096);
	mock_forget(1);
	CHECK(do_read(fd[0], out, 4096) == 4096);
	CHECK(mock_call(1, op_write, P(fd[1]), P(buffer), 10000, 0, 0, 0) == NOTHING);
	do_close(fd[0]);
	mock_settle();
	CHECK(calls[1].result == OP_DECLINE && calls[1].reason == EPIPE && calls[1].done == 4096);
	mock_forget(1);
	mock_leak_check();
}

/* --- the server's side -------------------------------------------------------------------- */

/* Server calls as operations of a mock thread: the pipe and the arguments are in arg[]. */
static int64_t server_read(struct thread *t, const uint64_t *a)
{
	return pipe_server_read((struct pipe *)a[0], t, a[1], a[2], (uint32_t)a[3], a[4]);
}

static int64_t server_write(struct thread *t, const uint64_t *a)
{
	return pipe_server_write((struct pipe *)a[0], t, a[1], a[2]);
}

static bool told(uint64_t cookie, uint64_t events)
{
	struct k_message m;

	return mock_notice(&m) && m.kind == K_MSG_PIPE && m.cookie == cookie &&
	       m.extra[0] == events;
}

static void test_server(void)
{
	struct k_message m;
	struct pipe *p;
	int fd;

	CHECK(!pipe_create(NULL, 4 * PAGE_SIZE, false, &p));
	fd = mock_open(K_PLANE_PIPE_READ, O_NONBLOCK, pipe_object(p), NULL, NULL);
	CHECK(do_read(fd, out, 1) == 0 && description_ready(mock_description(fd)) == 0);
	CHECK(!pipe_hold(p, K_PIPE_WRITER) && do_read(fd, out, 1) == -EAGAIN);
	CHECK(pipe_arm(p, K_PIPE_DATA) == -EINVAL && pipe_hold(p, 4) == -EINVAL);
	pipe_bind(p, mock_endpoint, 5);
	CHECK(!pipe_arm(p, K_PIPE_DATA) && !mock_notice(&m));
	CHECK(mock_call(0, server_write, P(p), P("hello"), 5, 0, 0, 0) == 5 &&
	      told(5, K_PIPE_DATA | K_PIPE_ROOM));
	CHECK(mock_call(0, server_read, P(p), P(out), 9, K_PIPE_PEEK, 2, 0) == 3 &&
	      !memcmp(out, "llo", 3));
	CHECK(do_read(fd, out, 9) == 5 && !mock_notice(&m));
	CHECK(!pipe_arm(p, K_PIPE_NO_READERS));
	do_close(fd);
	CHECK(told(5, K_PIPE_ROOM | K_PIPE_NO_READERS));
	CHECK(mock_call(0, server_write, P(p), P("hello"), 5, 0, 0, 0) == -EPIPE);
	fd = mock_open(K_PLANE_PIPE_WRITE, 1 | O_NONBLOCK, pipe_object(p), NULL, NULL);
	CHECK(!pipe_hold(p, K_PIPE_READER) && do_write(fd, "abc", 3) == 3);
	CHECK(!pipe_arm(p, K_PIPE_NO_WRITERS));
	do_close(fd);
	CHECK(told(5, K_PIPE_DATA | K_PIPE_ROOM | K_PIPE_NO_WRITERS));
	CHECK(mock_call(0, server_read, P(p), P(out), 9, 0, 0, 0) == 3 &&
	      mock_call(0, server_read, P(p), P(out), 9, 0, 0, 0) == 0);
	CHECK(!pipe_arm(p, K_PIPE_ROOM));	/* under way when the pipe goes */
	object_put(pipe_object(p));
	CHECK(!mock_notice(&m));
	mock_leak_check();
}

/*
 * A payer who is nearly out of memory: two pages a pipe, in the end one, nothing lost, all of it
 * again when things are better.
 */
static void test_scarce(void)
{
	struct account poor = { .limit.frames = 100, .object.references = 1 };
	static char pages[4 * PAGE_SIZE];
	struct k_pipe_info info;
	struct pipe *p;
	int r, w;

	CHECK(!pipe_create(&poor, 8 * PAGE_SIZE, false, &p));
	r = mock_open(K_PLANE_PIPE_READ, O_NONBLOCK, pipe_object(p), NULL, NULL);
	w = mock_open(K_PLANE_PIPE_WRITE, 1 | O_NONBLOCK, pipe_object(p), NULL, NULL);
	CHECK(do_write(w, pages, 3 * PAGE_SIZE) == 3 * PAGE_SIZE);
	poor.frames = 76;
	CHECK(do_write(w, pages, 1) == -EAGAIN &&
	      !(description_ready(mock_description(w)) & POLL_OUT));
	pipe_info(p, &info);
	CHECK(!info.room && info.bytes == 3 * PAGE_SIZE && info.capacity == 8 * PAGE_SIZE);
	CHECK(do_read(r, pages, 2 * PAGE_SIZE) == 2 * PAGE_SIZE);
	CHECK(do_write(w, pages, 4 * PAGE_SIZE) == PAGE_SIZE);
	for (int i = 0; i < 50; i++)
		CHECK(do_read(r, pages, PAGE_SIZE) == PAGE_SIZE &&
		      do_write(w, pages, PAGE_SIZE) == PAGE_SIZE);
	poor.frames = 90;	/* now one page, which has to be read to its end */
	CHECK(do_write(w, pages, 1) == -EAGAIN &&
	      do_read(r, pages, PAGE_SIZE + 1) == PAGE_SIZE + 1);
	CHECK(do_write(w, pages, 1) == -EAGAIN && do_read(r, pages, PAGE_SIZE) == PAGE_SIZE - 1);
	CHECK(description_ready(mock_description(w)) & POLL_OUT &&
	      do_write(w, pages, 4 * PAGE_SIZE) == PAGE_SIZE);
	poor.frames = 75;
	CHECK(do_write(w, pages, 4 * PAGE_SIZE) == 4 * PAGE_SIZE &&
	      do_write(w, pages, PAGE_SIZE) == PAGE_SIZE);
	pipe_bind(p, mock_endpoint, 6);
	poor.frames = 76;
	CHECK(!pipe_arm(p, K_PIPE_ROOM) && do_read(r, pages, 4 * PAGE_SIZE) == 4 * PAGE_SIZE);
	CHECK(do_read(r, pages, 2 * PAGE_SIZE) == 2 * PAGE_SIZE && told(6, K_PIPE_ROOM));
	object_put(pipe_object(p));
	do_close(r);
	do_close(w);
	mock_leak_check();
}

/*
 * A server echoes what users write, driven by its notices alone: it reads only after DATA, writes
 * on only after ROOM. Whatever faults come, the bytes come back, in order, and it is never left
 * without a notice.
 */
static void test_echo(unsigned faults)
{
	struct pipe *in, *back;
	uint64_t sent = 0, got = 0, held = 0, at = 0;
	static char server[9000];
	struct k_message m;
	int to, from;

	fault_rate = faults;
	for (size_t i = 0; i < sizeof(buffer); i++)
		buffer[i] = (char)(i * 11 + i / 4096);
	CHECK(!pipe_create(NULL, PAGE_SIZE << rnd(4), false, &in));
	CHECK(!pipe_create(NULL, PAGE_SIZE << rnd(4), false, &back));
	CHECK(!pipe_hold(in, K_PIPE_READER) && !pipe_hold(back, K_PIPE_WRITER));
	to = mock_open(K_PLANE_PIPE_WRITE, 1, pipe_object(in), NULL, NULL);
	from = mock_open(K_PLANE_PIPE_READ, 0, pipe_object(back), NULL, NULL);
	pipe_bind(in, mock_endpoint, 1);
	pipe_bind(back, mock_endpoint, 2);
	CHECK(!pipe_arm(in, K_PIPE_DATA));
	while (got < sizeof(buffer)) {
		if (!mock_busy(1) && sent < sizeof(buffer))
			mock_start(1, op_write, P(to), P(buffer + sent),
				   smaller(1 + rnd(30000), sizeof(buffer) - sent), 0, 0, 0);
		if (!mock_busy(2))
			mock_start(2, op_read, P(from), P(out + got),
				   smaller(1 + rnd(30000), sizeof(buffer) - got), 0, 0, 0);
		if (!mock_busy(3) && mock_notice(&m)) {
			CHECK(m.kind == K_MSG_PIPE && m.cookie == (held ? 2 : 1));
			if (held)
				mock_start(3, server_write, P(back), P(server + at), held, 0, 0, 0);
			else
				mock_start(3, server_read, P(in), P(server),
					   1 + rnd(sizeof(server)), 0, 0, 0);
		}
		mock_step();
		for (unsigned i = 1; i <= 3; i++) {
			int64_t r = calls[i].result;

			if (!mock_busy(i) || r == NOTHING)
				continue;
			if (calls[i].stopped) {
				mock_resume(i);
				continue;
			}
			CHECK(r > 0 || (i == 3 && r == -EAGAIN));
			mock_forget(i);
			if (i < 3) {
				*(i == 1 ? &sent : &got) += (uint64_t)r;
				continue;
			}
			at = held ? at + (uint64_t)(r > 0 ? r : 0) : 0;
			held = held ? held - (uint64_t)(r > 0 ? r : 0) : (uint64_t)(r > 0 ? r : 0);
			CHECK(!pipe_arm(held ? back : in, held ? K_PIPE_ROOM : K_PIPE_DATA));
		}
	}
	CHECK(!memcmp(buffer, out, sizeof(buffer)));
	for (unsigned i = 1; i <= 3; i++)
		if (mock_busy(i))
			mock_kill(i), mock_forget(i);
	fault_rate = 0;
	object_put(pipe_object(in));
	object_put(pipe_object(back));
	mock_leak_check();
}

/* --- sockets ------------------------------------------------------------------------------ */

static void test_socket(void)
{
	struct source *s = mock_source();
	struct pipe *in, *to;
	int fd;

	CHECK(!pipe_create(NULL, 8192, false, &in) && !pipe_create(NULL, 8192, false, &to));
	source_update(s, K_SOURCE_DECLINE_READ | K_SOURCE_DECLINE_WRITE, 0, false);
	fd = mock_open(K_PLANE_SOCKET, 2, pipe_object(in), pipe_object(to), s);
	CHECK(!pipe_hold(in, K_PIPE_WRITER) && !pipe_hold(to, K_PIPE_READER));
	CHECK(description_ready(mock_description(fd)) == 0);
	CHECK(do_read(fd, out, 1) == OP_DECLINE && calls[0].reason == 0 &&
	      do_write(fd, out, 1) == OP_DECLINE);
	source_update(s, POLLOUT | 0x80000000u, K_SOURCE_DECLINE_READ, false);
	CHECK(description_ready(mock_description(fd)) == POLL_OUT);
	CHECK(mock_call(1, op_recvfrom, P(fd), P(out), 10, 0, 0, 0) == NOTHING);
	source_update(s, 0, POLLOUT, false);
	mock_settle();
	CHECK(calls[1].result == NOTHING);
	source_update(s, K_SOURCE_DECLINE_READ, 0, false);
	mock_settle();
	CHECK(calls[1].result == OP_DECLINE);
	mock_forget(1);
	source_update(s, 0, K_SOURCE_DECLINE_READ | K_SOURCE_DECLINE_WRITE, false);
	CHECK(mock_call(1, op_sendto, P(fd), P(buffer), 10000, MSG_NOSIGNAL, 0, 0) == NOTHING);
	CHECK(mock_call(0, op_sendto, P(fd), P(buffer), 10, MSG_DONTWAIT, 0, 0) == -EAGAIN);
	CHECK(mock_call(0, op_sendto, P(fd), P(buffer), 10, 1, 0, 0) == OP_DECLINE);
	CHECK(mock_call(0, op_sendto, P(fd), P(buffer), 10, 0, P(buffer), 16) == OP_DECLINE);
	CHECK(mock_call(0, op_recvfrom, P(fd), P(out), 10, MSG_DONTWAIT, 0, 0) == -EAGAIN);
	CHECK(mock_call(0, op_recvfrom, P(fd), P(out), 0, 0, 0, 0) == OP_DECLINE);
	CHECK(mock_call(0, op_sendto, 99, P(out), 0, 0, 0, 0) == -EBADF);
	source_update(s, POLLERR, 0, false);
	mock_settle();
	CHECK(calls[1].result == 8192);		/* not the error: something has gone */
	mock_forget(1);
	source_update(s, 0, POLLERR, false);
	CHECK(mock_call(0, server_read, P(to), 0, 8192, 0, 0, 0) == 8192);
	CHECK(mock_call(1, op_write, P(fd), P(buffer), 10000, 0, 0, 0) == NOTHING);
	CHECK(!pipe_hold(to, 0));
	mock_settle();
	CHECK(calls[1].result == 8192);
	mock_forget(1);
	CHECK(do_write(fd, out, 1) == OP_DECLINE && calls[0].reason == EPIPE);
	object_put(pipe_object(in));
	object_put(pipe_object(to));
	object_put(&s->object);
	mock_leak_check();
}

/* --- random ------------------------------------------------------------------------------- */

struct record {
	uint32_t magic, writer, sequence, size;
};

#define WRITERS 5
static char wbuf[WRITERS][PIPE_BUF];
static uint32_t sequence[WRITERS], seen[WRITERS];

static void record_make(unsigned w)
{
	struct record r = { 0x51, w, sequence[w]++,
			    (uint32_t)sizeof(r) + rnd(PIPE_BUF - sizeof(r) + 1) };

	for (uint32_t i = sizeof(r); i < r.size; i++)
		wbuf[w][i] = (char)(w * 31 + r.sequence + i);
	memcpy(wbuf[w], &r, sizeof(r));
}

static char stream[1 << 22];
static uint64_t stream_size;

static void stream_check(void)
{
	struct record r;

	for (uint64_t at = 0; at + sizeof(r) <= stream_size; at += r.size) {
		memcpy(&r, stream + at, sizeof(r));
		CHECK(r.magic == 0x51 && r.writer < WRITERS && r.sequence == seen[r.writer]);
		seen[r.writer]++;
		for (uint32_t i = sizeof(r); i < r.size && at + i < stream_size; i++)
			CHECK(stream[at + i] == (char)(r.writer * 31 + r.sequence + i));
	}
}

/*
 * Records of several writers stay whole and in order, whatever happens; calls 0..4 write, 5 reads.
 */
static void test_atomic(unsigned faults)
{
	struct description *w;
	int fd[2];

	fault_rate = faults;
	stream_size = 0;
	memset(sequence, 0, sizeof(sequence));
	memset(seen, 0, sizeof(seen));
	pipe_pair(PAGE_SIZE << rnd(4), false, 0, fd);
	w = mock_description(fd[1]);
	for (int step = 0; step < 6000; step++) {
		unsigned n = rnd(WRITERS + 1);

		if (n == WRITERS && !mock_busy(5) && stream_size < sizeof(stream) - 65536)
			mock_start(5, op_read, P(fd[0]), P(out), 1 + rnd(20000), 0, 0, 0);
		else if (n < WRITERS && !mock_busy(n)) {
			record_make(n);
			mock_start(n, op_write, P(fd[1]), P(wbuf[n]),
				   ((struct record *)wbuf[n])->size, 0, 0, 0);
		}
		if (!rnd(20))
			mock_interrupt(rnd(WRITERS + 1));
		mock_step();
		for (unsigned i = 0; i <= WRITERS; i++) {
			struct call *c = &calls[i];

			if (!mock_busy(i) || c->result == NOTHING)
				continue;
			if (c->stopped) {
				mock_resume(i);
				continue;
			}
			CHECK(c->result > 0);
			if (i == 5) {
				memcpy(stream + stream_size, out, (size_t)c->result);
				stream_size += (uint64_t)c->result;
			} else {
				CHECK((uint64_t)c->result == c->arg[2]);
			}
			mock_forget(i);
		}
		(void)w;
	}
	stream_check();
	CHECK(stream_size > 100000);
	for (unsigned i = 0; i <= WRITERS; i++)
		if (mock_busy(i))
			mock_kill(i), mock_forget(i);
	mock_leak_check();
}

/*
 * Everybody reads, writes, is interrupted and killed: whoever still waits when all is quiet has
 * nothing to wait for.
 */
static void test_wakeups(unsigned faults)
{
	struct pipe *p;
	int fd[2];

	fault_rate = faults;
	CHECK(!pipe_create(NULL, PAGE_SIZE << rnd(3), false, &p));
	fd[0] = mock_open(K_PLANE_PIPE_READ, 0, pipe_object(p), NULL, NULL);
	fd[1] = mock_open(K_PLANE_PIPE_WRITE, 1, pipe_object(p), NULL, NULL);
	for (int round = 0; round < 1500; round++) {
		for (unsigned i = 0; i < 8; i++) {
			if (mock_busy(i) || rnd(3))
				continue;
			mock_start(i, i & 1 ? op_write : op_read, P(fd[i & 1]),
				   P(i & 1 ? buffer : out), 1 + rnd(rnd(2) ? 300 : 20000), 0, 0, 0);
		}
		for (unsigned i = rnd(6); i; i--)
			mock_step();
		if (!rnd(3))
			mock_kill(rnd(8));
		if (!rnd(3))
			mock_interrupt(rnd(8));
		mock_settle();
		/* stopped ones have passed on what they were woken for */
		for (unsigned i = 0; i < 8; i++)
			CHECK(!mock_busy(i) || !calls[i].ready);
		for (unsigned i = 0; i < 8; i++) {
			struct call *c = &calls[i];
			uint64_t left = c->arg[2] - c->thread.progress.done;

			if (mock_busy(i) && c->result != NOTHING)
				mock_forget(i);
			if (!mock_busy(i))
				continue;
			if (!(i & 1))
				CHECK(pipe_bytes(p) == 0);
			else if (c->arg[2] <= PIPE_BUF)
				CHECK(pipe_write_ready(p) == 0);
			else
				CHECK(pipe_bytes(p) > 0 && left > 0 && pipe_write_ready(p) == 0);
		}
	}
	for (unsigned i = 0; i < 8; i++)
		if (mock_busy(i))
			mock_kill(i), mock_forget(i);
	object_put(pipe_object(p));
	fault_rate = 0;
	mock_leak_check();
}

static void test_stream(unsigned faults)
{
	uint64_t sent = 0, got = 0;
	int fd[2];

	fault_rate = faults;
	for (size_t i = 0; i < sizeof(buffer); i++)
		buffer[i] = (char)(i * 7 + i / 4096);
	pipe_pair(PAGE_SIZE << rnd(5), false, 0, fd);
	while (got < sizeof(buffer)) {
		if (!mock_busy(1) && sent < sizeof(buffer))
			mock_start(1, op_write, P(fd[1]), P(buffer + sent),
				   smaller(1 + rnd(200000), sizeof(buffer) - sent), 0, 0, 0);
		if (!mock_busy(2))
			mock_start(2, op_read, P(fd[0]), P(out + got),
				   smaller(1 + rnd(30000), sizeof(buffer) - got), 0, 0, 0);
		if (!rnd(9))
			mock_interrupt(1 + rnd(2));
		mock_step();
		for (unsigned i = 1; i <= 2; i++) {
			if (!mock_busy(i) || calls[i].result == NOTHING)
				continue;
			if (calls[i].result > 0)
				*(i == 1 ? &sent : &got) += (uint64_t)calls[i].result;
			mock_forget(i);
		}
	}
	CHECK(!memcmp(buffer, out, sizeof(buffer)));
	if (mock_busy(1))
		mock_kill(1), mock_forget(1);
	if (mock_busy(2))
		mock_kill(2), mock_forget(2);
	fault_rate = 0;
	mock_leak_check();
}

int main(void)
{
	mock_init();
	test_basics();
	test_packets();
	test_vectors();
	test_blocked();
	test_server();
	test_scarce();
	test_socket();
	for (int i = 0; i < 20; i++) {
		test_atomic(i % 3 ? 7 : 0);
		test_wakeups(i % 3 ? 9 : 0);
		test_stream(i % 3 ? 7 : 0);
		test_echo(i % 3 ? 7 : 0);
	}
	printf("pipes: ok\n");
	return 0;
}
