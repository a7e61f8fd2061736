/*
 * Pseudo-terminals with many callers: reads, writes and ioctls at both ends in random order, whose
 * pages are absent now and then, who are interrupted, and who close in any order. What goes in at
 * one end of a raw terminal comes out at the other, once and in order; nothing is left behind.
 *
 * SPDX-License-Identifier: MIT
 */
#include "posix_mock.h"

#include <errno.h>

#include "posix/misc/random.h"
#include "posix/proc/exit.h"
#include "posix/proc/session.h"
#include "posix/signal/signal.h"
#include "posix/tty/pty.h"
#include "posix_vfs.h"
#include "test.h"

#define CALLERS 8
#define HANDLES 4096
#define BUFFER 40000u
#define PTY_DEVICE(n) (136u << 8 | (n))
#define PIN 4000
#define OURS 2000	/* handles from here on: the others are the processes' */

/* --- the kernel --------------------------------------------------------------------------- */

struct caller {
	struct process *process;
	struct k_message call;
	bool busy;		/* its call is held, or comes again */
	bool again;
	int end;		/* of the terminal: 0 slave, 1 master */
	bool writes, data;
	uint64_t checked;	/* of a read: how much was told */
	uint8_t buffer[BUFFER];
};

static struct caller callers[CALLERS];
static bool handle_open[HANDLES];
static uint32_t source_bits[HANDLES];
static struct k_description described;
static unsigned absent;		/* one in so many copies meets an absent page; 0: none */
static int pins_closed;
static uint64_t seed;

static unsigned dice(unsigned n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(seed >> 33) % n;
}

static struct caller *caller_of(uint64_t call)
{
	for (int i = 0; i < CALLERS; i++) {
		if (callers[i].busy && callers[i].call.call == call)
			return &callers[i];
	}
	return NULL;
}

static long handle_new(void)
{
	for (int h = OURS; h < HANDLES; h++) {
		if (!handle_open[h]) {
			handle_open[h] = true;
			source_bits[h] = 0;
			return h;
		}
	}
	return -ENOMEM;
}

static long copy(uint64_t call, void *to, const void *from, size_t n)
{
	struct caller *c = caller_of(call);

	if (c && absent && dice(absent) == 0) {
		c->again = true;
		return -K_REDELIVER;
	}
	memcpy(to, from, n);
	return 0;
}

static long kernel(long n, const long a[6])
{
	switch (n) {
	case K_NATIVE_caller_read:
	case K_NATIVE_caller_write:
		return copy((uint64_t)a[1], (void *)a[2], (const void *)a[3], (size_t)a[4]);
	case K_NATIVE_source_create:
		return handle_new();
	case K_NATIVE_source_set:
		CHECK(handle_open[a[0]]);
		source_bits[a[0]] = (source_bits[a[0]] & ~(uint32_t)a[2]) | (uint32_t)a[1];
		return 0;
	case K_NATIVE_description_create:
		described = *(const struct k_description *)a[1];
		return 9;
	case K_NATIVE_caller_attached:
		return PIN;
	case K_NATIVE_handle_close:
		if (a[0] == PIN) {
			pins_closed++;
		} else if (a[0] >= OURS) {
			CHECK(handle_open[a[0]]);
			handle_open[a[0]] = false;
		}
		return 0;
	}
	return MOCK_PASS;
}

/* --- the rest of the server that is not under test ------------------------------------------ */

void random_read(const struct k_message *m, bool urgent) { (void)m; (void)urgent; }
void random_write(const struct k_message *m) { (void)m; }
void random_ioctl(const struct k_message *m) { (void)m; }
int srv_endpoint(void) { return grants.endpoint; }
int srv_attached(const struct k_message *m)
{
	return (int)k_caller_attached(grants.endpoint, m->call, 0);
}
int srv_forward_kernel(uint64_t call) { (void)call; return 0; }
int srv_forward(uint64_t call, const struct srv_forward *f) { (void)call; (void)f; return 0; }
void srv_answer_install(int h, uint32_t flags, uint32_t min, uint64_t to)
{
	(void)h;
	(void)flags;
	(void)min;
	(void)to;
}
int srv_forward_kernel_args(uint64_t call, int number, const uint64_t arg[6], bool hook)
{
	(void)call;
	(void)number;
	(void)arg;
	(void)hook;
	return 0;
}

