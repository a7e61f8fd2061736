/* SPDX-License-Identifier: MIT */
/*
 * Streams and descriptors: results of single calls as Linux gives them, then shared offsets and
 * appends under fire.
 */
#include "data_mock.h"
#include "data/pipe.h"

#define P(...) ((uint64_t)(__VA_ARGS__))
#define RDWR 2u

static char buffer[1 << 18], out[1 << 18];

static int64_t call(op_function *op, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	return mock_call(0, op, a, b, c, d, 0, 0);
}

static int stream_open(struct mobject **m, uint64_t size, uint32_t status)
{
	*m = mock_mobject(size);
	return mock_open(K_PLANE_STREAM, status, mobject_object(*m), NULL, NULL);
}

static void test_stream(void)
{
	struct mobject *m;
	uint64_t fd = P(stream_open(&m, 0, RDWR));

	CHECK(call(op_write, fd, P("hello world"), 11, 0) == 11);
	CHECK(call(op_read, fd, P(out), 5, 0) == 0);
	CHECK(call(op_lseek, fd, 6, SEEK_SET, 0) == 6 && call(op_read, fd, P(out), 100, 0) == 5 &&
	      !memcmp(out, "world", 5));
	CHECK(call(op_lseek, fd, P(-4), SEEK_END, 0) == 7 &&
	      call(op_lseek, fd, P(-8), SEEK_CUR, 0) == -EINVAL);
	CHECK(call(op_lseek, fd, 0, SEEK_CUR, 0) == 7 && call(op_lseek, fd, 0, 5, 0) == -EINVAL);
	CHECK(call(op_lseek, fd, P(INT64_MAX), SEEK_SET, 0) == INT64_MAX &&
	      call(op_lseek, fd, 1, SEEK_CUR, 0) == -EINVAL);
	CHECK(call(op_read, fd, P(out), 1, 0) == -EINVAL &&
	      call(op_write, fd, P(out), 1, 0) == -EINVAL);
	CHECK(call(op_lseek, fd, 0, SEEK_SET, 0) == 0 &&
	      call(op_lseek, fd, 0, SEEK_DATA, 0) == OP_DECLINE);
	CHECK(call(op_pread64, fd, P(out), 4, 1) == 4 && !memcmp(out, "ello", 4));
	CHECK(call(op_pread64, fd, P(out), 4, P(-1)) == -EINVAL &&
	      call(op_pread64, 99, P(out), 4, P(-1)) == -EINVAL);
	CHECK(call(op_pwrite64, fd, P("J"), 1, 0) == 1 && call(op_lseek, fd, 0, SEEK_CUR, 0) == 0);
	CHECK(call(op_read, fd, USER_END - 1, 2, 0) == -EFAULT &&
	      call(op_read, fd, P(-1), 0, 0) == -EFAULT);
	CHECK(call(op_read, fd, P(out), P(-1), 0) == -EFAULT);
	bad_address = P(buffer + 8192);
	CHECK(call(op_write, fd, P(buffer + 8192), 1, 0) == -EFAULT);
	bad_address = 0;
	CHECK(call(op_close, fd, 0, 0, 0) == 0 && call(op_close, fd, 0, 0, 0) == -EBADF &&
	      call(op_read, fd, P(out), 1, 0) == -EBADF);
	object_put(mobject_object(m));
	fd = P(stream_open(&m, 10, 0));
	CHECK(call(op_write, fd, P("x"), 1, 0) == -EBADF && call(op_read, fd, P(out), 20, 0) == 10);
	object_put(mobject_object(m));
	mock_leak_check();
}

static void test_limits(void)
{
	struct mobject *m;
	uint64_t fd = P(stream_open(&m, 0, RDWR));

	mock_task.limit_fsize = 100;
	CHECK(call(op_write, fd, P(buffer), 150, 0) == 100);
	CHECK(call(op_write, fd, P(buffer), 1, 0) == OP_DECLINE && calls[0].reason == EFBIG);
	CHECK(call(op_write, fd, P(buffer), 0, 0) == 0 &&
	      call(op_pwrite64, fd, P(buffer), 10, 50) == 10);
	mock_task.limit_fsize = UINT64_MAX;
	mock_mobject_grant(m, 200);
	CHECK(call(op_write, fd, P(buffer), 150, 0) == OP_DECLINE && calls[0].reason == 0 &&
	      calls[0].done == 0);
	calls[0].thread.flags |= THREAD_AUTHORITY;
	CHECK(call(op_write, fd, P(buffer), 150, 0) == 100);
	CHECK(call(op_write, fd, P(buffer), 1, 0) == OP_DECLINE && calls[0].reason == ENOSPC);
	calls[0].thread.flags = 0;
	mock_description((int)fd)->decline = K_DECLINE_WRITE;
	CHECK(call(op_pwrite64, fd, P(buffer), 1, 0) == OP_DECLINE &&
	      call(op_pread64, fd, P(out), 1, 0) == 1);
	object_put(mobject_object(m));
	mock_leak_check();
}

