/*
 * uname, sysinfo, reboot, the kernel log, prctl and other small calls.
 *
 * SPDX-License-Identifier: MIT
 */
#include "posix/misc/system.h"

#include <errno.h>
#include <string.h>

#include "posix/proc/caller.h"
#include "posix/proc/cred.h"
#include "posix/signal/signal.h"
#include "posix/tty/tty.h"

STATE struct system_names system_named = { "troupe", "(none)" };

/* --- names ------------------------------------------------------------------------------------ */

void in_uname(const struct k_message *m)
{
	static char names[6][NAME_SIZE];

	strcpy(names[0], SYSTEM_NAME);
	strcpy(names[1], system_hostname);
	strcpy(names[2], SYSTEM_RELEASE);
	strcpy(names[3], SYSTEM_VERSION);
	strcpy(names[4], SYSTEM_MACHINE);
	strcpy(names[5], system_domainname);
	caller_answer(m, caller_write(m, m->arg[0], names, sizeof names));
}

static void name_change(const struct k_message *m, char *name)
{
	struct thread *t = thread_of(m);
	char new[NAME_SIZE] = "";
	int64_t n = (int32_t)m->arg[1];
	int r = !cred_capable(t->cred, LX_CAP_SYS_ADMIN) ? -EPERM :
		n < 0 || n >= NAME_SIZE                  ? -EINVAL :
							   0;

	if (!r)
		r = caller_read(m, new, m->arg[0], (size_t)n);
	if (!r)
		memcpy(name, new, sizeof new);
	caller_answer(m, r);
}

void in_sethostname(const struct k_message *m)
{
	name_change(m, system_hostname);
}

void in_setdomainname(const struct k_message *m)
{
	name_change(m, system_domainname);
}

/* --- load ------------------------------------------------------------------------------------- */

#define LOAD_PERIOD (5 * NS_PER_SEC)

static STATE struct {
	uint32_t average[3];
	uint64_t before;
	int64_t at;			/* last sample */
} load_seen;
#define L STATE_OF(load_seen)

/* Decay over 5 s for 1, 5, 15 minutes, in 1/65536: exp(-5/60), exp(-5/300), exp(-5/900). */
static const uint32_t decay[3] = { 60296, 64453, 65173 };

static void load_sample(void)
{
	static struct k_system_info info;
	int64_t now = srv_now(), passed = now - L.at;
	uint64_t mean;

	if (k_system_info(&info) < 0)
		return;
	mean = L.at && passed > 0 ? (info.load_runnable_ns - L.before) * 65536 / (uint64_t)passed :
				    0;
	L.before = info.load_runnable_ns;
	/*
	 * several periods may have passed while the system slept: the mean stands for each of them
	 */
	for (int64_t n = L.at ? (passed + LOAD_PERIOD / 2) / LOAD_PERIOD : 0; n > 0;
	     n = n > 200 ? 200 : n - 1) {
		for (int i = 0; i < 3; i++)
			L.average[i] = (uint32_t)(((uint64_t)L.average[i] * decay[i] +
						   mean * (65536 - decay[i])) >>
						  16);
	}
	L.at = now;
}

/*
 * No timer samples the load: one that is always set would cost every message its arming, and wake
 * an idle machine. Processes that are made, and whoever asks, do it, when a period has passed.
 */
void system_load_poll(void)
{
	if (srv_now() - L.at >= LOAD_PERIOD || !L.at)
		load_sample();
}

void system_load(uint32_t load[3])
{
	system_load_poll();
	memcpy(load, L.average, sizeof L.average);
}

/* --- sysinfo ---------------------------------------------------------------------------------- */

struct sysinfo_wire {
	int64_t uptime;
	uint64_t loads[3], totalram, freeram, sharedram, bufferram, totalswap, freeswap;
	uint16_t procs, pad[3];
	uint64_t totalhigh, freehigh;
	uint32_t mem_unit, pad2;
};
_Static_assert(sizeof(struct sysinfo_wire) == 112, "struct sysinfo of the kernel ABI");

void in_sysinfo(const struct k_message *m)
{
	static struct k_system_info info;
	struct sysinfo_wire s = { .mem_unit = 1, .procs = (uint16_t)thread_count_all() };
	uint32_t load[3];
	long r = k_system_info(&info);

	if (r < 0) {
		srv_answer(m->call, r);
		return;
	}
	system_load(load);
	for (int i = 0; i < 3; i++)
		s.loads[i] = load[i];
	/* rounded up, as on Linux: no process is older */
	s.uptime = (int64_t)((info.uptime + 999999999) / 1000000000);
	s.totalram = info.memory_total;
	s.freeram = info.memory_free;
	s.bufferram = info.memory_reclaimable;
	caller_answer(m, caller_write(m, m->arg[0], &s, sizeof s));
}