/* --- callers ------------------------------------------------------------------------------ */

static struct { uint64_t in, out; } stream[2];	/* by the end that is written to */

static uint8_t pattern(uint64_t at)
{
	return (uint8_t)(at * 7 + at / 253);
}

/* A write is one piece of the stream even if it is cut short: its caller goes on from there. */
static void answered(uint64_t call, int64_t result)
{
	struct caller *c = caller_of(call);

	if (!c)
		return;
	CHECK(!c->again);
	c->busy = false;
	if (!c->data || result <= 0)
		return;
	CHECK(result <= (int64_t)c->call.arg[2]);
	if (c->writes) {
		stream[c->end].in += (uint64_t)result;
		return;
	}
	for (int64_t i = 0; i < result; i++)
		CHECK_EQ(c->buffer[i], pattern(stream[!c->end].out + (uint64_t)i));
	stream[!c->end].out += (uint64_t)result;
}

static uint64_t open_as(struct caller *c, uint32_t kind, uint32_t device, uint32_t flags)
{
	struct thread *t = c->process->leader;
	struct k_message m = mock_message(t, PROTO_PS_TTY_OPEN, kind, flags, device, 1);

	m.arg[4] = PTY_DEVICE(0);
	described.cookie = 0;
	ps_tty_open(&m);
	return described.cookie;
}

static void start(struct caller *c, uint64_t cookie, int number, uint64_t a1, uint64_t a2,
		  bool block)
{
	c->call = mock_message(c->process->leader, number, 3, a1, a2, 0);
	c->call.cookie = cookie;
	c->call.fd_flags = LX_O_RDWR | (block ? 0 : LX_O_NONBLOCK);
	c->busy = true;
	c->again = false;
}

static void run(struct caller *c)
{
	switch (c->call.number) {
	case 0:
		in_read(&c->call);
		break;
	case 1:
		in_write(&c->call);
		break;
	case 16:
		in_ioctl(&c->call);
		break;
	}
}

/* Those whose page has come. */
static void come_again(void)
{
	for (int i = 0; i < CALLERS; i++) {
		if (callers[i].busy && callers[i].again) {
			callers[i].again = false;
			callers[i].call.flags |= K_MSGF_REDELIVERED;
			run(&callers[i]);
		}
	}
}

static void cancel(struct caller *c)
{
	struct srv_parked *p = c->busy && !c->again ? srv_parked_find(c->call.call) : NULL;

	if (p)
		p->cancel(p, false);
}

static uint64_t master, slave;

static struct pty *pair(void)
{
	return pty_find(PTY_DEVICE(0));
}

static void begin(uint64_t s)
{
	mock_start();
	mock_kernel = kernel;
	mock_answer = answered;
	seed = s;
	absent = 0;
	pins_closed = 0;
	memset(stream, 0, sizeof stream);
	memset(handle_open, 0, sizeof handle_open);
	for (int i = 0; i < CALLERS; i++) {
		callers[i].process = mock_process(process_init);
		callers[i].busy = callers[i].again = false;
	}
	master = open_as(&callers[0], PROTO_TTY_PTMX, 0x502, LX_O_RDWR | LX_O_NOCTTY);
	CHECK(master != 0);
	CHECK_EQ(open_as(&callers[0], PROTO_TTY_PTS, PTY_DEVICE(0), LX_O_RDWR | LX_O_NOCTTY), 0);
	CHECK_EQ(mock_result, -EIO);	/* locked */
	pair()->locked = false;
	slave = open_as(&callers[0], PROTO_TTY_PTS, PTY_DEVICE(0), LX_O_RDWR | LX_O_NOCTTY);
	CHECK(slave != 0);
	pins_closed = 0;
}

