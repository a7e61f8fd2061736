/* SPDX-License-Identifier: MIT */
/*
 * The supervisor: starts every server from the manifest, hears of faults and deaths, starts them
 * again.
 *
 * It is the first task, calls no other server, and is the only one whose death is final. Nothing in
 * it waits for anybody: it receives faults (home 0 of all servers' route table), deaths, and
 * requests of the process server.
 */
#include <errno.h>
#include <string.h>

#include "calls.h"
#include "cpio.h"
#include "server.h"
#include "supervisor.h"
#include "supervisor_wire.h"
#include "syscall_names.h"

#define SYS_arch_prctl 158
#ifndef STATE_CRASH
/* So many deaths (server.recent) within it, and the server is given up */
#define DEATHS_WINDOW 10000000000ll
#else
#define DEATHS_WINDOW 0			/* never: it is made to die (sysroot/libsrv/state.h) */
#endif

const char *archive;
size_t archive_size;
int supervisor_endpoint, native_routes;

static struct manifest manifest;

/* Nobody starts us with a record: this is it. The argument stands where a fifth item would. */
const struct proto_start supervisor_start_record = {
	.magic = PROTO_START_MAGIC,
	.count = 4,
	.args_count = 1,
	.args_size = sizeof("supervisor"),
	.item = { { "task", K_BOOT_TASK },
		  { "control", K_BOOT_CONTROL },
		  { "archive", K_BOOT_ARCHIVE },
		  { "vdso", K_BOOT_VDSO },
		  { "supervisor", 0 } },
};

/* Nobody would hear of our death, so that is the end of the system. */
static _Noreturn void stop(const char *why)
{
	srv_log("%s: the system stops here", why);
	k_power(K_BOOT_CONTROL, K_POWER_EXIT_CODE | 101 << 8);
	for (;;)
		__builtin_trap();
}

/* --- deaths ------------------------------------------------------------------------------- */

/* Servers are known by the cookie of their tasks. */
static struct server *server_by_cookie(uint64_t cookie)
{
	return cookie && cookie <= manifest.servers ? &manifest.server[cookie - 1] : NULL;
}

/* True if it has died too often lately. */
static bool death_noted(struct server *s)
{
	size_t n = sizeof(s->recent) / sizeof(*s->recent);
	int64_t oldest = s->recent[n - 1];

	memmove(&s->recent[1], &s->recent[0], (n - 1) * sizeof(s->recent[0]));
	s->recent[0] = k_clock_get(0);
	return oldest && s->recent[0] - oldest < DEATHS_WINDOW;
}

static void server_died(struct server *s)
{
#ifndef STATE_CRASH
	bool wanted = s->restart_wanted;
#else
	bool wanted = true;		/* and nobody wants to read of it */
#endif

	k_handle_close(s->thread);
	k_handle_close(s->task);
	s->thread = s->task = -1;
	s->restart_wanted = false;
	s->deaths += !wanted;
	if (!wanted && death_noted(s)) {
		if (s->vital) {
			srv_log("%s keeps dying", s->name);
			stop("nothing works without it");
		}
		srv_log("%s keeps dying and is given up; calls to it fail with EIO", s->name);
		s->given_up = true;
		device_stop(&s->device);
		if (s->endpoint >= 0)
			k_endpoint_shut(s->endpoint);
		status_update(s);
		return;
	}
	/* whoever asked for it needs no message on his terminal */
	if (!server_start(s) && !wanted)
		srv_log("%s restarted", s->name);
	status_update(s);
}

static void task_gone(const struct k_message *m)
{
	struct server *s = server_by_cookie(m->cookie);

	if (s && s->task >= 0)
		server_died(s);
}

/* Answering a fault with EXIT ends the thread; its siblings go with it. */
static void fault(const struct k_message *m)
{
	struct server *s = server_by_cookie(m->pid);

#ifndef STATE_CRASH
	if (s)
		server_report(s, m);
#endif
	srv_answer(m->call, 0);
	srv_answer_flags(K_ANSWER_EXIT);
	if (s && s->task >= 0)
		k_task_kill(s->task);
}

static void memory(const struct k_message *m)
{
	struct server *s = server_by_cookie(m->pid);

	srv_log("%s is out of memory and ends", s ? s->name : "a server");
	srv_answer(m->call, 0);
	srv_answer_flags(K_ANSWER_EXIT);
	if (s && s->task >= 0)
		k_task_kill(s->task);
}