/* --- the end ---------------------------------------------------------------------------------- */

#define REBOOT_MAGIC1 0xfee1deadu
enum {
	CMD_RESTART = 0x01234567,
	CMD_HALT = (int)0xcdef0123,
	CMD_CAD_ON = (int)0x89abcdef,
	CMD_CAD_OFF = 0,
	CMD_POWER_OFF = 0x4321fedc,
	CMD_RESTART2 = (int)0xa1b2c3d4
};

static bool magic2_ok(uint32_t magic)
{
	return magic == 672274793 || magic == 85072278 || magic == 369367448 || magic == 537993216;
}

/*
 * What was printed last is seen: the end waits until the console's driver has it, but not for ever.
 */
#define POWER_WAIT 1000000000ll
#define POWER_LOOK 2000000ll

static STATE struct {
	struct srv_timer timer;
	int64_t deadline;
	unsigned how;
} power;
#define P STATE_OF(power)

static void power_cancel(struct srv_parked *p, bool dead)
{
	if (dead)
		srv_unpark(p);
}

static void power_try(struct srv_timer *timer)
{
	if (!console_is_drained() && srv_now() < P.deadline) {
		srv_timer_set(timer, srv_now() + POWER_LOOK);
		return;
	}
	k_power(grants.control, P.how);
}

static void power_off(const struct k_message *m, unsigned how)
{
	P.how = how;
	P.deadline = srv_now() + POWER_WAIT;
	P.timer.fn = power_try;
	if (!srv_park(m, power_cancel))
		srv_answer(m->call, -ENOMEM);
	else
		power_try(&P.timer);
}

void in_reboot(const struct k_message *m)
{
	struct thread *t = thread_of(m);
	unsigned how;

	if (!cred_capable(t->cred, LX_CAP_SYS_BOOT)) {
		srv_answer(m->call, -EPERM);
		return;
	}
	if ((uint32_t)m->arg[0] != REBOOT_MAGIC1 || !magic2_ok((uint32_t)m->arg[1])) {
		srv_answer(m->call, -EINVAL);
		return;
	}
	switch ((int)m->arg[2]) {
	case CMD_RESTART:
	case CMD_RESTART2:
		how = K_POWER_REBOOT;
		break;
	case CMD_HALT:
		how = K_POWER_HALT;
		break;
	case CMD_POWER_OFF:
		how = K_POWER_OFF;
		break;
	case CMD_CAD_ON:
	case CMD_CAD_OFF:
		srv_answer(m->call, 0);
		return;
	default:
		srv_answer(m->call, -EINVAL);
		return;
	}
	srv_log("%s[%u] ends the system", t->comm, t->tid);
	power_off(m, how);
}

/* --- the kernel log --------------------------------------------------------------------------- */

enum {
	LOG_CLOSE,
	LOG_OPEN,
	LOG_READ,
	LOG_READ_ALL,
	LOG_READ_CLEAR,
	LOG_CLEAR,
	LOG_OFF,
	LOG_ON,
	LOG_LEVEL,
	LOG_UNREAD,
	LOG_SIZE
};
#define LOG_BUFFER 65536u

static STATE struct { uint64_t cleared, seen; } log_marks;
#define M STATE_OF(log_marks)
static char log_text[LOG_BUFFER];

/* What is there from *pos on, the last `size` bytes of it. */
static size_t log_get(uint64_t *pos, size_t size, const char **text)
{
	long n, used = 0;

	while ((n = k_log_read(pos, log_text + used, sizeof log_text - (size_t)used)) > 0 &&
	       used + n < (long)sizeof log_text)
		used += n;
	if (n > 0)
		used += n;
	*text = log_text + ((size_t)used > size ? (size_t)used - size : 0);
	return (size_t)used > size ? size : (size_t)used;
}

static void log_read(const struct k_message *m, uint64_t *from, bool clear)
{
	uint64_t pos = *from;
	const char *text;
	size_t n = log_get(&pos, (size_t)m->arg[2], &text);
	int r = (int32_t)m->arg[2] < 0 || !m->arg[1] ? -EINVAL :
						       caller_write(m, m->arg[1], text, n);

	if (!r && clear)
		*from = pos;
	caller_answer(m, r ? r : (int64_t)n);
}

