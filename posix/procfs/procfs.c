/*
 * /proc: messages from the VFS, permissions, links.
 *
 * SPDX-License-Identifier: MIT
 */
#include "posix/procfs/procfs.h"

#include <errno.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "posix/misc/system.h"
#include "posix/proc/caller.h"
#include "posix/proc/cred.h"
#include "posix/tty/tty.h"
#include "posix_vfs.h"
#include "proc_text.h"
#include "supervisor_wire.h"

bool procfs_may_look(const struct thread *self, const struct process *p)
{
	const struct proto_cred *mine = self->cred->record, *his;

	if (self->process == p || cred_capable(self->cred, LX_CAP_SYS_PTRACE))
		return true;
	if (!p->cred || !p->image.dumpable)
		return false;
	his = p->cred->record;
	return mine->fsuid == his->euid && mine->fsuid == his->suid && mine->fsuid == his->ruid &&
		mine->fsgid == his->egid && mine->fsgid == his->sgid && mine->fsgid == his->rgid;
}

/* Files that tell what a process has in its memory or where. */
static bool is_private(int file)
{
	switch (file) {
	case PROTO_PROC_ENVIRON:
	case PROTO_PROC_MAPS:
	case PROTO_PROC_SMAPS:
	case PROTO_PROC_SMAPS_ROLLUP:
	case PROTO_PROC_AUXV:
	case PROTO_PROC_IO:
	case PROTO_PROC_SYSCALL:
	case PROTO_PROC_PERSONALITY:
	case PROTO_PROC_FDINFO:
		return true;
	}
	return false;
}

static uint64_t endpoint_id(int handle)
{
	struct k_handle_info info;

	return k_handle_info(handle, &info) < 0 ? 0 : info.id;
}

static bool is_vfs(uint64_t endpoint)
{
	static uint64_t id;

	if (!id)
		id = endpoint_id(grants.vfs);
	return endpoint == id;
}

struct procfs_names procfs_names;
struct thread *procfs_reader;
uint32_t procfs_asked;

static int objects_make(const struct k_message *m, struct text *x)
{
	struct proto_vfs_counts vfs = { 0 };
	long n = k_caller_scratch(grants.endpoint, m->call, &vfs, sizeof vfs);

	return n < 0 ? (int)n : procfs_objects_text(x, &vfs);
}

static int text_make(const struct k_message *m, struct text *x)
{
	int file = (int)m->arg[0];
	struct process *p = process_find((uint32_t)m->arg[1]);
	struct thread *t;

	procfs_reader = thread_of(m);
	procfs_asked = (uint32_t)m->arg[1];
	if (file == PROTO_PROC_TROUPE_OBJECTS)
		return objects_make(m, x);
	if (!m->arg[1])
		return procfs_system_text(x, file);
	if (!p && thread_find((uint32_t)m->arg[1]))
		p = thread_find((uint32_t)m->arg[1])->process;
	if (!p)
		return -ESRCH;
	if (is_private(file) && !procfs_may_look(thread_of(m), p))
		return -EACCES;
	t = file != PROTO_PROC_FDINFO && m->arg[2] ? thread_find((uint32_t)m->arg[2]) : NULL;
	return procfs_process_text(x, file, p, t, (uint32_t)m->arg[2]);
}

/* The VFS's descriptions that a process maps, each once. */
static uint32_t mapped_files(const struct process *p, uint64_t *cookie, uint32_t max)
{
	static struct k_region region[32];
	uint32_t count = 0, known;
	uint64_t from = 0;
	long n;

	while (p->task >= 0 && (n = k_task_regions(p->task, from, region, 32)) > 0) {
		for (long i = 0; i < n; i++) {
			if (!region[i].cookie || !is_vfs(region[i].endpoint))
				continue;
			for (known = 0; known < count && cookie[known] != region[i].cookie; known++)
				;
			if (known == count && count < max)
				cookie[count++] = region[i].cookie;
		}
		from = region[n - 1].end;
	}
	return count;
}

static bool has_paths(int file)
{
	return file == PROTO_PROC_MAPS || file == PROTO_PROC_SMAPS;
}

/*
 * For maps, the VFS is asked for the paths of the mapped files first: the caller goes there and
 * comes back as ps_named.
 */
void ps_proc_open(const struct k_message *m)
{
	static struct proto_names names;
	struct srv_forward f = { .endpoint = grants.vfs,
				 .number = PROTO_VFS_NAMES,
				 .scratch = &names,
				 .scratch_size = sizeof names,
				 .handle = { -1, -1 } };
	struct process *p = has_paths((int)m->arg[0]) ? process_find((uint32_t)m->arg[1]) : NULL;

	procfs_names.count = 0;
	if (!p || !procfs_may_look(thread_of(m), p)) {
		proc_text_open(m, grants.vfs, text_make);
		return;
	}
	names.count = mapped_files(p, names.cookie, PROTO_NAMES);
	memcpy(f.arg, m->arg, sizeof f.arg);
	srv_forward(m->call, &f);
}

