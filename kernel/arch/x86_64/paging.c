/*
 * Page tables: the kernel's own map, built once at boot, and those of the address spaces.
 *
 * Above everything else stands the layout in arch/paging.h. An entry that points to a table counts
 * the present entries of that table in bits 52 to 61, which the hardware ignores there; so a table
 * whose count falls to 0 is unlinked at once and waits in `dead_tables` for the next flush. The top
 * table's kernel half is complete before the first space is made and never changes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "priv.h"
#include "lib/errno.h"
#include "lib/print.h"
#include "lib/string.h"

#define PTE_PRESENT 1ull
#define PTE_WRITE 2ull
#define PTE_USER 4ull
#define PTE_PWT 8ull
#define PTE_PCD 16ull
#define PTE_ACCESSED 32ull
#define PTE_DIRTY 64ull
#define PTE_LARGE 128ull /* in a leaf of 4 KiB it is the PAT bit */
#define PTE_GLOBAL 256ull
#define PTE_SOFT_A 512ull
#define PTE_SOFT_B 1024ull
#define PTE_NX 0x8000000000000000ull
#define PTE_ADDRESS 0x000ffffffffff000ull
#define CHILD (1ull << 52)
#define CHILDREN (0x3ffull << 52)

#define LARGE_SIZE 0x200000ull
#define MMIO_WINDOW (CPU_WINDOW + (1ull << 30))
#define MMIO_END (CPU_WINDOW + (1ull << 38))

uint64_t kernel_root;
static uint64_t space_ids;
static uint64_t nx; /* the bit, if the CPU knows it */
static uint64_t mmio_next = MMIO_WINDOW;

static unsigned index_of(uint64_t va, unsigned level)
{
	return va >> (12 + 9 * level) & 511;
}

static uint64_t *table_of(uint64_t entry)
{
	return phys_to_virt(entry & PTE_ADDRESS);
}

/* ---- the kernel's own map ---- */

static int kernel_table(uint64_t *pa)
{
	if (boot_done)
		return frame_alloc_table(pa);
	*pa = boot_alloc(ARCH_PAGE_SIZE);
	return 0;
}

/* The entry at `level` for a kernel address, with the tables above it made. */
static uint64_t *kernel_entry(uint64_t va, unsigned level)
{
	uint64_t *table = phys_to_virt(kernel_root);
	for (unsigned l = 3; l > level; l--) {
		uint64_t *entry = &table[index_of(va, l)], pa;
		if (!(*entry & PTE_PRESENT)) {
			if (kernel_table(&pa))
				return NULL;
			*entry = pa | PTE_PRESENT | PTE_WRITE;
		}
		table = table_of(*entry);
	}
	return &table[index_of(va, level)];
}

static uint64_t kernel_flags(unsigned flags)
{
	uint64_t e = PTE_PRESENT | PTE_ACCESSED | PTE_DIRTY;
	if (arch_features.pge)
		e |= PTE_GLOBAL;
	if (flags & ARCH_MAP_WRITE)
		e |= PTE_WRITE;
	if (!(flags & ARCH_MAP_EXEC) && arch_features.nx)
		e |= PTE_NX;
	if (flags & ARCH_MAP_UNCACHED)
		e |= PTE_PCD | PTE_PWT;
	return e;
}

void kernel_map(uint64_t va, uint64_t pa, unsigned flags)
{
	*kernel_entry(va, 0) = pa | kernel_flags(flags);
}

/* The rights of an image page, wherever it is mapped. The direct map has no executable page. */
static unsigned image_rights(uint64_t pa)
{
	uint64_t va = pa + ARCH_KERNEL_BASE;
	if (va >= (uint64_t)text_start && va < (uint64_t)text_end)
		return ARCH_MAP_READ | ARCH_MAP_EXEC;
	if (va >= (uint64_t)text_end && va < (uint64_t)rodata_end)
		return ARCH_MAP_READ;
	return ARCH_MAP_READ | ARCH_MAP_WRITE;
}

