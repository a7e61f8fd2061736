/* SPDX-License-Identifier: MIT */
/*
 * The text of /proc's files.
 *
 * Opening one forwards the opener to the process server (in /proc/net, the network server), which
 * makes a memory object with the text and sends him back (PROTO_VFS_PROC_OPENED); then the file is
 * an ordinary stream, read without any server. Seeking declines, so that a reader who rewinds gets
 * the text as it is then. Nothing is kept while the opener is away: what the file is, is in the
 * arguments. Mount tables and the like are made here.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "in.h"
#include "mounts.h"
#include "open.h"
#include "op.h"
#include "procfs.h"
#include "socket.h"

/* The thread or descriptor that a question to the process server is about. */
static uint32_t detail(const struct node *n)
{
	return n->kind == PROTO_PROC_FDINFO ? n->rdev : n->tid;
}

/* --- our own texts ------------------------------------------------------------------------ */

static char *state_text(size_t *size)
{
	char *text = NULL;
	FILE *f = open_memstream(&text, size);

	if (!f)
		return NULL;
	/*
	 * this very file, and the folders on the way to it, are not counted: an idle system shows
	 * the same numbers each time
	 */
	fprintf(f, "nodes %lu\nnames %lu\nlocks %lu\nfiles %u\nparked %lu\nstate_bytes %lu\n",
		(unsigned long)vfs->live_nodes, (unsigned long)vfs->live_entries,
		(unsigned long)vfs->locks.used, (unsigned)file_count(),
		(unsigned long)srv_parked_count(), (unsigned long)state_used());
	fclose(f);
	return text;
}

static char *own_text(struct request *r, uint32_t kind, size_t *size)
{
	static const char filesystems[] = "nodev\ttmpfs\nnodev\tdevtmpfs\nnodev\tproc\n";

	/* ps finds the names of terminals here */
	static const char drivers[] =
		"/dev/tty             /dev/tty        5       0 system:/dev/tty\n"
		"/dev/console         /dev/console    5       1 system:console\n"
		"/dev/ptmx            /dev/ptmx       5       2 system\n"
		"serial               /dev/ttyS       4 64-67 serial\n"
		"pty_slave            /dev/pts      136 0-1048575 pty:slave\n";

	switch (kind) {
	case PROC_MOUNTS:
		return mount_text(r, false, size);
	case PROC_MOUNTINFO:
		return mount_text(r, true, size);
	case PROC_FILESYSTEMS:
		*size = sizeof filesystems - 1;
		return strdup(filesystems);
	case PROC_TTY_DRIVERS:
		*size = sizeof drivers - 1;
		return strdup(drivers);
	case PROC_VFS_STATE:
		return state_text(size);
	case PROC_NET_UNIX:
		return socket_text(size);
	}
	*size = 0;
	return strdup("");
}

static int64_t own_write(struct request *r, uint32_t kind, int object)
{
	size_t size = 0;
	char *text = own_text(r, kind, &size);
	int64_t e;

	if (!text)
		return -ENOMEM;
	e = k_mobject_resize(object, size);
	if (e >= 0 && size)
		e = k_mobject_write(object, 0, text, size);
	free(text);
	return e < 0 ? e : 0;
}

/* --- what lives here ---------------------------------------------------------------------- */

/* Gives back the memory objects of archive files that nobody uses and nobody wrote to. */
static void drop_caches(void)
{
	for (uint32_t i = 0; i < NAMES_SEGMENTS; i++) {
		for (uint32_t j = 0; vfs->segment[i] && j < NAMES_SEGMENT; j++) {
			for (struct entry *e = vfs->segment[i][j]; e; e = e->chain) {
				struct node *n = e->node;

				if (!node_is(n, LX_S_IFREG) || n->opens || n->object < 0 ||
				    !n->file.archive || n->flags & NODE_WRITTEN)
					continue;
				op_refresh(n);
				node_drop_handle(n->object);
				state_set(n->object, -1);
				node_commit();
			}
		}
	}
}

/*
 * For whoever looks for leaks: caches are dropped first. The reader's own file is not counted yet,
 * nor are nodes that only a walk has made.
 */
static void add_counts(struct srv_forward *q)
{
	static struct proto_vfs_counts counts;

	drop_caches();
	node_sweep();
	counts = (struct proto_vfs_counts){ vfs->live_nodes, vfs->live_entries, file_count(),
					    vfs->locks.used, srv_parked_count() };
	q->scratch = &counts;
	q->scratch_size = sizeof counts;
}

/* To the server that makes the text: the process server's, or the network's. */
static int64_t to_maker(struct request *r, uint32_t kind, const struct srv_forward *q)
{
	static int network = -1;
	struct srv_forward to = *q;

	if (kind < PROTO_PROC_NET || kind >= PROTO_PROC_NET_END)
		return request_posix < 0 ? -ENOENT : request_to_posix(r, q);
	if (network < 0)
		network = srv_handle("network");
	if (network < 0)
		return -ENOENT;
	request_commit();
	to.endpoint = network;
	srv_forward(r->m->call, &to);
	return REQUEST_DONE;
}

/* --- opening ------------------------------------------------------------------------------ */

/* The text is in `object`, which now belongs to the open file. */
static int64_t open_text(struct request *r, struct pos at, uint32_t flags, int object)
{
	struct k_description d = { .plane = K_PLANE_STREAM,
				   .object = object,
				   .object2 = -1,
				   .source = -1,
				   .decline = K_DECLINE_SEEK | K_DECLINE_WRITE };
	struct file *f;
	int64_t h;

	if (at.node->pid)
		d.decline |=
			K_DECLINE_READ; /* a process that is gone has nothing to say: proc_read */
	h = open_describe(r->cred, FILE_PROC, at, flags, &d, &f);

	if (h < 0)
		return h;
	f->object = object;
	open_install(r->m->call, (int)h, flags);
	return REQUEST_DONE;
}

