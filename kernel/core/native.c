/* SPDX-License-Identifier: MIT */
/*
 * Native calls: the dispatch table, and those about handles, the system, time, devices and routes.
 */
#include "core/native.h"
#include "arch/boot.h"
#include "arch/cpu.h"
#include "arch/irq.h"
#include "arch/power.h"
#include "arch/time.h"
#include "arch/vdso.h"
#include "core/device.h"
#include "core/handle.h"
#include "core/main.h"
#include "core/routes.h"
#include "core/sched.h"
#include "core/syscall.h"
#include "lib/errno.h"
#include "lib/print.h"
#include "lib/string.h"
#include "mm/frame.h"
#include "mm/kmalloc.h"
#include "mm/reclaim.h"
#include "mm/usercopy.h"

native_function *const native_table[] = {
#define X(name, args) native_##name,
#include "abi/native.def"
#undef X
};

int64_t native_give(struct thread *t, struct object *o, uint32_t rights)
{
	int slot = table_insert(t->task->table, o, rights, 0);

	if (slot < 0)
		object_put(o);
	return slot;
}

/* --- handles ------------------------------------------------------------------------------ */

int64_t native_handle_close(struct thread *t, const uint64_t *a)
{
	return table_close(t->task->table, (uint32_t)a[0]);
}

int64_t native_handle_duplicate(struct thread *t, const uint64_t *a)
{
	struct handle *h = table_slot(t->task->table, (uint32_t)a[0]);
	uint32_t badge;
	int slot;

	if (!h)
		return -EBADF;
	if (!(h->rights & K_RIGHT_DUPLICATE))
		return -EPERM;
	badge = a[2] ? (uint32_t)a[2] : h->badge;
	if (badge != h->badge && !(h->rights & K_RIGHT_RECEIVE))
		return -EPERM;		/* only who receives there says who is who */
	object_get(h->object);
	slot = table_insert(t->task->table, h->object, h->rights & (uint32_t)a[1], badge);
	if (slot < 0)
		object_put(h->object);
	return slot;
}

int64_t native_handle_info(struct thread *t, const uint64_t *a)
{
	struct handle *h = table_slot(t->task->table, (uint32_t)a[0]);
	struct k_handle_info info;

	if (!h)
		return -EBADF;
	memset(&info, 0, sizeof(info));
	info.type = h->object->type;
	info.rights = h->rights & ~HANDLE_CLOEXEC;
	info.id = h->object->id;
	info.references = h->object->references;
	info.badge = h->badge;
	return user_write(t, a[1], &info, sizeof(info));
}

/* --- system ------------------------------------------------------------------------------- */

static int control_check(struct thread *t, uint64_t h)
{
	struct object *o;

	return native_lookup(t, h, K_OBJECT_CONTROL, K_RIGHT_MANAGE, &o);
}

#define LOG_WRITE_MAX 4096	/* bytes that one call writes */

/*
 * Servers' messages go to the log (dmesg); to the console, which is somebody's terminal, only those
 * of the supervisor, unless the command line says `loglevel=7`.
 */
static bool log_to_console(const struct thread *t)
{
	const char *level = boot_option("loglevel");

	return t->task->cookie == 0 || (level && *level >= '7');
}

int64_t native_log_write(struct thread *t, const uint64_t *a)
{
	char line[256];
	uint64_t done = 0, size = a[1] < LOG_WRITE_MAX ? a[1] : LOG_WRITE_MAX;

	while (done < size) {
		uint64_t n = size - done < sizeof(line) ? size - done : sizeof(line);
		int64_t r = user_read(t, line, a[0] + done, n);

		if (r)
			return r;
		klog_write(line, n, log_to_console(t));
		done += n;
	}
	return (int64_t)done;
}

int64_t native_log_read(struct thread *t, const uint64_t *a)
{
	char line[256];
	uint64_t pos;
	size_t n;
	int64_t r = user_read(t, &pos, a[0], sizeof(pos));

	if (r)
		return r;
	n = klog_read(&pos, line, a[2] < sizeof(line) ? a[2] : sizeof(line));
	r = user_write(t, a[1], line, n);
	if (!r)
		r = user_write(t, a[0], &pos, sizeof(pos));
	return r ? r : (int64_t)n;
}

