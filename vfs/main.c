/* SPDX-License-Identifier: MIT */
/*
 * The VFS server: names, mounts, permissions, open files. README.md tells how it is built.
 *
 * Its state is in the arena that the supervisor keeps (libsrv/state.h). When it starts and finds a predecessor's, it only looks
 * after what may have been lost in between: descriptions that were closed, handles that no node knows.
 */
#include "server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "archive.h"
#include "file.h"
#include "in.h"
#include "mounts.h"
#include "procfs.h"
#include "shortcuts.h"
#include "syscall_names.h"

#define STATE_VERSION 1u
#define HANDLES_MAX 65536

/* --- recovery ----------------------------------------------------------------------------------------------- */

static uint64_t *alive;
static size_t alive_count;

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static bool is_alive(uint64_t cookie)
{
	return cookie == (1ull << 32 | 1) || bsearch(&cookie, alive, alive_count, sizeof cookie, compare);
}

/* The cookies of all descriptions that still have handles. */
static int alive_read(int endpoint)
{
	uint64_t from = 0, *more;
	long n;

	do {
		more = realloc(alive, (alive_count + 512) * sizeof *alive);
		if (!more)
			return -ENOMEM;
		alive = more;
		n = k_endpoint_descriptions(endpoint, &from, alive + alive_count, 512);
		if (n < 0)
			return (int)n;
		alive_count += (size_t)n;
	} while (n);
	qsort(alive, alive_count, sizeof *alive, compare);
	return 0;
}

static bool *known;	/* handles that a node, a file system or the manifest knows */

static void know(int32_t handle)
{
	if (handle >= 0 && handle < HANDLES_MAX)
		known[handle] = true;
}

static bool know_file(struct file *f)
{
	know(f->object);
	if (node_is(f->at.node, LX_S_IFREG) || node_is(f->at.node, LX_S_IFIFO))
		know(f->at.node->object);
	return true;
}

static void know_names(void)
{
	for (uint32_t i = 0; i < NAMES_SEGMENTS; i++) {
		for (uint32_t j = 0; vfs->segment[i] && j < NAMES_SEGMENT; j++) {
			for (struct entry *e = vfs->segment[i][j]; e; e = e->chain)
				know(e->node->object);
		}
	}
}

/* Closes what a predecessor made and nobody knows of; its own descriptions were never installed, so they go too. */
static void sweep_handles(void)
{
	struct k_handle_info info;

	for (int h = 0; h < HANDLES_MAX; h++) {
		if (known[h] || k_handle_info(h, &info) < 0)
			continue;
		if (info.type == K_OBJECT_DESCRIPTION || info.type == K_OBJECT_MOBJECT || info.type == K_OBJECT_PIPE || info.type == K_OBJECT_ACCOUNT)
			k_handle_close(h);
	}
}

static int recover(int endpoint)
{
	static const char *const granted[] = { "endpoint", "state", "archive", "posix", "creds", "pids" };
	int e;

	vfs = state_root();
	known = calloc(HANDLES_MAX, sizeof *known);
	if (!known)
		return -ENOMEM;
	for (unsigned i = 0; i < sizeof granted / sizeof granted[0]; i++)
		know(srv_handle(granted[i]));
	file_each(know_file);
	know_names();
	for (struct filesystem *fs = vfs->filesystems; fs; fs = fs->next)
		know(fs->account);
	sweep_handles();
	e = alive_read(endpoint);
	if (!e)
		file_reconcile(is_alive);
	free(alive);
	free(known);
	srv_log("recovered: %lu nodes, %u open files", (unsigned long)vfs->live_nodes, (unsigned)file_count());
	return e;
}

/* --- the loop ----------------------------------------------------------------------------------------------- */

static void closed(uint64_t cookie)
{
	struct file *f = file_find(cookie);

	if (!f)
		return;
	lock_file_closed(f);
	file_close(f);
	node_commit();
}

/* With the shortcuts off: calls that the kernel would have left to us because of a decline mask. */
static bool declines(const struct k_message *m)
{
	struct file *f = file_find(m->cookie);

	switch (m->number) {
	case 3: case 33: case 292: case 436:
		return vfs->live_locks != 0;
	case 8:
		return f && f->decline & K_DECLINE_SEEK;
	case 1: case 18: case 20: case 296: case 328:
		return f && (f->decline & K_DECLINE_WRITE || (node_is(f->at.node, LX_S_IFREG) && f->at.node->mode & (LX_S_ISUID | LX_S_ISGID)));
	}
	return false;
}

static const char *number_name(int number)
{
	return number >= 0 && number < K_ROUTE_NUMBERS ? syscall_names[number] : NULL;
}

static const char *program_name(const struct k_message *m)
{
	static struct proto_pid p;

	return proc_pid_find(m->pid, &p) ? p.comm : NULL;
}

static struct srv_ops ops = {
	.shortcuts = &syscall_shortcuts,
	.declines = declines,
	.closed = closed,
	.table_gone = lock_table_gone,
	.number_name = number_name,
	.program_name = program_name,
};

static struct srv_number *numbers(void)
{
	struct srv_number *list = calloc(request_table_size, sizeof *list);

	if (!list)
		srv_panic("no memory");
	for (size_t i = 0; i < request_table_size; i++)
		list[i] = (struct srv_number){ request_table[i].number, request_run, request_table[i].name };
	return list;
}

static void need(int error, const char *what)
{
	if (error)
		srv_panic("%s: error %d", what, error);
}

int main(void)
{
	int endpoint = srv_handle_need(PROTO_START_ENDPOINT);

	need(state_open(srv_handle_need(PROTO_START_STATE), STATE_VERSION), "state");
	need(cred_setup(srv_handle("creds")), "creds");
	need(proc_setup(srv_handle("pids")), "pids");
	archive_setup(srv_handle(PROTO_START_ARCHIVE));
	request_posix = srv_handle("posix");
	ops.numbers = numbers();
	ops.number_count = request_table_size;
	srv_setup(endpoint, &ops);
	if (state_recovered() && ((struct vfs_state *)state_root())->complete) {
		need(recover(endpoint), "recovery");
	} else {
		state_format(STATE_VERSION);
		need(mounts_start(), "first mounts");
	}
	srv_run(endpoint, &ops);
}