static int64_t open_own(struct request *r, struct pos at, uint32_t flags)
{
	int64_t h = k_mobject_create(0, 0), e;

	if (h < 0)
		return h;
	node_new_handle((int)h);
	e = own_write(r, at.node->kind, (int)h);
	return e ? e : open_text(r, at, flags, (int)h);
}

int64_t proc_open(struct request *r, struct pos at, uint32_t flags)
{
	const struct node *n = at.node;
	struct srv_forward q = { .number = PROTO_PS_PROC_OPEN, .handle = { -1, -1 },
		.arg = { n->kind, n->pid, detail(n), flags, at.mount->id } };

	if (!node_is(n, LX_S_IFREG))
		return -ENXIO;
	if (n->kind >= PROC_OWN)
		return open_own(r, at, flags);
	if (n->kind == PROTO_PROC_TROUPE_OBJECTS)
		add_counts(&q);
	return to_maker(r, n->kind, &q);
}

/* PROTO_VFS_PROC_OPENED */
int64_t in_proc_opened(struct request *r)
{
	struct srv_forward q = { .number = PROTO_PS_PROC_OPEN, .handle = { -1, -1 } };
	struct mount *m = vfs->mounts;
	struct node *n;
	int64_t h;

	if ((int64_t)request_arg(r, 5) < 0)
		return (int64_t)request_arg(r, 5);
	h = k_caller_attached(srv_endpoint(), r->m->call, 0);
	/* taken by a server that died then: ask again */
	if (h == -ENOENT && r->m->flags & K_MSGF_REDELIVERED) {
		memcpy(q.arg, r->m->arg, sizeof q.arg);
		return to_maker(r, (uint32_t)request_arg(r, 0), &q);
	}
	if (h < 0)
		return h;
	node_new_handle((int)h);
	while (m && m->id != request_arg(r, 4))
		m = m->next;
	n = m && m->fs->kind == FS_PROCFS ?
		    proc_node(m->fs, (uint32_t)request_arg(r, 0), (uint32_t)request_arg(r, 1),
			      (uint32_t)request_arg(r, 2)) :
		    NULL;
	if (!n)
		return -ENOENT;
	return open_text(r, (struct pos){ m, n }, (uint32_t)request_arg(r, 3), (int)h);
}

/* --- seeking, writing --------------------------------------------------------------------- */

int64_t proc_read(struct request *r, struct file *f)
{
	struct proto_pid p;

	return f->at.node->pid && !proc_pid_find(f->at.node->pid, &p) ? -ESRCH : request_kernel(r);
}

int64_t proc_seek(struct request *r, struct file *f)
{
	const struct node *n = f->at.node;
	struct srv_forward q = { .number = PROTO_PS_PROC_REFRESH,
				 .handle = { -1, -1 },
				 .arg = { n->kind, n->pid, detail(n), request_arg(r, 0),
					  request_arg(r, 1), request_arg(r, 2) } };
	struct proto_pid p;
	int64_t h;

	if (request_arg(r, 1) || request_arg(r, 2) != LX_SEEK_SET || !f->may_read)
		return request_kernel(r);
	if (n->kind >= PROC_OWN) {
		h = own_write(r, n->kind, f->object);
		return h ? h : request_kernel(r);
	}
	/* it is gone, and so is what there was to read */
	if (n->pid && !proc_pid_find(n->pid, &p)) {
		h = k_mobject_resize(f->object, 0);
		return h < 0 ? h : request_kernel(r);
	}
	h = k_handle_duplicate(f->object, K_RIGHT_READ | K_RIGHT_WRITE, 0);
	if (h < 0)
		return h;
	q.handle[0] = (int)h;
	if (n->kind == PROTO_PROC_TROUPE_OBJECTS)
		add_counts(&q);
	h = to_maker(r, n->kind, &q);
	if (h != REQUEST_DONE)
		k_handle_close(q.handle[0]);
	return h;
}

struct buffer {
	uint64_t base, size;
};

/*
 * What a write call wants written: for the vector forms their first piece that is not empty (a
 * short count is allowed).
 */
static int64_t buffer_of(struct request *r, struct buffer *b)
{
	uint64_t at = request_arg(r, 1), count = request_arg(r, 2);
	int64_t e;

	b->base = at;
	b->size = count;
	if (r->m->number == 1 || r->m->number == 18)
		return 0;
	if (count > 1024)
		return -EINVAL;
	b->size = 0;
	for (; count && !b->size; count--, at += sizeof *b) {
		e = k_caller_read(srv_endpoint(), r->m->call, b, at, sizeof *b);
		if (e < 0)
			return e;
	}
	return 0;
}

int64_t proc_write(struct request *r, struct file *f)
{
	const struct node *n = f->at.node;
	struct srv_forward q = { .number = PROTO_PS_PROC_WRITE,
				 .handle = { -1, -1 },
				 .arg = { n->kind, n->pid, detail(n) } };
	struct buffer b;
	int64_t e = buffer_of(r, &b);

	if (e)
		return e;
	if (n->kind == PROC_DROP_CACHES) {
		drop_caches();
		return (int64_t)b.size;
	}
	if (n->kind >= PROC_OWN)
		return -EINVAL;
	q.arg[3] = b.base;
	q.arg[4] = b.size;
	return to_maker(r, n->kind, &q);
}