int64_t native_system_info(struct thread *t, const uint64_t *a)
{
	struct k_system_info *info = kzalloc(sizeof(*info));
	int64_t r;

	if (!info)
		return -ENOMEM;
	info->memory_total = frame_counts.total * PAGE_SIZE;
	info->memory_free = frame_counts.free * PAGE_SIZE;
	info->memory_reclaimable = mm_reclaimable();
	info->frames_table = frame_counts.tables;
	info->frames_kernel = frame_counts.kernel;
	info->frames_servers = thread_server_frames();
	info->handles = handle_count;
	info->heap_blocks = kmalloc_live;
	info->uptime = (uint64_t)time_now();
	info->calls = stat_calls;
	info->shortcuts = stat_shortcuts;
	memcpy(info->objects, object_count, sizeof(object_count));
	info->tsc_hz = arch_clock.tsc_hz;
	info->realtime_offset = arch_vvar_real_offset();
	info->shortcuts_off = shortcuts_off;
	boot_describe(info);
	sched_system_info(info);
	r = user_write(t, a[0], info, sizeof(*info));
	kfree(info);
	return r;
}

int64_t native_power(struct thread *t, const uint64_t *a)
{
	int r = control_check(t, a[0]);

	if (r)
		return r;
	switch (a[1] & 0xff) {
	case K_POWER_OFF: arch_power_off(0);
	case K_POWER_EXIT_CODE: arch_power_off((unsigned)(a[1] >> 8));
	case K_POWER_REBOOT: arch_reboot();
	case K_POWER_HALT: arch_halt();
	default: return -EINVAL;
	}
}

int64_t native_clock_get(struct thread *t, const uint64_t *a)
{
	(void)t;
	return time_now() + (a[0] ? (int64_t)arch_vvar_real_offset() : 0);
}

uint64_t time_realtime_offset(void)
{
	return arch_vvar_real_offset();
}

int64_t native_clock_set(struct thread *t, const uint64_t *a)
{
	int r = control_check(t, a[0]);

	if (r)
		return r;
	if ((int64_t)a[1] < 0)
		return -EINVAL;
	arch_vvar_set_real_offset(a[1] - (uint64_t)time_now());
	return 0;
}

/* --- endpoints, notifications, devices ---------------------------------------------------- */

int64_t native_endpoint_create(struct thread *t, const uint64_t *a)
{
	struct endpoint *e;
	int r = endpoint_create(&e);

	(void)a;
	return r ? r : native_give(t, &e->object, K_RIGHTS_ALL);
}

int64_t native_endpoint_shut(struct thread *t, const uint64_t *a)
{
	struct object *o;
	int r = native_lookup(t, a[0], K_OBJECT_ENDPOINT, K_RIGHT_RECEIVE, &o);

	if (!r)
		endpoint_shut(endpoint_of(o));
	return r;
}

int64_t native_notification_create(struct thread *t, const uint64_t *a)
{
	struct notification *n;
	struct object *o;
	int r = native_lookup(t, a[0], K_OBJECT_ENDPOINT, K_RIGHT_RECEIVE, &o);

	if (!r)
		r = notification_create(endpoint_of(o), (uint32_t)a[1], &n);
	return r ? r : native_give(t, &n->object, K_RIGHTS_ALL);
}

int64_t native_notification_signal(struct thread *t, const uint64_t *a)
{
	struct object *o;
	int r = native_lookup(t, a[0], K_OBJECT_NOTIFICATION, K_RIGHT_WRITE, &o);

	if (!r)
		notification_signal(container_of(o, struct notification, object), a[1]);
	return r;
}

int64_t native_irq_create(struct thread *t, const uint64_t *a)
{
	struct object *o;
	struct irq *q;
	int r = control_check(t, a[0]);

	if (!r)
		r = native_lookup(t, a[3], K_OBJECT_NOTIFICATION, K_RIGHT_WRITE, &o);
	if (!r)
		r = irq_create((unsigned)a[1], (unsigned)a[2],
			       container_of(o, struct notification, object), &q);
	return r ? r : native_give(t, &q->object, K_RIGHTS_ALL);
}

int64_t native_irq_ack(struct thread *t, const uint64_t *a)
{
	struct object *o;
	int r = native_lookup(t, a[0], K_OBJECT_IRQ, K_RIGHT_MANAGE, &o);

	if (!r)
		arch_irq_unmask(container_of(o, struct irq, object)->line);
	return r;
}

int64_t native_irq_message(struct thread *t, const uint64_t *a)
{
	struct k_irq_message message;
	struct object *o;
	int r = native_lookup(t, a[0], K_OBJECT_IRQ, K_RIGHT_MANAGE, &o);

	if (!r)
		r = irq_message(container_of(o, struct irq, object), &message);
	return r ? r : user_write(t, a[1], &message, sizeof(message));
}

