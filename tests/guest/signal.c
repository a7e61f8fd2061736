/*
 * Signals: delivery, masks, default actions, what a handler sees and may change, and permission.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

static volatile sig_atomic_t count;
static siginfo_t last;
static volatile sig_atomic_t order[8], order_count;

static void count_it(int sig)
{
	(void)sig;
	count++;
}

static void keep_info(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	last = *info;
	count++;
}

static void info_handler_set(int sig, void (*handler)(int, siginfo_t *, void *), int flags)
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = flags | SA_SIGINFO };

	sigemptyset(&action.sa_mask);
	CHECK_OK(sigaction(sig, &action, NULL));
}

TEST(signal, kill_information)
{
	info_handler_set(SIGUSR1, keep_info, 0);
	CHECK_OK(kill(getpid(), SIGUSR1));
	CHECK_EQ(count, 1);
	CHECK_EQ(last.si_signo, SIGUSR1);
	CHECK_EQ(last.si_code, SI_USER);
	CHECK_EQ(last.si_pid, getpid());
	CHECK_EQ(last.si_uid, getuid());
}

TEST(signal, thread_directed_information)
{
	info_handler_set(SIGUSR1, keep_info, 0);
	CHECK_OK(syscall(SYS_tgkill, getpid(), getpid(), SIGUSR1));
	CHECK_EQ(last.si_code, SI_TKILL);
	CHECK_EQ(last.si_pid, getpid());
	CHECK_OK(syscall(SYS_tkill, getpid(), SIGUSR1));
	CHECK_EQ(count, 2);
	CHECK_EQ(last.si_code, SI_TKILL);
}

TEST(signal, information_from_another_user)
{
	ROOT_NEEDED();
	struct gate done;

	gate_init(&done);
	info_handler_set(SIGCONT, keep_info, 0);
	pid_t parent = getpid(), pid = FORK();
	if (pid == 0) {
		drop_to_user(4242, 4242);
		CHECK_ERRNO(kill(parent, SIGUSR1), EPERM);
		CHECK_ERRNO(kill(parent, 0), EPERM);
		CHECK_OK(kill(parent, SIGCONT)); /* allowed within the session */
		_exit(0);
	}
	CHECK_EXITED(pid, 0);
	CHECK_EQ(count, 1);
	CHECK_EQ(last.si_pid, pid);
	CHECK_EQ(last.si_uid, 4242);
}

TEST(signal, permission_by_real_and_saved_id)
{
	ROOT_NEEDED();
	struct gate ready;

	gate_init(&ready);
	SUBPROCESS {
		pid_t target = FORK();

		if (target == 0) {
			CHECK_OK(setresuid(4242, 4243, 4244));
			gate_open(&ready);
			for (;;)
				pause();
		}
		gate_pass(&ready);
		SUBPROCESS {
			CHECK_OK(setresuid(4243, 4243, 4243)); /* its effective id only */
			CHECK_ERRNO(kill(target, 0), EPERM);
		}
		SUBPROCESS {
			CHECK_OK(setresuid(4300, 4242, 4300)); /* our effective, its real id */
			CHECK_OK(kill(target, 0));
		}
		SUBPROCESS {
			CHECK_OK(setresuid(4244, 4300, 4300)); /* our real, its saved id */
			CHECK_OK(kill(target, SIGKILL));
		}
		CHECK_SIGNALED(target, SIGKILL);
	}
}