void ps_named(const struct k_message *m)
{
	static struct { struct proto_names names; char text[K_SCRATCH_MAX]; } reply;
	long n = k_caller_scratch(grants.endpoint, m->call, &reply, K_SCRATCH_MAX);
	const char *at = reply.text, *end = (const char *)&reply + n;

	procfs_names.count = 0;
	for (uint32_t i = 0; n > 0 && i < reply.names.count && i < PROTO_NAMES; i++) {
		const char *stop = at < end ? memchr(at, 0, (size_t)(end - at)) : NULL;

		if (!stop)
			break;
		procfs_names.cookie[i] = reply.names.cookie[i];
		procfs_names.path[i] = at;
		procfs_names.count = i + 1;
		at = stop + 1;
	}
	proc_text_open(m, grants.vfs, text_make);
	procfs_names.count = 0;
}

void ps_proc_refresh(const struct k_message *m)
{
	proc_text_refresh(m, text_make);
}

/* --- writing ---------------------------------------------------------------------------------- */

static int64_t comm_write(const struct k_message *m, struct process *p, const char *in, size_t n)
{
	struct thread *t = m->arg[2] ? thread_find((uint32_t)m->arg[2]) : p->leader;

	if (thread_of(m)->process != p || !t)
		return -EINVAL;
	if (n && in[n - 1] == '\n')
		n--;
	if (n > COMM_SIZE - 1)
		n = COMM_SIZE - 1;
	memset(t->comm, 0, sizeof t->comm);
	memcpy(t->comm, in, n);
	if (t == p->leader)
		memcpy(p->comm, t->comm, sizeof p->comm);
	k_thread_set(t->handle, K_THREAD_SET_NAME, (uintptr_t)t->comm);
	process_publish(p);
	thread_publish(t);
	return 0;
}

static int64_t oom_write(struct thread *self, struct process *p, const char *in)
{
	char *end;
	long v = strtol(in, &end, 10);

	if (end == in || v < -1000 || v > 1000)
		return -EINVAL;
	if (v < p->oom_score_adj && !cred_capable(self->cred, LX_CAP_SYS_RESOURCE))
		return -EACCES;
	p->oom_score_adj = (int)v;
	return 0;
}

static int64_t name_write(struct thread *self, char *name, const char *in)
{
	size_t n = strcspn(in, "\n");

	if (!cred_capable(self->cred, LX_CAP_SYS_ADMIN))
		return -EPERM;
	if (n > NAME_SIZE - 1)
		n = NAME_SIZE - 1;
	memset(name, 0, NAME_SIZE);
	memcpy(name, in, n);
	return 0;
}

/*
 * The supervisor ends a server and starts it again, and answers the writer. True: he has been sent
 * there.
 */
static bool restart_write(const struct k_message *m, const struct thread *self, char *name)
{
	struct srv_forward f = { .endpoint = srv_handle("supervisor"),
				 .number = PROTO_SUPERVISOR_RESTART,
				 .arg = { m->arg[4] },
				 .handle = { -1, -1 } };

	if (f.endpoint < 0 || !cred_capable(self->cred, LX_CAP_SYS_ADMIN))
		return false;
	name[strcspn(name, "\n")] = '\0';
	f.scratch = name;
	f.scratch_size = (uint32_t)strlen(name) + 1;
	srv_forward(m->call, &f);
	return true;
}

void ps_proc_write(const struct k_message *m)
{
	struct thread *self = thread_of(m);
	struct process *p = process_find((uint32_t)m->arg[1]);
	size_t n = m->arg[4] < 127 ? (size_t)m->arg[4] : 127;
	char in[128] = "";
	int64_t r = caller_read(m, in, m->arg[3], n);

	if (!r && m->arg[1] && !p)
		r = -ESRCH;
	if (r) {
		caller_answer(m, r);
		return;
	}
	switch ((int)m->arg[0]) {
	case PROTO_PROC_COMM:
		r = comm_write(m, p, in, n);
		break;
	case PROTO_PROC_OOM_SCORE_ADJ:
		r = oom_write(self, p, in);
		break;
	case PROTO_PROC_HOSTNAME:
		r = name_write(self, system_hostname, in);
		break;
	case PROTO_PROC_DOMAINNAME:
		r = name_write(self, system_domainname, in);
		break;
	case PROTO_PROC_TROUPE_RESTART:
		if (!in[strspn(in, "\n")])
			break;		/* a shell may write the end of the line by itself */
		if (restart_write(m, self, in))
			return;
		r = -EPERM;
		break;
	default:
		r = -EINVAL;
	}
	srv_answer(m->call, r ? r : (int64_t)m->arg[4]);
}