/*
 * A server does not answer a call that a signal wants to end: it hangs, or has forgotten the call.
 */
static void overdue(const struct k_message *m)
{
	struct server *s = server_by_cookie(m->pid);
	const char *name =
		m->number >= 0 && m->number < K_ROUTE_NUMBERS ? syscall_names[m->number] : NULL;

	srv_log("%s has not ended system call %d (%s) of thread %llu, process %llu, a second after it was cancelled",
		s ? s->name : "a server", m->number, name ? name : "?",
		(unsigned long long)m->extra[1], (unsigned long long)m->extra[0]);
}

static void thread_dead(const struct k_message *m)
{
	srv_answer(m->call, 0);
}

/* --- requests ----------------------------------------------------------------------------- */

static void restart(const struct k_message *m)
{
	char name[NAME_MAX_];
	long n = k_caller_scratch(supervisor_endpoint, m->call, name, sizeof(name) - 1);
	struct server *s;

	name[n > 0 ? n : 0] = 0;
	s = manifest_find(&manifest, name);
	if (!s || s->absent || s->thread < 0) {
		srv_answer(m->call, !s ? -ENOENT : s->absent ? -ENODEV : -EBUSY);
		return;
	}
	s->restart_wanted = true;
	k_task_kill(s->task);
	srv_answer(m->call, (int64_t)m->arg[0]);
}

static const struct srv_number numbers[] = {
	{ PROTO_SUPERVISOR_RESTART, restart, "restart" },
};

static const struct srv_ops ops = {
	.numbers = numbers,
	.number_count = sizeof(numbers) / sizeof(*numbers),
	.fault = fault,
	.memory = memory,
	.thread_dead = thread_dead,
	.task_gone = task_gone,
	.overdue = overdue,
};

/* --- start -------------------------------------------------------------------------------- */

int archive_find(const char *path, const char **data, size_t *size)
{
	struct cpio_entry entry;
	int r = cpio_find(archive, archive_size, path, &entry);

	if (r)
		return r;
	*data = entry.data;
	*size = entry.size;
	return 0;
}

static void archive_map(void)
{
	struct k_map map = { .space = -1, .object = K_BOOT_ARCHIVE, .flags = K_MAP_READ };
	struct k_mobject_info info;

	if (k_mobject_info(K_BOOT_ARCHIVE, &info) < 0)
		stop("no boot archive");
	map.size = info.size;
	if (k_space_map(&map) < 0)
		stop("cannot map the boot archive");
	archive = (const char *)map.address;
	archive_size = info.size;
}

static void routes_make(void)
{
	struct k_route arch_prctl = { .destination = K_TO_NOWHERE, .shortcut = K_OP_arch_prctl };

	native_routes = (int)k_routes_create(K_ROUTES_NATIVE);
	if (native_routes < 0 || k_routes_set(native_routes, SYS_arch_prctl, 1, &arch_prctl) < 0 ||
	    k_routes_home(native_routes, 0, supervisor_endpoint) < 0)
		stop("cannot make the route table of servers");
}

/*
 * A server without its device does not run, nor one whose image is missing or broken; who calls it
 * hears EIO.
 */
static void server_leave_out(struct server *s)
{
	if (s->vital)
		stop("a server without which nothing works");
	s->absent = true;
	device_stop(&s->device);
	if (s->endpoint >= 0)
		k_endpoint_shut(s->endpoint);
}

/* All endpoints are there before the first grant: grants name each other's. */
static void servers_start(void)
{
	struct server *s = manifest.server, *end = s + manifest.servers;

	for (; s < end; s++) {
		if (s->receives)
			s->endpoint = (int)k_endpoint_create();
		if (s->device.wanted)
			s->device.found = !device_find(&s->device);
		if (s->device.wanted && !s->device.found)
			server_leave_out(s);
	}
	for (s = manifest.server; s < end; s++)
		if (!s->absent && server_prepare(&manifest, s))
			server_leave_out(s);
	for (s = manifest.server; s < end; s++)
		if (!s->absent && server_start(s))
			server_leave_out(s);
	status_begin(&manifest);
}

int main(void)
{
	const char *text;
	size_t size;

	supervisor_endpoint = (int)k_endpoint_create();
	archive_map();
	routes_make();
	if (archive_find("etc/troupe/manifest", &text, &size))
		stop("no /etc/troupe/manifest in the boot archive");
	if (manifest_parse(&manifest, text, size))
		stop("the manifest is wrong");
	servers_start();
	srv_run(supervisor_endpoint, &ops);
}
