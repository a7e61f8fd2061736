/* SPDX-License-Identifier: MIT */
/*
 * poll, select and epoll: single calls, then random events; whoever waits when all is quiet has
 * nothing to report.
 */
#include "data_mock.h"
#include "data/pipe.h"

#define P(...) ((uint64_t)(__VA_ARGS__))

static char byte;

static int64_t call(op_function *op, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e)
{
	return mock_call(0, op, a, b, c, d, e, 0);
}

static int source_fd(struct source **s)
{
	int fd;

	*s = mock_source();
	fd = mock_open(K_PLANE_NONE, 2, NULL, NULL, *s);
	object_put(&(*s)->object);	/* the description's counts */
	return fd;
}

static int epoll_fd(void)
{
	return mock_open(K_PLANE_WAITSET, 2, NULL, NULL, NULL);
}

static void pipe_pair(int *fd)
{
	struct pipe *p;

	CHECK(!pipe_create(NULL, 8192, false, &p));
	fd[0] = mock_open(K_PLANE_PIPE_READ, O_NONBLOCK, pipe_object(p), NULL, NULL);
	fd[1] = mock_open(K_PLANE_PIPE_WRITE, 1 | O_NONBLOCK, pipe_object(p), NULL, NULL);
	object_put(pipe_object(p));
}

static void finish(unsigned n)
{
	if (!mock_busy(n))
		return;
	if (calls[n].result == NOTHING)
		mock_kill(n);
	mock_forget(n);
}

static void test_poll(void)
{
	struct pollfd p[4] = { { .fd = 99, .events = POLLIN },
			       { .fd = -3, .events = POLLIN, .revents = 9 } };
	struct timespec ts = { 0, 5000 };
	struct source *s;
	int fd[2];

	pipe_pair(fd);
	p[2] = (struct pollfd){ .fd = fd[0], .events = POLLIN };
	p[3] = (struct pollfd){ .fd = source_fd(&s), .events = POLLIN | POLLPRI };
	CHECK(call(op_poll, P(p), 4, 0, 0, 0) == 1 && p[0].revents == POLLNVAL && !p[1].revents &&
	      !p[2].revents);
	CHECK(call(op_poll, P(p), 2000, 0, 0, 0) == -EINVAL &&
	      call(op_poll, USER_END, 1, 0, 0, 0) == -EFAULT);
	CHECK(call(op_poll, P(p + 1), 3, 0, 0, 0) == 0);
	CHECK(mock_call(1, op_poll, P(p + 1), 3, P(-1), 0, 0, 0) == NOTHING);
	source_update(s, POLLOUT, 0, true);
	mock_settle();
	CHECK(calls[1].result == NOTHING);
	source_update(s, POLLPRI, 0, false);
	mock_settle();
	CHECK(calls[1].result == 1 && p[3].revents == POLLPRI);
	mock_forget(1);
	source_update(s, 0, POLLPRI, false);
	CHECK(mock_call(1, op_poll, P(p + 1), 3, 7, 0, 0, 0) == NOTHING);
	mock_interrupt(1);
	CHECK(calls[1].result == -K_RESTART_BLOCK);
	mock_resume(1);
	mock_settle();
	CHECK(calls[1].result == NOTHING);
	mock_time(mock_now + 6999999);
	mock_settle();
	CHECK(calls[1].result == NOTHING);
	mock_time(mock_now + 1);
	mock_settle();
	CHECK(calls[1].result == 0);
	mock_forget(1);
	/* A closed descriptor stays watched; the writer's end makes it ready. */
	CHECK(mock_call(1, op_poll, P(p + 1), 3, P(-1), 0, 0, 0) == NOTHING);
	call(op_close, P(fd[0]), 0, 0, 0, 0);
	CHECK(call(op_write, P(fd[1]), P(&byte), 1, 0, 0) == 1 && calls[1].result == 1 &&
	      p[2].revents == POLLIN);
	mock_forget(1);
	/* ppoll: a mask declines, the remaining time comes back. */
	CHECK(call(op_ppoll, P(p + 3), 1, P(&ts), P(&ts), 8) == OP_DECLINE);
	CHECK(mock_call(1, op_ppoll, P(p + 3), 1, P(&ts), 0, 0, 0) == NOTHING);
	mock_time(mock_now + 2000);
	mock_interrupt(1);
	mock_settle();
	CHECK(calls[1].result == -K_RESTART_NOHAND && ts.seconds == 0 && ts.nanoseconds == 3000);
	mock_resume(1);
	mock_settle();
	CHECK(calls[1].result == NOTHING);
	mock_time(mock_now + 3000);
	mock_settle();
	CHECK(calls[1].result == 0 && ts.nanoseconds == 0);
	mock_forget(1);
	ts.nanoseconds = 1000000000;
	CHECK(call(op_ppoll, P(p + 3), 1, P(&ts), 0, 0) == -EINVAL);
	mock_leak_check();
}