/* --- links and descriptors -------------------------------------------------------------------- */

/*
 * A descriptor of another server: ours have a node of the VFS behind them, the others only a name.
 */
static void link_foreign(struct proto_link *l, const struct k_task_handle *h)
{
	struct file *f = h->endpoint == endpoint_id(grants.endpoint) ? file_find(h->cookie) : NULL;
	struct k_caller_cookie pin;

	if (f && f->pin >= 0 && k_description_info(f->pin, &pin) == 0)
		l->cookie = pin.cookie;
	else if (f && f->kind == FILE_TTY)
		strcpy(l->text, "/dev/console");
	else
		snprintf(l->text, sizeof l->text, "socket:[%u]",
			 (unsigned)
				 h->cookie); /* the network server's: cookies end with the inode */
}

static void link_handle(struct proto_link *l, struct process *p, uint32_t fd)
{
	struct k_task_handle h;
	long n = p->task < 0 ? 0 : k_task_handles(p->task, fd, &h, 1);

	if (n < 1 || h.fd != fd)
		l->error = -ENOENT;
	else if (is_vfs(h.endpoint))
		l->cookie = h.cookie;
	else
		link_foreign(l, &h);
}

static void link_find(const struct thread *self, struct proto_link *l)
{
	struct process *p = process_find(l->pid);

	if (!p && thread_find(l->pid))
		p = thread_find(l->pid)->process;
	if (!p || p->state == PROCESS_ZOMBIE || !p->task) {
		l->error = p ? -ENOENT : -ESRCH;
		return;
	}
	if (!procfs_may_look(self, p)) {
		l->error = -EACCES;
		return;
	}
	switch (l->kind) {
	case PROTO_LINK_EXE:
		if (p->image.exe)
			l->cookie = p->image.exe->cookie;
		else
			l->error = -ENOENT;
		return;
	case PROTO_LINK_CWD:
		link_handle(l, p, K_TASK_HANDLE_CWD);
		return;
	case PROTO_LINK_ROOT:
		link_handle(l, p, K_TASK_HANDLE_ROOT);
		return;
	default:
		link_handle(l, p, l->fd);
	}
}

void ps_proc_link(const struct k_message *m)
{
	static struct proto_link l;
	struct srv_forward f = { .endpoint = grants.vfs,
				 .number = PROTO_VFS_PROC_LINKED,
				 .scratch = &l,
				 .scratch_size = sizeof l,
				 .handle = { -1, -1 } };
	long r = k_caller_scratch(grants.endpoint, m->call, &l, sizeof l);

	if (r < 0) {
		srv_answer(m->call, r);
		return;
	}
	l.error = 0;
	l.cookie = 0;
	memset(l.text, 0, sizeof l.text);
	link_find(thread_of(m), &l);
	memcpy(f.arg, m->arg, sizeof f.arg);
	srv_forward(m->call, &f);
}

static int fds_list(const struct k_message *m, struct proto_fds *s)
{
	struct process *p = process_find((uint32_t)m->arg[0]);
	static struct k_task_handle h[64];
	uint32_t from = (uint32_t)m->arg[1];
	long n;

	s->count = 0;
	if (!p || p->task < 0)
		return -ENOENT;
	if (!procfs_may_look(thread_of(m), p))
		return -EACCES;
	while (s->count < PROTO_FDS && (n = k_task_handles(p->task, from, h, 64)) > 0) {
		for (long i = 0; i < n && s->count < PROTO_FDS; i++)
			s->fd[s->count++] = h[i].fd;
		from = h[n - 1].fd + 1;
	}
	return 0;
}

void ps_proc_fds(const struct k_message *m)
{
	static struct proto_fds s;
	struct srv_forward f = { .endpoint = grants.vfs,
				 .number = PROTO_VFS_PROC_FDS,
				 .scratch = &s,
				 .handle = { -1, -1 } };
	long r = k_caller_scratch(grants.endpoint, m->call, &s, sizeof s);

	if (r < 0) {
		srv_answer(m->call, r);
		return;
	}
	s.error = fds_list(m, &s);
	memcpy(f.arg, m->arg, sizeof f.arg);
	f.scratch_size = (uint32_t)(offsetof(struct proto_fds, fd) + s.count * sizeof s.fd[0]);
	srv_forward(m->call, &f);
}