static void map_direct(uint64_t top)
{
	uint64_t image_low = virt_to_phys(text_start) & -LARGE_SIZE;
	uint64_t image_high = virt_to_phys(rodata_end);
	for (uint64_t pa = 0; pa < top; pa += LARGE_SIZE) {
		if (!boot_is_memory(pa, pa + LARGE_SIZE))
			continue;
		if (pa < image_low || pa >= image_high) {
			*kernel_entry(pa + ARCH_DIRECT_BASE, 1) =
				pa | kernel_flags(ARCH_MAP_WRITE) | PTE_LARGE;
			continue;
		}
		for (uint64_t p = pa; p < pa + LARGE_SIZE; p += ARCH_PAGE_SIZE)
			kernel_map(p + ARCH_DIRECT_BASE, p, image_rights(p) & ~ARCH_MAP_EXEC);
	}
}

/* Works on the boot tables, which reach the first GiB: boot_alloc() keeps below it for now. */
void paging_init(void)
{
	kernel_root = boot_alloc(ARCH_PAGE_SIZE);
	for (char *va = image_start; va < image_end; va += ARCH_PAGE_SIZE) {
		uint64_t pa = virt_to_phys(va);
		kernel_map((uint64_t)va, pa, image_rights(pa));
	}
	map_direct((boot_info.ram_top + LARGE_SIZE - 1) & -LARGE_SIZE);
	kernel_entry(MMIO_WINDOW, 0);
	if (arch_features.nx) {
		nx = PTE_NX;
		msr_write(MSR_EFER, msr_read(MSR_EFER) | EFER_NXE);
	}
	cr3_write(kernel_root);
}

static const uint64_t *kernel_leaf(uint64_t va)
{
	const uint64_t *table = phys_to_virt(kernel_root);
	for (unsigned l = 3;; l--) {
		const uint64_t *entry = &table[index_of(va, l)];
		if (!(*entry & PTE_PRESENT))
			return NULL;
		if (l == 0 || (l < 3 && *entry & PTE_LARGE))
			return entry;
		table = table_of(*entry);
	}
}

/* For an address of the kernel half, or a physical one (then: in the direct map). */
bool direct_mapped(uint64_t address, uint64_t size)
{
	if (address < ARCH_DIRECT_BASE)
		address += ARCH_DIRECT_BASE;
	for (uint64_t a = address & -ARCH_PAGE_SIZE; a < address + size; a += ARCH_PAGE_SIZE)
		if (!kernel_leaf(a))
			return false;
	return true;
}

void *arch_mmio_map(uint64_t pa, size_t size)
{
	uint64_t first = pa & -ARCH_PAGE_SIZE;
	uint64_t end = (pa + size + ARCH_PAGE_SIZE - 1) & -ARCH_PAGE_SIZE;
	uint64_t va = mmio_next;
	if (end <= first || end - first > MMIO_END - mmio_next)
		return NULL;
	for (uint64_t p = first; p < end; p += ARCH_PAGE_SIZE) {
		uint64_t *entry = kernel_entry(va + (p - first), 0);
		if (!entry)
			return NULL;
		*entry = p | kernel_flags(ARCH_MAP_WRITE | ARCH_MAP_UNCACHED);
	}
	mmio_next += end - first + ARCH_PAGE_SIZE; /* a hole catches overruns */
	return (void *)(va + (pa - first));
}

/* ---- address spaces ---- */

int arch_space_init(struct arch_space *space)
{
	uint64_t root;
	int e = frame_alloc_table(&root);
	if (e)
		return e;
	const uint64_t *kernel = phys_to_virt(kernel_root);
	memcpy((uint64_t *)phys_to_virt(root) + 256, kernel + 256, 256 * 8);
	*space = (struct arch_space){ .root = root, .id = ++space_ids, .tables = 1 };
	return 0;
}

void tables_free(struct arch_space *space)
{
	while (space->dead_tables) {
		uint64_t pa = space->dead_tables;
		uint64_t *link = phys_to_virt(pa);
		space->dead_tables = *link;
		*link = 0;
		space->tables--;
		frame_free_table(pa);
	}
}