TEST(signal, errors)
{
	struct sigaction action = { .sa_handler = count_it };
	sigset_t set;

	CHECK_ERRNO(kill(getpid(), 65), EINVAL);
	CHECK_ERRNO(kill(getpid(), -1), EINVAL);
	CHECK_ERRNO(kill(999999999, 0), ESRCH);
	CHECK_ERRNO(kill(-999999999, 0), ESRCH);
	CHECK_OK(kill(getpid(), 0));
	CHECK_OK(kill(0, 0));
	CHECK_ERRNO(syscall(SYS_tgkill, getpid(), 0, SIGUSR1), EINVAL);
	CHECK_ERRNO(syscall(SYS_tgkill, -1, getpid(), SIGUSR1), EINVAL);
	CHECK_ERRNO(syscall(SYS_tgkill, getppid(), getpid(), SIGUSR1), ESRCH);
	CHECK_ERRNO(sigaction(SIGKILL, &action, NULL), EINVAL);
	CHECK_ERRNO(sigaction(SIGSTOP, &action, NULL), EINVAL);
	CHECK_ERRNO(syscall(SYS_rt_sigaction, 65, NULL, NULL, 8), EINVAL);
	CHECK_ERRNO(syscall(SYS_rt_sigaction, 0, NULL, NULL, 8), EINVAL);
	CHECK_ERRNO(syscall(SYS_rt_sigaction, SIGUSR1, NULL, NULL, 4), EINVAL);
	sigemptyset(&set);
	CHECK_ERRNO(syscall(SYS_rt_sigprocmask, 17, &set, NULL, 8), EINVAL);
	CHECK_ERRNO(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &set, NULL, 16), EINVAL);
	CHECK_OK(syscall(SYS_rt_sigprocmask, 17, NULL, &set, 8));
}

TEST(signal, kill_and_stop_cannot_be_blocked)
{
	sigset_t all, got;

	sigfillset(&all);
	CHECK_OK(syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, NULL, 8));
	CHECK_OK(syscall(SYS_rt_sigprocmask, SIG_SETMASK, NULL, &got, 8));
	CHECK(!sigismember(&got, SIGKILL) && !sigismember(&got, SIGSTOP));
	CHECK(sigismember(&got, SIGTERM));
	pid_t pid = FORK();
	if (pid == 0)
		for (;;)
			pause();
	CHECK_OK(kill(pid, SIGTERM));
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_SIGNALED(pid, SIGKILL);
}

static int default_action(int sig)
{
	switch (sig) {
	case SIGCHLD:
	case SIGURG:
	case SIGWINCH:
	case SIGCONT:
		return 'i';
	case SIGSTOP:
	case SIGTSTP:
	case SIGTTIN:
	case SIGTTOU:
		return 's';
	default:
		return 't';
	}
}

TEST(signal, default_actions)
{
	for (int sig = 1; sig <= 64; sig++) {
		if (sig >= 32 && sig < 35)
			continue; /* the C library's own */
		pid_t pid = FORK();
		int status;

		if (pid == 0) {
			kill(getpid(), sig);
			_exit(88);
		}
		CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
		switch (default_action(sig)) {
		case 'i':
			CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 88);
			break;
		case 's':
			CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == sig);
			CHECK_OK(kill(pid, SIGCONT));
			CHECK_EXITED(pid, 88);
			break;
		default:
			if (!WIFSIGNALED(status) || WTERMSIG(status) != sig)
				FAIL("signal %d: status %#x", sig, status);
		}
	}
}

static void check_own_mask(int sig)
{
	sigset_t set;

	CHECK_OK(sigprocmask(SIG_SETMASK, NULL, &set));
	CHECK(sigismember(&set, sig));
	CHECK(sigismember(&set, SIGUSR2));
	CHECK(sigismember(&set, SIGHUP));
	CHECK(!sigismember(&set, SIGTERM));
	count++;
}

TEST(signal, mask_during_the_handler)
{
	struct sigaction action = { .sa_handler = check_own_mask };
	sigset_t set;

	sigemptyset(&action.sa_mask);
	sigaddset(&action.sa_mask, SIGUSR2);
	CHECK_OK(sigaction(SIGUSR1, &action, NULL));
	signal_mask(SIG_BLOCK, SIGHUP);
	CHECK_OK(raise(SIGUSR1));
	CHECK_EQ(count, 1);
	CHECK_OK(sigprocmask(SIG_SETMASK, NULL, &set));
	CHECK(!sigismember(&set, SIGUSR1) && !sigismember(&set, SIGUSR2));
	CHECK(sigismember(&set, SIGHUP));
}

static void raise_again(int sig)
{
	volatile int before = count;

	if (++count < 3)
		kill(getpid(), sig);
	order[order_count++ % 8] = before;
}

