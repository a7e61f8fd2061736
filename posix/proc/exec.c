/*
 * execve: the order of things. See exec.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "posix/proc/exec.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "posix/proc/caller.h"
#include "posix/proc/cred.h"
#include "posix/proc/exit.h"
#include "posix/signal/signal.h"
#include "posix/time/timers.h"

#define HEAD 4096u
#define SCRIPT_DEPTH 5
#define AGAIN_AFTER 100000		/* ns */

#define S_ISUID 04000u
#define S_ISGID 02000u
#define S_IXGRP 00010u

static void file_close(struct exec_file *f)
{
	if (f->description >= 0)
		k_handle_close(f->description);
	f->description = -1;
}

void exec_drop(struct thread *t)
{
	struct exec *e = t->exec;

	if (!e)
		return;
	t->exec = NULL;
	if (e->alone)
		srv_unpark(e->alone);
	srv_timer_cancel(&e->again);
	exec_strings_free(&e->args);
	exec_strings_free(&e->env);
	file_close(&e->program);
	file_close(&e->interpreter);
	if (e->space >= 0)
		k_handle_close(e->space);
	process_image_drop(&e->image);
	cred_put(e->cred);
	free(e->stack);
	free(e->name);
	free(e);
}

static void exec_fail(const struct k_message *m, struct thread *t, int r)
{
	exec_drop(t);
	caller_answer(m, r);
}

/* --- the point of no return and beyond -------------------------------------------------------- */

/* The new program's stack and zeroes, into the new space. */
static int memory_write(const struct k_message *m, struct exec *e)
{
	static const char zeroes[HEAD];
	int r = caller_write(m, e->stack_sp, e->stack, e->stack_top - e->stack_sp);

	for (unsigned i = 0; i < e->zeros && !r; i++)
		r = caller_write(m, e->zero[i].at, zeroes, e->zero[i].size);
	return r;
}

static void name_set(struct process *p, struct thread *t, const char *name)
{
	const char *slash = strrchr(name, '/');

	memset(p->comm, 0, sizeof p->comm);
	strncpy(p->comm, slash ? slash + 1 : name, sizeof p->comm - 1);
	memcpy(t->comm, p->comm, sizeof t->comm);
}

static int sighand_unshare(struct process *p)
{
	struct sighand *own;

	if (p->sighand->references == 1)
		return 0;
	own = sighand_new();
	if (!own)
		return -ENOMEM;
	memcpy(own->action, p->sighand->action, sizeof own->action);
	sighand_put(p->sighand);
	p->sighand = own;
	return 0;
}

/* What the process keeps and loses by exec. */
static void process_renew(struct exec *e)
{
	struct thread *t = e->thread;
	struct process *p = t->process;

	name_set(p, t, e->name);
	process_image_drop(&p->image);
	p->image = e->image;
	e->image.exe = NULL;
	if (e->cred) {
		thread_set_cred(t, e->cred);
		e->cred = NULL;
		p->pdeath_signal = 0;
	}
	p->keep_caps = false;
	p->did_exec = true;
	p->exit_signal = LX_SIGCHLD;
	t->robust_list = t->clear_tid = 0;
	signal_exec(t);
	timers_exec(p);
	thread_become_leader(t);
	process_publish(p);
}

/*
 * After k_task_exec. -K_REDELIVER: comes again and goes on here; any other error is the end of the
 * process.
 */
static void exec_finish(const struct k_message *m, struct thread *t)
{
	struct exec *e = t->exec;
	int r = memory_write(m, e);

	if (r == -K_REDELIVER)
		return;
	exec_drop(t);
	if (r) {
		srv_log("exec of %s failed beyond return: error %d", t->comm, r);
		process_kill(t->process, LX_SIGKILL);
		return;
	}
	vfork_release(t->process);
	srv_answer(m->call, 0);
	srv_answer_flags(K_ANSWER_REGS);
}

static void alone_cancel(struct srv_parked *parked, bool dead);
static void exec_resume(struct srv_timer *timer);

/* False: there was no memory for it, the exec has failed and t has none any more. */
static bool exec_park(const struct k_message *m, struct thread *t)
{
	struct exec *e = t->exec;

	e->alone = srv_park(m, alone_cancel);
	if (!e->alone) {
		exec_fail(m, t, -ENOMEM);
		return false;
	}
	e->alone->arg = t;
	return true;
}

static struct k_message exec_unpark(struct exec *e)
{
	struct k_message m = e->alone->message;

	srv_unpark(e->alone);
	e->alone = NULL;
	return m;
}

/*
 * Goes on with an exec that is parked. A timer, so that it is part of the state that this is due:
 * a server that dies before it leaves it to its successor.
 */
