/*
 * The route table of POSIX threads, made from the one table of system calls, and the facts about
 * each number that the rest of the process server asks for.
 *
 * SPDX-License-Identifier: MIT
 */
#include "posix/syscall/routes.h"

#include <stddef.h>

#include "posix/proc/process.h"
#include "shortcuts.h"
#include "syscall_names.h"

enum {
	DEST_PS = K_TO_HOME0,
	DEST_VFS = K_TO_HOME1,
	DEST_NET = K_TO_HOME2,
	DEST_FD = K_TO_DESCRIPTOR,
	DEST_NONE = K_TO_NOWHERE
};
enum {
	FLAG_0 = 0,
	FLAG_AT = K_ROUTE_FD,
	FLAG_FD = K_ROUTE_FD | K_ROUTE_FD_ONLY,
	FLAG_HELD = K_ROUTE_PATIENT
};

static const struct k_route table[K_ROUTE_NUMBERS] = {
#define S(n, nm, dest, op, fl, arg, note)                                                          \
	[n] = { .destination = DEST_##dest,                                                        \
		.shortcut = K_OP_##op,                                                             \
		.flags = FLAG_##fl,                                                                \
		.argument = arg },
#include "posix/syscall/syscalls.def"
#undef S
};

static STATE int routes = -1;	/* every thread of ours has it: it stays */
#define handle STATE_OF(routes)

void routes_setup(int endpoint, int vfs, int net)
{
	int homes[] = { endpoint, vfs, net };

	if (handle >= 0)
		return;
	handle = (int)k_routes_create(0);
	if (handle < 0)
		srv_panic("no route table: error %d", handle);
	for (unsigned n = 0; n < sizeof homes / sizeof homes[0]; n++) {
		if (homes[n] >= 0 && k_routes_home(handle, n, homes[n]) < 0)
			srv_panic("home %u of the route table was refused", n);
	}
	for (unsigned n = 0; n < K_ROUTE_NUMBERS; n += 64) {
		if (k_routes_set(handle, n, 64, table + n) < 0)
			srv_panic("routes from %u on were refused", n);
	}
}

int routes_handle(void)
{
	return handle;
}

const struct srv_numbers *routes_shortcuts(void)
{
	return &syscall_shortcuts;
}

bool syscall_has_shortcut(int number)
{
	return number >= 0 && number < K_ROUTE_NUMBERS && table[number].shortcut != K_OP_NONE;
}

const char *syscall_name(int number)
{
	return number >= 0 && number < 512 ? syscall_names[number] : NULL;
}