TEST(signal, handler_defers_itself)
{
	handler_set(SIGUSR1, raise_again, 0);
	CHECK_OK(kill(getpid(), SIGUSR1));
	CHECK_EQ(count, 3);
	CHECK(order[0] == 0 && order[1] == 1 && order[2] == 2);
}

TEST(signal, nodefer_nests)
{
	handler_set(SIGUSR1, raise_again, SA_NODEFER);
	CHECK_OK(kill(getpid(), SIGUSR1));
	CHECK_EQ(count, 3);
	CHECK(order[0] == 2 && order[1] == 1 && order[2] == 0);
}

TEST(signal, reset_after_first)
{
	struct sigaction action;

	handler_set(SIGUSR1, count_it, SA_RESETHAND);
	CHECK_OK(raise(SIGUSR1));
	CHECK_EQ(count, 1);
	CHECK_OK(sigaction(SIGUSR1, NULL, &action));
	CHECK(action.sa_handler == SIG_DFL);
}

TEST(signal, action_is_reported_back)
{
	struct sigaction action = { .sa_sigaction = keep_info,
				    .sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK |
						SA_NOCLDSTOP | SA_NODEFER },
			 old;

	sigemptyset(&action.sa_mask);
	sigaddset(&action.sa_mask, SIGHUP);
	sigaddset(&action.sa_mask, 64);
	CHECK_OK(sigaction(SIGUSR1, &action, &old));
	CHECK(old.sa_handler == SIG_DFL);
	CHECK_OK(sigaction(SIGUSR1, NULL, &old));
	CHECK(old.sa_sigaction == keep_info);
	CHECK_EQ(old.sa_flags & ~0x04000000, action.sa_flags);
	CHECK(sigismember(&old.sa_mask, SIGHUP) && sigismember(&old.sa_mask, 64));
	CHECK(!sigismember(&old.sa_mask, SIGUSR2));
}

TEST(signal, standard_signals_do_not_queue)
{
	handler_set(SIGUSR1, count_it, 0);
	signal_mask(SIG_BLOCK, SIGUSR1);
	for (int i = 0; i < 5; i++)
		CHECK_OK(kill(getpid(), SIGUSR1));
	CHECK_EQ(count, 0);
	signal_mask(SIG_UNBLOCK, SIGUSR1);
	CHECK_EQ(count, 1);
}

static void keep_order(int sig)
{
	order[order_count++ % 8] = sig;
}

TEST(signal, lowest_number_first)
{
	static const int sigs[] = { SIGTERM, SIGUSR2, 50, SIGHUP, 40 };
	struct sigaction action = { .sa_handler = keep_order };
	sigset_t all;

	sigfillset(&action.sa_mask);
	sigfillset(&all);
	CHECK_OK(sigprocmask(SIG_SETMASK, &all, NULL));
	for (unsigned i = 0; i < LENGTH(sigs); i++) {
		CHECK_OK(sigaction(sigs[i], &action, NULL));
		CHECK_OK(kill(getpid(), sigs[i]));
	}
	sigemptyset(&all);
	CHECK_OK(sigprocmask(SIG_SETMASK, &all, NULL));
	CHECK_EQ(order_count, 5);
	CHECK(order[0] == SIGHUP && order[1] == SIGUSR2 && order[2] == SIGTERM);
	CHECK(order[3] == 40 && order[4] == 50);
}

TEST(signal, pending_and_ignored)
{
	sigset_t set;

	handler_set(SIGUSR1, count_it, 0);
	signal_mask(SIG_BLOCK, SIGUSR1);
	CHECK_OK(kill(getpid(), SIGUSR1));
	CHECK_OK(sigpending(&set));
	CHECK(sigismember(&set, SIGUSR1) && !sigismember(&set, SIGUSR2));
	/* Ignoring it throws away what is pending. */
	signal(SIGUSR1, SIG_IGN);
	CHECK_OK(sigpending(&set));
	CHECK(!sigismember(&set, SIGUSR1));
	handler_set(SIGUSR1, count_it, 0);
	signal_mask(SIG_UNBLOCK, SIGUSR1);
	CHECK_EQ(count, 0);
}