static void test_select(void)
{
	uint64_t in[2] = { 0 }, to[2] = { 0 }, except[2] = { 0 };
	struct timeval tv = { 0, 1500 };
	struct source *s;
	int fd[2], sfd;

	pipe_pair(fd);
	sfd = source_fd(&s);
	in[0] = 1ul << fd[0] | 1ul << sfd;
	to[0] = 1ul << fd[1];
	except[0] = 1ul << sfd;
	CHECK(call(op_select, 64, P(in), P(to), P(except), P(&tv)) == 1 && !in[0] &&
	      to[0] == 1ul << fd[1] && !except[0]);
	CHECK(call(op_select, P(-1), 0, 0, 0, 0) == -EINVAL);
	in[0] = 1ul << 40;
	CHECK(call(op_select, 64, P(in), 0, 0, 0) == -EBADF && in[0] == 1ul << 40);
	CHECK(call(op_select, 40, P(in), 0, 0, P((struct timeval[]){ { 0, 0 } })) == 0 && !in[0]);
	in[0] = except[0] = 1ul << sfd;
	CHECK(mock_call(1, op_select, 64, P(in), 0, P(except), P(&tv), 0) == NOTHING);
	source_update(s, POLLIN | POLLPRI, 0, false);
	mock_settle();
	CHECK(calls[1].result == 2 && in[0] == 1ul << sfd && except[0] == 1ul << sfd);
	mock_forget(1);
	source_update(s, 0, POLLIN | POLLPRI, false);
	tv = (struct timeval){ 1, 2500000 };
	CHECK(mock_call(1, op_select, 64, P(in), 0, 0, P(&tv), 0) == NOTHING);
	mock_time(mock_now + 1500000000);
	mock_interrupt(1);
	mock_settle();
	CHECK(calls[1].result == -K_RESTART_NOHAND && tv.seconds == 2 && tv.microseconds == 0 &&
	      in[0] == 1ul << sfd);
	mock_resume(1);
	mock_settle();
	mock_time(mock_now + 2000000000);
	mock_settle();
	CHECK(calls[1].result == 0 && !in[0] && !tv.seconds);
	mock_forget(1);
	mock_leak_check();
}

static int64_t control(int ep, int op, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event e = { events, data };

	return call(op_epoll_ctl, P(ep), P(op), P(fd), P(&e), 0);
}

static int64_t ep_wait(int ep, struct epoll_event *e, int max, int ms)
{
	return call(op_epoll_wait, P(ep), P(e), P(max), P(ms), 0);
}