static void exec_resume_at(struct exec *e, int64_t at)
{
	struct k_message m;

	e->again.fn = exec_resume;
	e->again.arg = e->thread;
	if (!srv_timer_set(&e->again, at))
		return;
	m = exec_unpark(e);
	exec_fail(&m, e->thread, -ENOMEM);
}

/*
 * The other threads have died for us, but the kernel is still taking them apart: once more in a
 * moment.
 */
static void exec_again(const struct k_message *m, struct thread *t)
{
	if (exec_park(m, t))
		exec_resume_at(t->exec, srv_now() + AGAIN_AFTER);
}

static void exec_commit(const struct k_message *m, struct thread *t)
{
	struct exec *e = t->exec;
	struct k_exec k = { .call = m->call, .space = e->space };
	const char *slash = strrchr(e->name, '/');
	long r = sighand_unshare(t->process);

	k.regs.rip = e->entry;
	k.regs.rsp = e->stack_sp;
	k.regs.rflags = 0x202;
	strncpy(k.name, slash ? slash + 1 : e->name, sizeof k.name - 1);
	if (!r && !thread_last_words(m, t)) {
		exec_drop(t);		/* comes again, from the beginning */
		return;
	}
	/* written down before it is done: see exec_recover */
	e->entered = true;
	srv_flush();
	if (!r)
		r = k_task_exec(grants.endpoint, &k);
	e->entered = r >= 0;
	if (r == -EBUSY) {
		exec_again(m, t);
		return;
	}
	if (r < 0) {
		exec_fail(m, t, (int)r);
		return;
	}
	/* the point of no return */
	e->space = -1;
	e->committed = true;
	process_renew(e);
	exec_finish(m, t);
}

/* The kernel takes the handle of the new space with k_task_exec: if it is gone, that was done. */
static bool is_entered(const struct exec *e)
{
	struct k_handle_info info;

	return e->entered && !e->committed &&
	       (k_handle_info(e->space, &info) < 0 || info.type != K_OBJECT_SPACE);
}

void exec_recover_tid(const struct thread *t)
{
	if (t->exec && is_entered(t->exec))
		k_thread_set(t->handle, K_THREAD_SET_TID, t->process->pid);
}

/*
 * What this server's predecessor left of t's exec. Before the stack is laid out, an exec hangs on
 * memory that is gone, and begins anew.
 */
void exec_recover(struct thread *t)
{
	struct exec *e = t->exec;

	if (!e)
		return;
	e->args = e->env = (struct exec_strings){ 0 };
	if (!e->stack) {
		exec_drop(t);
		return;
	}
	if (is_entered(e)) {
		e->space = -1;
		e->committed = true;
		process_renew(e);
	}
	e->entered = e->committed;
}

void exec_know(const struct thread *t, void (*know)(int handle))
{
	const struct exec *e = t->exec;

	if (!e)
		return;
	know(e->program.description);
	know(e->interpreter.description);
	know(e->space);
	if (e->image.exe)
		know(e->image.exe->description);
}

/* --- alone ------------------------------------------------------------------------------------ */

static void alone_cancel(struct srv_parked *parked, bool dead)
{
	struct thread *t = parked->arg;

	if (!dead)
		return;
	t->exec->alone = NULL;
	srv_unpark(parked);
	exec_drop(t);
}

void exec_alone(struct thread *t)
{
	if (t->exec->alone)
		exec_resume_at(t->exec, srv_now());
}

static void exec_resume(struct srv_timer *timer)
{
	struct thread *t = timer->arg;
	struct exec *e = t->exec;
	struct k_message m;

	if (!e->alone)
		return;
	m = exec_unpark(e);
	exec_commit(&m, t);
}

/* Everything is ready. The other threads die first; the last one's end goes on with exec_alone. */
static void exec_go(const struct k_message *m, struct thread *t)
{
	if (t->process->thread_count == 1) {
		exec_commit(m, t);
		return;
	}
	if (exec_park(m, t))
		process_kill_threads(t->process, t);
}

/* --- credentials ------------------------------------------------------------------------------ */

static int cred_prepare(struct exec *e)
{
	struct thread *t = e->thread;
	const struct exec_file *f = &e->program;
	struct proto_cred c = *t->cred->record;
	bool setuid, setgid;

	e->image.dumpable = !(f->flags & PROTO_EXEC_NOREAD);
	if ((f->flags & PROTO_EXEC_NOSUID) || t->process->no_new_privs)
		setuid = setgid = false;
	else {
		setuid = f->mode & S_ISUID;
		setgid = (f->mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP);
	}
	if (setuid)
		c.euid = f->uid;
	if (setgid)
		c.egid = f->gid;
	e->secure = c.euid != c.ruid || c.egid != c.rgid;
	if (c.euid != t->cred->record->euid || c.egid != t->cred->record->egid)
		e->image.dumpable = false;
	c.suid = c.fsuid = c.euid;
	c.sgid = c.fsgid = c.egid;
	if (!memcmp(&c, t->cred->record, sizeof c))
		return 0;
	e->cred = cred_new(&c);
	return e->cred ? 0 : -ENOMEM;
}

