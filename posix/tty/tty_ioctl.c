/*
 * ioctl on terminals.
 *
 * SPDX-License-Identifier: MIT
 */
#include "posix/tty/tty.h"

#include <errno.h>

#include "posix/proc/caller.h"
#include "posix/proc/cred.h"
#include "posix/proc/session.h"
#include "posix/signal/signal.h"
#include "posix/tty/tty_termios.h"

enum request {
	TCGETS = 0x5401, TCSETS, TCSETSW, TCSETSF, TCGETA, TCSETA, TCSETAW, TCSETAF, TCSBRK, TCXONC, TCFLSH, TIOCEXCL, TIOCNXCL, TIOCSCTTY,
	TIOCGPGRP, TIOCSPGRP, TIOCOUTQ, TIOCSTI, TIOCGWINSZ, TIOCSWINSZ, TIOCMGET, FIONREAD = 0x541b, TIOCNOTTY = 0x5422, TIOCSETD, TIOCGETD,
	TCSBRKP, TIOCSBRK = 0x5427, TIOCCBRK, TIOCGSID, TIOCVHANGUP = 0x5437,
	TCGETS2 = (int)0x802c542a, TCSETS2 = 0x402c542b, TCSETSW2, TCSETSF2, TIOCGDEV = (int)0x80045432, TIOCGEXCL = (int)0x80045440
};

struct ioctl {
	const struct k_message *m;
	struct file *file;
	struct tty *tty;
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
	if (wait && !ldisc_drained(&i->tty->ldisc))
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

	return r ? r : ldisc_drained(&i->tty->ldisc) ? 0 : -EAGAIN;
}

static int64_t flow(struct ioctl *i)
{
	int r = tty_job_check(i->thread, i->file, LX_SIGTTOU);

	return r ? r : ldisc_flow(&i->tty->ldisc, (int)i->arg);
}

static int64_t flush(struct ioctl *i)
{
	int r = tty_job_check(i->thread, i->file, LX_SIGTTOU);

	if (!r)
		r = ldisc_flush(&i->tty->ldisc, (int)i->arg);
	if (!r && i->arg != LX_TCOFLUSH)
		i->tty->overflow_used = 0;
	return r;
}

static int64_t input_count(struct ioctl *i)
{
	return out_int(i, (int32_t)ldisc_input_count(&i->tty->ldisc));
}

static int64_t output_count(struct ioctl *i)
{
	return out_int(i, (int32_t)ldisc_output_count(&i->tty->ldisc));
}

static int64_t fake_input(struct ioctl *i)
{
	uint8_t c;
	int r;

	if (process_tty(i->thread->process) != i->tty && !cred_capable(i->thread->cred, LX_CAP_SYS_ADMIN))
		return -EPERM;
	r = caller_read(i->m, &c, i->arg, 1);
	if (!r)
		tty_input(i->tty, &c, 1);
	return r;
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

static int64_t get_group(struct ioctl *i)
{
	if (process_tty(i->thread->process) != i->tty)
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
	if (process_tty(i->thread->process) != i->tty)
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
		i->tty->session->tty = NULL;	/* stolen: the other session has none now */
	}
	if ((i->m->fd_flags & LX_O_ACCMODE) == LX_O_WRONLY && !cred_capable(i->thread->cred, LX_CAP_SYS_ADMIN))
		return -EPERM;
	tty_acquire(i->tty, p);
	return 0;
}

static int64_t give_up(struct ioctl *i)
{
	struct process *p = i->thread->process;

	if (process_tty(p) != i->tty)
		return -ENOTTY;
	if (p->group->session->leader == p)
		tty_disassociate(i->tty, false);
	else
		p->no_tty = true;
	return 0;
}

static int64_t hang_up(struct ioctl *i)
{
	if (!cred_capable(i->thread->cred, LX_CAP_SYS_ADMIN))
		return -EPERM;
	if (i->tty->session)
		tty_disassociate(i->tty, true);
	else
		files_hang(i->tty);
	return 0;
}

/* --- the rest --------------------------------------------------------------------------------- */

static int64_t exclusive(struct ioctl *i)
{
	i->tty->exclusive = (int)i->m->arg[1] == TIOCEXCL;
	return 0;
}

static int64_t get_exclusive(struct ioctl *i)
{
	return out_int(i, i->tty->exclusive);
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

static const struct { int request; ioctl_function *run; } requests[] = {
	{ TCGETS, get_settings }, { TCGETA, get_settings }, { TCGETS2, get_settings },
	{ TCSETS, set_settings }, { TCSETSW, set_settings }, { TCSETSF, set_settings },
	{ TCSETA, set_settings }, { TCSETAW, set_settings }, { TCSETAF, set_settings },
	{ TCSETS2, set_settings }, { TCSETSW2, set_settings }, { TCSETSF2, set_settings },
	{ TCSBRK, wait_drained }, { TCSBRKP, wait_drained }, { TIOCSBRK, nothing }, { TIOCCBRK, nothing },
	{ TCXONC, flow }, { TCFLSH, flush }, { FIONREAD, input_count }, { TIOCOUTQ, output_count }, { TIOCSTI, fake_input },
	{ TIOCGWINSZ, get_size }, { TIOCSWINSZ, set_size },
	{ TIOCGPGRP, get_group }, { TIOCSPGRP, set_group }, { TIOCGSID, get_session }, { TIOCSCTTY, set_controlling },
	{ TIOCNOTTY, give_up }, { TIOCVHANGUP, hang_up }, { TIOCEXCL, exclusive }, { TIOCNXCL, exclusive }, { TIOCGEXCL, get_exclusive },
	{ TIOCGETD, get_discipline }, { TIOCSETD, set_discipline }, { TIOCGDEV, get_device },
};

static int64_t ioctl_run(struct ioctl *i)
{
	for (size_t n = 0; n < sizeof requests / sizeof requests[0]; n++) {
		if (requests[n].request == (int)i->m->arg[1])
			return requests[n].run(i);
	}
	return -ENOTTY;
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

void tty_ioctl(const struct k_message *m, struct file *f)
{
	struct ioctl i = { .m = m, .file = f, .tty = f->tty, .thread = thread_of(m), .arg = m->arg[2] };
	struct tty *tty = f->tty;
	int64_t r = f->hung ? ((int)m->arg[1] == TIOCSPGRP ? -ENOTTY : -EIO) : ioctl_run(&i);

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
	struct file *f = p->arg;
	struct ioctl i = { .m = &m, .file = f, .tty = f->tty, .thread = thread_of(&m), .arg = m.arg[2] };
	int64_t r = ioctl_run(&i);

	if (r == -EAGAIN)
		return false;
	i.thread->waiting = NULL;
	srv_unpark(p);
	call_answer(&m, r);
	return true;
}
