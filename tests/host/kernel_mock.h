/* SPDX-License-Identifier: MIT */
/*
 * A stand-in for the kernel under a server's logic, for tests on the host: handles, memory objects,
 * descriptions, and one or more callers whose memory is the test's own. A test makes a "system
 * call" with mock_call(): the message is delivered through the real server loop, and what the
 * server did with the caller is told.
 */
#ifndef TESTS_HOST_KERNEL_MOCK_H
#define TESTS_HOST_KERNEL_MOCK_H

#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>
#include "native.h"

#define MOCK_FDS 256

struct mock_object;

/* A calling process. */
struct mock_caller {
	uint32_t pid, tid, umask;
	uint64_t table, cred;
	struct mock_object *fd[MOCK_FDS];
	bool cloexec[MOCK_FDS];
	struct mock_object *cwd, *root;
	/* its present call */
	uint64_t call;
	enum { MOCK_IDLE, MOCK_HELD, MOCK_ANSWERED, MOCK_FORWARDED, MOCK_KERNEL } state;
	int64_t result;
	struct k_message message;
	/* MOCK_FORWARDED, MOCK_KERNEL: */
	int32_t number;
	uint64_t arg[6];
	struct mock_object *attached[2];
	char scratch[K_SCRATCH_MAX];
	uint32_t scratch_size;
};

void mock_reset(void);
struct mock_caller *mock_caller_new(uint32_t pid);
/* Handles for the server under test. */
int mock_endpoint(void);
int mock_mobject(const void *data, uint64_t size);
/* Memory that the server maps when it asks for this object. */
int mock_shared(void *memory);

/*
 * Makes the call and runs the server once. Returns the result; INT64_MIN if it is still held,
 * INT64_MIN + 1 if it was forwarded to a server, + 2 to the kernel.
 */
#define MOCK_PARKED INT64_MIN
#define MOCK_TO_SERVER (INT64_MIN + 1)
#define MOCK_TO_KERNEL (INT64_MIN + 2)
int64_t mock_call(struct mock_caller *c, int number, const uint64_t arg[6]);
/*
 * The same for a call that the kernel's shortcut declined, or that comes from another server
 * (flags: K_MSGF_*).
 */
int64_t mock_call_flags(struct mock_caller *c, int number, const uint64_t arg[6], uint32_t flags,
			const uint64_t extra[2]);
/*
 * Delivers the present, held or forwarded call again with other number and arguments, as a server
 * that forwards it back.
 */
int64_t mock_forward_back(struct mock_caller *c, int number, const uint64_t arg[6],
			  const void *scratch, uint32_t size, int handle);
/* Delivers a held call again after a restart. */
int64_t mock_redeliver(struct mock_caller *c);
/* Asks the server to end a held call. */
void mock_cancel(struct mock_caller *c);
/* Closes a descriptor; the server hears of it with the next message. */
void mock_close(struct mock_caller *c, int fd);
/* Closes it if it is open. */
void mock_fd_close_any(struct mock_caller *c, int fd);
/* Delivers pending close notices. */
void mock_drain(void);
int mock_dup(struct mock_caller *c, int fd);

/*
 * read and write of a description with a socket's plane, as the kernel's shortcut does them:
 * through the pipes, or, where the source says so, by the server. -EAGAIN where the kernel would
 * block.
 */
int64_t mock_read(struct mock_caller *c, int fd, void *to, uint64_t n);
int64_t mock_write(struct mock_caller *c, int fd, const void *from, uint64_t n);
/* Poll bits that its source (and, undeclined, its pipes) show. */
uint32_t mock_ready(struct mock_caller *c, int fd);

/* What a description is. */
const struct k_description *mock_description(struct mock_caller *c, int fd);
/* Bytes of the memory object behind a stream description. */
int64_t mock_pread(struct mock_caller *c, int fd, void *to, uint64_t n, uint64_t offset);
int64_t mock_pwrite(struct mock_caller *c, int fd, const void *from, uint64_t n, uint64_t offset);

/* Live objects of a type. */
uint64_t mock_count(enum k_object_type type);
/*
 * Kernel calls are counted; the server dies (longjmp to mock_death) before call number mock_kill_at
 * (0: never).
 */
extern uint64_t mock_calls, mock_kill_at;
extern jmp_buf mock_death;
/* From now on only such ranges are a caller's memory (for arguments that are garbage). */
void mock_memory(const void *base, uint64_t size);
/* Addresses below this give EFAULT (the host's programs lie far above). */
#define MOCK_BAD (1ull << 36)

#endif
