/*
 * /proc/troupe/objects: how many objects of each kind live in the kernel, here and in the VFS.
 *
 * A test reads it before and after a program: what differs has leaked. So it shows only what goes
 * back to where it was once the program and its files are gone: no sizes of heaps, nor what is kept
 * to be used again. After `#` is what grows with the largest load so far, but must not grow when
 * that comes again.
 *
 * SPDX-License-Identifier: MIT
 */
#include "posix/procfs/procfs.h"

#include <errno.h>

#include "posix/proc/cred.h"
#include "posix/tty/tty.h"
#include "posix_vfs.h"

static void line(struct text *x, const char *name, uint64_t count)
{
	text_format(x, "%s %lu\n", name, (unsigned long)count);
}

/*
 * Frames in use, but for those of servers, of the kernel's heap (its blocks are counted) and of
 * clean page cache.
 */
static uint64_t frames(const struct k_system_info *i)
{
	return (i->memory_total - i->memory_free - i->memory_reclaimable) / 4096 -
	       i->frames_kernel - i->frames_servers;
}

static void kernel_lines(struct text *x, const struct k_system_info *i)
{
	static const char *const names[K_OBJECT_TYPES] = {
		[K_OBJECT_SPACE] = "spaces",
		[K_OBJECT_TABLE] = "tables",
		[K_OBJECT_FSCTX] = "fs_contexts",
		[K_OBJECT_ACCOUNT] = "accounts",
		[K_OBJECT_TASK] = "tasks",
		[K_OBJECT_THREAD] = "threads",
		[K_OBJECT_MOBJECT] = "mobjects",
		[K_OBJECT_ENDPOINT] = "endpoints",
		[K_OBJECT_DESCRIPTION] = "descriptions",
		[K_OBJECT_PIPE] = "pipes",
		[K_OBJECT_SOURCE] = "sources",
		[K_OBJECT_NOTIFICATION] = "notifications",
		[K_OBJECT_ROUTES] = "routes",
	};

	line(x, "frames", frames(i));
	line(x, "handles", i->handles);
	for (int type = 0; type < K_OBJECT_TYPES; type++) {
		if (names[type])
			line(x, names[type], i->objects[type]);
	}
}

int procfs_objects_text(struct text *x, const struct proto_vfs_counts *vfs)
{
	static struct k_system_info info;

	if (k_system_info(&info) < 0)
		return -EIO;
	kernel_lines(x, &info);
	line(x, "posix.processes", process_count());
	line(x, "posix.threads", thread_count_all());
	line(x, "posix.credentials", cred_count());
	line(x, "posix.terminal_files", file_count());
	line(x, "posix.timers", srv_timer_count());
	line(x, "posix.parked", srv_parked_count() - console_is_idle());
	line(x, "vfs.nodes", vfs->nodes);
	line(x, "vfs.names", vfs->names);
	line(x, "vfs.files", vfs->files);
	line(x, "vfs.locks", vfs->locks);
	line(x, "vfs.parked", vfs->parked);
	line(x, "# heap_blocks", info.heap_blocks);
	return 0;
}
