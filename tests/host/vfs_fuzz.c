/* SPDX-License-Identifier: MIT */
/*
 * Garbage for the VFS: random paths for the walk, random arguments for every call, random scratch
 * areas from the process server. Whatever comes, there must be an answer, and the state must be
 * consistent. Bounded by an argument: how many calls.
 */
#include "vfs_check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "in.h"
#include "pids.h"

static struct mock_caller *me;
static uint64_t seed = 99;
static char memory[131072] __attribute__((aligned(16)));

static uint32_t chance(uint32_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 11) % n;
}

/* paths; any may be taken for an output buffer, too, so there is one to spare */
static char buf[5][70000];

/* A path of likely pieces, or of any bytes. */
static uint64_t path(void)
{
	static const char *const pieces[] = {
		"/",        "//",     ".",           "..",     "a",        "b",    "tmp",
		"proc",     "self",   "10",          "11",     "fd",       "0",    "1",
		"cwd",      "root",   "exe",         "task",   "dev",      "null", "shm",
		"mounts",   "status", "sys",         "kernel", "hostname", "l",    "p",
		"\xff\xfe", "a b",    "thread-self", "fdinfo", "tty",      "full"
	};
	static int n;
	char *p = buf[n++ % 4];
	size_t at = 0;

	if (chance(50) == 0) {
		size_t size = chance(4990);

		memset(p, 'x', size);
		p[size] = 0;
		return (uint64_t)(uintptr_t)p;
	}
	for (uint32_t i = chance(8) + 1; i; i--) {
		if (chance(12) == 0) {
			for (uint32_t k = chance(20); k; k--)
				p[at++] = (char)chance(256);
		} else {
			at += (size_t)sprintf(p + at, "%s",
					      pieces[chance(sizeof pieces / sizeof pieces[0])]);
		}
		if (chance(4))
			p[at++] = '/';
	}
	p[at] = 0;
	return (uint64_t)(uintptr_t)p;
}

static uint64_t argument(void)
{
	static const uint64_t values[] = { 0,
					   1,
					   2,
					   3,
					   4,
					   5,
					   7,
					   8,
					   16,
					   64,
					   100,
					   255,
					   256,
					   4095,
					   4096,
					   0100,
					   0200,
					   0101,
					   02000000,
					   010000000,
					   0200000,
					   (uint64_t)-1,
					   (uint64_t)-100,
					   1ull << 31,
					   1ull << 32,
					   1ull << 63,
					   INT64_MAX,
					   UINT32_MAX };

	switch (chance(6)) {
	case 0:
	case 1:
		return path();
	case 2:
		return (uint64_t)(uintptr_t)memory;
	case 3:
		return chance(20);
	case 4:
		return values[chance(sizeof values / sizeof values[0])];
	default:
		return chance(2) ? (uint64_t)(int64_t)LX_AT_FDCWD : chance(0x7fffffff) & LX_O_VALID;
	}
}

/* What the process server might send back, sane or not. */
static void send_back(void)
{
	uint64_t arg[6];
	int number = PROTO_VFS_EXEC_OPEN + (int)chance(6), object = -1;
	static char scratch[K_SCRATCH_MAX];

	memcpy(arg, me->arg, sizeof arg);
	memcpy(scratch, me->scratch, sizeof scratch);
	if (number == PROTO_VFS_PROC_OPENED)
		object = mock_mobject("text", 4);
	if (chance(2)) {	/* the reply that was meant */
		((struct proto_link *)scratch)->cookie =
			mock_description(me, 0) ? mock_description(me, 0)->cookie : 0;
	} else {
		for (uint32_t k = chance(20); k; k--)
			scratch[chance(600)] = (char)chance(256);
		arg[chance(6)] = argument();
	}
	if (number == PROTO_VFS_NODE) {
		((struct proto_node *)scratch)->number = (int32_t)chance(340);
		if (chance(2))
			((struct proto_node *)scratch)->node = 0;
		for (int i = 0; i < 6; i++)
			((struct proto_node *)scratch)->arg[i] = argument();
	}
	mock_forward_back(me, number, arg, scratch, sizeof scratch, object);
}

static void one(void)
{
	uint64_t arg[6], extra[2] = { chance(3) ? 0 : chance(100), chance(3) ? 0 : chance(40) };
	int number = request_table[chance((uint32_t)request_table_size)].number;

	if (number >= SRV_PRIVATE || number == 161 /* chroot would hide everything */)
		return;
	for (int i = 0; i < 6; i++)
		arg[i] = argument();
	mock_call_flags(me, number, arg, chance(4) ? 0 : K_MSGF_DECLINED, extra);
	for (int hops = 0; hops < 4 && me->state == MOCK_FORWARDED; hops++)
		send_back();
	if (me->state == MOCK_HELD) {
		mock_cancel(me);
		if (me->state == MOCK_HELD) {
			fprintf(stderr, "call %d (now %d) was not answered: %lx '%.80s' %lx\n",
				number, me->message.number, (long)arg[0],
				arg[0] >= MOCK_BAD && arg[0] < 1ull << 47 ? (char *)arg[0] : "",
				(long)arg[1]);
			abort();
		}
	}
	if (chance(3) == 0)
		mock_fd_close_any(me, chance(MOCK_FDS));
}

int main(int argc, char **argv)
{
	unsigned calls = argc > 1 ? (unsigned)atoi(argv[1]) : 60000;

	mock_memory(memory, sizeof memory);
	mock_memory(buf, sizeof buf);
	vfs_setup(NULL, 0);
	me = mock_caller_new(10);
	vfs_pids->slots = 2;
	vfs_pids->entry[0] = (struct proto_pid){ .pid = 10, .tgid = 10 };
	vfs_pids->entry[1] = (struct proto_pid){ .pid = 11, .tgid = 11 };
	for (unsigned i = 0; i < calls; i++) {
		one();
		if (i % 500 == 0) {
			mock_drain();
			vfs_check("under fire");
		}
		if (i % 10000 == 9999)
			vfs_restart();
	}
	mock_drain();
	vfs_check("after the fire");
	puts("vfs_fuzz: still standing");
	return 0;
}
