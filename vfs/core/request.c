/* SPDX-License-Identifier: MIT */
/* Requests from arrival to answer (request.h). */
#include "in.h"
#include "socket.h"

#include <errno.h>
#include <string.h>

static struct request current;
int request_posix = -1;

/* --- helpers for the in_* functions ------------------------------------------------------- */

int64_t request_path(struct request *r, unsigned i, uint64_t from)
{
	return k_caller_read_string(srv_endpoint(), r->m->call, r->path[i], from, LX_PATH_MAX);
}

/* The place behind an open directory (or, empty: any) descriptor that is not argument 0. */
static int64_t start_other(struct request *r, int fd, struct pos *out)
{
	struct k_caller_cookie c;
	struct file *f;
	int64_t e = k_caller_cookie(srv_endpoint(), r->m->call, fd, &c);

	if (e < 0)
		return e;
	f = c.own ? file_find(c.cookie) : NULL;
	if (!f)
		return -ENOTDIR;
	*out = f->at;
	return 0;
}

int64_t request_start(struct request *r, unsigned arg, const char *path, struct pos *out)
{
	int fd = (int)r->m->arg[arg];
	struct file *f;

	if (*path == '/')
		*out = r->root;
	else if (fd == LX_AT_FDCWD)
		*out = r->cwd;
	else if (arg)
		return start_other(r, fd, out);
	else if (r->m->flags & K_MSGF_BADFD)
		return -EBADF;
	else if (r->m->flags & K_MSGF_FOREIGNFD || !(f = file_find(r->m->cookie)))
		return -ENOTDIR;
	else
		*out = f->at;
	return 0;
}

int64_t request_walk(struct request *r, unsigned i, int dirfd, uint64_t from, unsigned flags,
		     struct walk *w)
{
	struct pos start = r->cwd;
	int64_t e = request_path(r, i, from);

	if (e < 0)
		return e;
	if (e == 0)
		return -ENOENT;
	if (dirfd >= 0) {
		e = request_start(r, (unsigned)dirfd, r->path[i], &start);
		if (e)
			return e;
	}
	return walk_path(r, start, r->path[i], flags, w);
}

int64_t request_walk_at(struct request *r, int dirfd, uint64_t from, unsigned at_flags,
			unsigned flags, struct walk *w)
{
	struct pos start;
	struct file *f;
	int64_t e;

	if (!(at_flags & LX_AT_EMPTY_PATH))
		return request_walk(r, 0, dirfd, from, flags, w);
	if (from) {		/* Linux 6.11 on takes NULL for empty, too */
		e = request_path(r, 0, from);
		if (e < 0)
			return e;
	} else {
		r->path[0][0] = '\0';
	}
	if (r->path[0][0]) {
		e = request_start(r, (unsigned)dirfd, r->path[0], &start);
		return e ? e : walk_path(r, start, r->path[0], flags, w);
	}
	memset(w, 0, sizeof *w);
	w->kind = WALK_JUMP;
	if ((int)r->m->arg[dirfd] == LX_AT_FDCWD) {
		w->at = r->cwd;
		return 0;
	}
	if (dirfd)
		return start_other(r, (int)r->m->arg[dirfd], &w->at);
	e = request_file(r, &f);
	if (!e)
		w->at = f->at;
	return e;
}

static bool may_go_to_owner(int number)
{
	static const int16_t numbers[] = { PROTO_NODE_NUMBERS };

	for (unsigned i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
		if (numbers[i] == number)
			return true;
	}
	return false;
}

int64_t request_file(struct request *r, struct file **out)
{
	if (r->m->flags & K_MSGF_BADFD)
		return -EBADF;
	if (r->m->flags & K_MSGF_FOREIGNFD) {
		if (!may_go_to_owner(r->m->number))
			return -EINVAL;
		request_commit();
		srv_forward_descriptor(r->m->call);
		return REQUEST_DONE;
	}
	*out = file_find(r->m->cookie);
	return *out ? 0 : -EBADF;
}

int64_t request_real_file(struct request *r, struct file **out)
{
	int64_t e = request_file(r, out);

	return !e && (*out)->status & LX_O_PATH ? -EBADF : e;
}

