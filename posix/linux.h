/*
 * Numbers and layouts of the Linux x86-64 system-call ABI that the process server reads and writes.
 *
 * newlib's <signal.h>, <sys/wait.h> and <sys/resource.h> number things differently, so everything
 * here carries the prefix LX_ (or lx_) and can be included beside any libc. Terminal settings are
 * in tty/termios_wire.h.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef POSIX_LINUX_H
#define POSIX_LINUX_H

#include <stdint.h>

/* --- signals ---------------------------------------------------------------------------------- */
enum lx_signal {
	LX_SIGHUP = 1,
	LX_SIGINT,
	LX_SIGQUIT,
	LX_SIGILL,
	LX_SIGTRAP,
	LX_SIGABRT,
	LX_SIGBUS,
	LX_SIGFPE,
	LX_SIGKILL,
	LX_SIGUSR1,
	LX_SIGSEGV,
	LX_SIGUSR2,
	LX_SIGPIPE,
	LX_SIGALRM,
	LX_SIGTERM,
	LX_SIGSTKFLT,
	LX_SIGCHLD,
	LX_SIGCONT,
	LX_SIGSTOP,
	LX_SIGTSTP,
	LX_SIGTTIN,
	LX_SIGTTOU,
	LX_SIGURG,
	LX_SIGXCPU,
	LX_SIGXFSZ,
	LX_SIGVTALRM,
	LX_SIGPROF,
	LX_SIGWINCH,
	LX_SIGIO,
	LX_SIGPWR,
	LX_SIGSYS,
	LX_SIGRTMIN,
	LX_NSIG = 64
};
#define LX_SIGBIT(n) (1ull << ((n) - 1))

#define LX_SA_NOCLDSTOP	0x1u
#define LX_SA_NOCLDWAIT	0x2u
#define LX_SA_SIGINFO	0x4u
#define LX_SA_RESTORER	0x04000000u
#define LX_SA_ONSTACK	0x08000000u
#define LX_SA_RESTART	0x10000000u
#define LX_SA_NODEFER	0x40000000u
#define LX_SA_RESETHAND	0x80000000u
#define LX_SIG_DFL	0ull
#define LX_SIG_IGN	1ull

enum { LX_SIG_BLOCK, LX_SIG_UNBLOCK, LX_SIG_SETMASK };

/* si_code */
#define LX_SI_USER	0
#define LX_SI_KERNEL	0x80
#define LX_SI_QUEUE	(-1)
#define LX_SI_TIMER	(-2)
#define LX_SI_TKILL	(-6)
enum {
	LX_CLD_EXITED = 1,
	LX_CLD_KILLED,
	LX_CLD_DUMPED,
	LX_CLD_TRAPPED,
	LX_CLD_STOPPED,
	LX_CLD_CONTINUED
};
enum { LX_SEGV_MAPERR = 1, LX_SEGV_ACCERR };
enum { LX_BUS_ADRALN = 1, LX_BUS_ADRERR };
enum { LX_ILL_ILLOPN = 2 };
enum {
	LX_FPE_INTDIV = 1,
	LX_FPE_INTOVF,
	LX_FPE_FLTDIV,
	LX_FPE_FLTOVF,
	LX_FPE_FLTUND,
	LX_FPE_FLTRES,
	LX_FPE_FLTINV,
	LX_FPE_FLTSUB
};
enum { LX_TRAP_BRKPT = 1, LX_TRAP_TRACE };

struct lx_kernel_sigaction {
	uint64_t handler, flags, restorer, mask;
};

/* siginfo_t as programs see it. Layout by si_code and signal; the unused rest is zero. */
struct lx_siginfo {
	int32_t signo, error, code, pad;
	union {
		struct { uint32_t pid, uid; uint64_t value; } user;		/* kill, sigqueue */
		struct { int32_t id, overrun; uint64_t value; } timer;
		struct { uint32_t pid, uid; int32_t status, pad; int64_t utime, stime; } child;
		struct { uint64_t address; } fault;
		uint8_t bytes[112];
	};
};
_Static_assert(sizeof(struct lx_siginfo) == 128, "siginfo of the kernel ABI");

struct lx_stack {
	uint64_t sp;
	int32_t flags, pad;
	uint64_t size;
};
enum { LX_SS_ONSTACK = 1, LX_SS_DISABLE = 2 };
#define LX_SS_AUTODISARM 0x80000000u
#define LX_MINSIGSTKSZ 2048u