static void test_devices(void)
{
	uint64_t null = P(mock_open(K_PLANE_NULL, RDWR, NULL, NULL, NULL)),
		 zero = P(mock_open(K_PLANE_ZERO, RDWR, NULL, NULL, NULL));
	uint64_t full = P(mock_open(K_PLANE_FULL, RDWR, NULL, NULL, NULL)),
		 none = P(mock_open(K_PLANE_NONE, RDWR, NULL, NULL, NULL));

	CHECK(call(op_read, null, P(out), 9, 0) == 0 && call(op_write, null, P(out), 9, 0) == 9);
	CHECK(call(op_write, null, P(out), 0x7fffffff, 0) == RW_MAX);
	memset(out, 1, sizeof(out));
	CHECK(call(op_read, zero, P(out), 70000, 0) == 70000 && !out[69999] && out[70000]);
	bad_address = (P(out) + 20000) & ~PAGE_MASK;
	CHECK(call(op_read, zero, P(out), 70000, 0) == (int64_t)(bad_address - P(out)));
	CHECK(call(op_read, zero, bad_address, 1, 0) == -EFAULT);
	bad_address = 0;
	CHECK(call(op_write, full, P(out), 1, 0) == -ENOSPC &&
	      call(op_write, full, P(out), 0, 0) == -ENOSPC);
	CHECK(call(op_lseek, zero, 77, SEEK_SET, 0) == 0 &&
	      call(op_pread64, full, P(out), 3, 5) == 3);
	CHECK(call(op_read, none, P(out), 1, 0) == OP_DECLINE && calls[0].reason == 0);
	mock_leak_check();
}

static void test_descriptors(void)
{
	uint64_t a = P(mock_open(K_PLANE_NULL, RDWR | O_NONBLOCK, NULL, NULL, NULL)),
		 b = call(op_dup, a, 0, 0, 0);
	struct table *table = mock_task.table;

	CHECK(a == 0 && b == 1 && call(op_dup, 7, 0, 0, 0) == -EBADF);
	CHECK(call(op_dup2, a, a, 0, 0) == 0 && call(op_dup2, 9, 9, 0, 0) == -EBADF &&
	      call(op_dup2, a, 20, 0, 0) == 20);
	CHECK(call(op_dup2, a, 1024, 0, 0) == -EBADF && call(op_dup2, a, P(-1), 0, 0) == -EBADF);
	CHECK(call(op_dup3, a, a, 0, 0) == -EINVAL && call(op_dup3, a, 2, 1, 0) == -EINVAL);
	CHECK(call(op_dup3, a, 2, O_CLOEXEC, 0) == 2 && call(op_fcntl, 2, F_GETFD, 0, 0) == 1 &&
	      call(op_fcntl, a, F_GETFD, 0, 0) == 0);
	CHECK(call(op_fcntl, 2, F_SETFD, 0, 0) == 0 && call(op_fcntl, 2, F_GETFD, 0, 0) == 0);
	CHECK(call(op_fcntl, a, F_DUPFD, 10, 0) == 10 &&
	      call(op_fcntl, a, F_DUPFD_CLOEXEC, 10, 0) == 11);
	CHECK(call(op_fcntl, a, F_DUPFD, 1024, 0) == -EINVAL &&
	      call(op_fcntl, a, 7, 0, 0) == OP_DECLINE);
	CHECK(call(op_fcntl, a, F_GETFL, 0, 0) == (RDWR | O_NONBLOCK) &&
	      call(op_fcntl, b, F_SETFL, O_APPEND | 1, 0) == 0);
	CHECK(call(op_fcntl, a, F_GETFL, 0, 0) == (RDWR | O_APPEND) &&
	      call(op_fcntl, a, F_GETPIPE_SZ, 0, 0) == -EBADF);
	CHECK(call(op_fcntl, a, F_SETFL, O_DIRECT, 0) == OP_DECLINE);
	table->limit = 3;
	CHECK(call(op_dup, a, 0, 0, 0) == -EMFILE && call(op_dup2, a, 3, 0, 0) == -EBADF);
	table->limit = 1024;
	CHECK(call(op_close_range, 5, 4, 0, 0) == -EINVAL &&
	      call(op_close_range, 5, 9, 8, 0) == -EINVAL);
	CHECK(call(op_close_range, 10, P(~0u), CLOSE_RANGE_CLOEXEC, 0) == 0 &&
	      call(op_fcntl, 20, F_GETFD, 0, 0) == 1);
	CHECK(call(op_close_range, 10, P(~0u), 0, 0) == 0 &&
	      call(op_close, 20, 0, 0, 0) == -EBADF && table->used == 3);
	table->watched = true;
	CHECK(call(op_close, a, 0, 0, 0) == OP_DECLINE && call(op_dup2, a, b, 0, 0) == OP_DECLINE &&
	      call(op_dup2, a, 5, 0, 0) == 5);
	CHECK(call(op_close, 50, 0, 0, 0) == -EBADF &&
	      call(op_close_range, 0, 9, 0, 0) == OP_DECLINE);
	table->watched = false;
	mock_leak_check();
}

