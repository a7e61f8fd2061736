/*
 * ioctl on terminals.
 *
 * SPDX-License-Identifier: MIT
 */
#include "posix/tty/pty.h"

#include <errno.h>

#include "posix/proc/caller.h"
#include "posix/proc/cred.h"
#include "posix/proc/session.h"
#include "posix/signal/signal.h"
#include "posix/tty/tty_termios.h"
#include "posix_vfs.h"

enum request {
	TCGETS = 0x5401, TCSETS, TCSETSW, TCSETSF, TCGETA, TCSETA, TCSETAW, TCSETAF, TCSBRK, TCXONC,
	TCFLSH, TIOCEXCL, TIOCNXCL, TIOCSCTTY, TIOCGPGRP, TIOCSPGRP, TIOCOUTQ, TIOCSTI, TIOCGWINSZ,
	TIOCSWINSZ, TIOCMGET, FIONREAD = 0x541b, TIOCPKT = 0x5420, TIOCNOTTY = 0x5422, TIOCSETD,
	TIOCGETD, TCSBRKP, TIOCSBRK = 0x5427, TIOCCBRK, TIOCGSID, TIOCVHANGUP = 0x5437,
	TIOCGPTPEER = 0x5441,
	TCGETS2 = (int)0x802c542a, TCSETS2 = 0x402c542b, TCSETSW2, TCSETSF2,
	TIOCGPTN = (int)0x80045430, TIOCSPTLCK = 0x40045431, TIOCGDEV = (int)0x80045432,
	TIOCSIG = 0x40045436, TIOCGPKT = (int)0x80045438, TIOCGPTLCK = (int)0x80045439,
	TIOCGEXCL = (int)0x80045440
};

struct ioctl {
	const struct k_message *m;
	struct file *file;
	struct tty *tty;
	struct pty *master;	/* NULL: not on the master of a pseudo-terminal */
	struct thread *thread;
	uint64_t arg;
};

/* A request's function: a result; -EAGAIN stands for "wait until the output is drained". */
typedef int64_t ioctl_function(struct ioctl *i);

static int copy_out(struct ioctl *i, const void *from, size_t n)
{
	return caller_write(i->m, i->arg, from, n);
}

static int64_t out_int(struct ioctl *i, int32_t value)
{
	return copy_out(i, &value, sizeof value);
}

static int in_int(struct ioctl *i, int32_t *value)
{
	return caller_read(i->m, value, i->arg, sizeof *value);
}

/* --- settings --------------------------------------------------------------------------------- */

static int64_t get_settings(struct ioctl *i)
{
	struct lx_termios t;
	struct lx_termio a;

	switch ((int)i->m->arg[1]) {
	case TCGETS:
		termios_to_user(&i->tty->ldisc.termios, &t);
		return copy_out(i, &t, sizeof t);
	case TCGETA:
		termios_to_termio(&i->tty->ldisc.termios, &a);
		return copy_out(i, &a, sizeof a);
	default:
		return copy_out(i, &i->tty->ldisc.termios, sizeof i->tty->ldisc.termios);
	}
}

static int read_settings(struct ioctl *i, struct lx_termios2 *new)
{
	struct lx_termios2 t2;
	struct lx_termios t;
	struct lx_termio a;
	int r;

	*new = i->tty->ldisc.termios;
	switch ((int)i->m->arg[1]) {
	case TCSETS: case TCSETSW: case TCSETSF:
		r = caller_read(i->m, &t, i->arg, sizeof t);
		if (!r)
			termios_from_user(new, &t);
		return r;
	case TCSETA: case TCSETAW: case TCSETAF:
		r = caller_read(i->m, &a, i->arg, sizeof a);
		if (!r)
			termios_from_termio(new, &a);
		return r;
	default:
		r = caller_read(i->m, &t2, i->arg, sizeof t2);
		if (!r)
			termios_from_user2(new, &t2);
		return r;
	}
}

static int64_t set_settings(struct ioctl *i)
{
	int request = (int)i->m->arg[1];
	bool flush = request == TCSETSF || request == TCSETAF || request == TCSETSF2;
	bool wait = flush || request == TCSETSW || request == TCSETAW || request == TCSETSW2;
	struct lx_termios2 new;
	int r = tty_job_check(i->thread, i->file, LX_SIGTTOU);

	if (!r)
		r = read_settings(i, &new);
	if (r)
		return r;
	if (wait && !tty_drained(i->tty))
		return -EAGAIN;
	if (flush)
		r = ldisc_flush(&i->tty->ldisc, LX_TCIFLUSH);
	if (flush)
		i->tty->overflow_used = 0;
	ldisc_set_termios(&i->tty->ldisc, &new);
	return r;
}