static int exe_make(struct exec *e)
{
	struct exec_file *f = &e->program;
	struct exe *x = calloc(1, sizeof *x + strlen(e->name) + 1);

	if (!x)
		return -ENOMEM;
	x->references = 1;
	x->cookie = f->cookie;
	x->device = f->device;
	x->inode = f->inode;
	strcpy(x->path, e->name);
	x->description = f->description;
	f->description = -1;
	e->image.exe = x;
	return 0;
}

/* --- files ------------------------------------------------------------------------------------ */

int exec_script_parse(const char *head, size_t n, struct exec_script *s)
{
	const char *at = head + 2, *end, *stop;
	size_t length;

	if (n < 2 || head[0] != '#' || head[1] != '!')
		return -ENOEXEC;
	if (n > 256)
		n = 256;
	end = memchr(head, '\n', n);
	if (!end) {
		/* a line that is cut off must at least have its interpreter complete */
		end = head + n;
		for (stop = at; stop < end && (*stop == ' ' || *stop == '\t'); stop++)
			;
		while (stop < end && *stop != ' ' && *stop != '\t' && *stop)
			stop++;
		if (stop == end && n == 256)
			return -ENOEXEC;
	}
	while (end > at && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	while (at < end && (*at == ' ' || *at == '\t'))
		at++;
	for (stop = at; stop < end && *stop != ' ' && *stop != '\t' && *stop; stop++)
		;
	length = (size_t)(stop - at);
	if (!length)
		return -ENOEXEC;
	memcpy(s->interpreter, at, length);
	s->interpreter[length] = 0;
	for (at = stop; at < end && (*at == ' ' || *at == '\t'); at++)
		;
	stop = memchr(at, 0, (size_t)(end - at));
	length = (size_t)((stop ? stop : end) - at);
	memcpy(s->argument, at, length);
	s->argument[length] = 0;
	s->has_argument = length != 0;
	return 0;
}

/* The caller goes to the VFS, which finds `path` and sends him back. */
static void ask_for(const struct k_message *m, struct thread *t, const char *path, uint32_t kind)
{
	static struct proto_exec wire;
	struct srv_forward f = { .endpoint = grants.vfs,
				 .number = PROTO_VFS_EXEC_OPEN,
				 .scratch = &wire,
				 .handle = { -1, -1 } };
	size_t n = strlen(path) + 1;

	memset(&wire, 0, offsetof(struct proto_exec, path));
	wire.kind = kind;
	wire.path_size = (uint32_t)n;
	memcpy(wire.path, path, n);
	memcpy(f.arg, m->arg, sizeof f.arg);
	f.scratch_size = (uint32_t)(offsetof(struct proto_exec, path) + n);
	if (srv_forward(m->call, &f) < 0)
		exec_drop(t);
}

static int file_read(int description, uint64_t offset, void *to, size_t n)
{
	long r = k_mobject_read(description, offset, to, n);

	return r == -EAGAIN ? -EIO : (int)r;
}

/* Everything that is to be mapped must be in the file. */
static int extent_check(const struct exec_file *f)
{
	const struct elf_image *i = &f->elf;

	for (uint32_t n = 0; n < i->segments; n++) {
		if (i->segment[n].offset > f->size ||
		    i->segment[n].file_size > f->size - i->segment[n].offset)
			return -ENOEXEC;
	}
	return 0;
}

/* The ELF headers from the file's first n bytes; the program headers need not lie among them. */
static int image_read(struct exec_file *f, const char *head, size_t n)
{
	static char headers[65536];
	struct elf_image *i = &f->elf;
	int r = elf_image_header(i, head, n);

	if (r)
		return r;
	if (i->headers_at <= n && i->headers_size <= n - i->headers_at) {
		r = elf_image_segments(i, head + i->headers_at);
	} else {
		if (i->headers_size > sizeof headers)
			return -ENOEXEC;
		r = file_read(f->description, i->headers_at, headers, i->headers_size);
		if (r >= 0)
			r = (uint32_t)r < i->headers_size ? -ENOEXEC :
							    elf_image_segments(i, headers);
	}
	return r ? r : extent_check(f);
}

static void script_start(const struct k_message *m, struct thread *t, const char *head, size_t n)
{
	struct exec *e = t->exec;
	static struct exec_script s;
	int r = exec_script_parse(head, n, &s);

	if (!r && (e->program.flags & PROTO_EXEC_FD_CLOEXEC))
		r = -ENOENT;
	if (!r && ++e->depth > SCRIPT_DEPTH)
		r = -ELOOP;
	if (!r)
		r = exec_args_script(e, s.interpreter, s.has_argument ? s.argument : NULL,
			e->depth == 1 ? e->name : e->args.data);
	if (r) {
		exec_fail(m, t, r);
		return;
	}
	file_close(&e->program);
	e->have_program = false;
	ask_for(m, t, s.interpreter, PROTO_EXEC_SCRIPT);
}

/* Program and interpreter are known: builds the rest. */
static void exec_build(const struct k_message *m, struct thread *t)
{
	struct exec *e = t->exec;
	int r = cred_prepare(e);

	if (!r)
		r = exec_space_make(e);
	if (!r)
		r = exe_make(e);
	if (r)
		exec_fail(m, t, r);
	else
		exec_go(m, t);
}

static int interpreter_name(const struct exec_file *f, char *name)
{
	int r = file_read(f->description, f->elf.interpreter_at, name, f->elf.interpreter_size);

	if (r < 0)
		return r;
	return (uint64_t)r != f->elf.interpreter_size ? -ENOEXEC :
							elf_image_interpreter(&f->elf, name);
}

static void program_found(const struct k_message *m, struct thread *t)
{
	struct exec *e = t->exec;
	static char head[HEAD], name[HEAD];
	int n = file_read(e->program.description, 0, head, sizeof head), r;

	if (n >= 2 && head[0] == '#' && head[1] == '!') {
		script_start(m, t, head, (size_t)n);
		return;
	}
	r = n < 0 ? n : image_read(&e->program, head, (size_t)n);
	if (!r && e->program.elf.interpreter_size)
		r = interpreter_name(&e->program, name);
	if (r) {
		exec_fail(m, t, r);
		return;
	}
	e->have_program = true;
	if (e->program.elf.interpreter_size)
		ask_for(m, t, name, PROTO_EXEC_ELF);
	else
		exec_build(m, t);
}

static void interpreter_found(const struct k_message *m, struct thread *t)
{
	struct exec *e = t->exec;
	static char head[HEAD];
	int n = file_read(e->interpreter.description, 0, head, sizeof head), r;

	r = n < 0 ? n : image_read(&e->interpreter, head, (size_t)n);
	if (r == -ENOEXEC)
		r = -ELIBBAD;
	if (r)
		exec_fail(m, t, r);
	else
		exec_build(m, t);
}

/* --- PROTO_PS_EXEC ---------------------------------------------------------------------------- */

static int exec_begin(const struct k_message *m, struct thread *t, const struct proto_exec *wire)
{
	struct exec *e;

	exec_drop(t);
	e = t->exec = calloc(1, sizeof *e);
	if (!e)
		return -ENOMEM;
	e->thread = t;
	e->space = e->program.description = e->interpreter.description = -1;
	e->argv = m->arg[0];
	e->envp = m->arg[1];
	e->name = strdup(wire->path);
	return e->name ? exec_args_read(m, e) : -ENOMEM;
}

static int file_take(const struct k_message *m, struct exec_file *f, const struct proto_exec *wire)
{
	struct k_mobject_info info;

	file_close(f);
	f->description = srv_attached(m);
	f->mode = wire->mode;
	f->uid = wire->uid;
	f->gid = wire->gid;
	f->flags = wire->flags;
	f->cookie = wire->cookie;
	f->device = wire->device;
	f->inode = wire->inode;
	if (f->description < 0)
		return f->description;
	/* the size belongs to the memory object; what the VFS said may be older */
	f->size = k_mobject_info(f->description, &info) < 0 ? wire->size : info.size;
	return 0;
}

void ps_exec(const struct k_message *m)
{
	static struct proto_exec wire;
	struct thread *t = thread_of(m);
	int r;

	if (t->exec && t->exec->committed) {
		exec_finish(m, t);
		return;
	}
	/* all was ready when this server was restarted */
	if (t->exec && t->exec->stack && (m->flags & K_MSGF_REDELIVERED)) {
		exec_go(m, t);
		return;
	}
	memset(&wire, 0, offsetof(struct proto_exec, path));
	r = (int)k_caller_scratch(grants.endpoint, m->call, &wire, sizeof wire);
	wire.path[sizeof wire.path - 1] = 0;
	if (r >= 0 && wire.kind == PROTO_EXEC_FIRST)
		r = exec_begin(m, t, &wire);
	/* this server was restarted meanwhile: the call begins anew, from the program */
	if (r >= 0 && !t->exec)
		r = -K_RESTART_ALWAYS;
	if (r >= 0)
		r = file_take(m,
			      wire.kind == PROTO_EXEC_ELF ? &t->exec->interpreter :
							    &t->exec->program,
			      &wire);
	if (r < 0) {
		exec_fail(m, t, r);
		return;
	}
	if (wire.kind == PROTO_EXEC_ELF)
		interpreter_found(m, t);
	else
		program_found(m, t);
}