static void test_sendfile(void)
{
	struct mobject *m, *n;
	uint64_t in = P(stream_open(&m, 0, RDWR)), to = P(stream_open(&n, 0, RDWR)), at = 1000, r,
		 w;
	struct pipe *p;

	CHECK(!pipe_create(NULL, 8192, false, &p));
	r = P(mock_open(K_PLANE_PIPE_READ, 0, pipe_object(p), NULL, NULL));
	w = P(mock_open(K_PLANE_PIPE_WRITE, 1, pipe_object(p), NULL, NULL));
	for (unsigned i = 0; i < 50000; i++)
		buffer[i] = (char)(i * 13 + i / 256);
	CHECK(call(op_write, in, P(buffer), 50000, 0) == 50000);
	fault_rate = 5;
	CHECK(call(op_sendfile, to, in, P(&at), 30000) == 30000 && at == 31000);
	CHECK(!memcmp(mock_mobject_data(n), buffer + 1000, 30000) && mobject_size(n) == 30000);
	CHECK(call(op_lseek, in, 40000, SEEK_SET, 0) == 40000);
	CHECK(call(op_sendfile, to, in, 0, 99999) == 10000 &&
	      call(op_lseek, in, 0, SEEK_CUR, 0) == 50000);
	CHECK(call(op_sendfile, to, in, 0, 99999) == 0 &&
	      !memcmp(mock_mobject_data(n) + 30000, buffer + 40000, 10000));
	at = 0;
	CHECK(mock_call(1, op_sendfile, w, in, P(&at), 50000, 0, 0) == NOTHING);
	for (int64_t got = 0, k; got < 20000; got += k) {
		k = call(op_read, r, P(out + got), (uint64_t)(20000 - got), 0);
		CHECK(k > 0);
	}
	CHECK(!memcmp(out, buffer, 20000) && calls[1].result == NOTHING);
	mock_interrupt(1);
	mock_settle();
	CHECK(calls[1].result == (int64_t)at && at >= 20000 && at <= 28192);
	mock_forget(1);
	fault_rate = 0;
	CHECK(call(op_sendfile, in, r, 0, 5) == OP_DECLINE &&
	      call(op_sendfile, w, r, P(&at), 5) == -ESPIPE);
	CHECK(call(op_sendfile, 99, in, 0, 5) == -EBADF &&
	      call(op_sendfile, w, 99, 0, 5) == -EBADF);
	object_put(pipe_object(p));
	object_put(mobject_object(m));
	object_put(mobject_object(n));
	mock_leak_check();
}

/*
 * Threads that share descriptions write records by append, and by a shared offset: each record
 * whole, none lost.
 */
#define RECORD 700
#define WRITERS 6
#define TAG(w, n) ((w) * 42 + (n) % 42)	/* of record n of writer w */

