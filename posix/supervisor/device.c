/* SPDX-License-Identifier: MIT */
/* What a driver gets of its device, whatever bus it sits on. */
#include "device.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "calls.h"
#include "pci.h"
#include "server.h"
#include "virtio.h"

#define PAGE 4096ul
/* I/O APICs, HPET, local APICs: a base address register that says so lies */
#define INTERRUPTS_FROM 0xfec00000ul
#define INTERRUPTS_TO 0xfef00000ul

/* --- finding ------------------------------------------------------------------------------ */

int device_find(struct device *d)
{
	d->pci = d->line = DEVICE_NONE;
	return virtio_find(d);
}

void device_arg(struct device *d, const char *format, ...)
{
	va_list list;

	if (d->args == DEVICE_ARGS)
		return;
	va_start(list, format);
	vsnprintf(d->arg[d->args++], sizeof(d->arg[0]), format, list);
	va_end(list);
}

/*
 * Registers cannot be read through an object, RAM can: so a page that can be read is none of a
 * device's.
 */
static bool object_has_ram(int object, uint64_t size)
{
	char byte;

	for (uint64_t at = 0; at < size; at += PAGE)
		if (k_mobject_read(object, at, &byte, 1) > 0)
			return true;
	return false;
}

/*
 * Of the first and last page an object of its own is asked, for the kernel looks at an object as a
 * whole.
 */
static bool page_is_ram(uint64_t address)
{
	int object = (int)k_mobject_physical(K_BOOT_CONTROL, address, PAGE);
	bool ram = object < 0 || object_has_ram(object, PAGE);

	if (object >= 0)
		k_handle_close(object);
	return ram;
}

int device_object(uint64_t address, uint64_t size)
{
	uint64_t start = address & -PAGE, end;

	if (!size || address > UINT64_MAX - size - PAGE)
		return -EINVAL;
	end = (address + size + PAGE - 1) & -PAGE;
	if (start < INTERRUPTS_TO && end > INTERRUPTS_FROM)
		return -EINVAL;
	/* no device here needs as much, and every page is looked at */
	if (end - start > 256 * PAGE)
		return -EINVAL;
	for (uint64_t page = start; page < end; page += PAGE)
		if (page_is_ram(page))
			return -EINVAL;
	return (int)k_mobject_physical(K_BOOT_CONTROL, start, end - start);
}

int device_registers(struct device *d, const char *name, uint64_t address, uint64_t size,
		     uint32_t extra)
{
	struct device_item *item = &d->item[d->items];

	if (d->items == DEVICE_ITEMS)
		return -ENOSPC;
	item->handle = device_object(address, size);
	if (item->handle < 0)
		return item->handle;
	strcpy(item->name, name);
	d->items++;
	device_arg(d, "%s=%lu:%lu:%u", name, (unsigned long)(address & (PAGE - 1)),
		   (unsigned long)size, (unsigned)extra);
	return 0;
}

void device_forget(struct device *d)
{
	while (d->items)
		k_handle_close(d->item[--d->items].handle);
	d->args = 0;
}

/* --- granting ----------------------------------------------------------------------------- */

static int item_add(struct device *d, const char *name, int slot)
{
	if (slot < 0)
		return slot;
	if (d->items == DEVICE_ITEMS)
		return -ENOSPC;
	strcpy(d->item[d->items].name, name);
	d->item[d->items++].handle = slot;
	return 0;
}

static int registers_install(struct device *d, int keeper)
{
	for (size_t i = 0; i < d->items; i++) {
		int own = d->item[i].handle;
		int limited =
			(int)k_handle_duplicate(own,
						K_RIGHT_READ | K_RIGHT_WRITE | K_RIGHT_DUPLICATE,
						0);
		long slot = limited < 0 ? limited : k_task_install(keeper, limited, -1, 0);

		k_handle_close(own);
		if (limited >= 0)
			k_handle_close(limited);
		if (slot < 0)
			return (int)slot;
		d->item[i].handle = (int)slot;
	}
	return 0;
}

/* An interrupt of ours into the server's table, with a notification on its endpoint. */
static int interrupt_install(struct device *d, int keeper, int endpoint, unsigned n,
			     struct k_irq_message *message)
{
	uint32_t flags = d->line == DEVICE_NONE ? K_IRQ_MSI : d->line_flags;
	long notification = k_notification_create(endpoint, PROTO_START_DEVICE_BADGE + n);
	long irq = notification < 0 ?
			   notification :
			   k_irq_create(K_BOOT_CONTROL, d->line == DEVICE_NONE ? 0 : d->line, flags,
					(int)notification);
	char name[PROTO_START_NAME] = PROTO_START_DEVICE_IRQ;
	long r = irq;

	if (n)
		snprintf(name, sizeof(name), "%s%u", PROTO_START_DEVICE_IRQ, n);
	if (irq >= 0 && d->line == DEVICE_NONE)
		r = k_irq_message((int)irq, message);
	if (r >= 0)
		r = item_add(d, name, (int)k_task_install(keeper, (int)irq, -1, 0));
	if (notification >= 0)
		k_handle_close((int)notification);
	if (irq >= 0)
		k_handle_close((int)irq);
	return r < 0 ? (int)r : 0;
}

int device_grant(struct device *d, int keeper, int endpoint)
{
	struct k_irq_message message[DEVICE_VECTORS] = { 0 };
	int r = registers_install(d, keeper);

	for (unsigned n = 0; n < d->vectors && !r; n++)
		r = interrupt_install(d, keeper, endpoint, n, &message[n]);
	if (!r && d->pci != DEVICE_NONE)
		r = pci_enable(d->pci, d->line == DEVICE_NONE ? message : NULL, d->vectors);
	device_arg(d, "vectors=%u", d->line == DEVICE_NONE ? d->vectors : 0);
	return r;
}

void device_stop(const struct device *d)
{
	if (!d->found)
		return;
	virtio_reset(d);
	if (d->pci != DEVICE_NONE)
		pci_disable(d->pci);
}