TEST(signal, continue_discards_stop)
{
	sigset_t set;

	signal_mask(SIG_BLOCK, SIGTSTP);
	signal_mask(SIG_BLOCK, SIGCONT);
	CHECK_OK(kill(getpid(), SIGTSTP));
	CHECK_OK(sigpending(&set));
	CHECK(sigismember(&set, SIGTSTP));
	CHECK_OK(kill(getpid(), SIGCONT));
	CHECK_OK(sigpending(&set));
	CHECK(!sigismember(&set, SIGTSTP));
	CHECK_OK(kill(getpid(), SIGTSTP));
	CHECK_OK(sigpending(&set));
	CHECK(!sigismember(&set, SIGCONT));
}

TEST(signal, continue_works_though_ignored_or_blocked)
{
	int status;
	pid_t pid = FORK();

	if (pid == 0) {
		signal(SIGCONT, SIG_IGN);
		signal_mask(SIG_BLOCK, SIGCONT);
		raise(SIGSTOP);
		_exit(6);
	}
	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	CHECK(WIFSTOPPED(status));
	CHECK_OK(kill(pid, SIGCONT));
	CHECK_EXITED(pid, 6);
}

static sigjmp_buf back;

static void jump_back(int sig)
{
	siglongjmp(back, sig);
}

TEST(signal, jump_out_of_the_handler)
{
	handler_set(SIGUSR1, jump_back, 0);
	for (volatile int i = 0; i < 50; i++) {
		int sig = sigsetjmp(back, 1);

		if (sig == 0) {
			CHECK_OK(kill(getpid(), SIGUSR1));
			FAIL("the handler returned");
		}
		CHECK_EQ(sig, SIGUSR1);
	}
}

static void skip_and_set(int sig, siginfo_t *info, void *context)
{
	ucontext_t *at = context;

	(void)sig;
	(void)info;
	at->uc_mcontext.gregs[REG_RIP] += 2; /* ud2 */
	at->uc_mcontext.gregs[REG_RBX] = 0x1122334455667788;
	at->uc_mcontext.gregs[REG_R15] = ~at->uc_mcontext.gregs[REG_R15];
	sigaddset(&at->uc_sigmask, SIGHUP);
}

TEST(signal, handler_changes_the_context)
{
	uint64_t rbx = 1, r15 = 0xf0f0;
	sigset_t set;

	info_handler_set(SIGILL, skip_and_set, 0);
	__asm__ volatile("mov %1, %%r15; mov %0, %%rbx; ud2; mov %%rbx, %0; mov %%r15, %1"
			 : "+r"(rbx), "+r"(r15)
			 :
			 : "rbx", "r15", "memory");
	CHECK_EQ(rbx, 0x1122334455667788);
	CHECK_EQ(r15, ~0xf0f0ull);
	CHECK_OK(sigprocmask(SIG_SETMASK, NULL, &set));
	CHECK(sigismember(&set, SIGHUP));
}

static void spoil_registers(int sig)
{
	(void)sig;
	__asm__ volatile("pcmpeqd %%xmm0, %%xmm0; movdqa %%xmm0, %%xmm7; movdqa %%xmm0, %%xmm15;"
			 "fninit; fld1; fld1; fld1"
			 ::: "xmm0", "xmm7", "xmm15");
	uint32_t mxcsr = 0x9fc0;
	__asm__ volatile("ldmxcsr %0" ::"m"(mxcsr));
	count++;
}

TEST(signal, floating_point_state_is_kept)
{
	uint64_t in[4] = { 1, 2, 3, 4 }, out[4];
	uint32_t control = 0;
	double pi = 0;

	handler_set(SIGUSR1, spoil_registers, 0);
	long result;
	long pid = getpid();
	__asm__ volatile("fldpi; movdqu (%[in]), %%xmm0; movdqu 16(%[in]), %%xmm15; syscall;"
			 "movdqu %%xmm0, (%[out]); movdqu %%xmm15, 16(%[out]); fstpl %[pi];"
			 "stmxcsr %[control]"
			 : "=a"(result), [pi] "=m"(pi), [control] "=m"(control)
			 : "a"(SYS_kill), "D"(pid), "S"(SIGUSR1), [in] "r"(in), [out] "r"(out)
			 : "rcx", "r11", "xmm0", "xmm15", "memory", "st");
	CHECK_EQ(result, 0);
	CHECK_EQ(count, 1);
	CHECK_EQ(memcmp(in, out, sizeof(in)), 0);
	CHECK(pi > 3.14159 && pi < 3.1416);
	CHECK_EQ(control & 0xffc0, 0x1f80);
}