void in_syslog(const struct k_message *m)
{
	struct thread *t = thread_of(m);
	uint64_t pos = M.seen;
	const char *text;

	if (m->arg[0] != LOG_READ_ALL && m->arg[0] != LOG_SIZE &&
	    !cred_capable(t->cred, LX_CAP_SYSLOG)) {
		srv_answer(m->call, -EPERM);
		return;
	}
	switch (m->arg[0]) {
	case LOG_READ:
		log_read(m, &M.seen, true);
		return;
	case LOG_READ_ALL:
	case LOG_READ_CLEAR:
		log_read(m, &M.cleared, m->arg[0] == LOG_READ_CLEAR);
		return;
	case LOG_CLEAR:
		log_get(&M.cleared, 0, &text);
		break;
	case LOG_UNREAD:
		srv_answer(m->call, (int64_t)log_get(&pos, LOG_BUFFER, &text));
		return;
	case LOG_SIZE:
		srv_answer(m->call, LOG_BUFFER);
		return;
	case LOG_LEVEL:
		srv_answer(m->call, m->arg[2] < 1 || m->arg[2] > 8 ? -EINVAL : 0);
		return;
	case LOG_CLOSE: case LOG_OPEN: case LOG_OFF: case LOG_ON:
		break;
	default:
		srv_answer(m->call, -EINVAL);
		return;
	}
	srv_answer(m->call, 0);
}

/* --- prctl ------------------------------------------------------------------------------------ */

enum {
	PR_SET_PDEATHSIG = 1,
	PR_GET_PDEATHSIG,
	PR_GET_DUMPABLE,
	PR_SET_DUMPABLE,
	PR_GET_KEEPCAPS = 7,
	PR_SET_KEEPCAPS,
	PR_SET_NAME = 15,
	PR_GET_NAME,
	PR_GET_SECCOMP = 21,
	PR_CAPBSET_READ = 23,
	PR_SET_TIMERSLACK = 29,
	PR_GET_TIMERSLACK,
	PR_SET_CHILD_SUBREAPER = 36,
	PR_GET_CHILD_SUBREAPER,
	PR_SET_NO_NEW_PRIVS,
	PR_GET_NO_NEW_PRIVS,
	PR_GET_TID_ADDRESS
};
#define TIMERSLACK 50000

static int64_t name_set(const struct k_message *m, struct thread *t)
{
	char name[COMM_SIZE + 1] = "";
	/* up to 15 characters and a NUL, which may come before the end of readable memory */
	long n = k_caller_read_string(grants.endpoint, m->call, name, m->arg[1], COMM_SIZE);

	if (n == -ENAMETOOLONG)
		n = k_caller_read(grants.endpoint, m->call, name, m->arg[1], COMM_SIZE - 1);
	if (n < 0)
		return n;
	name[COMM_SIZE - 1] = 0;
	memset(t->comm, 0, sizeof t->comm);
	strcpy(t->comm, name);
	k_thread_set(t->handle, K_THREAD_SET_NAME, (uintptr_t)t->comm);
	if (t->tid == t->process->pid) {
		memcpy(t->process->comm, t->comm, sizeof t->comm);
		process_publish(t->process);
	}
	thread_publish(t);
	return 0;
}

static int64_t out_word(const struct k_message *m, int32_t value)
{
	return caller_write(m, m->arg[1], &value, sizeof value);
}

static int64_t process_control(const struct k_message *m, struct thread *t)
{
	struct process *p = t->process;
	uint64_t a = m->arg[1];

	switch ((int)m->arg[0]) {
	case PR_SET_PDEATHSIG:
		if (a > LX_NSIG)
			return -EINVAL;
		p->pdeath_signal = (uint32_t)a;
		return 0;
	case PR_GET_PDEATHSIG:
		return out_word(m, (int32_t)p->pdeath_signal);
	case PR_GET_DUMPABLE:
		return p->image.dumpable;
	case PR_SET_DUMPABLE:
		if (a > 1)
			return -EINVAL;
		p->image.dumpable = a;
		process_publish(p);
		return 0;
	case PR_GET_KEEPCAPS:
		return p->keep_caps;
	case PR_SET_KEEPCAPS:
		if (a > 1)
			return -EINVAL;
		p->keep_caps = a;
		return 0;
	case PR_SET_NAME:
		return name_set(m, t);
	case PR_GET_NAME:
		return caller_write(m, a, t->comm, sizeof t->comm);
	case PR_SET_CHILD_SUBREAPER:
		p->subreaper = a != 0;
		return 0;
	case PR_GET_CHILD_SUBREAPER:
		return out_word(m, p->subreaper);
	case PR_SET_NO_NEW_PRIVS:
		if (a != 1 || m->arg[2] || m->arg[3] || m->arg[4])
			return -EINVAL;
		p->no_new_privs = true;
		return 0;
	case PR_GET_NO_NEW_PRIVS:
		return a || m->arg[2] || m->arg[3] || m->arg[4] ? -EINVAL : p->no_new_privs;
	case PR_CAPBSET_READ:
		return a > 40 ? -EINVAL : 1;
	case PR_GET_TIMERSLACK:
		return TIMERSLACK;
	case PR_SET_TIMERSLACK:
		return 0;
	case PR_GET_TID_ADDRESS:
		return caller_write(m, a, &t->clear_tid, sizeof t->clear_tid);
	}
	return -EINVAL;
}

