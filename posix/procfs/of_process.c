/*
 * /proc/PID: files of processes and threads, in Linux's formats.
 *
 * SPDX-License-Identifier: MIT
 */
#include "posix/procfs/procfs.h"

#include <errno.h>
#include <string.h>

#include "posix/misc/memory.h"
#include "posix/misc/system.h"
#include "posix/proc/cred.h"
#include "posix/proc/exit.h"
#include "posix/signal/signal.h"
#include "posix/syscall/routes.h"
#include "posix/tty/tty.h"
#include "posix_vfs.h"

#define PAGE 4096u
#define TICK (NS_PER_SEC / LX_CLK_TCK)

typedef unsigned long ul;

/* What is being looked at: a process, or one thread of it. */
struct subject {
	struct process *p;
	struct thread *t;		/* NULL: the whole process */
	struct k_task_info task;
	struct k_thread_info thread;	/* the thread's, or the leader's */
	bool have_thread;
};

static struct subject subject_of(struct process *p, struct thread *t)
{
	struct subject s = { .p = p, .t = t };
	struct thread *shown = t ? t : p->leader;

	if (p->task >= 0 && k_task_info(p->task, &s.task) < 0)
		memset(&s.task, 0, sizeof s.task);
	s.have_thread = shown && k_thread_info(shown->handle, &s.thread) == 0;
	return s;
}

/* --- state ------------------------------------------------------------------------------------ */

static char letter_of(const struct k_thread_info *i)
{
	if (i->state == K_THREAD_RUNNING || i->state == K_THREAD_READY)
		return 'R';
	return i->state == K_THREAD_BLOCKED && i->wait == K_WAIT_PAGE ? 'D' : 'S';
}

char thread_state_letter(struct thread *t)
{
	struct k_thread_info i;

	if (t->stopped)
		return 'T';
	if (k_thread_info(t->handle, &i) < 0)
		return 'X';
	/* Whoever reads this is in a call, but runs; others may be parked by any server. */
	return t == procfs_reader ? 'R' : letter_of(&i);
}

static char state_letter(struct subject *s)
{
	struct thread *shown;

	if (s->p->state == PROCESS_ZOMBIE)
		return 'Z';
	if (s->t)
		return thread_state_letter(s->t);
	if (s->p->stop_complete)
		return 'T';
	/* /proc/TID of another thread shows that thread's state */
	shown = thread_find(procfs_asked);
	if (!shown || shown->process != s->p)
		shown = s->p->leader;
	return shown ? thread_state_letter(shown) : 'S';
}

static const char *state_name(char letter)
{
	switch (letter) {
	case 'R': return "R (running)";
	case 'D': return "D (disk sleep)";
	case 'T': return "T (stopped)";
	case 'Z': return "Z (zombie)";
	default: return "S (sleeping)";
	}
}

static ul ticks_of(const struct lx_timeval *t)
{
	return (ul)(t->sec * LX_CLK_TCK + t->usec / (1000000 / LX_CLK_TCK));
}

struct handled {
	uint64_t ignored, caught;
};

static struct handled handled_of(const struct process *p)
{
	struct handled h = { 0, 0 };

	for (int sig = 1; p->sighand && sig <= LX_NSIG; sig++) {
		uint64_t handler = p->sighand->action[sig - 1].handler;

		if (handler == LX_SIG_IGN)
			h.ignored |= LX_SIGBIT(sig);
		else if (handler != LX_SIG_DFL)
			h.caught |= LX_SIGBIT(sig);
	}
	return h;
}

static const struct thread *shown_thread(const struct subject *s)
{
	return s->t ? s->t : s->p->leader;
}

/* --- stat, statm ------------------------------------------------------------------------------ */

static int tty_number(const struct process *p)
{
	struct tty *tty = process_tty(p);

	return tty ? (int)tty->device : 0;
}