/* --- queues ----------------------------------------------------------------------------------- */

static int64_t wait_drained(struct ioctl *i)
{
	int r = tty_job_check(i->thread, i->file, LX_SIGTTOU);

	return r ? r : tty_drained(i->tty) ? 0 : -EAGAIN;
}

/* A master stops its own writes, or types the characters that stop the other end's. */
static int64_t master_flow(struct ioctl *i)
{
	static const uint8_t stop = 19, start = 17;

	switch ((int)i->arg) {
	case LX_TCOOFF:
	case LX_TCOON:
		i->master->stopped = (int)i->arg == LX_TCOOFF;
		return 0;
	case LX_TCIOFF:
		tty_input(i->tty, &stop, 1);
		return 0;
	case LX_TCION:
		tty_input(i->tty, &start, 1);
		return 0;
	default:
		return -EINVAL;
	}
}

static int64_t flow(struct ioctl *i)
{
	int r = tty_job_check(i->thread, i->file, LX_SIGTTOU);

	if (r)
		return r;
	return i->master ? master_flow(i) : ldisc_flow(&i->tty->ldisc, (int)i->arg);
}

/* A master's input is the slave's output, and what it wrote may wait for room. */
static int64_t master_flush(struct ioctl *i)
{
	struct ldisc *ld = &i->tty->ldisc;

	if (i->arg != LX_TCIFLUSH && i->arg != LX_TCOFLUSH && i->arg != LX_TCIOFLUSH)
		return -EINVAL;
	if (i->arg != LX_TCOFLUSH)
		ldisc_output_consume(ld, ldisc_output_count(ld) + ld->xchar_pending);
	if (i->arg != LX_TCIFLUSH)
		i->tty->overflow_used = 0;
	return 0;
}

static int64_t flush(struct ioctl *i)
{
	int r = tty_job_check(i->thread, i->file, LX_SIGTTOU);

	if (!r && i->master)
		return master_flush(i);
	if (!r)
		r = ldisc_flush(&i->tty->ldisc, (int)i->arg);
	if (!r && i->arg != LX_TCOFLUSH)
		i->tty->overflow_used = 0;
	return r;
}

static int64_t input_count(struct ioctl *i)
{
	const struct ldisc *ld = &i->tty->ldisc;

	return out_int(i, (int32_t)(i->master ? ldisc_output_count(ld) : ldisc_input_count(ld)));
}

static int64_t output_count(struct ioctl *i)
{
	return out_int(i, i->tty->pty ? 0 : (int32_t)ldisc_output_count(&i->tty->ldisc));
}

static int64_t fake_input(struct ioctl *i)
{
	uint8_t c;
	int r;

	if ((i->master || process_tty(i->thread->process) != i->tty) &&
	    !cred_capable(i->thread->cred, LX_CAP_SYS_ADMIN))
		return -EPERM;
	r = caller_read(i->m, &c, i->arg, 1);
	if (r)
		return r;
	if (i->master)
		ldisc_output_insert(&i->tty->ldisc, c);
	else
		tty_input(i->tty, &c, 1);
	return 0;
}

/* --- size ------------------------------------------------------------------------------------- */

static int64_t get_size(struct ioctl *i)
{
	return copy_out(i, &i->tty->ldisc.winsize, sizeof i->tty->ldisc.winsize);
}

static int64_t set_size(struct ioctl *i)
{
	struct lx_winsize size;
	int r = caller_read(i->m, &size, i->arg, sizeof size);

	if (!r)
		ldisc_set_winsize(&i->tty->ldisc, &size);
	return r;
}

/* --- sessions --------------------------------------------------------------------------------- */

/* The master may ask and tell without being in the session. */
static int64_t get_group(struct ioctl *i)
{
	if (!i->master && process_tty(i->thread->process) != i->tty)
		return -ENOTTY;
	return out_int(i, (int32_t)i->tty->pgrp);
}

static int64_t set_group(struct ioctl *i)
{
	struct process *p = i->thread->process;
	struct group *g;
	int32_t pgid;
	int r = tty_job_check(i->thread, i->file, LX_SIGTTOU);

	if (r == -EIO)
		return -ENOTTY;
	if (r)
		return r;
	if (process_tty(p) != i->tty || i->tty->session != p->group->session)
		return -ENOTTY;
	r = caller_read(i->m, &pgid, i->arg, sizeof pgid);
	if (r)
		return r;
	if (pgid < 0)
		return -EINVAL;
	g = group_find((uint32_t)pgid);
	if (!g)
		return -ESRCH;
	if (g->session != p->group->session)
		return -EPERM;
	i->tty->pgrp = (uint32_t)pgid;
	return 0;
}

