/* SPDX-License-Identifier: MIT */
/*
 * One request: a caller's system call on its way through the VFS.
 *
 * request_run() is what libsrv calls for every number. It finds the caller's credentials, working
 * directory and root, calls the number's in_* function, and finishes: the operation is committed
 * (or, for an error, rolled back) and the caller gets the result. An in_* function returns a
 * result, a negative errno, or one of the words below; -K_REDELIVER from the k_caller_* calls is
 * returned as it is: the caller comes again.
 */
#ifndef VFS_CORE_REQUEST_H
#define VFS_CORE_REQUEST_H

#include "cred.h"
#include "file.h"
#include "node.h"
#include "posix_vfs.h"
#include "server.h"
#include "walk.h"

/* Answered (with copies or installs), forwarded or parked */
#define REQUEST_DONE	(INT64_MIN + 1)
/* R->want must be asked of the process server; then the call is done again */
#define REQUEST_LINK	(INT64_MIN + 2)

struct link_memo {
	uint32_t pid, tid, kind, fd;
	int32_t error;
	uint32_t pad;
	uint64_t cookie;
};
#define LINK_MEMOS 8

struct request {
	const struct k_message *m;
	const struct proto_cred *cred;
	struct pos cwd, root;
	struct link_memo want;
	unsigned memos;
	struct link_memo memo[LINK_MEMOS];	/* magic links that were asked for this call */
	char text[64];				/* of the last one, when it has no cookie */
	char link_text[LX_LINK_DEPTH + 2][32];	/* targets of /proc/self and the like, by depth */
	char path[2][LX_PATH_MAX];
};

typedef int64_t request_function(struct request *r);

struct request_entry {
	uint16_t number;
	/*
	 * a redelivered call is carried out again (it installs something); default: answered with
	 * what was noted
	 */
	bool again;
	request_function *function;
	const char *name;
};
extern const struct request_entry request_table[];
extern const size_t request_table_size;

void request_run(const struct k_message *m);
/* A parked call once more (socket/wait.c). */
void request_again(const struct k_message *m);
/*
 * K_MSG_DONE: a close that was forwarded to the kernel is over, and whatever it closed is known
 * here by now.
 */
void request_done(const struct k_message *m);
/* The last handle of a description of ours went. */
void request_closed(uint64_t cookie);
/*
 * Runs another message in place of the one that came (calls that went to the process server and are
 * back).
 */
void request_replay(const struct k_message *m, const struct request *memos);

/* Handles to the process server; -1 when there is none. */
extern int request_posix;

static inline uint64_t request_arg(const struct request *r, unsigned i)
{
	return r->m->arg[i];
}

/* Reads a path into r->path[i]. An empty one is 0 bytes and no error. Returns its length. */
int64_t request_path(struct request *r, unsigned i, uint64_t from);
/*
 * Where a path of an *at call starts. arg: which argument is the descriptor; path: absolute ones
 * need none.
 */
int64_t request_start(struct request *r, unsigned arg, const char *path, struct pos *out);
/* Reads the path at `from` into path[i] and walks it. dirfd: argument index, -1: the plain form. */
int64_t request_walk(struct request *r, unsigned i, int dirfd, uint64_t from, unsigned flags,
		     struct walk *w);
/* The same, and with AT_EMPTY_PATH in at_flags an empty path names the descriptor itself. */
int64_t request_walk_at(struct request *r, int dirfd, uint64_t from, unsigned at_flags,
			unsigned flags, struct walk *w);
/*
 * The open file that argument 0 names (K_ROUTE_FD). -EBADF; REQUEST_DONE: it was another server's,
 * and the caller was forwarded.
 */
int64_t request_file(struct request *r, struct file **out);
/* The same for calls that act on the file: a descriptor of O_PATH only names it. -EBADF */
int64_t request_real_file(struct request *r, struct file **out);
/* Commits, then forwards to the process server. Always REQUEST_DONE. */
int64_t request_to_posix(struct request *r, const struct srv_forward *f);
/*
 * Fails the caller with errno and a signal; what a declined operation had done (extra[0]) is the
 * result instead of the errno. REQUEST_DONE.
 */
int64_t request_fail(struct request *r, int error, int signal);
int64_t request_kernel(struct request *r);	/* forwards to the kernel operation of its number */
/* Realtime now. */
int64_t request_now(void);
/* Commits what was done so far: before something that other programs see. */
void request_commit(void);

/* in_link.c */
int64_t link_ask(struct request *r);
/* The place a magic link of a process leads to: 0 with *out, REQUEST_LINK, or an error. */
int64_t link_resolve(struct request *r, uint32_t kind, uint32_t pid, uint32_t tid, uint32_t fd,
		     struct pos *out);

#endif
