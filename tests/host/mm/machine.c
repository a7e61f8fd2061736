/*
 * The machine and the rest of the kernel, as kernel/mm sees them in its host test.
 *
 * SPDX-License-Identifier: MIT
 */
#include "machine.h"
#include <stdio.h>
#include <stdlib.h>
#include "arch/boot.h"
#include "arch/entry.h"
#include "arch/paging.h"
#include "core/account.h"
#include "core/endpoint.h"
#include "data/description.h"
#include "lib/print.h"
#include "lib/string.h"
#include "mm/kmalloc.h"
#include "mm/space.h"

char *machine_memory;
struct arch_space *machine_loaded;
unsigned machine_map_fails;
bool machine_preempts;
uint64_t object_count[K_OBJECT_TYPES];

/* --- translations ------------------------------------------------------------------------- */

struct entry {
	struct entry *next;
	uint64_t space, va, pa;
	unsigned flags;
};

#define BUCKETS 4096
static struct entry *tables[BUCKETS], *buffer[BUCKETS];
static uint64_t space_ids;

static unsigned bucket(uint64_t space, uint64_t va)
{
	return (unsigned)((va >> 12) * 31 + space * 977) % BUCKETS;
}

static struct entry **entry_at(struct entry **table, uint64_t space, uint64_t va)
{
	struct entry **e = &table[bucket(space, va)];

	while (*e && ((*e)->space != space || (*e)->va != va))
		e = &(*e)->next;
	return e;
}

static void entry_set(struct entry **table, uint64_t space, uint64_t va, uint64_t pa,
		      unsigned flags)
{
	struct entry **e = entry_at(table, space, va);

	if (!*e)
		*e = calloc(1, sizeof **e);
	(*e)->space = space;
	(*e)->va = va;
	(*e)->pa = pa;
	(*e)->flags = flags;
}

static void entry_delete(struct entry **table, uint64_t space, uint64_t va)
{
	struct entry **e = entry_at(table, space, va), *gone = *e;

	if (!gone)
		return;
	*e = gone->next;
	free(gone);
}

int arch_space_init(struct arch_space *space)
{
	*space = (struct arch_space){ .id = ++space_ids };
	return frame_alloc_table(&space->root);
}

void arch_space_destroy(struct arch_space *space)
{
	for (unsigned i = 0; i < 2 * BUCKETS; i++) {
		struct entry **e = i < BUCKETS ? &tables[i] : &buffer[i - BUCKETS];

		while (*e) {
			struct entry *gone = *e;

			if (gone->space == space->id) {
				*e = gone->next;
				free(gone);
			} else {
				e = &gone->next;
			}
		}
	}
	frame_free_table(space->root);
	space->root = 0;
}

int arch_map(struct arch_space *space, uint64_t va, uint64_t pa, unsigned flags)
{
	if (machine_map_fails && !*entry_at(tables, space->id, va) &&
	    rand() % machine_map_fails == 0)
		return -12;
	entry_set(tables, space->id, va, pa, flags);
	return 0;
}

bool arch_query(const struct arch_space *space, uint64_t va, uint64_t *pa, unsigned *flags)
{
	struct entry *e = *entry_at(tables, space->id, va);

	if (e && pa)
		*pa = e->pa;
	if (e && flags)
		*flags = e->flags;
	return e != NULL;
}

bool arch_unmap(struct arch_space *space, uint64_t va, uint64_t *pa, unsigned *flags)
{
	if (!arch_query(space, va, pa, flags))
		return false;
	entry_delete(tables, space->id, va);
	return true;
}

bool arch_protect(struct arch_space *space, uint64_t va, unsigned flags, unsigned *old)
{
	uint64_t pa;

	if (!arch_query(space, va, &pa, old))
		return false;
	entry_set(tables, space->id, va, pa, flags);
	return true;
}

bool arch_next(const struct arch_space *space, uint64_t *va, uint64_t end, uint64_t *pa,
	       unsigned *flags)
{
	for (; *va < end; *va += ARCH_PAGE_SIZE)
		if (arch_query(space, *va, pa, flags))
			return true;
	return false;
}

static unsigned soft(unsigned flags)
{
	return flags / ARCH_MAP_SOFT_A & 3;
}

