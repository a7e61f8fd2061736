/*
 * The first process.
 *
 * Its thread starts in the vDSO, at an instruction that makes one system call with the registers it
 * is given: execve. When the call fails, the instruction behind it faults, and the next candidate
 * is tried.
 *
 * SPDX-License-Identifier: MIT
 */
#include "posix/proc/init.h"

#include <errno.h>
#include <string.h>

#include "posix/proc/cred.h"
#include "posix/proc/exec.h"
#include "posix/proc/limit.h"
#include "posix/proc/session.h"
#include "posix/syscall/routes.h"
#include "posix/tty/tty.h"

#define PAGE 4096ull
#define STACK_AT 0x7fffffffe000ull
#define VDSO_AT 0x7fffe0000000ull
#define NR_EXECVE 59
#define PATH_AT 0x800u		/* on the page: vectors at 0, strings from here */

static const char *const candidates[] = { "/sbin/init", "/etc/init", "/bin/init", "/bin/sh" };
static STATE struct {
	char chosen[256];	/* init= */
	unsigned next;
} tried;
#define S STATE_OF(tried)

/* The word behind `name` on the command line, copied; false: there is none. */
static bool option(const char *line, const char *name, char *to, size_t size)
{
	size_t n = strlen(name), length;

	for (; *line; line += strcspn(line, " ")) {
		line += strspn(line, " ");
		if (strncmp(line, name, n))
			continue;
		length = strcspn(line + n, " ");
		if (!length || length >= size)
			return false;
		memcpy(to, line + n, length);
		to[length] = 0;
		return true;
	}
	return false;
}

static const char *candidate(void)
{
	if (S.chosen[0])
		return S.next++ ? NULL : S.chosen;
	return S.next < sizeof candidates / sizeof candidates[0] ? candidates[S.next++] : NULL;
}

/* argv, envp and their strings as they lie on the stack page. */
static void page_make(char *page, const char *path)
{
	static const char *const environment[] = { "HOME=/", "TERM=linux" };
	uint64_t *word = (uint64_t *)(void *)page;
	size_t at = PATH_AT;

	memset(page, 0, PAGE);
	*word++ = STACK_AT + at;
	at += (size_t)(stpcpy(page + at, path) - (page + at)) + 1;
	*word++ = 0;
	for (unsigned i = 0; i < 2; i++) {
		*word++ = STACK_AT + at;
		at += (size_t)(stpcpy(page + at, environment[i]) - (page + at)) + 1;
	}
	*word = 0;
}

static struct k_regs regs_make(void)
{
	return (struct k_regs){ .rax = NR_EXECVE,
				.rdi = STACK_AT + PATH_AT,
				.rsi = STACK_AT,
				.rdx = STACK_AT + 16,
				.rsp = STACK_AT + PAGE,
				.rip = VDSO_AT + PAGE + exec_vdso_start_offset(),
				.rflags = 0x202 };
}

static int space_make(const char *path)
{
	static char page[PAGE];
	struct k_map map = { .address = STACK_AT,
			     .size = PAGE,
			     .flags = K_MAP_READ | K_MAP_WRITE | K_MAP_FIXED };
	int space = (int)k_space_create(), object = (int)k_mobject_create(PAGE, 0);
	long r;

	if (space < 0 || object < 0)
		return -ENOMEM;
	page_make(page, path);
	r = k_mobject_write(object, 0, page, sizeof page);
	map.space = space;
	map.object = object;
	if (r >= 0)
		r = k_space_map(&map);
	k_handle_close(object);
	if (r >= 0)
		r = exec_map_vdso(space, VDSO_AT);
	return r < 0 ? (int)r : space;
}

static int task_make(struct process *p, const char *path)
{
	struct k_account_limits limits = { 0 };
	struct k_task_create k = {
		.notify = grants.endpoint, .cookie = p->pid, .table = -1, .name = "init"
	};

	k.account = (int)k_account_create(&limits);
	k.space = space_make(path);
	if (k.account < 0 || k.space < 0)
		return -ENOMEM;
	p->task = (int)k_task_create(&k);
	k_handle_close(k.space);
	k_handle_close(k.account);
	return p->task < 0 ? p->task : 0;
}

static int thread_make(struct thread *t)
{
	struct k_thread_create k = { .task = t->process->task,
				     .routes = routes_handle(),
				     .tid = t->tid,
				     .priority = K_PRIORITY_USER,
				     .cred = t->cred->record->id,
				     .regs = regs_make() };

	t->handle = (int)k_thread_create(&k);
	return t->handle < 0 ? t->handle : 0;
}

/* Descriptors 0, 1 and 2 are the console, as Linux gives them to the first process. */
static int console_make(struct process *p)
{
	int h = file_open(FILE_TTY, &console_tty, TTY_CONSOLE_DEVICE, LX_O_RDWR, 0, -1);
	long r = h;

	for (int fd = 0; fd < 3 && r >= 0; fd++)
		r = k_task_install(p->task, h, fd, 0);
	if (h >= 0)
		k_handle_close(h);
	return r < 0 ? (int)r : 0;
}

void init_start(const char *command_line, unsigned max_threads)
{
	struct process *p = process_new();
	struct thread *t = p ? thread_new(p, p->pid) : NULL;
	int r;

	if (!t || !(p->sighand = sighand_new()))
		srv_panic("no memory for the first process");
	option(command_line, "init=", S.chosen, sizeof S.chosen);
	process_init = p;
	strcpy(p->comm, "init");
	strcpy(t->comm, "init");
	t->cred = cred_get(cred_root());
	t->cred->user->threads++;
	p->cred = cred_get(cred_root());
	limits_default(p, max_threads);
	r = task_make(p, candidate());
	if (!r)
		r = thread_make(t);
	if (!r)
		r = console_make(p);
	if (!r)
		r = session_start(p);
	if (r)
		srv_panic("the first process cannot be made: error %d", r);
	limits_apply(p);
	thread_set_constants(t);
	process_publish(p);
	k_thread_start(t->handle);
}

bool init_try_next(const struct k_message *m)
{
	static char page[PAGE];
	struct k_regs regs = regs_make();
	const char *path = candidate();

	if (!path)
		return false;
	page_make(page, path);
	if (k_caller_write(grants.endpoint, m->call, STACK_AT, page, sizeof page) ||
	    k_caller_regs_set(grants.endpoint, m->call, &regs))
		return false;
	srv_answer(m->call, 0);
	srv_answer_flags(K_ANSWER_REGS);
	return true;
}