/* Frees what hangs below an entry of `level`, and the table itself. */
static void tree_free(uint64_t entry, unsigned level)
{
	uint64_t *table = table_of(entry);
	uint64_t left = entry >> 52 & 0x3ff;
	for (unsigned i = 0; level > 1 && left && i < 512; i++) {
		if (table[i] & PTE_PRESENT) {
			tree_free(table[i], level - 1);
			left--;
		}
	}
	frame_free_table(entry & PTE_ADDRESS);
}

void arch_space_destroy(struct arch_space *space)
{
	request_post(space->active, &(struct request){ .kind = REQUEST_LEAVE, .space = space });
	tables_free(space);
	uint64_t *root = phys_to_virt(space->root);
	for (unsigned i = 0; i < 256; i++)
		if (root[i] & PTE_PRESENT)
			tree_free(root[i], 3);
	frame_free_table(space->root);
	space->root = 0;
}

/* The CR3 value for a space under PCIDs: its slot, with "do not flush" if nothing changed. */
static RARELY uint64_t pcid_root(struct arch_cpu *cpu, struct arch_space *space)
{
	for (unsigned i = 0; i < ARCH_PCID_SLOTS; i++) {
		if (cpu->pcid[i].space_id != space->id)
			continue;
		uint64_t keep = cpu->pcid[i].generation == space->generation ? 1ull << 63 : 0;
		cpu->pcid[i].generation = space->generation;
		return space->root | (i + 1) | keep;
	}
	unsigned i = cpu->pcid_next++ % ARCH_PCID_SLOTS;
	cpu->pcid[i].space_id = space->id;
	cpu->pcid[i].generation = space->generation;
	return space->root | (i + 1);
}

/* One instruction each; of the compiler's atomic operations it would be four. */
static inline void active_set(struct arch_space *space, uint64_t index)
{
	__asm__ volatile("lock btsq %1, %0" : "+m"(space->active) : "r"(index) : "memory", "cc");
}

static inline void active_clear(struct arch_space *space, uint64_t index)
{
	__asm__ volatile("lock btrq %1, %0" : "+m"(space->active) : "r"(index) : "memory", "cc");
}

void arch_space_load(struct arch_cpu *cpu, struct arch_space *space)
{
	struct arch_space *old = cpu->space;
	uint64_t index = cpu->index;
	cpu->space = space;
	if (space)
		active_set(space, index);
	if (!space)
		cpu->root = kernel_root;
	else
		cpu->root = arch_features.pcid ? pcid_root(cpu, space) : space->root;
	cr3_write(cpu->root);
	if (old)
		active_clear(old, index);
}

/* The CPU has done all flushes of its loaded space so far: it may come back without another. */
void pcid_settle(struct arch_cpu *cpu)
{
	if (arch_features.pcid && cpu->space)
		cpu->pcid[(cpu->root & 0xfff) - 1].generation = cpu->space->generation;
}

/* Forgets all user translations of the loaded space. */
void tlb_flush_loaded(struct arch_cpu *cpu)
{
	cr3_write(cpu->root & ~(1ull << 63));
	pcid_settle(cpu);
}

/* The two vocabularies of flags differ only in where the bits lie; what is 0 here is asserted. */
static inline uint64_t entry_make(uint64_t pa, unsigned flags)
{
	uint64_t f = flags;
	return pa | PTE_PRESENT | PTE_USER | PTE_ACCESSED | (f & ARCH_MAP_WRITE) |
	       (f & ARCH_MAP_UNCACHED) * 3 | (f & ARCH_MAP_WRITE_COMBINE) << 3 |
	       (f & (ARCH_MAP_SOFT_A | ARCH_MAP_SOFT_B)) << 4 | (f & ARCH_MAP_DIRTY) >> 2 |
	       ((~f & ARCH_MAP_EXEC) << 61 & nx);
}