static void test_shared(bool append)
{
	static char record[WRITERS][RECORD];
	uint32_t count[WRITERS] = { 0 }, seen[WRITERS] = { 0 };
	struct mobject *m;
	uint64_t fd[2], total = 0, bytes = 0;
	unsigned char *data;

	fd[0] = P(stream_open(&m, 0, RDWR | (append ? O_APPEND : 0)));
	fd[1] = append ? P(mock_open(K_PLANE_STREAM, RDWR | O_APPEND, mobject_object(m), NULL,
				     NULL)) :
			 fd[0];
	fault_rate = 4;
	while (total < 1000) {
		unsigned n = rnd(WRITERS);

		if (!mock_busy(n)) {
			for (unsigned i = 0; i < RECORD; i++)
				record[n][i] = (char)TAG(n, count[n]);
			mock_start(n, op_write, fd[n & 1], P(record[n]), RECORD, 0, 0, 0);
		}
		if (!rnd(15))
			mock_interrupt(rnd(WRITERS));
		mock_step();
		for (unsigned i = 0; i < WRITERS; i++) {
			struct call *c = &calls[i];

			if (!mock_busy(i) || c->result == NOTHING)
				continue;
			if (c->stopped && rnd(2)) {
				mock_resume(i);
				continue;
			}
			CHECK(c->stopped || c->result > 0);
			if (!c->stopped) {
				/*
				 * Interrupted in the middle: a short count; what there is of the
				 * record is whole.
				 */
				bytes += (uint64_t)c->result;
				count[i] += c->result == RECORD;
				total++;
			}
			mock_forget(i);
			if (!c->stopped && c->result != RECORD)
				goto cut;
		}
	}
cut:
	for (unsigned i = 0; i < WRITERS; i++) {
		if (!mock_busy(i))
			continue;
		while (calls[i].result == NOTHING || calls[i].stopped) {
			if (calls[i].stopped)
				mock_resume(i);
			mock_settle();
		}
		bytes += (uint64_t)calls[i].result;
		count[i] += calls[i].result == RECORD;
		mock_forget(i);
	}
	CHECK(mobject_size(m) == bytes);
	data = mock_mobject_data(m);
	for (uint64_t at = 0; at + RECORD <= bytes; ) {
		unsigned w = 0;
		uint64_t n = 1;

		while (w < WRITERS && TAG(w, seen[w]) != data[at])
			w++;
		CHECK(w < WRITERS);
		while (n < RECORD && data[at + n] == data[at])
			n++;
		seen[w] += n == RECORD;
		at += n;
	}
	for (unsigned i = 0; i < WRITERS; i++)
		CHECK(seen[i] == count[i]);
	fault_rate = 0;
	object_put(mobject_object(m));
	mock_leak_check();
}

/* Two readers share an offset: together they get every byte once. */
static void test_shared_read(void)
{
	struct mobject *m;
	uint64_t fd = P(stream_open(&m, 200000, 0)), sum = 0, got = 0, killed = 0;
	static char to[2][10000];

	for (unsigned i = 0; i < 200000; i++)
		sum += mock_mobject_data(m)[i] = (unsigned char)(i * 31 + i / 999);
	fault_rate = 4;
	while (got < 200000) {
		unsigned n = rnd(2);

		if (!mock_busy(n))
			mock_start(n, op_read, fd, P(to[n]), 1 + rnd(10000), 0, 0, 0);
		if (!rnd(10))
			mock_interrupt(rnd(2));
		mock_step();
		for (unsigned i = 0; i < 2; i++) {
			if (!mock_busy(i) || calls[i].result == NOTHING)
				continue;
			for (int64_t k = 0; k < calls[i].result; k++)
				sum -= (unsigned char)to[i][k];
			got += calls[i].result > 0 ? (uint64_t)calls[i].result : 0;
			mock_forget(i);
		}
	}
	CHECK(sum == 0 && got == 200000);
	for (unsigned i = 0; i < 2; i++)
		if (mock_busy(i))
			mock_kill(i), mock_forget(i);
	for (int i = 0; i < 50; i++) {	/* a killed owner of the offset does not keep it */
		CHECK(call(op_lseek, fd, 0, SEEK_SET, 0) == 0);
		mock_start(1, op_read, fd, P(to[1]), 10000, 0, 0, 0);
		for (unsigned k = rnd(5); k; k--)
			mock_step();
		if (calls[1].result == NOTHING) {
			mock_kill(1);
			killed++;
		}
		mock_forget(1);
	}
	CHECK(killed > 5 && call(op_lseek, fd, 3, SEEK_SET, 0) == 3);
	fault_rate = 0;
	object_put(mobject_object(m));
	mock_leak_check();
}

int main(void)
{
	mock_init();
	test_stream();
	test_limits();
	test_devices();
	test_descriptors();
	for (int i = 0; i < 30; i++) {
		test_sendfile();
		test_shared(i & 1);
		test_shared_read();
	}
	printf("streams and descriptors: ok\n");
	return 0;
}