static void test_epoll(void)
{
	struct epoll_event e[40];
	struct source *s, *many[40];
	int ep = epoll_fd(), fd = source_fd(&s),
	    null = mock_open(K_PLANE_NULL, 2, NULL, NULL, NULL), copy;

	CHECK(control(ep, EPOLL_CTL_ADD, null, POLLIN, 0) == -EPERM &&
	      control(ep, EPOLL_CTL_ADD, 99, POLLIN, 0) == -EBADF);
	CHECK(control(fd, EPOLL_CTL_ADD, ep, POLLIN, 0) == -EINVAL &&
	      control(ep, EPOLL_CTL_ADD, ep, POLLIN, 0) == -EINVAL);
	CHECK(control(ep, EPOLL_CTL_MOD, fd, POLLIN, 0) == -ENOENT &&
	      control(ep, EPOLL_CTL_DEL, fd, 0, 0) == -ENOENT);
	CHECK(control(ep, 9, fd, POLLIN, 0) == -EINVAL &&
	      control(ep, EPOLL_CTL_ADD, fd, POLLIN, 7) == 0);
	CHECK(control(ep, EPOLL_CTL_ADD, fd, POLLIN, 7) == -EEXIST);
	CHECK(ep_wait(ep, e, 0, 0) == -EINVAL && ep_wait(fd, e, 1, 0) == -EINVAL &&
	      ep_wait(ep, e, 1, 0) == 0);
	CHECK(call(op_epoll_wait, P(ep), USER_END, 1, 0, 0) == -EFAULT);
	source_update(s, POLLIN, 0, false);
	for (int i = 0; i < 3; i++)	/* level */
		CHECK(ep_wait(ep, e, 1, 0) == 1 && e[0].events == POLLIN && e[0].data == 7);
	CHECK(description_ready(mock_description(ep)) == POLL_IN);
	CHECK(control(ep, EPOLL_CTL_MOD, fd, POLLIN | EPOLLET, 8) == 0);
	CHECK(ep_wait(ep, e, 1, 0) == 1 && e[0].data == 8 && ep_wait(ep, e, 1, 0) == 0);
	source_update(s, POLLIN, 0, true);
	CHECK(ep_wait(ep, e, 1, 0) == 1 && ep_wait(ep, e, 1, 0) == 0);
	CHECK(control(ep, EPOLL_CTL_MOD, fd, POLLIN | EPOLLONESHOT, 9) == 0 &&
	      ep_wait(ep, e, 1, 0) == 1);
	source_update(s, POLLIN, 0, true);
	CHECK(ep_wait(ep, e, 1, 0) == 0 && control(ep, EPOLL_CTL_MOD, fd, POLLIN, 1) == 0 &&
	      ep_wait(ep, e, 1, 0) == 1);
	/* Blocked: interrupted, timed out, woken. */
	source_update(s, 0, POLLIN, false);
	CHECK(mock_call(1, op_epoll_wait, P(ep), P(e), 8, P(-1), 0, 0) == NOTHING);
	mock_interrupt(1);
	CHECK(calls[1].result == -EINTR);
	mock_forget(1);
	CHECK(mock_call(1, op_epoll_wait, P(ep), P(e), 8, 5, 0, 0) == NOTHING);
	mock_time(mock_now + 5000000);
	mock_settle();
	CHECK(calls[1].result == 0);
	mock_forget(1);
	CHECK(mock_call(1, op_epoll_wait, P(ep), P(e), 8, P(-1), 0, 0) == NOTHING);
	source_update(s, POLLHUP, 0, false);
	mock_settle();
	CHECK(calls[1].result == 1 && e[0].events == POLLHUP);
	mock_forget(1);
	/* Who is woken and killed before he runs passes it on. */
	source_update(s, 0, POLLHUP, false);
	CHECK(ep_wait(ep, e, 8, 0) == 0);
	for (unsigned i = 1; i <= 2; i++)
		CHECK(mock_call(i, op_epoll_wait, P(ep), P(e), 8, P(-1), 0, 0) == NOTHING);
	source_update(s, POLLIN, 0, false);
	CHECK(calls[1].ready && !calls[2].ready);
	mock_kill(1);
	mock_forget(1);
	mock_settle();
	CHECK(calls[2].result == 1);
	mock_forget(2);
	/* A member lives as long as its description. */
	copy = (int)call(op_dup, P(fd), 0, 0, 0, 0);
	call(op_close, P(fd), 0, 0, 0, 0);
	CHECK(ep_wait(ep, e, 8, 0) == 1);
	call(op_close, P(copy), 0, 0, 0, 0);
	CHECK(ep_wait(ep, e, 8, 0) == 0);
	for (unsigned i = 0; i < 40; i++)
		CHECK(control(ep, EPOLL_CTL_ADD, source_fd(&many[i]), POLLIN, i) == 0);
	for (unsigned i = 0; i < 40; i++)
		source_update(many[i], POLLIN, 0, false);
	CHECK(ep_wait(ep, e, 40, 0) == 40 && e[39].data == 39 && ep_wait(ep, e, 3, 0) == 3 &&
	      ep_wait(ep, e, 1, 0) == 1 && e[0].data == 3);
	mock_leak_check();
}