void in_prctl(const struct k_message *m)
{
	caller_answer(m, process_control(m, thread_of(m)));
}

void in_personality(const struct k_message *m)
{
	uint32_t p = (uint32_t)m->arg[0];

	srv_answer(m->call, p == 0 || p == UINT32_MAX ? 0 : -EINVAL);
}

/* --- memory calls without a kernel operation of their own ------------------------------------- */

#define NR_MLOCK 149

/* Nothing is ever swapped out: unlocking needs no work. */
void in_munlock(const struct k_message *m)
{
	srv_answer(m->call, 0);
}

void in_mlock_all(const struct k_message *m)
{
	srv_answer(m->call, m->arg[0] == 0 || (m->arg[0] & ~7ull) || m->arg[0] == 4 ? -EINVAL : 0);
}

void in_mlock2(const struct k_message *m)
{
	if (m->arg[2] & ~1ull)
		srv_answer(m->call, -EINVAL);
	else if (m->arg[2])
		srv_answer(m->call, 0); /* lock on fault: there is nothing to do in advance */
	else
		srv_forward_kernel_args(m->call, NR_MLOCK, m->arg, false);
}

enum {
	MEMBARRIER_QUERY,
	MEMBARRIER_GLOBAL,
	MEMBARRIER_PRIVATE_EXPEDITED = 8,
	MEMBARRIER_REGISTER_PRIVATE_EXPEDITED = 16
};

/*
 * The caller is ordered by coming here; each of its other threads by being interrupted, which an
 * event does.
 */
void in_membarrier(const struct k_message *m)
{
	struct thread *t = thread_of(m);

	if (m->arg[1]) {
		srv_answer(m->call, -EINVAL);
		return;
	}
	switch ((int)m->arg[0]) {
	case MEMBARRIER_QUERY:
		srv_answer(m->call, MEMBARRIER_GLOBAL | MEMBARRIER_PRIVATE_EXPEDITED |
					    MEMBARRIER_REGISTER_PRIVATE_EXPEDITED);
		return;
	case MEMBARRIER_REGISTER_PRIVATE_EXPEDITED:
		srv_answer(m->call, 0);
		return;
	case MEMBARRIER_GLOBAL:
	case MEMBARRIER_PRIVATE_EXPEDITED:
		list_for(l, &t->process->threads) {
			struct thread *other = container_of(l, struct thread, link);

			if (other != t)
				k_thread_event(other->handle);
		}
		srv_answer(m->call, 0);
		return;
	}
	srv_answer(m->call, -EINVAL);
}

/* --- calls that come here although the kernel or another server does them --------------------- */

void in_declined(const struct k_message *m)
{
	srv_answer(m->call, m->extra[1] ? -(int64_t)m->extra[1] : -EINVAL);
}

void in_kernel(const struct k_message *m)
{
	srv_forward_kernel(m->call);
}

void in_sendfile(const struct k_message *m)
{
	srv_answer(m->call, -EINVAL);
}

void in_restart_syscall(const struct k_message *m)
{
	srv_answer(m->call, -EINTR);
}

/* No terminal has a device that could be hung up but the caller's own. */
void in_vhangup(const struct k_message *m)
{
	struct thread *t = thread_of(m);
	struct tty *tty = process_tty(t->process);

	if (!cred_capable(t->cred, LX_CAP_SYS_TTY_CONFIG)) {
		srv_answer(m->call, -EPERM);
		return;
	}
	if (tty)
		tty_hangup(tty);
	call_answer(m, 0);
}

/* Another server fails its caller with an errno and a signal. */
void ps_fail(const struct k_message *m)
{
	struct thread *t = thread_of(m);
	struct lx_siginfo i = { .signo = (int32_t)m->arg[1], .code = LX_SI_USER };

	if (m->arg[1] && m->arg[1] <= LX_NSIG) {
		i.user.pid = t->process->pid;
		i.user.uid = t->cred->record->ruid;
		signal_send_thread(t, (int)m->arg[1], &i);
	}
	call_answer(m, m->arg[2] ? (int64_t)m->arg[2] : -(int64_t)m->arg[0]);
}