static inline unsigned entry_flags(uint64_t e)
{
	return (unsigned)(ARCH_MAP_READ | (e & PTE_WRITE) | (~e >> 63) << 2 | (e & PTE_PCD) >> 1 |
			  (e & PTE_LARGE) >> 3 | (e & (PTE_SOFT_A | PTE_SOFT_B)) >> 4 |
			  (e & (PTE_ACCESSED | PTE_DIRTY)) << 2);
}
_Static_assert(ARCH_MAP_WRITE == PTE_WRITE && (uint64_t)ARCH_MAP_EXEC << 61 == PTE_NX &&
		       ARCH_MAP_UNCACHED * 3 == (PTE_PCD | PTE_PWT) &&
		       ARCH_MAP_WRITE_COMBINE << 3 == PTE_LARGE &&
		       ARCH_MAP_SOFT_A << 4 == PTE_SOFT_A && ARCH_MAP_SOFT_B << 4 == PTE_SOFT_B &&
		       ARCH_MAP_ACCESSED == PTE_ACCESSED << 2 && ARCH_MAP_DIRTY == PTE_DIRTY << 2,
	       "flags");

/* The entries on the way to a page: [3] in the top table, [0] the page's own. */
struct walk {
	uint64_t *entry[4];
};

/* Unlinks tables that have no children left, from `level` upwards. */
static void prune(struct arch_space *space, struct walk *w, unsigned level)
{
	for (; level <= 3 && !(*w->entry[level] & CHILDREN); level++) {
		uint64_t pa = *w->entry[level] & PTE_ADDRESS;
		*w->entry[level] = 0;
		/* The link is page-aligned: to a walker that still comes here it is "absent". */
		*(uint64_t *)phys_to_virt(pa) = space->dead_tables;
		space->dead_tables = pa;
		if (level < 3)
			*w->entry[level + 1] -= CHILD;
	}
}

/* For a page whose tables are all there. */
static void walk_find(const struct arch_space *space, uint64_t va, struct walk *w)
{
	uint64_t *table = phys_to_virt(space->root);
	for (unsigned level = 3; level > 0; level--) {
		w->entry[level] = &table[index_of(va, level)];
		table = table_of(*w->entry[level]);
	}
	w->entry[0] = &table[index_of(va, 0)];
}

static int walk_make(struct arch_space *space, uint64_t va, struct walk *w)
{
	uint64_t *table = phys_to_virt(space->root);
	if (va >= ARCH_USER_TOP)
		return -EINVAL;
	for (unsigned level = 3; level > 0; level--) {
		uint64_t *entry = w->entry[level] = &table[index_of(va, level)], pa;
		if (!(*entry & PTE_PRESENT)) {
			int e = frame_alloc_table(&pa);
			if (e) {
				if (level < 3)
					prune(space, w, level + 1);
				return e;
			}
			*entry = pa | PTE_PRESENT | PTE_WRITE | PTE_USER | PTE_ACCESSED;
			space->tables++;
			if (level < 3)
				*w->entry[level + 1] += CHILD;
		}
		table = table_of(*entry);
	}
	w->entry[0] = &table[index_of(va, 0)];
	return 0;
}

/* The entry that points to the page's leaf table, NULL if there is none: the common walk, kept
 * short. */
static inline uint64_t *leaf_parent(const struct arch_space *space, uint64_t va)
{
	uint64_t e = ((uint64_t *)phys_to_virt(space->root))[index_of(va, 3)];
	if (!(e & PTE_PRESENT) || va >= ARCH_USER_TOP)
		return NULL;
	e = table_of(e)[index_of(va, 2)];
	if (!(e & PTE_PRESENT))
		return NULL;
	uint64_t *parent = &table_of(e)[index_of(va, 1)];
	return *parent & PTE_PRESENT ? parent : NULL;
}

