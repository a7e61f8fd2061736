/*
 * The process server: its start, and its table of operations.
 *
 * What it serves is listed in syscall/syscalls.def; what other servers ask of it in
 * sysroot/proto/posix_vfs.h and console.h. It is home 0 of every POSIX thread, so faults, events
 * and deaths come here as well.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "console.h"
#include "outbox.h"
#include "pids.h"
#include "posix/misc/memory.h"
#include "posix/misc/random.h"
#include "posix/misc/system.h"
#include "posix/proc/cred.h"
#include "posix/proc/exec.h"
#include "posix/proc/exit.h"
#include "posix/proc/fork.h"
#include "posix/proc/init.h"
#include "posix/proc/limit.h"
#include "posix/proc/process.h"
#include "posix/proc/session.h"
#include "posix/proc/setid.h"
#include "posix/proc/wait.h"
#include "posix/procfs/procfs.h"
#include "posix/recover.h"
#include "posix/signal/signal.h"
#include "posix/syscall/routes.h"
#include "posix/time/timers.h"
#include "posix/tty/tty.h"

struct grants grants;

static const struct srv_number numbers[] = {
#define N(number, handler) { number, handler, #handler }
	/* processes */
	N(56, in_clone),
	N(57, in_fork),
	N(58, in_vfork),
	N(435, in_clone3),
	N(60, in_exit),
	N(231, in_exit_group),
	N(61, in_wait4),
	N(247, in_waitid),
	N(218, in_set_tid_address),
	N(273, in_set_robust_list),
	N(274, in_get_robust_list),
	N(109, in_setpgid),
	N(112, in_setsid),
	N(121, in_getpgid),
	N(124, in_getsid),
	/* signals */
	N(13, in_rt_sigaction),
	N(14, in_rt_sigprocmask),
	N(15, in_rt_sigreturn),
	N(34, in_pause),
	N(62, in_kill),
	N(127, in_rt_sigpending),
	N(128, in_rt_sigtimedwait),
	N(129, in_rt_sigqueueinfo),
	N(130, in_rt_sigsuspend),
	N(131, in_sigaltstack),
	N(200, in_tkill),
	N(219, in_restart_syscall),
	N(234, in_tgkill),
	N(297, in_rt_tgsigqueueinfo),
	N(270, in_pselect6),
	N(271, in_ppoll),
	N(281, in_epoll_pwait),
	/* credentials */
	N(105, in_setuid),
	N(106, in_setgid),
	N(113, in_setreuid),
	N(114, in_setregid),
	N(115, in_getgroups),
	N(116, in_setgroups),
	N(117, in_setresuid),
	N(118, in_getresuid),
	N(119, in_setresgid),
	N(120, in_getresgid),
	N(122, in_setfsuid),
	N(123, in_setfsgid),
	N(125, in_capget),
	N(126, in_capset),
	/* limits, scheduling */
	N(97, in_getrlimit),
	N(160, in_setrlimit),
	N(302, in_prlimit64),
	N(140, in_getpriority),
	N(141, in_setpriority),
	N(142, in_sched_setparam),
	N(143, in_sched_getparam),
	N(144, in_sched_setscheduler),
	N(145, in_sched_getscheduler),
	N(146, in_sched_priority_max),
	N(147, in_sched_priority_min),
	N(148, in_sched_rr_get_interval),
	N(203, in_sched_setaffinity),
	N(204, in_sched_getaffinity),
	/* time */
	N(36, in_getitimer),
	N(37, in_alarm),
	N(38, in_setitimer),
	N(98, in_getrusage),
	N(100, in_times),
	N(164, in_settimeofday),
	N(222, in_timer_create),
	N(223, in_timer_settime),
	N(224, in_timer_gettime),
	N(225, in_timer_getoverrun),
	N(226, in_timer_delete),
	N(227, in_clock_settime),
	N(228, in_clock_gettime),
	N(229, in_clock_getres),
	/* the system */
	N(63, in_uname),
	N(99, in_sysinfo),
	N(103, in_syslog),
	N(135, in_personality),
	N(150, in_munlock),
	N(151, in_mlock_all),
	N(152, in_munlock),
	N(153, in_vhangup),
	N(157, in_prctl),
	N(169, in_reboot),
	N(170, in_sethostname),
	N(171, in_setdomainname),
	N(318, in_getrandom),
	N(324, in_membarrier),
	N(325, in_mlock2),
	/* kernel operations that declined */
	N(7, in_declined),
	N(9, in_declined),
	N(10, in_declined),
	N(11, in_declined),
	N(12, in_declined),
	N(23, in_declined),
	N(24, in_declined),
	N(25, in_declined),
	N(26, in_declined),
	N(27, in_declined),
	N(28, in_declined),
	N(35, in_declined),
	N(95, in_declined),
	N(96, in_declined),
	N(149, in_declined),
	N(158, in_declined),
	N(201, in_declined),
	N(202, in_declined),
	N(230, in_declined),
	N(232, in_declined),
	N(309, in_declined),
	/* our own descriptors: data */
	N(0, in_read),
	N(1, in_write),
	N(8, in_lseek),
	N(16, in_ioctl),
	N(17, in_pread),
	N(18, in_pread),
	N(19, in_readv),
	N(20, in_writev),
	N(40, in_sendfile),
	N(295, in_pread),
	N(296, in_pread),
	N(327, in_pread),
	N(328, in_pread),
	/* ... the descriptor itself */
	N(3, in_close),
	N(32, in_kernel),
	N(33, in_kernel),
	N(292, in_kernel),
	N(233, in_declined),
	/* ... its node */
	N(5, in_foreign),
	N(72, in_foreign),
	N(73, in_foreign),
	N(74, in_foreign),
	N(75, in_foreign),
	N(77, in_foreign),
	N(81, in_foreign),
	N(91, in_foreign),
	N(93, in_foreign),
	N(138, in_foreign),
	N(217, in_foreign),
	N(260, in_foreign),
	N(262, in_foreign),
	N(280, in_foreign),
	N(285, in_foreign),
	N(306, in_foreign),
	N(332, in_foreign),
	/* ... which is no socket */
	N(42, in_not_socket),
	N(43, in_not_socket),
	N(44, in_not_socket),
	N(45, in_not_socket),
	N(46, in_not_socket),
	N(47, in_not_socket),
	N(48, in_not_socket),
	N(49, in_not_socket),
	N(50, in_not_socket),
	N(51, in_not_socket),
	N(52, in_not_socket),
	N(54, in_not_socket),
	N(55, in_not_socket),
	N(288, in_not_socket),
	N(299, in_not_socket),
	N(307, in_not_socket),
	/* from other servers */
	N(PROTO_PS_FAIL, ps_fail),
	N(PROTO_PS_EXEC, ps_exec),
	N(PROTO_PS_TTY_OPEN, ps_tty_open),
	N(PROTO_PS_RANDOM_OPEN, ps_random_open),
	N(PROTO_PS_PROC_OPEN, ps_proc_open),
	N(PROTO_PS_PROC_REFRESH, ps_proc_refresh),
	N(PROTO_PS_PROC_WRITE, ps_proc_write),
	N(PROTO_PS_PROC_LINK, ps_proc_link),
	N(PROTO_PS_PROC_FDS, ps_proc_fds),
	N(PROTO_PS_NAMED, ps_named),
	N(PROTO_CONSOLE_INPUT, console_input),
	N(PROTO_CONSOLE_OUTPUT, console_output),
	N(PROTO_CONSOLE_FAULT, console_fault),