int arch_map_absent(struct arch_space *space, uint64_t va, const uint64_t *pages, unsigned n,
		    uint64_t counts[4])
{
	for (unsigned i = 0; i < n; i++, va += ARCH_PAGE_SIZE) {
		if (!pages[i] || arch_query(space, va, NULL, NULL))
			continue;
		entry_set(tables, space->id, va, pages[i] & ~PAGE_MASK, pages[i] & PAGE_MASK);
		counts[soft(pages[i] & PAGE_MASK)]++;
	}
	return 0;
}

bool arch_unmap_range(struct arch_space *space, uint64_t *start, uint64_t *end, unsigned only,
		      uint64_t counts[4])
{
	uint64_t first = UINT64_MAX, last = 0, va = *start, pa;
	unsigned flags;

	for (; arch_next(space, &va, *end, &pa, &flags); va += ARCH_PAGE_SIZE) {
		if ((flags & only) != only)
			continue;
		entry_delete(tables, space->id, va);
		counts[soft(flags)]++;
		first = va < first ? va : first;
		last = va;
	}
	if (!last)
		return false;
	*start = first;
	*end = last + ARCH_PAGE_SIZE;
	return true;
}

void arch_copy_range(struct arch_space *to, struct arch_space *from, uint64_t start, uint64_t end,
		     bool protect, uint64_t counts[4], bool *flush)
{
	uint64_t pa;
	unsigned flags;

	for (; arch_next(from, &start, end, &pa, &flags); start += ARCH_PAGE_SIZE) {
		if (protect && flags & ARCH_MAP_WRITE) {
			flags &= ~ARCH_MAP_WRITE;
			entry_set(tables, from->id, start, pa, flags);
			*flush = true;
		}
		if (!to)
			continue;
		if (*entry_at(tables, to->id, start))
			panic("copied over a page");
		entry_set(tables, to->id, start, pa, flags);
		counts[soft(flags)]++;
	}
}

void arch_tlb_flush_page(struct arch_space *space, uint64_t va)
{
	entry_delete(buffer, space->id, va);
}

void arch_tlb_flush_range(struct arch_space *space, uint64_t start, uint64_t end)
{
	for (; start < end; start += ARCH_PAGE_SIZE)
		entry_delete(buffer, space->id, start);
}

void arch_tlb_flush_space(struct arch_space *space)
{
	for (unsigned i = 0; i < BUCKETS; i++)
		for (struct entry **e = &buffer[i]; *e;) {
			struct entry *gone = *e;

			if (gone->space != space->id) {
				e = &gone->next;
				continue;
			}
			*e = gone->next;
			free(gone);
		}
}

/* The machine walks again by itself when an entry does not allow what is tried. */
void arch_tlb_forget_local(uint64_t va)
{
	(void)va;
}

static char *translate(struct arch_space *space, uint64_t va, bool write)
{
	uint64_t page = va & ~PAGE_MASK;
	struct entry *e = *entry_at(buffer, space->id, page);

	if (!e || (write && !(e->flags & ARCH_MAP_WRITE))) {
		struct entry *t = *entry_at(tables, space->id, page);

		if (!t || (write && !(t->flags & ARCH_MAP_WRITE)))
			return NULL;
		entry_set(buffer, space->id, page, t->pa, t->flags);
		e = *entry_at(buffer, space->id, page);
	}
	return (char *)phys_to_virt(e->pa) + (va & PAGE_MASK);
}

bool machine_access(struct arch_space *space, uint64_t va, bool write, uint64_t *value)
{
	char *p = translate(space, va, write);

	if (!p)
		return false;
	memcpy(write ? p : (char *)value, write ? (char *)value : p, sizeof *value);
	return true;
}

static size_t user_copy(char *kernel, uint64_t user, size_t size, bool write)
{
	if (size > ARCH_USER_TOP || user > ARCH_USER_TOP - size)
		return size;
	while (size) {
		size_t n = PAGE_SIZE - (user & PAGE_MASK);
		char *p = translate(machine_loaded, user, write);

		if (!p)
			return size;
		if (n > size)
			n = size;
		/* a file written from its own mapping */
		memmove(write ? p : kernel, write ? kernel : p, n);
		kernel += n;
		user += n;
		size -= n;
	}
	return 0;
}