TEST(signal, system_call_keeps_registers)
{
	uint64_t after[8];

	handler_set(SIGUSR1, count_it, 0);
	long pid = getpid(), result;
	__asm__ volatile("mov $11, %%r8; mov $12, %%r9; mov $13, %%r10; mov $14, %%r12;"
			 "mov $15, %%r13; mov $16, %%r14; mov $17, %%r15; mov $18, %%rdx; syscall;"
			 "mov %%r8, 0(%[to]); mov %%r9, 8(%[to]); mov %%r10, 16(%[to]);"
			 "mov %%r12, 24(%[to]); mov %%r13, 32(%[to]); mov %%r14, 40(%[to]);"
			 "mov %%r15, 48(%[to]); mov %%rdx, 56(%[to])"
			 : "=a"(result)
			 : "a"(SYS_kill), "D"(pid), "S"(SIGUSR1), [to] "b"(after)
			 : "rcx", "r11", "r8", "r9", "r10", "r12", "r13", "r14", "r15", "rdx",
			   "memory");
	CHECK_EQ(result, 0);
	CHECK_EQ(count, 1);
	for (int i = 0; i < 8; i++)
		CHECK_EQ(after[i], 11 + i);
}

/* The 128 bytes below the stack pointer belong to the interrupted function. */
TEST(signal, red_zone_is_kept)
{
	uint64_t found;
	long pid = getpid(), result;

	handler_set(SIGUSR1, spoil_registers, 0);
	__asm__ volatile("movq $0x1234567, -8(%%rsp); movq $0x1234567, -128(%%rsp); syscall;"
			 "mov -8(%%rsp), %%rdx; add -128(%%rsp), %%rdx"
			 : "=a"(result), "=d"(found)
			 : "a"(SYS_kill), "D"(pid), "S"(SIGUSR1)
			 : "rcx", "r11", "memory");
	CHECK_EQ(result, 0);
	CHECK_EQ(count, 1);
	CHECK_EQ(found, 2 * 0x1234567);
}

static void check_flags(int sig)
{
	uint64_t flags;

	(void)sig;
	__asm__ volatile("pushfq; pop %0" : "=r"(flags));
	order[0] = !!(flags & 0x400);
	count++;
}

TEST(signal, direction_flag)
{
	uint64_t flags;
	long pid = getpid(), result;

	handler_set(SIGUSR1, check_flags, 0);
	__asm__ volatile("sub $128, %%rsp; std; syscall; pushfq; pop %%rdx; cld; add $128, %%rsp"
			 : "=a"(result), "=d"(flags)
			 : "a"(SYS_kill), "D"(pid), "S"(SIGUSR1)
			 : "rcx", "r11", "memory");
	CHECK_EQ(count, 1);
	CHECK_EQ(order[0], 0);
	CHECK_EQ(flags & 0x400, 0x400);
}

static void check_alignment(int sig)
{
	uintptr_t at = (uintptr_t)__builtin_frame_address(0);

	(void)sig;
	order[0] = at % 16;
	count++;
}

TEST(signal, handler_stack_is_aligned)
{
	handler_set(SIGUSR1, check_alignment, 0);
	for (int i = 0; i < 16; i++) {
		long result, pid = getpid();

		__asm__ volatile("sub %[by], %%rsp; syscall; add %[by], %%rsp"
				 : "=a"(result)
				 : "a"(SYS_kill), "D"(pid), "S"(SIGUSR1), [by] "b"((long)i + 128)
				 : "rcx", "r11", "memory");
		CHECK_EQ(order[0], 0);
	}
	CHECK_EQ(count, 16);
}

