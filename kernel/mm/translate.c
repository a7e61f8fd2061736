/*
 * Translations: what the page tables of a space hold, and how many pages that is.
 *
 * They only repeat what regions, overlays and objects say, so losing one costs a fault and nothing
 * else. Each says in two spare bits of its entry whether it shows the object's page or the zero
 * page; that is what the resident counts live on.
 *
 * SPDX-License-Identifier: MIT
 */
#include "mm/space_priv.h"

void translation_gone(struct space *s, unsigned flags)
{
	if (flags & PTE_ZERO)
		return;
	if (flags & PTE_OBJECT)
		s->rss_object--;
	else
		s->rss_own--;
}

/* counts as arch's bulk calls give them; the zero page and device pages are in [3]. */
void translation_count(struct space *s, const uint64_t counts[4])
{
	s->rss_own += counts[0];
	s->rss_object += counts[1];
	if (s->rss_own + s->rss_object > s->rss_peak)
		s->rss_peak = s->rss_own + s->rss_object;
}

int translation_set(struct space *s, uint64_t address, uint64_t pa, unsigned flags, unsigned was)
{
	int error;

	frame_table_payer = s->account;
	error = arch_map(&s->arch, address, pa, flags);
	frame_table_payer = NULL;
	if (error)
		return error;
	if (was)
		translation_gone(s, was);
	if (flags & PTE_ZERO)
		return 0;
	if (flags & PTE_OBJECT)
		s->rss_object++;
	else
		s->rss_own++;
	if (s->rss_own + s->rss_object > s->rss_peak)
		s->rss_peak = s->rss_own + s->rss_object;
	return 0;
}

void translation_drop(struct space *s, uint64_t start, uint64_t end, unsigned only)
{
	uint64_t counts[4] = { 0 };

	if (s->dead || !arch_unmap_range(&s->arch, &start, &end, only, counts))
		return;
	s->rss_own -= counts[0];
	s->rss_object -= counts[1];
	arch_tlb_flush_range(&s->arch, start, end);
}

bool translation_restrict(struct space *s, struct region *r, uint64_t start, uint64_t end,
			  bool flush)
{
	unsigned allowed = region_pte(r, true), flags;
	uint64_t address = start, pa;
	bool any = false;

	if (!(r->flags & REGION_ACCESS)) {
		translation_drop(s, start, end, 0);
		return false;
	}
	for (; address < end && arch_next(&s->arch, &address, end, &pa, &flags);
	     address += PAGE_SIZE) {
		unsigned rights = flags & (ARCH_MAP_WRITE | ARCH_MAP_EXEC);
		unsigned now = (rights & allowed) | (allowed & ARCH_MAP_EXEC);

		if (now == rights)
			continue;
		arch_protect(&s->arch, address,
			     ARCH_MAP_READ | now |
				     (flags & (PTE_OBJECT | PTE_ZERO | ARCH_MAP_UNCACHED |
					       ARCH_MAP_WRITE_COMBINE)),
			     NULL);
		any |= (rights & ~now) != 0;
	}
	if (any && flush)
		arch_tlb_flush_range(&s->arch, start, end);
	return any;
}