static void stat_text(struct text *x, struct subject *s)
{
	struct process *p = s->p;
	const struct thread *t = shown_thread(s);
	struct handled h = handled_of(p);
	struct tty *tty = process_tty(p);
	struct lx_rusage u;
	ul utime, stime, wait = s->have_thread && s->thread.state == K_THREAD_BLOCKED;

	process_usage(p, &u);
	utime = s->t ? (ul)(s->thread.user_ns / TICK) : ticks_of(&u.utime);
	stime = s->t ? (ul)(s->thread.system_ns / TICK) : ticks_of(&u.stime);
	text_format(x, "%u (%s) %c %u %u %u %d %d %u ", s->t ? s->t->tid : p->pid,
		    t ? t->comm : p->comm, state_letter(s), p->parent ? p->parent->pid : 0,
		    p->group ? p->group->pgid : 0, p->group ? p->group->session->sid : 0,
		    tty_number(p), tty ? (int)tty->pgrp : -1, p->did_exec ? 0x400000u : 0x400040u);
	text_format(x, "%lu %lu %lu %lu %lu %lu %lu %lu ", (ul)u.minflt,
		    (ul)p->children_used.minflt, (ul)u.majflt, (ul)p->children_used.majflt, utime,
		    stime, ticks_of(&p->children_used.utime), ticks_of(&p->children_used.stime));
	text_format(x, "%d %d %u 0 %lu %lu %lu %lu ", 20 + p->nice, p->nice, p->thread_count,
		    (ul)((s->t ? s->t->start : p->start) / TICK), (ul)s->task.virtual_size,
		    (ul)(s->task.resident / PAGE), (ul)p->limit[LX_RLIMIT_RSS].soft);
	text_format(x, "%lu %lu %lu 0 0 ", (ul)p->image.code_start, (ul)p->image.code_end,
		    (ul)p->image.stack_start);
	text_format(x, "%lu %lu %lu %lu %lu 0 0 %u %u %u %u 0 0 0 ",
		    (ul)((t ? t->pending.set : 0) & 0x7fffffff),
		    (ul)((t ? t->mask : 0) & 0x7fffffff), (ul)(h.ignored & 0x7fffffff),
		    (ul)(h.caught & 0x7fffffff), wait, p->exit_signal ? p->exit_signal : LX_SIGCHLD,
		    s->have_thread ? s->thread.cpu : 0, t ? t->rt_priority : 0, t ? t->policy : 0);
	text_format(x, "%lu %lu %lu %lu %lu %lu %lu %d\n", (ul)p->image.data_start,
		    (ul)p->image.data_end, (ul)s->task.brk_start, (ul)p->image.arg_start,
		    (ul)p->image.arg_end, (ul)p->image.env_start, (ul)p->image.env_end,
		    p->state == PROCESS_ZOMBIE ? p->exit_status : 0);
}

static void statm_text(struct text *x, struct subject *s)
{
	const struct k_task_info *i = &s->task;

	text_format(x, "%lu %lu %lu %lu 0 %lu 0\n", (ul)(i->virtual_size / PAGE),
		    (ul)(i->resident / PAGE), (ul)(i->shared / PAGE), (ul)(i->text / PAGE),
		    (ul)((i->data + i->stack) / PAGE));
}

/* --- status ----------------------------------------------------------------------------------- */

static void ids_text(struct text *x, const struct process *p)
{
	const struct proto_cred *c = p->cred->record;

	text_format(x, "Uid:\t%u\t%u\t%u\t%u\n", c->ruid, c->euid, c->suid, c->fsuid);
	text_format(x, "Gid:\t%u\t%u\t%u\t%u\n", c->rgid, c->egid, c->sgid, c->fsgid);
	text_format(x, "FDSize:\t256\nGroups:\t");
	for (uint32_t i = 0; i < c->group_count; i++)
		text_format(x, "%u ", c->group[i]);
	text_format(x, "\n");
}

static void memory_text(struct text *x, const struct k_task_info *i)
{
	const struct { const char *name; uint64_t value;
	} lines[] = {
		{ "VmPeak", i->virtual_size },
		{ "VmSize", i->virtual_size },
		{ "VmLck", 0 },
		{ "VmPin", 0 },
		{ "VmHWM", i->peak_resident },
		{ "VmRSS", i->resident },
		{ "RssAnon", i->resident - (i->shared < i->resident ? i->shared : i->resident) },
		{ "RssFile", i->shared },
		{ "RssShmem", 0 },
		{ "VmData", i->data },
		{ "VmStk", i->stack },
		{ "VmExe", i->text },
		{ "VmLib", 0 },
		{ "VmPTE", 0 },
		{ "VmSwap", 0 },
	};

	for (size_t n = 0; n < sizeof lines / sizeof lines[0]; n++)
		text_format(x, "%s:\t%8lu kB\n", lines[n].name, (ul)(lines[n].value / 1024));
}