TEST(signal, pause_is_interrupted)
{
	handler_set(SIGALRM, count_it, SA_RESTART);
	alarm_pump_start();
	CHECK_ERRNO(pause(), EINTR);
	alarm_pump_stop();
	CHECK_GE(count, 1);
}

/* A signal that is ignored, or whose default is to be ignored, does not interrupt anything. */
TEST(signal, ignored_signals_do_not_interrupt)
{
	int fd[2];
	char byte;
	pid_t parent = getpid();

	CHECK_OK(pipe(fd));
	signal(SIGUSR1, SIG_IGN);
	pid_t pid = FORK();
	if (pid == 0) {
		wait_until_blocked(parent);
		for (int i = 0; i < 20; i++) {
			CHECK_OK(kill(parent, SIGUSR1));
			CHECK_OK(kill(parent, SIGWINCH));
			CHECK_OK(kill(parent, SIGCONT));
		}
		CHECK_EQ(write(fd[1], "x", 1), 1);
		_exit(0);
	}
	CHECK_EQ(read(fd[0], &byte, 1), 1);
	CHECK_EXITED(pid, 0);
}

/* Stopping and continuing a blocked process does not interrupt its call. */
TEST(signal, stop_and_continue_do_not_interrupt_a_read)
{
	int fd[2], status;
	char byte;

	CHECK_OK(pipe(fd));
	pid_t pid = FORK();
	if (pid == 0) {
		CHECK_EQ(read(fd[0], &byte, 1), 1);
		_exit(byte);
	}
	wait_until_blocked(pid);
	for (int i = 0; i < 3; i++) {
		CHECK_OK(kill(pid, SIGSTOP));
		CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
		CHECK_OK(kill(pid, SIGCONT));
		CHECK_EQ(waitpid(pid, &status, WCONTINUED), pid);
	}
	CHECK_EQ(write(fd[1], "\5", 1), 1);
	CHECK_EXITED(pid, 5);
}

/* While stopped, a process does not take the bytes it was waiting for. */
TEST(signal, stopped_process_does_not_read)
{
	int fd[2], status;
	char byte = 0;

	CHECK_OK(pipe(fd));
	pid_t pid = FORK();
	if (pid == 0) {
		CHECK_EQ(read(fd[0], &byte, 1), 1);
		_exit(byte);
	}
	wait_until_blocked(pid);
	CHECK_OK(kill(pid, SIGSTOP));
	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	CHECK_EQ(write(fd[1], "\1", 1), 1);
	CHECK_EQ(read(fd[0], &byte, 1), 1);
	CHECK_EQ(byte, 1);
	CHECK_EQ(write(fd[1], "\2", 1), 1);
	CHECK_OK(kill(pid, SIGCONT));
	CHECK_EXITED(pid, 2);
}

TEST(signal, to_a_process_group)
{
	pid_t pids[3];
	struct gate ready;

	gate_init(&ready);
	for (int i = 0; i < 3; i++) {
		pids[i] = FORK();
		if (pids[i] == 0) {
			CHECK_OK(setpgid(0, i == 0 ? 0 : pids[0]));
			gate_open(&ready);
			for (;;)
				pause();
		}
		gate_pass(&ready);
	}
	CHECK_OK(kill(-pids[0], 0));
	CHECK_OK(killpg(pids[0], SIGTERM));
	for (int i = 0; i < 3; i++)
		CHECK_SIGNALED(pids[i], SIGTERM);
	CHECK_ERRNO(kill(-pids[0], 0), ESRCH);
}

TEST(signal, to_everyone_allowed)
{
	ROOT_NEEDED();
	SUBPROCESS {
		struct gate ready;
		pid_t mine;

		gate_init(&ready);
		CHECK_OK(setresuid(45454, 45454, 45454));
		mine = FORK();
		if (mine == 0) {
			gate_open(&ready);
			for (;;)
				pause();
		}
		gate_pass(&ready);
		CHECK_OK(kill(-1, SIGTERM)); /* all of this user's, except the sender */
		CHECK_SIGNALED(mine, SIGTERM);
	}
}