static void test_nesting(void)
{
	struct epoll_event e;
	struct source *s;
	int ep[10], fd = source_fd(&s);

	for (int i = 0; i < 10; i++)
		ep[i] = epoll_fd();
	CHECK(control(ep[0], EPOLL_CTL_ADD, fd, POLLIN, 1) == 0);
	CHECK(control(ep[1], EPOLL_CTL_ADD, ep[0], POLLIN, 2) == 0 &&
	      control(ep[2], EPOLL_CTL_ADD, ep[1], POLLIN | EPOLLET, 3) == 0);
	CHECK(control(ep[0], EPOLL_CTL_ADD, ep[2], POLLIN, 0) == -ELOOP &&
	      control(ep[0], EPOLL_CTL_ADD, ep[1], POLLIN, 0) == -ELOOP);
	CHECK(mock_call(1, op_epoll_wait, P(ep[2]), P(&e), 1, P(-1), 0, 0) == NOTHING);
	source_update(s, POLLIN, 0, false);
	mock_settle();
	CHECK(calls[1].result == 1 && e.data == 3);
	mock_forget(1);
	CHECK(ep_wait(ep[2], &e, 1, 0) == 0 && ep_wait(ep[1], &e, 1, 0) == 1 &&
	      ep_wait(ep[0], &e, 1, 0) == 1);
	source_update(s, POLLIN, 0, true);
	CHECK(ep_wait(ep[2], &e, 1, 0) == 1);
	for (int i = 3; i < 5; i++)		/* five on top of each other, as Linux has it */
		CHECK(control(ep[i], EPOLL_CTL_ADD, ep[i - 1], POLLIN, 0) == 0);
	CHECK(control(ep[5], EPOLL_CTL_ADD, ep[4], POLLIN, 0) == -ELOOP);
	call(op_close, P(ep[1]), 0, 0, 0, 0);
	source_update(s, POLLIN, 0, true);
	CHECK(ep_wait(ep[2], &e, 1, 0) == 0);
	mock_leak_check();
}

/* --- random ------------------------------------------------------------------------------- */

#define SOURCES 6
#define PIPES 3
#define FDS (SOURCES + 2 * PIPES)

static struct source *source[SOURCES];
static int fds[FDS];

static void world_make(void)
{
	for (int i = 0; i < SOURCES; i++)
		fds[i] = source_fd(&source[i]);
	for (int i = 0; i < PIPES; i++)
		pipe_pair(&fds[SOURCES + 2 * i]);
}

static void world_event(unsigned n)
{
	static char data[5000];
	uint32_t bit = 1u << rnd(5);
	int p = SOURCES + 2 * (int)rnd(PIPES);

	switch (rnd(4)) {
	case 0:
		source_update(source[rnd(SOURCES)], bit, 0, rnd(2));
		break;
	case 1:
		source_update(source[rnd(SOURCES)], 0, bit, false);
		break;
	default:
		finish(n);
		mock_start(n, rnd(2) ? op_read : op_write, P(fds[p + (int)rnd(2)]), P(data),
			   1 + rnd(5000), 0, 0, 0);
	}
}

static void test_poll_random(unsigned faults)
{
	static struct pollfd p[6][8];

	world_make();
	fault_rate = faults;
	for (int round = 0; round < 1500; round++) {
		for (unsigned i = 0; i < 6; i++) {
			if (mock_busy(i))
				continue;
			for (int k = 0; k < 8; k++)
				p[i][k] = (struct pollfd){ .fd = fds[rnd(FDS)],
							   .events = (uint16_t)rnd(8) };
			mock_start(i, op_poll, P(p[i]), 1 + rnd(8), P(-1), 0, 0, 0);
		}
		for (unsigned i = rnd(8); i; i--)
			mock_step();
		world_event(10);
		if (!rnd(4))
			mock_kill(rnd(6));
		else if (!rnd(4))
			mock_interrupt(rnd(6));
		mock_settle();
		for (unsigned i = 0; i < 6; i++) {
			struct call *c = &calls[i];
			uint32_t ready = 0;

			for (uint32_t k = 0; k < c->arg[1]; k++)
				ready += !!(description_ready(mock_description(p[i][k].fd)) &
					    (p[i][k].events | POLLERR | POLLHUP));
			if (c->result == NOTHING)
				CHECK(!ready);
			else if (c->stopped && rnd(2))
				mock_resume(i);
			else
				mock_forget(i);
		}
	}
	for (unsigned i = 0; i < 11; i++)
		finish(i);
	fault_rate = 0;
	mock_leak_check();
}