static void raw(void)
{
	struct lx_termios2 t = pair()->slave.ldisc.termios;

	t.iflag = t.oflag = 0;
	t.lflag = 0;
	t.cc[LX_VMIN] = 1;
	t.cc[LX_VTIME] = 0;
	ldisc_set_termios(&pair()->slave.ldisc, &t);
}

/* Everybody leaves, whatever is closed first; then nothing is there any more. */
static void end(bool master_first)
{
	absent = 0;
	come_again();
	for (int i = 0; i < CALLERS; i++)
		cancel(&callers[i]);
	for (int i = 0; i < CALLERS; i++)
		CHECK(!callers[i].busy);
	file_closed(master_first ? master : slave);
	if (master_first)
		CHECK(!pair()->slave.session);
	file_closed(master_first ? slave : master);
	CHECK(!pair());
	CHECK_EQ(pins_closed, 2);
	CHECK_EQ(srv_parked_count(), 0);
	for (int h = 0; h < HANDLES; h++)
		CHECK(!handle_open[h]);
	for (int i = 0; i < CALLERS; i++) {
		mock_gone(callers[i].process, 0);
		process_reap(callers[i].process, process_init);
	}
}

/* --- tests -------------------------------------------------------------------------------- */

static void move_data(struct caller *c, int end, bool writes)
{
	size_t size = 1 + dice(dice(2) ? 100 : BUFFER - 1);

	c->end = end;
	c->writes = writes;
	c->data = true;
	if (writes) {
		for (size_t i = 0; i < size; i++)
			c->buffer[i] = pattern(stream[end].in + i);
	}
	start(c, end ? master : slave, writes, (uint64_t)(uintptr_t)c->buffer, size, dice(2));
	run(c);
}

/* One caller for each direction of each end: what is written is what is read. */
static void stream_round(uint64_t s)
{
	begin(s);
	raw();
	absent = dice(2) ? 5 : 0;
	for (int step = 0; step < 2000; step++) {
		struct caller *c = &callers[dice(4)];
		int n = (int)(c - callers);

		come_again();
		if (c->busy && dice(4) == 0)
			cancel(c);
		if (!c->busy)
			move_data(c, n & 1, n & 2);
	}
	CHECK(stream[0].out > 0 && stream[1].out > 0);
	end(dice(2));
	CHECK(stream[0].out <= stream[0].in && stream[1].out <= stream[1].in);
}

TEST(pty, streams)
{
	for (uint64_t s = 1; s < 50; s++)
		stream_round(s);
}

static void random_ioctl_call(struct caller *c, bool on_master)
{
	static const uint32_t requests[] = {
		0x5401, 0x5402, 0x5403, 0x5404, 0x5409, 0x540a, 0x540b, 0x540c, 0x540d, 0x540e,
		0x540f, 0x5410, 0x5411, 0x5412, 0x5413, 0x5414, 0x541b, 0x5420, 0x5422, 0x5429,
		0x5437, 0x80045430, 0x40045431, 0x40045436, 0x80045438, 0x80045439, 0x5441, 0x12345,
	};
	uint32_t request = requests[dice(sizeof requests / sizeof requests[0])];
	bool by_value = request == 0x5409 || request == 0x540a || request == 0x540b ||
			request == 0x540e || request == 0x40045436;

	for (int i = 0; i < 64; i++)
		c->buffer[i] = (uint8_t)(dice(4) ? 0 : dice(256));
	c->data = false;
	start(c, on_master ? master : slave, 16, request,
	      by_value ? dice(4) : (uint64_t)(uintptr_t)c->buffer, true);
	run(c);
	/* the one that goes on to the VFS is answered there */
	if (request == 0x5441 && on_master && !c->again)
		c->busy = false;
}