/* The page's entry if it is present. */
static inline uint64_t *leaf_find(const struct arch_space *space, uint64_t va)
{
	uint64_t *parent = leaf_parent(space, va);
	uint64_t *entry = parent ? &table_of(*parent)[index_of(va, 0)] : NULL;
	return entry && *entry & PTE_PRESENT ? entry : NULL;
}

int arch_map(struct arch_space *space, uint64_t va, uint64_t pa, unsigned flags)
{
	uint64_t *parent = leaf_parent(space, va);
	if (!parent) {
		struct walk w;
		int e = walk_make(space, va, &w);
		if (e)
			return e;
		parent = w.entry[1];
	}
	uint64_t *entry = &table_of(*parent)[index_of(va, 0)];
	if (!(*entry & PTE_PRESENT))
		*parent += CHILD;
	__atomic_store_n(entry, entry_make(pa, flags), __ATOMIC_RELEASE);
	return 0;
}

int arch_map_prepare(struct arch_space *space, uint64_t va)
{
	struct walk w;
	return leaf_parent(space, va) ? 0 : walk_make(space, va, &w);
}

bool arch_unmap(struct arch_space *space, uint64_t va, uint64_t *pa, unsigned *flags)
{
	uint64_t *parent = leaf_parent(space, va);
	uint64_t *entry = parent ? &table_of(*parent)[index_of(va, 0)] : NULL;
	if (!entry || !(*entry & PTE_PRESENT))
		return false;
	/* Another CPU may be setting DIRTY at this moment. */
	uint64_t old = __atomic_exchange_n(entry, 0, __ATOMIC_SEQ_CST);
	*parent -= CHILD;
	if (!(*parent & CHILDREN)) {
		struct walk w;
		walk_find(space, va, &w);
		prune(space, &w, 1);
	}
	if (pa)
		*pa = old & PTE_ADDRESS;
	if (flags)
		*flags = entry_flags(old);
	return true;
}