static int64_t get_session(struct ioctl *i)
{
	if (!i->master && process_tty(i->thread->process) != i->tty)
		return -ENOTTY;
	if (!i->tty->session)
		return -ENOTTY;
	return out_int(i, (int32_t)i->tty->session->sid);
}

static int64_t set_controlling(struct ioctl *i)
{
	struct process *p = i->thread->process;
	struct session *s = p->group->session;

	if (s->leader == p && i->tty->session == s)
		return 0;
	if (s->leader != p || s->tty)
		return -EPERM;
	if (i->tty->session) {
		if (i->arg != 1 || !cred_capable(i->thread->cred, LX_CAP_SYS_ADMIN))
			return -EPERM;
		tty_session_gone(i->tty);	/* stolen: the other session has none now */
	}
	if ((i->m->fd_flags & LX_O_ACCMODE) == LX_O_WRONLY &&
	    !cred_capable(i->thread->cred, LX_CAP_SYS_ADMIN))
		return -EPERM;
	tty_acquire(i->tty, p);
	return 0;
}

static int64_t give_up(struct ioctl *i)
{
	struct process *p = i->thread->process;

	if (i->master || process_tty(p) != i->tty)
		return -ENOTTY;
	if (p->group->session->leader == p)
		tty_give_up(i->tty);
	else
		p->no_tty = true;
	return 0;
}

static int64_t hang_up(struct ioctl *i)
{
	if (!cred_capable(i->thread->cred, LX_CAP_SYS_ADMIN))
		return -EPERM;
	if (i->master)
		pty_master_hang(i->master, i->file);
	else
		tty_hangup(i->tty);
	return 0;
}

/* --- the rest --------------------------------------------------------------------------------- */

static int64_t exclusive(struct ioctl *i)
{
	bool *exclusive = i->master ? &i->master->master_exclusive : &i->tty->exclusive;

	*exclusive = (int)i->m->arg[1] == TIOCEXCL;
	return 0;
}

static int64_t get_exclusive(struct ioctl *i)
{
	return out_int(i, i->master ? i->master->master_exclusive : i->tty->exclusive);
}

static int64_t get_discipline(struct ioctl *i)
{
	return out_int(i, 0);
}

/* There is one discipline, N_TTY. */
static int64_t set_discipline(struct ioctl *i)
{
	int32_t n;
	int r = caller_read(i->m, &n, i->arg, sizeof n);

	return r ? r : n == 0 ? 0 : -EINVAL;
}

static int64_t get_device(struct ioctl *i)
{
	return out_int(i, (int32_t)i->tty->device);
}

static int64_t nothing(struct ioctl *i)
{
	(void)i;
	return 0;
}

/* --- masters alone ---------------------------------------------------------------------------- */

static int64_t get_number(struct ioctl *i)
{
	return out_int(i, (int32_t)pty_number(i->tty->device));
}

static int64_t set_lock(struct ioctl *i)
{
	int32_t on;
	int r = in_int(i, &on);

	if (!r)
		i->master->locked = on;
	return r;
}

static int64_t get_lock(struct ioctl *i)
{
	return out_int(i, i->master->locked);
}

static int64_t set_packet(struct ioctl *i)
{
	int32_t on;
	int r = in_int(i, &on);

	if (!r)
		ldisc_set_packet(&i->tty->ldisc, on);
	return r;
}

static int64_t get_packet(struct ioctl *i)
{
	return out_int(i, i->tty->ldisc.packet);
}

static int64_t send_signal(struct ioctl *i)
{
	int sig = (int)i->arg;

	if (sig != LX_TTY_SIGINT && sig != LX_TTY_SIGQUIT && sig != LX_TTY_SIGTSTP)
		return -EINVAL;
	tty_signal_group(i->tty, sig);
	return 0;
}

/* --- dispatch --------------------------------------------------------------------------------- */

struct request_entry { int request; ioctl_function *run; };