static void signals_text(struct text *x, const struct subject *s)
{
	const struct process *p = s->p;
	const struct thread *t = shown_thread(s);
	struct handled h = handled_of(p);
	uint64_t caps = p->cred->record->euid == 0 ? PROTO_CAP_ALL : 0;

	text_format(x, "SigQ:\t%u/%lu\n", p->cred->user->signals,
		    (ul)p->limit[LX_RLIMIT_SIGPENDING].soft);
	text_format(x, "SigPnd:\t%016lx\nShdPnd:\t%016lx\nSigBlk:\t%016lx\n",
		    (ul)(t ? t->pending.set : 0), (ul)p->pending.set, (ul)(t ? t->mask : 0));
	text_format(x, "SigIgn:\t%016lx\nSigCgt:\t%016lx\n", (ul)h.ignored, (ul)h.caught);
	text_format(
		x,
		"CapInh:\t%016lx\nCapPrm:\t%016lx\nCapEff:\t%016lx\nCapBnd:\t%016lx\nCapAmb:\t%016lx\n",
		0ul, (ul)caps, (ul)caps, (ul)PROTO_CAP_ALL, 0ul);
}

static void status_text(struct text *x, struct subject *s)
{
	struct process *p = s->p;
	const struct thread *t = shown_thread(s);

	text_format(x, "Name:\t%s\n", t ? t->comm : p->comm);
	text_format(x, "State:\t%s\nTgid:\t%u\nNgid:\t0\nPid:\t%u\nPPid:\t%u\nTracerPid:\t0\n",
		    state_name(state_letter(s)), p->pid, s->t ? s->t->tid : p->pid,
		    p->parent ? p->parent->pid : 0);
	ids_text(x, p);
	if (p->state != PROCESS_ZOMBIE)
		memory_text(x, &s->task);
	text_format(x, "Threads:\t%u\n", p->thread_count);
	signals_text(x, s);
	text_format(x, "NoNewPrivs:\t%d\nSeccomp:\t0\n", p->no_new_privs);
	text_format(x, "Cpus_allowed:\t%lx\n", (ul)((t ? t->affinity : ~0ull) & 0xff));
	text_format(x, "voluntary_ctxt_switches:\t%lu\nnonvoluntary_ctxt_switches:\t%lu\n",
		    (ul)(s->have_thread ? s->thread.voluntary : 0),
		    (ul)(s->have_thread ? s->thread.involuntary : 0));
}

/* --- memory of the process -------------------------------------------------------------------- */

#define STRINGS_MAX (2u << 20)

static void memory_range(struct text *x, const struct process *p, uint64_t from, uint64_t to)
{
	char piece[1024];

	if (p->task < 0)
		return;
	if (to - from > STRINGS_MAX)
		to = from + STRINGS_MAX;
	while (from < to) {
		size_t n = to - from < sizeof piece ? (size_t)(to - from) : sizeof piece;
		long r = k_task_memory_read(p->task, from, piece, n);

		if (r <= 0)
			return;
		text_append(x, piece, (size_t)r);
		from += (uint64_t)r;
	}
}

/*
 * A program may overwrite its arguments to change its title; if it wrote over their end, the title
 * goes on until a NUL.
 */
static void cmdline_text(struct text *x, const struct process *p)
{
	const struct process_image *i = &p->image;
	const char *end;

	if (p->state == PROCESS_ZOMBIE || !i->arg_end)
		return;
	memory_range(x, p, i->arg_start, i->arg_end);
	if (!x->size || !x->data[x->size - 1])
		return;
	memory_range(x, p, i->arg_end, i->env_end);
	end = memchr(x->data, 0, x->size);
	if (end)
		x->size = (size_t)(end - x->data);
}

/* --- maps ------------------------------------------------------------------------------------- */

static const char *region_name(const struct process *p, const struct k_task_info *i,
			       const struct k_region *r)
{
	const struct process_image *m = &p->image;

	for (uint32_t n = 0; r->cookie && n < procfs_names.count; n++) {
		if (procfs_names.cookie[n] == r->cookie)
			return procfs_names.path[n];
	}
	if (m->exe && r->cookie && r->cookie == m->exe->cookie)
		return m->exe->path;
	if (r->start == m->vdso)
		return "[vdso]";
	if (r->end == m->vdso)
		return "[vvar]";
	if (r->start <= m->stack_start && m->stack_start < r->end)
		return "[stack]";
	if (i->brk > i->brk_start && r->start <= i->brk_start && i->brk_start < r->end)
		return "[heap]";
	return "";
}