/* Replaces an entry while other CPUs may set its ACCESSED and DIRTY; those in `keep` survive. */
static uint64_t entry_replace(uint64_t *entry, uint64_t value, uint64_t keep)
{
	uint64_t old = __atomic_load_n(entry, __ATOMIC_RELAXED);
	while (!__atomic_compare_exchange_n(entry, &old, value | (old & keep), false,
					    __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
		;
	return old;
}

bool arch_protect(struct arch_space *space, uint64_t va, unsigned flags, unsigned *old)
{
	uint64_t *entry = leaf_find(space, va);
	if (!entry)
		return false;
	uint64_t value = entry_make(*entry & PTE_ADDRESS, flags) & ~PTE_ACCESSED;
	uint64_t before = entry_replace(entry, value, PTE_ACCESSED | PTE_DIRTY);
	if (old)
		*old = entry_flags(before);
	return true;
}

unsigned arch_clear(struct arch_space *space, uint64_t va, unsigned flags)
{
	uint64_t *entry = leaf_find(space, va);
	if (!entry)
		return 0;
	uint64_t mask = (flags & ARCH_MAP_ACCESSED ? PTE_ACCESSED : 0) |
			(flags & ARCH_MAP_DIRTY ? PTE_DIRTY : 0);
	return entry_flags(__atomic_fetch_and(entry, ~mask, __ATOMIC_SEQ_CST));
}

bool arch_query(const struct arch_space *space, uint64_t va, uint64_t *pa, unsigned *flags)
{
	const uint64_t *entry = leaf_find(space, va);
	if (!entry)
		return false;
	if (pa)
		*pa = *entry & PTE_ADDRESS;
	if (flags)
		*flags = entry_flags(*entry);
	return true;
}

bool arch_next(const struct arch_space *space, uint64_t *va, uint64_t end, uint64_t *pa,
	       unsigned *flags)
{
	uint64_t a = *va;
	if (end > ARCH_USER_TOP)
		end = ARCH_USER_TOP;
	while (a < end) {
		const uint64_t *table = phys_to_virt(space->root);
		unsigned level = 3;
		while (level > 0 && table[index_of(a, level)] & PTE_PRESENT)
			table = table_of(table[index_of(a, level--)]);
		if (level > 0) { /* a hole: on to the next entry of that level */
			uint64_t span = 1ull << (12 + 9 * level);
			a = (a & -span) + span;
			continue;
		}
		unsigned i = index_of(a, 0);
		for (; i < 512 && a < end; i++, a += ARCH_PAGE_SIZE) {
			if (!(table[i] & PTE_PRESENT))
				continue;
			*va = a;
			*pa = table[i] & PTE_ADDRESS;
			*flags = entry_flags(table[i]);
			return true;
		}
	}
	*va = end;
	return false;
}

/* ---- many pages at a time ---- */

static uint64_t leaf_end(uint64_t va, uint64_t end)
{
	uint64_t next = (va & -LARGE_SIZE) + LARGE_SIZE;
	return next < end ? next : end;
}

/* Four counters of 16 bits, by soft bits: a leaf table has 512 entries. */
static inline uint64_t soft_count(uint64_t e)
{
	return 1ull << ((e & (PTE_SOFT_A | PTE_SOFT_B)) >> 5);
}

static void soft_add(uint64_t counts[4], uint64_t packed)
{
	for (unsigned i = 0; i < 4; i++)
		counts[i] += packed >> 16 * i & 0xffff;
}

static inline uint64_t soft_sum(uint64_t packed)
{
	return (packed + (packed >> 16) + (packed >> 32) + (packed >> 48)) & 0xffff;
}

/* The entry that points to the leaf table for `va`, made if need be; NULL without memory. */
static uint64_t *leaf_parent_make(struct arch_space *space, uint64_t va)
{
	uint64_t *parent = leaf_parent(space, va);
	struct walk w;
	if (parent)
		return parent;
	return walk_make(space, va, &w) ? NULL : w.entry[1];
}

int arch_map_absent(struct arch_space *space, uint64_t va, const uint64_t *pages, unsigned n,
		    uint64_t counts[4])
{
	uint64_t end = va + n * ARCH_PAGE_SIZE;
	while (va < end) {
		uint64_t stop = leaf_end(va, end), packed = 0;
		uint64_t *parent = leaf_parent_make(space, va);
		if (!parent)
			return -ENOMEM;
		uint64_t *entry = &table_of(*parent)[index_of(va, 0)];
		for (uint64_t *last = entry + (stop - va) / ARCH_PAGE_SIZE; entry < last;
		     entry++, pages++) {
			if (!*pages || *entry & PTE_PRESENT)
				continue;
			uint64_t e =
				entry_make(*pages & PTE_ADDRESS, (unsigned)(*pages & ~PTE_ADDRESS));
			__atomic_store_n(entry, e, __ATOMIC_RELEASE);
			packed += soft_count(e);
		}
		soft_add(counts, packed);
		*parent += soft_sum(packed) * CHILD;
		if (!(*parent & CHILDREN)) {
			struct walk w;
			walk_find(space, va, &w);
			prune(space, &w, 1);
		}
		va = stop;
	}
	return 0;
}

bool arch_unmap_range(struct arch_space *space, uint64_t *start, uint64_t *end, unsigned only,
		      uint64_t counts[4])
{
	uint64_t filter = PTE_PRESENT | (uint64_t)(only & (ARCH_MAP_SOFT_A | ARCH_MAP_SOFT_B)) << 4;
	uint64_t va = *start, first = UINT64_MAX, last = 0, pa;
	unsigned flags;
	/* arch_next() skips what has no tables. */
	while (va < *end && arch_next(space, &va, *end, &pa, &flags)) {
		uint64_t stop = leaf_end(va, *end), begin = va, packed = 0;
		uint64_t *parent = leaf_parent(space, va);
		for (uint64_t *entry = &table_of(*parent)[index_of(va, 0)]; va < stop;
		     va += ARCH_PAGE_SIZE, entry++) {
			if ((*entry & filter) != filter)
				continue;
			packed += soft_count(__atomic_exchange_n(entry, 0, __ATOMIC_SEQ_CST));
			last = va;
			if (va < first)
				first = va;
		}
		soft_add(counts, packed);
		*parent -= soft_sum(packed) * CHILD;
		if (!(*parent & CHILDREN)) {
			struct walk w;
			walk_find(space, begin, &w);
			prune(space, &w, 1);
		}
	}
	if (!last)
		return false;
	*start = first;
	*end = last + ARCH_PAGE_SIZE;
	return true;
}

/* Copies `n` entries to `to` (NULL: only protects); returns what was copied, packed. */
static uint64_t entries_copy(uint64_t *to, uint64_t *from, unsigned n, bool protect, bool *flush)
{
	uint64_t packed = 0;
	for (unsigned i = 0; i < n; i++) {
		uint64_t e = from[i];
		if (!(e & PTE_PRESENT))
			continue;
		if (protect && e & PTE_WRITE) {
			/* Atomically: another CPU may be setting DIRTY. */
			__atomic_fetch_and(&from[i], ~(PTE_WRITE | PTE_DIRTY), __ATOMIC_SEQ_CST);
			e &= ~PTE_WRITE;
			*flush = true;
		}
		if (!to)
			continue;
		to[i] = e & ~PTE_DIRTY;
		packed += soft_count(e);
	}
	return packed;
}

void arch_copy_range(struct arch_space *to, struct arch_space *from, uint64_t start, uint64_t end,
		     bool protect, uint64_t counts[4], bool *flush)
{
	uint64_t pa;
	unsigned flags;
	while (start < end && arch_next(from, &start, end, &pa, &flags)) {
		uint64_t stop = leaf_end(start, end), packed;
		uint64_t *source = &table_of(*leaf_parent(from, start))[index_of(start, 0)];
		uint64_t *parent = to ? leaf_parent_make(to, start) : NULL;
		uint64_t *copy = parent ? &table_of(*parent)[index_of(start, 0)] : NULL;
		packed = entries_copy(copy, source, (unsigned)((stop - start) / ARCH_PAGE_SIZE),
				      protect, flush);
		if (parent) {
			soft_add(counts, packed);
			*parent += soft_sum(packed) * CHILD;
		}
		start = stop;
	}
}

/* ---- copies to and from the loaded space ---- */

/* user_copy(), inline where it is known to be a number of words. */
static inline size_t user_copy_sized(void *to, const void *from, size_t size)
{
	if (!__builtin_constant_p(size) || size % 8)
		return user_copy(to, from, size);
	size_t words = size / 8;
	__asm__ volatile("1:	rep movsq\n"
			 "2:\n"
			 "	.pushsection .fixup, \"a\"\n"
			 "	.quad 1b, 2b\n"
			 "	.popsection"
			 : "+D"(to), "+S"(from), "+c"(words)
			 :
			 : "memory");
	return words * 8;
}

static size_t user_copy_guarded(void *to, const void *from, uint64_t user, size_t size)
{
	if (size > ARCH_USER_TOP || user > ARCH_USER_TOP - size)
		return size;
	if (!arch_features.smap)
		return user_copy_sized(to, from, size);
	__asm__ volatile("stac" ::: "memory");
	size_t left = user_copy_sized(to, from, size);
	__asm__ volatile("clac" ::: "memory");
	return left;
}

size_t arch_copy_from_user_fast(void *to, uint64_t from, size_t size)
{
	return user_copy_guarded(to, (const void *)from, from, size);
}

size_t arch_copy_to_user_fast(uint64_t to, const void *from, size_t size)
{
	return user_copy_guarded((void *)to, from, to, size);
}

size_t arch_zero_user_fast(uint64_t to, size_t size)
{
	if (to >= ARCH_USER_TOP || size > ARCH_USER_TOP - to)
		return size;
	if (!arch_features.smap)
		return user_clear((void *)to, size);
	__asm__ volatile("stac" ::: "memory");
	size_t left = user_clear((void *)to, size);
	__asm__ volatile("clac" ::: "memory");
	return left;
}
