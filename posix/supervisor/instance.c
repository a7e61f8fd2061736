/* SPDX-License-Identifier: MIT */
/*
 * Making servers: what outlives an instance, and an instance.
 *
 * The handle table belongs to the keeper, a task that never runs; each instance is a new address
 * space with the same table, so a successor finds every handle under its old number.
 */
#include "supervisor.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "calls.h"
#include "server.h"

#define PAGE 4096ul
#define STACK_TOP 0x7fffff000000ul
#define STACK_SIZE 0x40000ul
#define START_SIZE 0x1000ul

/* --- what outlives an instance ------------------------------------------------------------ */

/* The object that all who name it share; `flags` of its creation. */
static int shared_object(struct manifest *m, const struct grant *g, uint32_t flags)
{
	for (size_t i = 0; i < m->shares; i++)
		if (!strcmp(m->shared[i].name, g->name))
			return m->shared[i].handle;
	if (m->shares == SHARED_MAX)
		return -ENOSPC;
	strcpy(m->shared[m->shares].name, g->name);
	m->shared[m->shares].size = g->value[0];
	m->shared[m->shares].handle = (int)k_mobject_create(g->value[0], flags);
	return m->shared[m->shares++].handle;
}

/* Memory for a device that is not there would be wasted: all who share it do without. */
static bool dma_is_wanted(const struct manifest *m, const char *name)
{
	for (size_t i = 0; i < m->servers; i++)
		for (size_t j = 0; m->server[i].absent && j < m->server[i].grants; j++)
			if (m->server[i].grant[j].kind == GRANT_DMA &&
			    !strcmp(m->server[i].grant[j].name, name))
				return false;
	return true;
}

/* Puts a handle of ours into the server's table; `temporary` is closed here then. */
static int install(struct server *s, struct grant *g, int handle, bool temporary)
{
	long r = handle < 0 ? handle : k_task_install(s->keeper, handle, -1, 0);

	if (temporary && handle >= 0)
		k_handle_close(handle);
	if (r < 0)
		return (int)r;
	g->handle = (int)r;
	return 0;
}

static int grant_call(struct manifest *m, struct server *s, struct grant *g)
{
	struct server *to = manifest_find(m, g->name);
	int endpoint = !strcmp(g->name, "supervisor") ? supervisor_endpoint :
		       to                             ? to->endpoint :
							-ENOENT;

	if (endpoint < 0)
		return -ENOENT;
	return install(s, g,
		       (int)k_handle_duplicate(endpoint, K_RIGHT_CALL | K_RIGHT_DUPLICATE,
					       g->value[0]),
		       true);
}

static int grant_object(struct manifest *m, struct server *s, struct grant *g)
{
	bool dma = g->kind == GRANT_DMA;
	uint32_t rights =
		K_RIGHT_READ | K_RIGHT_DUPLICATE | (dma || g->value[1] ? K_RIGHT_WRITE : 0);
	int h;

	if (dma && !dma_is_wanted(m, g->name)) {
		g->handle = GRANT_LEFT_OUT;
		return 0;
	}
	h = shared_object(m, g, dma ? K_MOBJECT_WIRED | K_MOBJECT_CONTIGUOUS : 0);
	return install(s, g, h < 0 ? h : (int)k_handle_duplicate(h, rights, 0), true);
}

/* A notification on the other's endpoint, named NAME-signal. */
static int grant_signal(struct manifest *m, struct server *s, struct grant *g)
{
	struct server *to = manifest_find(m, g->name);

	if (!to || to->endpoint < 0 || strlen(g->name) + sizeof("-signal") > sizeof(g->name))
		return -ENOENT;
	if (to->absent) {
		g->handle = GRANT_LEFT_OUT;
		return 0;
	}
	strcat(g->name, "-signal");
	return install(s, g, (int)k_notification_create(to->endpoint, g->value[0]), true);
}

/* A notification on the server's endpoint; bit 0 of it is the line. */
static int grant_irq(struct server *s, struct grant *g)
{
	long n = k_notification_create(s->endpoint, 0x10000 + g->value[0]);
	long q = n < 0 ? n : k_irq_create(K_BOOT_CONTROL, g->value[0], K_IRQ_ISA, (int)n);

	if (n >= 0)
		k_handle_close((int)n);
	return install(s, g, (int)q, true);
}