struct lx_itimerval { int64_t interval_sec, interval_usec, value_sec, value_usec; };
struct lx_timeval { int64_t sec, usec; };
struct lx_timespec { int64_t sec, nsec; };
struct lx_itimerspec { struct lx_timespec interval, value; };

/* --- clone, wait ------------------------------------------------------------------------------ */
#define LX_CLONE_VM		0x00000100ull
#define LX_CLONE_FS		0x00000200ull
#define LX_CLONE_FILES		0x00000400ull
#define LX_CLONE_SIGHAND	0x00000800ull
#define LX_CLONE_PIDFD		0x00001000ull
#define LX_CLONE_PTRACE		0x00002000ull
#define LX_CLONE_VFORK		0x00004000ull
#define LX_CLONE_PARENT		0x00008000ull
#define LX_CLONE_THREAD		0x00010000ull
#define LX_CLONE_NEWNS		0x00020000ull
#define LX_CLONE_SYSVSEM	0x00040000ull
#define LX_CLONE_SETTLS		0x00080000ull
#define LX_CLONE_PARENT_SETTID	0x00100000ull
#define LX_CLONE_CHILD_CLEARTID	0x00200000ull
#define LX_CLONE_DETACHED	0x00400000ull
#define LX_CLONE_UNTRACED	0x00800000ull
#define LX_CLONE_CHILD_SETTID	0x01000000ull
#define LX_CLONE_CLEAR_SIGHAND	0x100000000ull

struct lx_clone_args {
	uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid,
		set_tid_size, cgroup;
};

#define LX_WNOHANG	0x1u
#define LX_WUNTRACED	0x2u
#define LX_WSTOPPED	0x2u
#define LX_WEXITED	0x4u
#define LX_WCONTINUED	0x8u
#define LX_WNOWAIT	0x01000000u
#define LX_WNOTHREAD	0x20000000u
#define LX_WALL		0x40000000u
#define LX_WCLONE	0x80000000u
enum { LX_P_ALL, LX_P_PID, LX_P_PGID, LX_P_PIDFD };

struct lx_rusage {
	struct lx_timeval utime, stime;
	int64_t maxrss, ixrss, idrss, isrss, minflt, majflt, nswap, inblock, oublock, msgsnd,
		msgrcv, nsignals, nvcsw, nivcsw;
};
_Static_assert(sizeof(struct lx_rusage) == 144, "struct rusage of the kernel ABI");

/* --- limits ----------------------------------------------------------------------------------- */
enum lx_rlimit_number {
	LX_RLIMIT_CPU,
	LX_RLIMIT_FSIZE,
	LX_RLIMIT_DATA,
	LX_RLIMIT_STACK,
	LX_RLIMIT_CORE,
	LX_RLIMIT_RSS,
	LX_RLIMIT_NPROC,
	LX_RLIMIT_NOFILE,
	LX_RLIMIT_MEMLOCK,
	LX_RLIMIT_AS,
	LX_RLIMIT_LOCKS,
	LX_RLIMIT_SIGPENDING,
	LX_RLIMIT_MSGQUEUE,
	LX_RLIMIT_NICE,
	LX_RLIMIT_RTPRIO,
	LX_RLIMIT_RTTIME,
	LX_RLIMITS
};
#define LX_RLIM_INFINITY UINT64_MAX
struct lx_rlimit { uint64_t soft, hard; };

/* --- open flags ------------------------------------------------------------------------------- */
#define LX_O_ACCMODE	03
#define LX_O_WRONLY	01
#define LX_O_RDWR	02
#define LX_O_NOCTTY	0400
#define LX_O_NONBLOCK	04000
#define LX_O_CLOEXEC	02000000
#define LX_O_PATH	010000000

/* --- auxiliary vector ------------------------------------------------------------------------- */
enum lx_auxv {
	LX_AT_NULL,
	LX_AT_PHDR = 3,
	LX_AT_PHENT,
	LX_AT_PHNUM,
	LX_AT_PAGESZ,
	LX_AT_BASE,
	LX_AT_FLAGS,
	LX_AT_ENTRY,
	LX_AT_UID = 11,
	LX_AT_EUID,
	LX_AT_GID,
	LX_AT_EGID,
	LX_AT_PLATFORM,
	LX_AT_HWCAP,
	LX_AT_CLKTCK,
	LX_AT_SECURE = 23,
	LX_AT_RANDOM = 25,
	LX_AT_HWCAP2,
	LX_AT_EXECFN = 31,
	LX_AT_SYSINFO_EHDR = 33,
	LX_AT_MINSIGSTKSZ = 51
};

#define LX_CLK_TCK 100
#define NS_PER_SEC 1000000000ll

#endif