TEST(signal, child_events)
{
	int status;

	struct gate gate;

	gate_init(&gate);
	info_handler_set(SIGCHLD, keep_info, 0);
	pid_t pid = FORK();
	if (pid == 0) {
		raise(SIGSTOP);
		gate_pass(&gate);
		_exit(3);
	}
	while (count < 1)
		usleep(1000);
	CHECK_EQ(last.si_code, CLD_STOPPED);
	CHECK_EQ(last.si_pid, pid);
	CHECK_EQ(last.si_status, SIGSTOP);
	CHECK_OK(kill(pid, SIGCONT));
	while (count < 2)
		usleep(1000);
	CHECK_EQ(last.si_code, CLD_CONTINUED);
	CHECK_EQ(last.si_status, SIGCONT);
	gate_open(&gate);
	while (waitpid(pid, &status, 0) < 0)
		CHECK_EQ(errno, EINTR);
	CHECK_EQ(last.si_code, CLD_EXITED);
	CHECK_EQ(last.si_status, 3);
	CHECK_EQ(last.si_uid, getuid());
	count = 0;
	pid = FORK();
	if (pid == 0)
		for (;;)
			pause();
	CHECK_OK(kill(pid, SIGKILL));
	while (waitpid(pid, &status, 0) < 0)
		CHECK_EQ(errno, EINTR);
	CHECK_EQ(count, 1);
	CHECK_EQ(last.si_code, CLD_KILLED);
	CHECK_EQ(last.si_status, SIGKILL);
}

TEST(signal, stopped_children_can_be_silent)
{
	int status;

	info_handler_set(SIGCHLD, keep_info, SA_NOCLDSTOP | SA_RESTART);
	pid_t pid = FORK();
	if (pid == 0) {
		raise(SIGSTOP);
		_exit(0);
	}
	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	CHECK_EQ(count, 0);
	CHECK_OK(kill(pid, SIGCONT));
	CHECK_EXITED(pid, 0);
	CHECK_EQ(count, 1);
	CHECK_EQ(last.si_code, CLD_EXITED);
}

static volatile pid_t handled_by;

static void keep_thread(int sig)
{
	(void)sig;
	handled_by = syscall(SYS_gettid);
}

struct helper_thread {
	pid_t tid;
	struct gate ready, stop;
};

static void *wait_for_gate(void *arg)
{
	struct helper_thread *helper = arg;

	helper->tid = syscall(SYS_gettid);
	gate_open(&helper->ready);
	gate_pass(&helper->stop);
	return NULL;
}

TEST(signal, goes_to_a_thread_that_does_not_block_it)
{
	struct helper_thread helper;
	pthread_t thread;

	gate_init(&helper.ready);
	gate_init(&helper.stop);
	handler_set(SIGUSR1, keep_thread, 0);
	CHECK_EQ(pthread_create(&thread, NULL, wait_for_gate, &helper), 0);
	gate_pass(&helper.ready);
	signal_mask(SIG_BLOCK, SIGUSR1);
	CHECK_OK(kill(getpid(), SIGUSR1));
	while (!handled_by)
		usleep(1000);
	CHECK_EQ(handled_by, helper.tid);
	gate_open(&helper.stop);
	CHECK_EQ(pthread_join(thread, NULL), 0);
}

TEST(signal, to_one_thread)
{
	struct helper_thread helper;
	pthread_t thread;

	gate_init(&helper.ready);
	gate_init(&helper.stop);
	handler_set(SIGUSR1, keep_thread, 0);
	CHECK_EQ(pthread_create(&thread, NULL, wait_for_gate, &helper), 0);
	gate_pass(&helper.ready);
	for (int i = 0; i < 10; i++) {
		handled_by = 0;
		CHECK_EQ(pthread_kill(thread, SIGUSR1), 0);
		while (!handled_by)
			usleep(1000);
		CHECK_EQ(handled_by, helper.tid);
		handled_by = 0;
		CHECK_EQ(pthread_kill(pthread_self(), SIGUSR1), 0);
		CHECK_EQ(handled_by, getpid());
	}
	gate_open(&helper.stop);
	CHECK_EQ(pthread_join(thread, NULL), 0);
}