#undef N
};

static const char *program_name(const struct k_message *m)
{
	struct thread *t = thread_of(m);

	return t ? t->comm : NULL;
}

static struct srv_ops ops = {
	.numbers = numbers,
	.number_count = sizeof numbers / sizeof numbers[0],
	.declines = file_declines,
	.admits = thread_admits,
	.closed = file_closed,
	.event = signal_event,
	.fault = signal_fault,
	.done = signal_done,
	.thread_dead = thread_dead,
	.task_gone = task_gone,
	.memory = memory_short,
	.number_name = syscall_name,
	.program_name = program_name,
	.transactional = true,
	.registers_refused = signal_registers_refused,
};

/*
 * So many threads fit: as Linux reckons, an eighth of memory in 16 KiB stacks, though ours need
 * less.
 */
static unsigned threads_max(uint64_t memory)
{
	uint64_t n = memory / (8 * 16384);

	return n < 64 ? 64 : n > 30000 ? 30000 : (unsigned)n;
}

static void grants_take(void)
{
	grants.endpoint = srv_handle_need("endpoint");
	grants.vfs = srv_handle_need("vfs");
	grants.net = srv_handle("net");
	grants.control = srv_handle("control");
	grants.vdso = srv_handle_need("vdso");
	grants.rtc = srv_handle("rtc");
}