int64_t native_irq_bind(struct thread *t, const uint64_t *a)
{
	struct object *q, *n;
	int r = native_lookup(t, a[0], K_OBJECT_IRQ, K_RIGHT_MANAGE, &q);

	if (!r)
		r = native_lookup(t, a[1], K_OBJECT_NOTIFICATION, K_RIGHT_WRITE, &n);
	if (!r)
		irq_bind(container_of(q, struct irq, object),
			 container_of(n, struct notification, object));
	return r;
}

int64_t native_ioport_create(struct thread *t, const uint64_t *a)
{
	struct ioport *p;
	int r = control_check(t, a[0]);

	if (!r && (a[1] > 0xffff || a[2] == 0 || a[1] + a[2] > 0x10000))
		r = -EINVAL;
	if (!r)
		r = ioport_create((uint16_t)a[1], (uint16_t)a[2], &p);
	return r ? r : native_give(t, &p->object, K_RIGHTS_ALL);
}

static int ioport_check(struct thread *t, const uint64_t *a, uint16_t *port)
{
	struct object *o;
	struct ioport *p;
	int r = native_lookup(t, a[0], K_OBJECT_IOPORT, 0, &o);

	if (r)
		return r;
	p = container_of(o, struct ioport, object);
	if ((a[2] != 1 && a[2] != 2 && a[2] != 4) || a[1] >= p->count || a[1] + a[2] > p->count)
		return -EINVAL;
	*port = (uint16_t)(p->base + a[1]);
	return 0;
}

int64_t native_ioport_in(struct thread *t, const uint64_t *a)
{
	uint16_t port;
	uint32_t value;
	int r = ioport_check(t, a, &port);

	if (r)
		return r;
	value = arch_ioport_in(port, (unsigned)a[2]);
	return user_write(t, a[3], &value, sizeof(value));
}

int64_t native_ioport_out(struct thread *t, const uint64_t *a)
{
	uint16_t port;
	int r = ioport_check(t, a, &port);

	if (!r)
		arch_ioport_out(port, (unsigned)a[2], (uint32_t)a[3]);
	return r;
}

/* --- routes ------------------------------------------------------------------------------- */

int routes_create(uint32_t flags, struct routes **out)
{
	struct routes *r = kzalloc(sizeof(*r));

	if (!r)
		return -ENOMEM;
	object_init(&r->object, K_OBJECT_ROUTES);
	r->flags = flags;
	*out = r;
	return 0;
}

void routes_destroy(struct object *o)
{
	struct routes *r = container_of(o, struct routes, object);

	for (int i = 0; i < K_HOMES; i++)
		if (r->home[i])
			object_put(&r->home[i]->object);
	kfree(r);
}

int64_t native_routes_create(struct thread *t, const uint64_t *a)
{
	struct routes *routes;
	int r = routes_create((uint32_t)a[0] & K_ROUTES_NATIVE, &routes);

	return r ? r : native_give(t, &routes->object, K_RIGHTS_ALL);
}

int64_t native_routes_set(struct thread *t, const uint64_t *a)
{
	struct routes *routes;
	struct k_route entry;
	struct object *o;
	int64_t r = native_lookup(t, a[0], K_OBJECT_ROUTES, K_RIGHT_WRITE, &o);

	if (r)
		return r;
	if (a[1] >= K_ROUTE_NUMBERS || a[2] > K_ROUTE_NUMBERS - a[1])
		return -EINVAL;
	routes = container_of(o, struct routes, object);
	for (uint64_t i = 0; i < a[2]; i++) {
		r = user_read(t, &entry, a[3] + i * sizeof(entry), sizeof(entry));
		if (r)
			return r;
		if (entry.destination > K_TO_DESCRIPTOR || entry.shortcut >= K_OPS)
			return -EINVAL;
		routes->entry[a[1] + i] = entry;
	}
	return 0;
}

int64_t native_routes_home(struct thread *t, const uint64_t *a)
{
	struct routes *routes;
	struct object *o, *e;
	int r = native_lookup(t, a[0], K_OBJECT_ROUTES, K_RIGHT_WRITE, &o);

	if (!r)
		r = native_lookup(t, a[2], K_OBJECT_ENDPOINT, K_RIGHT_CALL, &e);
	if (r)
		return r;
	if (a[1] >= K_HOMES)
		return -EINVAL;
	routes = container_of(o, struct routes, object);
	object_get(e);
	if (routes->home[a[1]])
		object_put(&routes->home[a[1]]->object);
	routes->home[a[1]] = endpoint_of(e);
	return 0;
}