/*
 * The model: which level-triggered members are ready; for edges, whether an event came since the
 * last report.
 */
static void test_epoll_random(unsigned faults)
{
	static struct epoll_event e[6][40];
	uint32_t events[2][FDS] = { 0 };
	int ep[2] = { epoll_fd(), epoll_fd() };

	world_make();
	fault_rate = faults;
	for (int round = 0; round < 2500; round++) {
		unsigned w = rnd(2), f = rnd(FDS);

		fault_rate = 0;
		if (rnd(3) && !events[w][f]) {
			events[w][f] = rnd(8) | POLLERR | POLLHUP;
			CHECK(!control(ep[w], EPOLL_CTL_ADD, fds[f],
				       events[w][f] | (rnd(4) ? 0 : EPOLLET), f));
		} else if (!rnd(3) && events[w][f]) {
			events[w][f] = 0;
			CHECK(!control(ep[w], EPOLL_CTL_DEL, fds[f], 0, 0));
		}
		fault_rate = faults;
		for (unsigned i = 1; i < 6; i++)
			if (!mock_busy(i))
				mock_start(i, op_epoll_wait, P(ep[i & 1]), P(e[i]),
					   1 + rnd(rnd(2) ? 3 : 40), P(-1), 0, 0);
		world_event(10);
		for (unsigned i = rnd(9); i; i--)
			mock_step();
		if (!rnd(4))
			mock_kill(1 + rnd(5));
		mock_settle();
		for (unsigned i = 1; i < 6; i++) {
			if (calls[i].result != NOTHING) {
				for (int64_t k = 0; k < calls[i].result; k++)
					CHECK(e[i][k].data < FDS && e[i][k].events);
				mock_forget(i);
				continue;
			}
			for (unsigned k = 0; k < FDS; k++) {
				struct description *d = mock_description(fds[k]);
				uint32_t ready = description_ready(d) & events[i & 1][k];

				/* A ready edge member may have been reported already. */
				CHECK(!ready ||
				      !waitset_ready(mock_description(ep[i & 1])->waitset));
			}
			CHECK(!waitset_ready(mock_description(ep[i & 1])->waitset));
		}
	}
	for (unsigned i = 0; i < 11; i++)
		finish(i);
	fault_rate = 0;
	mock_leak_check();
}

/* Every edge is reported, once the description is ready, whatever faults come between. */
static void test_edges(void)
{
	static struct epoll_event e[64];
	struct source *s[64];
	int ep = epoll_fd();

	for (unsigned i = 0; i < 64; i++)
		CHECK(!control(ep, EPOLL_CTL_ADD, source_fd(&s[i]), POLLIN | EPOLLET, i));
	for (int round = 0; round < 300; round++) {
		uint64_t expected = 0, seen = 0;

		for (unsigned i = rnd(64); i; i--) {
			unsigned k = rnd(64);

			source_update(s[k], POLLIN, 0, true);
			expected |= 1ul << k;
		}
		fault_rate = 3;
		while (seen != expected) {
			int64_t n = ep_wait(ep, e, 1 + (int)rnd(64), 0);

			CHECK(n > 0);
			for (int64_t k = 0; k < n; k++) {
				CHECK(!(seen >> e[k].data & 1));
				seen |= 1ul << e[k].data;
			}
		}
		CHECK(ep_wait(ep, e, 1, 0) == 0);
		fault_rate = 0;
	}
	mock_leak_check();
}

int main(void)
{
	mock_init();
	test_poll();
	test_select();
	test_epoll();
	test_nesting();
	for (int i = 0; i < 8; i++) {
		test_poll_random(i % 2 ? 7 : 0);
		test_epoll_random(i % 2 ? 7 : 0);
		test_edges();
	}
	printf("poll, select, epoll: ok\n");
	return 0;
}