#define STATE_VERSION 1u	/* of the state's layout */

static STATE struct {
	struct outbox outbox;
	bool complete;		/* the first process is there: a successor goes on from here */
} start;

/*
 * The pages that we write and other servers read lie where the hooks see them, so that what an
 * unfinished operation wrote there is undone with it: they are mapped before the state is opened.
 */
static struct shared {
	const char *name;
	uint64_t address, size;
	int handle;
} shared[] = {
	{ "creds", STATE_SHARED, PROTO_CREDS_SIZE, -1 },
	{ "pids", STATE_SHARED + STATE_SHARED_SIZE / 2, PROTO_PIDS_SIZE, -1 },
};

static void shared_map(struct shared *s)
{
	struct k_map map = { .address = s->address,
			     .size = (s->size + 4095) & ~4095ul,
			     .space = -1,
			     .flags = K_MAP_READ | K_MAP_WRITE | K_MAP_FIXED };
	long r;

	map.object = s->handle = srv_handle_need(s->name);
	r = k_space_map(&map);
	if (r < 0)
		srv_panic("%s cannot be mapped: error %ld", s->name, r);
}

static void shared_empty(const struct shared *s)
{
	k_mobject_resize(s->handle, 0);
	k_mobject_resize(s->handle, (s->size + 4095) & ~4095ul);
}

static void state_begin_or_resume(int handle)
{
	int r = state_open(handle, STATE_VERSION);

	if (!r)
		r = state_statics();
	if (!r && !STATE_OF(start).complete) {
		state_format(STATE_VERSION);	/* a predecessor did not come far */
		r = state_statics();
	}
	if (r)
		srv_panic("no state: error %d", r);
	outbox_setup(&STATE_OF(start).outbox);
	state_hooked = true;
}

static void begin(const struct k_system_info *info)
{
	system_clock_start(grants.rtc);
	console_setup();
	system_load_poll();
	init_start(info->command_line, fork_thread_limit);
	STATE_OF(start).complete = true;
	srv_flush();
}

int main(void)
{
	static struct k_system_info info;
	bool fresh;

	grants_take();
	for (unsigned i = 0; i < sizeof shared / sizeof shared[0]; i++)
		shared_map(&shared[i]);
	state_begin_or_resume(srv_handle_need(PROTO_START_STATE));
	fresh = !STATE_OF(start).complete;
	if (k_system_info(&info) < 0)
		srv_panic("no information about the system");
	random_setup(info.seed);
	for (unsigned i = 0; fresh && i < sizeof shared / sizeof shared[0]; i++)
		shared_empty(&shared[i]);
	cred_setup((void *)shared[0].address, fresh);
	process_setup((void *)shared[1].address, fresh);
	ops.shortcuts = routes_shortcuts();
	srv_setup(grants.endpoint, &ops);
	if (fresh && srv_arg("restarted"))
		recover_nothing();
	exec_image_setup(grants.vdso);
	routes_setup(grants.endpoint, grants.vfs, grants.net);
	fork_thread_limit = threads_max(info.memory_total);
	if (fresh)
		begin(&info);
	else
		recover();
	srv_run(grants.endpoint, &ops);
}