static void *check_inherited_mask(void *arg)
{
	sigset_t set;

	pthread_sigmask(SIG_SETMASK, NULL, &set);
	*(int *)arg = sigismember(&set, SIGHUP) && !sigismember(&set, SIGTERM);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	pthread_sigmask(SIG_SETMASK, &set, NULL);
	return NULL;
}

TEST(signal, thread_inherits_the_mask)
{
	pthread_t thread;
	sigset_t set;
	int inherited = 0;

	signal_mask(SIG_BLOCK, SIGHUP);
	CHECK_EQ(pthread_create(&thread, NULL, check_inherited_mask, &inherited), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK(inherited);
	CHECK_OK(sigprocmask(SIG_SETMASK, NULL, &set));
	CHECK(sigismember(&set, SIGHUP) && !sigismember(&set, SIGTERM));
}

/* Thousands of signals while the process works: none corrupts it, each is handled or merged. */
TEST(signal, storm)
{
	struct gate done;
	pid_t parent = getpid();
	unsigned sum = 0, expected = 0;

	gate_init(&done);
	handler_set(SIGUSR1, count_it, 0);
	handler_set(SIGUSR2, count_it, SA_NODEFER | SA_RESTART);
	pid_t pid = FORK();
	if (pid == 0) {
		for (int i = 0; i < 1500; i++)
			CHECK_OK(kill(parent, i % 2 ? SIGUSR1 : SIGUSR2));
		_exit(0);
	}
	int status;
	while (waitpid(pid, &status, WNOHANG) <= 0)
		for (unsigned i = 0; i < 100; i++) {
			sum = sum * 31 + i;
			getppid();
		}
	for (unsigned i = 0; i < 100; i++)
		expected = expected * 31 + i;
	CHECK_EQ(status, 0);
	CHECK_GE(count, 1);
	CHECK_LE(count, 1500);
	CHECK_NE(expected, 0);
}

TEST(signal, self_sent_is_taken_before_kill_returns)
{
	handler_set(SIGUSR1, count_it, 0);
	for (int i = 1; i <= 200; i++) {
		CHECK_OK(kill(getpid(), SIGUSR1));
		CHECK_EQ(count, i);
	}
}

/* A process that computes without a single call can be stopped, continued and killed. */
TEST(signal, busy_process)
{
	volatile long *turns = map_shared(PAGE);
	int status;
	pid_t pid = FORK();

	if (pid == 0)
		for (;;)
			++*turns;
	while (*turns < 1000)
		usleep(1000);
	CHECK_OK(kill(pid, SIGSTOP));
	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	long before = *turns;
	usleep(20000);
	CHECK_EQ(*turns, before);
	CHECK_OK(kill(pid, SIGCONT));
	while (*turns == before)
		usleep(1000);
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_SIGNALED(pid, SIGKILL);
}

/* Stopping means all threads. */
static void *turn(void *arg)
{
	for (;;)
		++*(volatile long *)arg;
	return NULL;
}

TEST(signal, stop_stops_every_thread)
{
	volatile long *turns = map_shared(PAGE);
	int status;
	pid_t pid = FORK();

	if (pid == 0) {
		pthread_t thread;

		CHECK_EQ(pthread_create(&thread, NULL, turn, (void *)(turns + 8)), 0);
		CHECK_EQ(pthread_create(&thread, NULL, turn, (void *)(turns + 16)), 0);
		for (;;)
			pause();
	}
	while (turns[8] < 1000 || turns[16] < 1000)
		usleep(1000);
	CHECK_OK(kill(pid, SIGSTOP));
	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	long before[2] = { turns[8], turns[16] };
	usleep(20000);
	CHECK(turns[8] == before[0] && turns[16] == before[1]);
	CHECK_OK(kill(pid, SIGCONT));
	while (turns[8] == before[0] || turns[16] == before[1])
		usleep(1000);
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_SIGNALED(pid, SIGKILL);
}
