/*
 * The few things of ACPI that a kernel without AML needs: CPUs and IOAPICs (MADT), the power
 * registers (FADT), and the sleep type of S5, which is fished out of the DSDT's bytes.
 *
 * Tables are firmware input: lengths are checked, and a table that does not add up is ignored.
 *
 * SPDX-License-Identifier: MIT
 */
#include "priv.h"
#include "lib/print.h"
#include "lib/string.h"

struct table {
	char signature[4];
	uint32_t length;
	uint8_t revision, checksum;
	char oem[18];
	uint32_t creator[2];
} __attribute__((packed));

#define S5_BYTES 10 /* the shortest: name, package, length, count, three bytes */

struct acpi acpi = {
	.lapic = 0xfee00000,
	.ioapic_count = 1,
	.ioapics = { { 0xfec00000, 0 } },
};

static uint32_t get32(const void *p)
{
	uint32_t v;
	memcpy(&v, p, 4);
	return v;
}

static uint64_t get64(const void *p)
{
	uint64_t v;
	memcpy(&v, p, 8);
	return v;
}

static uint16_t get16(const void *p)
{
	uint16_t v;
	memcpy(&v, p, 2);
	return v;
}

static const void *map(uint64_t pa, size_t size)
{
	if (!pa)
		return NULL;
	return direct_mapped(pa, size) ? phys_to_virt(pa) : arch_mmio_map(pa, size);
}

static bool sums_to_zero(const void *p, size_t size)
{
	uint8_t sum = 0;
	for (size_t i = 0; i < size; i++)
		sum += ((const uint8_t *)p)[i];
	return sum == 0;
}

static const struct table *table_map(uint64_t pa)
{
	const struct table *t = map(pa, sizeof(*t));
	if (!t || t->length < sizeof(*t) || t->length > 0x100000)
		return NULL;
	t = map(pa, t->length);
	return t && sums_to_zero(t, t->length) ? t : NULL;
}

static void read_madt(const struct table *t)
{
	const uint8_t *p = (const uint8_t *)t, *end = p + t->length;
	acpi.madt = true;
	acpi.lapic = get32(p + 36);
	unsigned ioapics = 0;
	for (p += 44; p + 2 <= end && p[1] >= 2 && p + p[1] <= end; p += p[1]) {
		if (p[0] == 0 && p[1] >= 8 && get32(p + 4) & 1) {
			if (acpi.cpu_count < ARCH_CPU_MAX)
				acpi.apic_ids[acpi.cpu_count++] = p[3];
		} else if (p[0] == 1 && p[1] >= 12 && ioapics < 4) {
			acpi.ioapics[ioapics].address = get32(p + 4);
			acpi.ioapics[ioapics++].base = get32(p + 8);
		} else if (p[0] == 2 && p[1] >= 10 && acpi.override_count < 16) {
			struct acpi_override *o = &acpi.overrides[acpi.override_count++];
			*o = (struct acpi_override){ p[3], get32(p + 4), get16(p + 8) };
		} else if (p[0] == 5 && p[1] >= 12) {
			acpi.lapic = get64(p + 4);
		}
	}
	acpi.ioapic_count = ioapics;
}

/* _S5_ is Name(_S5_, Package(n) { type a, type b, ... }): each a byte constant, Zero or One. */
static void read_dsdt(const struct table *t)
{
	const uint8_t *p = (const uint8_t *)t, *end = p + t->length;
	for (p += sizeof(*t); p + S5_BYTES <= end; p++) {
		if (memcmp(p, "_S5_", 4) || p[4] != 0x12)
			continue;
		p += 5;
		p += 1 + (*p >> 6) + 1; /* package length, element count */
		acpi.sleep_type = *p == 0x0a ? *++p : *p;
		p++;
		acpi.sleep_type_b = *p == 0x0a ? p[1] : *p;
		acpi.sleep_known = true;
		return;
	}
}

static void read_fadt(const struct table *t)
{
	const uint8_t *p = (const uint8_t *)t;
	if (t->length < 116)
		return;
	acpi.fadt = true;
	acpi.pm1a_control = (uint16_t)get32(p + 64);
	acpi.pm1b_control = (uint16_t)get32(p + 68);
	acpi.pm_timer = (uint16_t)get32(p + 76);
	if (t->length >= 129 && get32(p + 112) & 1 << 10) {
		acpi.reset_space = p[116];
		acpi.reset_address = get64(p + 120);
		acpi.reset_value = p[128];
	}
	if (t->length >= 256 && get32(p + 112) & 1 << 20) { /* hardware-reduced */
		acpi.sleep_control = get64(p + 248);
		acpi.pm_timer = acpi.pm1a_control = acpi.pm1b_control = 0;
	}
	uint64_t dsdt = t->length >= 148 ? get64(p + 140) : 0;
	const struct table *d = table_map(dsdt ? dsdt : get32(p + 40));
	if (d)
		read_dsdt(d);
}

static uint64_t rsdp_search(void)
{
	for (uint64_t pa = 0xe0000; pa < 0x100000; pa += 16)
		if (!memcmp(phys_to_virt(pa), "RSD PTR ", 8) && sums_to_zero(phys_to_virt(pa), 20))
			return pa;
	return 0;
}

void acpi_init(uint64_t rsdp)
{
	const char *option = boot_option("acpi");
	if (option && !strncmp(option, "off", 3))
		return;
	if (!rsdp)
		rsdp = boot_info.rsdp = rsdp_search();
	const uint8_t *r = map(rsdp, 36);
	if (!r || memcmp(r, "RSD PTR ", 8))
		return;
	bool wide = r[15] >= 2 && get64(r + 24);
	const struct table *root = table_map(wide ? get64(r + 24) : get32(r + 16));
	if (!root)
		return;
	size_t step = wide ? 8 : 4;
	const uint8_t *p = (const uint8_t *)(root + 1), *end = (const uint8_t *)root + root->length;
	for (; p + step <= end; p += step) {
		const struct table *t = table_map(wide ? get64(p) : get32(p));
		if (t && !memcmp(t->signature, "APIC", 4) && t->length >= 44)
			read_madt(t);
		else if (t && !memcmp(t->signature, "FACP", 4))
			read_fadt(t);
	}
}