size_t arch_copy_from_user_fast(void *to, uint64_t from, size_t size)
{
	return user_copy(to, from, size, false);
}

size_t arch_copy_to_user_fast(uint64_t to, const void *from, size_t size)
{
	return user_copy((char *)from, to, size, true);
}

size_t arch_zero_user_fast(uint64_t to, size_t size)
{
	static char zeroes[PAGE_SIZE];
	size_t left = size, n;

	while (left) {
		n = left < sizeof zeroes ? left : sizeof zeroes;
		n -= user_copy(zeroes, to + (size - left), n, true);
		if (!n)
			break;
		left -= n;
	}
	return left;
}

void arch_page_copy(void *to, const void *from)
{
	memcpy(to, from, PAGE_SIZE);
}

void arch_page_zero(void *page)
{
	memset(page, 0, PAGE_SIZE);
}

/* --- the rest of the kernel --------------------------------------------------------------- */

void panic(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	abort();
}

const char *boot_option(const char *name)
{
	(void)name;
	return NULL;
}

void object_init(struct object *o, enum k_object_type type)
{
	static uint64_t ids;

	*o = (struct object){ .references = 1, .type = type, .id = ++ids };
	object_count[type]++;
}

void object_put(struct object *o)
{
	if (!o || --o->references)
		return;
	object_count[o->type]--;
	switch (o->type) {
	case K_OBJECT_SPACE:
		space_destroy(o);
		break;
	case K_OBJECT_MOBJECT:
		mobject_destroy(o);
		break;
	default:
		kfree(o);
	}
}

/* An ordinary thread, which has no claim to the reserve. */
struct thread *thread_current(void)
{
	static struct thread t;

	return &t;
}

int64_t wait_on(struct thread *t, struct wait_queue *q, enum k_wait why, int class)
{
	(void)why;
	(void)class;
	list_append(&q->waiters, &t->waiter.node);
	return OP_BLOCK;
}

int wait_queue_wake(struct wait_queue *q, int n)
{
	int woken = 0;

	while (woken < n && !list_empty(&q->waiters)) {
		list_remove(q->waiters.next);
		woken++;
	}
	return woken;
}

bool preempt_needed(void)
{
	return machine_preempts && rand() % 4 == 0;
}

int64_t time_now(void)
{
	static int64_t now;

	return ++now;
}

uint64_t time_realtime_offset(void)
{
	return 1000000;
}

void notice_init(struct notice *n, void (*fill)(struct notice *n, struct k_message *m))
{
	list_init(&n->link);
	n->fill = fill;
}

void notice_cancel(struct notice *n)
{
	list_remove(&n->link);
	n->queued = false;
}

void endpoint_notify(struct endpoint *e, struct notice *n)
{
	if (n->queued)
		return;
	n->queued = true;
	n->endpoint = e;
	list_append(&e->notices, &n->link);
}

bool machine_message(struct endpoint *e, struct k_message *m)
{
	struct notice *n;

	memset(m, 0, sizeof *m);
	if (list_empty(&e->notices))
		return false;
	n = list_first(&e->notices, struct notice, link);
	notice_cancel(n);
	n->fill(n, m);
	return true;
}

void machine_start(uint64_t bytes)
{
	static struct boot_info info;

	machine_memory = aligned_alloc(PAGE_SIZE, bytes);
	memset(machine_memory, 0x5a, bytes);
	info.range_count = 2;
	info.ranges[0] = (struct boot_range){ 0x100000, bytes / 2 };
	info.ranges[1] = (struct boot_range){ bytes / 2 + 0x10000, bytes };
	info.ram_top = bytes;
	info.ram_bytes = bytes;
	info.kernel = (struct boot_range){ 0, 0x100000 };
	frame_init(&info);
}

struct account *machine_account(uint64_t frames)
{
	struct account *a = kzalloc(sizeof *a);

	object_init(&a->object, K_OBJECT_ACCOUNT);
	a->limit.frames = frames;
	return a;
}

struct endpoint *machine_endpoint(void)
{
	struct endpoint *e = kzalloc(sizeof *e);

	object_init(&e->object, K_OBJECT_ENDPOINT);
	list_init(&e->notices);
	return e;
}