static int grant_one(struct manifest *m, struct server *s, struct grant *g)
{
	switch (g->kind) {
	case GRANT_CALL: return grant_call(m, s, g);
	case GRANT_SHARED:
	case GRANT_DMA: return grant_object(m, s, g);
	case GRANT_SIGNAL: return grant_signal(m, s, g);
	case GRANT_ARCHIVE: return install(s, g, K_BOOT_ARCHIVE, false);
	case GRANT_VDSO: return install(s, g, K_BOOT_VDSO, false);
	case GRANT_CONTROL: return install(s, g, K_BOOT_CONTROL, false);
	case GRANT_STATE: return install(s, g, (int)k_mobject_create(PAGE, 0), true);
	case GRANT_IOPORT:
		return install(s, g, (int)k_ioport_create(K_BOOT_CONTROL, g->value[0], g->value[1]),
			       true);
	case GRANT_IRQ: return grant_irq(s, g);
	case GRANT_TASK: return 0;	/* each instance's own: server_start */
	default: return -EINVAL;
	}
}

int server_prepare(struct manifest *m, struct server *s)
{
	struct k_account_limits limits = { .frames = s->memory / PAGE };
	struct k_task_create keeper = {
		.notify = -1, .space = -1, .table = -1, .flags = K_TASK_SERVER
	};
	int r = 0;

	s->account = (int)k_account_create(&limits);
	keeper.account = s->account;
	memcpy(keeper.name, s->name, sizeof(keeper.name) - 1);
	s->keeper = s->account < 0 ? s->account : (int)k_task_create(&keeper);
	if (s->keeper < 0)
		return s->keeper;
	if (s->receives) {
		int own = (int)k_handle_duplicate(s->endpoint, s->rights, 0);

		s->endpoint_slot = (int)k_task_install(s->keeper, own, -1, 0);
		k_handle_close(own);
	}
	for (size_t i = 0; i < s->grants && !r; i++) {
		r = grant_one(m, s, &s->grant[i]);
		if (r)
			srv_log("%s: cannot grant %s: %d", s->name, s->grant[i].name, r);
	}
	if (!r && s->device.found) {
		r = device_grant(&s->device, s->keeper, s->endpoint);
		if (r)
			srv_log("%s: cannot grant its device: %d", s->name, r);
	}
	return r;
}

/* --- an instance -------------------------------------------------------------------------- */

static int map_object(int space, int object, uint64_t address, uint64_t size, uint32_t flags)
{
	struct k_map map = { .address = address,
			     .size = size,
			     .space = space,
			     .object = object,
			     .flags = flags | K_MAP_FIXED };

	return (int)k_space_map(&map);
}

/* An anonymous object with these first bytes, mapped. */
static int map_bytes(int space, uint64_t address, uint64_t size, uint64_t skip, const void *from,
		     size_t n, uint32_t flags)
{
	int object = (int)k_mobject_create(size, 0);
	long r = object < 0 ? object : 0;

	if (!r && n) {
		r = k_mobject_write(object, skip, from, n);
		r = r < 0 ? r : 0;
	}
	if (!r)
		r = map_object(space, object, address, size, flags);
	if (object >= 0)
		k_handle_close(object);
	return (int)r;
}

static int load_segment(int space, const char *image, size_t size, const Elf64_Phdr *p)
{
	uint64_t skip = p->p_vaddr & (PAGE - 1);
	uint32_t flags = (p->p_flags & PF_R ? K_MAP_READ : 0) |
			 (p->p_flags & PF_W ? K_MAP_WRITE : 0) |
			 (p->p_flags & PF_X ? K_MAP_EXECUTE : 0);

	if (p->p_offset > size || p->p_filesz > size - p->p_offset || p->p_memsz < p->p_filesz ||
	    p->p_memsz > 1ul << 30)
		return -ENOEXEC;
	return map_bytes(space, p->p_vaddr - skip, (p->p_memsz + skip + PAGE - 1) & -PAGE, skip,
			 image + p->p_offset, p->p_filesz, flags);
}

