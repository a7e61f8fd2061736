/* SPDX-License-Identifier: MIT */
/*
 * The VFS server: names, mounts, permissions, open files. README.md tells how it is built.
 *
 * Its state is in the arena that the supervisor keeps (libsrv/state.h). When it starts and finds a
 * predecessor's, it only looks after what may have been lost in between: descriptions that were
 * closed, handles that no node knows.
 */
#include "server.h"

#include <errno.h>
#include <stdlib.h>

#include "archive.h"
#include "in.h"
#include "mounts.h"
#include "procfs.h"
#include "recover.h"
#include "shortcuts.h"
#include "socket.h"
#include "in_socket.h"
#include "syscall_names.h"

/* Of the arena's layout: a change makes a restarted server begin anew */
#define STATE_VERSION 3u

/* --- the loop ----------------------------------------------------------------------------- */

/* With the shortcuts off: calls that the kernel would have left to us because of a decline mask. */
static bool declines(const struct k_message *m)
{
	struct file *f = file_find(m->cookie);

	switch (m->number) {
	case 3:
		return vfs->locks.used || (f && f->decline & K_DECLINE_CLOSE);
	case 33: case 292: case 436:
		return vfs->locks.used != 0;
	case 0: case 17: case 19: case 295: case 327:
		return f && f->decline & K_DECLINE_READ;
	case 8:
		return f && f->decline & K_DECLINE_SEEK;
	case 1: case 18: case 20: case 296: case 328:
		return f && (f->decline & K_DECLINE_WRITE ||
			     (node_is(f->at.node, LX_S_IFREG) &&
			      f->at.node->mode & (LX_S_ISUID | LX_S_ISGID)));
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
	.closed = request_closed,
	.pipe = pipe_notice,
	.done = request_done,
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
		list[i] = (struct srv_number){ request_table[i].number, request_run,
					       request_table[i].name };
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
	request_network = srv_handle("network");
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