static const struct request_entry requests[] = {
	{ TCGETS, get_settings }, { TCGETA, get_settings }, { TCGETS2, get_settings },
	{ TCSETS, set_settings }, { TCSETSW, set_settings }, { TCSETSF, set_settings },
	{ TCSETA, set_settings }, { TCSETAW, set_settings }, { TCSETAF, set_settings },
	{ TCSETS2, set_settings }, { TCSETSW2, set_settings }, { TCSETSF2, set_settings },
	{ TCSBRK, wait_drained }, { TCSBRKP, wait_drained }, { TIOCSBRK, nothing },
	{ TIOCCBRK, nothing }, { TCXONC, flow }, { TCFLSH, flush }, { FIONREAD, input_count },
	{ TIOCOUTQ, output_count }, { TIOCSTI, fake_input }, { TIOCGWINSZ, get_size },
	{ TIOCSWINSZ, set_size }, { TIOCGPGRP, get_group }, { TIOCSPGRP, set_group },
	{ TIOCGSID, get_session }, { TIOCSCTTY, set_controlling }, { TIOCNOTTY, give_up },
	{ TIOCVHANGUP, hang_up }, { TIOCEXCL, exclusive }, { TIOCNXCL, exclusive },
	{ TIOCGEXCL, get_exclusive }, { TIOCGETD, get_discipline }, { TIOCSETD, set_discipline },
	{ TIOCGDEV, get_device },
};

static const struct request_entry master_requests[] = {
	{ TIOCGPTN, get_number }, { TIOCSPTLCK, set_lock }, { TIOCGPTLCK, get_lock },
	{ TIOCPKT, set_packet }, { TIOCGPKT, get_packet }, { TIOCSIG, send_signal },
};

#define ENTRIES(table) (sizeof(table) / sizeof((table)[0]))

static int64_t ioctl_run(struct ioctl *i)
{
	int request = (int)i->m->arg[1];

	for (size_t n = 0; n < ENTRIES(requests); n++) {
		if (requests[n].request == request)
			return requests[n].run(i);
	}
	for (size_t n = 0; i->master && n < ENTRIES(master_requests); n++) {
		if (master_requests[n].request == request)
			return master_requests[n].run(i);
	}
	return -ENOTTY;
}

/* TIOCGPTPEER: the VFS opens the slave's node for the caller. */
static void open_peer(const struct k_message *m, const struct tty *tty)
{
	struct srv_forward fw = { .endpoint = grants.vfs, .number = PROTO_VFS_PTS_PEER,
		.handle = { -1, -1 }, .arg = { tty->device, (uint32_t)m->arg[2] } };

	srv_forward(m->call, &fw);
}

static void drain_cancel(struct srv_parked *p, bool dead)
{
	uint64_t call = p->message.call;

	thread_of(&p->message)->waiting = NULL;
	srv_unpark(p);
	if (!dead)
		srv_answer(call, -K_RESTART_SYS);
}

static void wait_for_drain(const struct k_message *m, struct ioctl *i)
{
	struct srv_parked *p;

	if (signal_due(i->thread)) {
		srv_answer(m->call, -K_RESTART_SYS);
		return;
	}
	p = srv_park(m, drain_cancel);
	if (!p) {
		srv_answer(m->call, -ENOMEM);
		return;
	}
	p->arg = i->file;
	i->thread->waiting = p;
	srv_parked_append(&i->tty->drainers, p);
}

static struct ioctl ioctl_of(const struct k_message *m, struct file *f)
{
	return (struct ioctl){ .m = m, .file = f, .tty = f->tty, .thread = thread_of(m),
		.arg = m->arg[2], .master = f->kind == FILE_MASTER ? f->tty->pty : NULL };
}

void tty_ioctl(const struct k_message *m, struct file *f)
{
	struct ioctl i = ioctl_of(m, f);
	struct tty *tty = f->tty;
	int64_t r;

	if (i.master && !f->hung && (int)m->arg[1] == TIOCGPTPEER) {
		open_peer(m, tty);
		return;
	}
	if (f->hung || (int)m->arg[1] == TIOCGPTPEER)
		r = (int)m->arg[1] == TIOCSPGRP ? -ENOTTY : -EIO;
	else
		r = ioctl_run(&i);
	if (r == -EAGAIN)
		wait_for_drain(m, &i);
	else
		call_answer(m, r);
	tty_pump(tty);
}

/* The output is drained: the request once more. False: it waits again. */
bool tty_ioctl_again(struct srv_parked *p)
{
	struct k_message m = p->message;
	struct ioctl i = ioctl_of(&m, p->arg);
	int64_t r = ioctl_run(&i);

	if (r == -EAGAIN)
		return false;
	i.thread->waiting = NULL;
	srv_unpark(p);
	call_answer(&m, r);
	return true;
}