static void random_data_call(struct caller *c, bool on_master)
{
	bool writes = dice(2);
	size_t size = dice(3) ? dice(50) : dice(BUFFER);

	for (size_t i = 0; writes && i < size; i++)
		c->buffer[i] = (uint8_t)(dice(3) ? 'a' + dice(26) : dice(256));
	c->data = false;
	start(c, on_master ? master : slave, writes, (uint64_t)(uintptr_t)c->buffer, size, dice(3));
	run(c);
}

static bool anybody_in(uint64_t cookie)
{
	for (int i = 0; i < CALLERS; i++) {
		if (callers[i].busy && callers[i].call.cookie == cookie)
			return true;
	}
	return false;
}

/* The slave is closed and opened again, perhaps as somebody's controlling terminal. */
static void open_again(struct caller *c)
{
	uint64_t fresh;

	if (anybody_in(slave))
		return;
	file_closed(slave);
	if (dice(2) && c->process->group->pgid != c->process->pid)
		op_setsid(c->process);
	pair()->locked = false;
	pair()->slave.exclusive = false;
	fresh = open_as(c, PROTO_TTY_PTS, PTY_DEVICE(0), LX_O_RDWR | (dice(2) ? LX_O_NOCTTY : 0));
	CHECK(fresh != 0);
	slave = fresh;
	pins_closed--;
}

static void anything_round(uint64_t s)
{
	begin(s);
	for (int i = 0; i < CALLERS; i++) {	/* nobody dies of a signal */
		for (int sig = 0; sig < LX_NSIG; sig++)
			callers[i].process->sighand->action[sig].handler = 0x1000;
	}
	absent = dice(2) ? 7 : 0;
	for (int step = 0; step < 600; step++) {
		struct caller *c = &callers[dice(CALLERS)];
		bool on_master = dice(2);

		come_again();
		c->process->leader->pending.set = 0;
		if (c->busy)
			cancel(c);
		else if (dice(20) == 0)
			open_again(c);
		else if (dice(3) == 0)
			random_ioctl_call(c, on_master);
		else
			random_data_call(c, on_master);
		CHECK(pair()->slave.overflow_used <= TTY_OVERFLOW);
	}
	end(dice(2));
}

TEST(pty, anything)
{
	for (uint64_t s = 1; s < 120; s++)
		anything_round(s);
}

/* The readiness of both ends, and of a slave whose master has gone. */
TEST(pty, readiness)
{
	struct caller *c = &callers[0];
	uint32_t *m, *s;

	begin(1);
	m = &source_bits[pair()->source];
	s = &source_bits[pair()->slave.source];
	CHECK_EQ(*m, TTY_READY_OUT);
	CHECK_EQ(*s, TTY_READY_OUT);
	c->data = false;
	memcpy(c->buffer, "x\n", 2);
	start(c, master, 1, (uint64_t)(uintptr_t)c->buffer, 2, true);
	run(c);
	CHECK_EQ(*s, TTY_READY_IN | TTY_READY_OUT);
	CHECK_EQ(*m, TTY_READY_IN | TTY_READY_OUT);	/* the echo */
	file_closed(slave);
	CHECK_EQ(*m, TTY_READY_IN | TTY_READY_OUT | TTY_READY_HUP);
	start(c, master, 0, (uint64_t)(uintptr_t)c->buffer, 100, true);
	run(c);
	CHECK_EQ(mock_result, 3);
	start(c, master, 0, (uint64_t)(uintptr_t)c->buffer, 100, true);
	run(c);
	CHECK_EQ(mock_result, -EIO);
	slave = open_as(c, PROTO_TTY_PTS, PTY_DEVICE(0), LX_O_RDWR | LX_O_NOCTTY);
	CHECK_EQ(*m, TTY_READY_OUT);
	pins_closed = 0;
	file_closed(master);
	CHECK_EQ(*s, TTY_READY_HUNG);
	file_closed(slave);
	CHECK(!pair());
	CHECK_EQ(pins_closed, 2);
}