int64_t request_to_posix(struct request *r, const struct srv_forward *f)
{
	struct srv_forward to = *f;

	request_commit();
	to.endpoint = request_posix;
	srv_forward(r->m->call, &to);
	return REQUEST_DONE;
}

int64_t request_fail(struct request *r, int error, int signal)
{
	struct srv_forward f = { .number = PROTO_PS_FAIL,
				 .arg = { (uint64_t)error, (uint64_t)signal, r->m->extra[0] },
				 .handle = { -1, -1 } };
	int64_t result = r->m->extra[0] ? (int64_t)r->m->extra[0] : -error;

	return request_posix < 0 ? result : request_to_posix(r, &f);
}

int64_t request_kernel(struct request *r)
{
	request_commit();
	srv_forward_kernel(r->m->call);
	return REQUEST_DONE;
}

int64_t request_now(void)
{
	return srv_realtime();
}

void request_commit(void)
{
	node_sweep();
	node_commit();
}

/* --- from arrival to answer --------------------------------------------------------------- */

static const struct request_entry *entry_of(int number)
{
	static uint16_t index[K_ROUTE_NUMBERS + SRV_PRIVATE_END - SRV_PRIVATE];
	static bool ready;
	unsigned at = number >= SRV_PRIVATE ? (unsigned)number - SRV_PRIVATE + K_ROUTE_NUMBERS :
					      (unsigned)number;

	if (!ready) {
		for (size_t i = 0; i < request_table_size; i++) {
			unsigned n = request_table[i].number;

			index[n >= SRV_PRIVATE ? n - SRV_PRIVATE + K_ROUTE_NUMBERS : n] =
				(uint16_t)(i + 1);
		}
		ready = true;
	}
	return at < sizeof index / sizeof index[0] && index[at] ? &request_table[index[at] - 1] :
								  NULL;
}

static void place(uint64_t cookie, struct pos otherwise, struct pos *out)
{
	struct file *f = cookie ? file_find(cookie) : NULL;

	*out = f ? f->at : otherwise;
}

static void finish(struct request *r, int64_t result)
{
	uint64_t call = r->m->call;

	if (result == REQUEST_LINK)
		result = link_ask(r);
	if (result == REQUEST_DONE) {
		request_commit();
		return;
	}
	if (result < 0) {
		node_rollback();
		if (result == -K_REDELIVER)
			return; /* (ESRCH may mean another process: if it is the caller that is
				   gone, the answer goes nowhere) */
	} else {
		node_sweep();
		if (state_dirty())
			node_commit_call(call, result);
	}
	srv_answer(call, result);
}

static void run(const struct k_message *m)
{
	struct request *r = &current;
	const struct request_entry *e = entry_of(m->number);
	struct pos top = { vfs->root, vfs->root->root };

	int64_t result;

	if (m->flags & K_MSGF_REDELIVERED && e && !e->again && state_call_done(m->call, &result)) {
		srv_answer(m->call, result);
		return;
	}
	r->m = m;
	r->cred = cred_find(m->cred);
	place(m->root, top, &r->root);
	place(m->cwd, r->root, &r->cwd);
	finish(r, e ? e->function(r) : -ENOSYS);
}

void request_again(const struct k_message *m)
{
	current.memos = 0;
	current.text[0] = '\0';
	run(m);
}

void request_run(const struct k_message *m)
{
	socket_accept_settle();
	request_again(m);
	ready_settle();
}

void request_done(const struct k_message *m)
{
	srv_answer(m->call, (int64_t)m->extra[0]);
}

void request_closed(uint64_t cookie)
{
	struct file *f;

	socket_accept_settle();
	f = file_find(cookie);
	if (!f)
		return;
	lock_file_closed(f);
	file_close(f);
	node_commit();
	ready_settle();
}

void request_replay(const struct k_message *m, const struct request *memos)
{
	if (memos != &current) {
		current.memos = memos->memos;
		memcpy(current.memo, memos->memo, sizeof current.memo);
		memcpy(current.text, memos->text, sizeof current.text);
	}
	run(m);
}