static int load_image(const struct server *s, int space, uint64_t *entry)
{
	char path[64];
	const char *image;
	const Elf64_Ehdr *e;
	size_t size;
	int r;

	snprintf(path, sizeof(path), "sbin/troupe/%s.elf", s->name);
	r = archive_find(path, &image, &size);
	if (r)
		return r;
	e = (const Elf64_Ehdr *)image;
	if (size < sizeof(*e) || memcmp(e->e_ident, ELFMAG, SELFMAG) ||
	    e->e_phentsize != sizeof(Elf64_Phdr) || e->e_phoff > size ||
	    e->e_phnum * sizeof(Elf64_Phdr) > size - e->e_phoff)
		return -ENOEXEC;
	for (int i = 0; i < e->e_phnum && !r; i++) {
		Elf64_Phdr p;

		memcpy(&p, image + e->e_phoff + (size_t)i * sizeof(p), sizeof(p));
		if (p.p_type == PT_LOAD)
			r = load_segment(space, image, size, &p);
	}
	*entry = e->e_entry;
	return r;
}

static void record_handle(struct proto_start *start, const char *name, int handle)
{
	if (handle < 0)
		return;
	strcpy(start->item[start->count].name, name);
	start->item[start->count++].handle = handle;
}

/* After the last handle. */
static void record_arg(struct proto_start *start, const char *arg)
{
	strcpy((char *)&start->item[start->count] + start->args_size, arg);
	start->args_count++;
	start->args_size += (uint32_t)strlen(arg) + 1;
}

/* The start record: every granted handle by name, and the arguments. */
static size_t start_record(const struct server *s, char *buffer, size_t size)
{
	struct proto_start *start = (struct proto_start *)buffer;

	_Static_assert(sizeof(*start) + (1 + GRANTS_MAX + DEVICE_ITEMS) * sizeof(start->item[0]) +
				       NAME_MAX_ + 16 + sizeof(s->device.arg) <=
			       START_SIZE,
		       "the start record fits");
	memset(buffer, 0, size);
	start->magic = PROTO_START_MAGIC;
	record_handle(start, PROTO_START_ENDPOINT, s->endpoint_slot);
	for (size_t i = 0; i < s->grants; i++)
		record_handle(start, s->grant[i].name, s->grant[i].handle);
	for (size_t i = 0; i < s->device.items; i++)
		record_handle(start, s->device.item[i].name, s->device.item[i].handle);
	record_arg(start, s->name);
	if (s->starts)
		record_arg(start, "restarted");
	for (size_t i = 0; i < s->device.args; i++)
		record_arg(start, s->device.arg[i]);
	return (size_t)((char *)&start->item[start->count] + start->args_size - buffer);
}

static int start_stack(const struct server *s, int space)
{
	static char record[START_SIZE];
	size_t n = start_record(s, record, sizeof(record));
	int r = map_bytes(space, STACK_TOP, START_SIZE, 0, record, n, K_MAP_READ);

	return r ? r :
		   map_bytes(space, STACK_TOP - STACK_SIZE, STACK_SIZE, 0, NULL, 0,
			     K_MAP_READ | K_MAP_WRITE);
}

static int start_thread(struct server *s, uint64_t entry)
{
	struct k_thread_create t = {
		.task = s->task, .routes = native_routes, .priority = s->priority,
		.regs = { .rip = entry, .rsp = STACK_TOP, .rdi = STACK_TOP },
	};

	s->thread = (int)k_thread_create(&t);
	return s->thread < 0 ? s->thread : (int)k_thread_start(s->thread);
}

/* The task's own handle goes to the slot that its predecessor had. */
static int grant_task(struct server *s)
{
	for (size_t i = 0; i < s->grants; i++) {
		struct grant *g = &s->grant[i];
		long r;

		if (g->kind != GRANT_TASK)
			continue;
		r = k_task_install(s->task, s->task, g->handle, 0);
		if (r < 0)
			return (int)r;
		g->handle = (int)r;
	}
	return 0;
}

int server_start(struct server *s)
{
	struct k_task_create t = { .account = s->account,
				   .notify = supervisor_endpoint,
				   .table = s->keeper,
				   .flags = K_TASK_SERVER };
	int space = (int)k_space_create();
	uint64_t entry = 0;
	int r = space < 0 ? space : load_image(s, space, &entry);

	if (!r) {
		t.space = space;
		t.cookie = s->number;
		memcpy(t.name, s->name, sizeof(t.name) - 1);
		s->task = (int)k_task_create(&t);
		r = s->task < 0 ? s->task : grant_task(s);
	}
	if (!r)
		r = start_stack(s, space);
	if (!r)
		r = start_thread(s, entry);
	if (space >= 0)
		k_handle_close(space);
	s->starts++;
	if (r)
		srv_log("cannot start %s: %d", s->name, r);
	return r;
}