static void region_line(struct text *x, const struct process *p, const struct k_task_info *i,
			const struct k_region *r)
{
	size_t before = x->size;
	const char *name = region_name(p, i, r);
	bool file = r->cookie && p->image.exe && r->cookie == p->image.exe->cookie;

	text_format(x, "%08lx-%08lx %c%c%c%c %08lx %02x:%02x %lu ", (ul)r->start, (ul)r->end,
		    r->flags & K_MAP_READ ? 'r' : '-', r->flags & K_MAP_WRITE ? 'w' : '-',
		    r->flags & K_MAP_EXECUTE ? 'x' : '-',
		    r->flags & K_MAP_PRIVATE || !r->cookie ? 'p' : 's', (ul)r->offset,
		    file ? (unsigned)(p->image.exe->device >> 8 & 0xfff) : 0,
		    file ? (unsigned)(p->image.exe->device & 0xff) : 0,
		    file ? (ul)p->image.exe->inode : (ul)(r->cookie & 0xffffffff));
	while (*name && x->size - before < 73)
		text_append(x, " ", 1);
	text_format(x, "%s\n", name);
}

static void region_details(struct text *x, const struct k_region *r)
{
	ul resident = (ul)r->resident * 4, dirty = (ul)r->dirty * 4;

	text_format(
		x,
		"Size:           %8lu kB\nKernelPageSize:        4 kB\nMMUPageSize:           4 kB\n",
		(ul)(r->end - r->start) / 1024);
	text_format(
		x,
		"Rss:            %8lu kB\nPss:            %8lu kB\nShared_Clean:          0 kB\nShared_Dirty:          0 kB\n",
		resident, resident);
	text_format(
		x,
		"Private_Clean:  %8lu kB\nPrivate_Dirty:  %8lu kB\nReferenced:     %8lu kB\nAnonymous:      %8lu kB\n",
		resident - (dirty < resident ? dirty : resident), dirty, resident,
		r->cookie ? dirty : resident);
	text_format(
		x,
		"Swap:                  0 kB\nSwapPss:               0 kB\nLocked:                0 kB\nVmFlags: %s%s%s\n",
		r->flags & K_MAP_READ ? "rd " : "", r->flags & K_MAP_WRITE ? "wr " : "",
		r->flags & K_MAP_EXECUTE ? "ex " : "");
}

static void maps_text(struct text *x, struct subject *s, bool details)
{
	static struct k_region r[32];
	uint64_t from = 0;
	long n;

	while (s->p->task >= 0 &&
	       (n = k_task_regions(s->p->task, from, r, sizeof r / sizeof r[0])) > 0) {
		for (long i = 0; i < n; i++) {
			region_line(x, s->p, &s->task, &r[i]);
			if (details)
				region_details(x, &r[i]);
		}
		from = r[n - 1].end;
	}
}

static void rollup_text(struct text *x, struct subject *s)
{
	text_format(x,
		    "%08lx-%08lx ---p 00000000 00:00 0                                  [rollup]\n",
		    0x1000ul, 0x7ffffffff000ul);
	text_format(x, "Rss:            %8lu kB\nPss:            %8lu kB\n",
		    (ul)(s->task.resident / 1024), (ul)(s->task.resident / 1024));
}

/* --- the rest --------------------------------------------------------------------------------- */

static void limits_text(struct text *x, const struct process *p)
{
	static const struct { const char *name, *unit;
	} lines[LX_RLIMITS] = {
		{ "Max cpu time", "seconds" },     { "Max file size", "bytes" },
		{ "Max data size", "bytes" },      { "Max stack size", "bytes" },
		{ "Max core file size", "bytes" }, { "Max resident set", "bytes" },
		{ "Max processes", "processes" },  { "Max open files", "files" },
		{ "Max locked memory", "bytes" },  { "Max address space", "bytes" },
		{ "Max file locks", "locks" },     { "Max pending signals", "signals" },
		{ "Max msgqueue size", "bytes" },  { "Max nice priority", "" },
		{ "Max realtime priority", "" },   { "Max realtime timeout", "us" },
	};

	text_format(x, "%-25s %-20s %-20s %-10s\n", "Limit", "Soft Limit", "Hard Limit", "Units");
	for (int i = 0; i < LX_RLIMITS; i++) {
		const uint64_t both[2] = { p->limit[i].soft, p->limit[i].hard };

		text_format(x, "%-25s ", lines[i].name);
		for (int n = 0; n < 2; n++) {
			if (both[n] == LX_RLIM_INFINITY)
				text_format(x, "%-20s ", "unlimited");
			else
				text_format(x, "%-20lu ", (ul)both[n]);
		}
		text_format(x, "%-10s\n", lines[i].unit);
	}
}

static const char *wait_name(const struct subject *s)
{
	static const char *const names[] = { "0",
					     "pipe_read",
					     "futex_wait_queue",
					     "do_poll",
					     "hrtimer_nanosleep",
					     "folio_wait_bit",
					     "receive",
					     "append" };

	if (!s->have_thread)
		return "0";
	if (s->thread.state == K_THREAD_CALL)
		return s->p->stop_complete                               ? "do_signal_stop" :
		       s->thread.number == 61 || s->thread.number == 247 ? "do_wait" :
									   "call";
	return s->thread.state == K_THREAD_BLOCKED &&
			       s->thread.wait < sizeof names / sizeof names[0] ?
		       names[s->thread.wait] :
		       "0";
}

static void syscall_text(struct text *x, const struct subject *s)
{
	const struct k_regs *r = &s->thread.regs;

	if (!s->have_thread || s->thread.state == K_THREAD_RUNNING ||
	    s->thread.state == K_THREAD_READY)
		text_format(x, "running\n");
	else if ((int32_t)s->thread.number < 0)
		text_format(x, "-1 0x%lx 0x%lx\n", (ul)r->rsp, (ul)r->rip);
	else
		text_format(x, "%u 0x%lx 0x%lx 0x%lx 0x%lx 0x%lx 0x%lx 0x%lx 0x%lx\n",
			    s->thread.number, (ul)r->rdi, (ul)r->rsi, (ul)r->rdx, (ul)r->r10,
			    (ul)r->r8, (ul)r->r9, (ul)r->rsp, (ul)r->rip);
}

static int fdinfo_text(struct text *x, const struct process *p, uint32_t fd)
{
	struct k_task_handle h;

	if (p->task < 0 || k_task_handles(p->task, fd, &h, 1) < 1 || h.fd != fd)
		return -ENOENT;
	text_format(x, "pos:\t%lu\nflags:\t0%o\nmnt_id:\t1\n", (ul)h.offset,
		    h.status | (h.flags & K_INSTALL_CLOEXEC ? LX_O_CLOEXEC : 0));
	return 0;
}

static void io_text(struct text *x)
{
	text_format(
		x,
		"rchar: 0\nwchar: 0\nsyscr: 0\nsyscw: 0\nread_bytes: 0\nwrite_bytes: 0\ncancelled_write_bytes: 0\n");
}

int procfs_process_text(struct text *x, int file, struct process *p, struct thread *t,
			uint32_t number)
{
	struct subject s = subject_of(p, t);

	switch (file) {
	case PROTO_PROC_STAT: stat_text(x, &s); return 0;
	case PROTO_PROC_STATUS: status_text(x, &s); return 0;
	case PROTO_PROC_STATM: statm_text(x, &s); return 0;
	case PROTO_PROC_CMDLINE: cmdline_text(x, p); return 0;
	case PROTO_PROC_ENVIRON: memory_range(x, p, p->image.env_start, p->image.env_end); return 0;
	case PROTO_PROC_AUXV: text_append(x, p->image.auxv, p->image.auxv_size); return 0;
	case PROTO_PROC_MAPS: maps_text(x, &s, false); return 0;
	case PROTO_PROC_SMAPS: maps_text(x, &s, true); return 0;
	case PROTO_PROC_SMAPS_ROLLUP: rollup_text(x, &s); return 0;
	case PROTO_PROC_COMM: text_format(x, "%s\n", t ? t->comm : p->comm); return 0;
	case PROTO_PROC_LIMITS: limits_text(x, p); return 0;
	case PROTO_PROC_IO: io_text(x); return 0;
	case PROTO_PROC_WCHAN: text_format(x, "%s", wait_name(&s)); return 0;
	case PROTO_PROC_OOM_SCORE:
		text_format(x, "%ld\n", (long)(process_badness(p) / 64));
		return 0;
	case PROTO_PROC_OOM_SCORE_ADJ: text_format(x, "%d\n", p->oom_score_adj); return 0;
	case PROTO_PROC_CGROUP: text_format(x, "0::/\n"); return 0;
	case PROTO_PROC_LOGINUID: text_format(x, "4294967295"); return 0;
	case PROTO_PROC_SESSIONID: text_format(x, "4294967295"); return 0;
	case PROTO_PROC_PERSONALITY: text_format(x, "00000000\n"); return 0;
	case PROTO_PROC_SCHEDSTAT:
		text_format(x, "%lu 0 %lu\n", (ul)(s.thread.user_ns + s.thread.system_ns),
			    (ul)(s.thread.voluntary + s.thread.involuntary));
		return 0;
	case PROTO_PROC_SYSCALL: syscall_text(x, &s); return 0;
	case PROTO_PROC_FDINFO: return fdinfo_text(x, p, number);
	}
	return -ENOENT;
}
