/* SPDX-License-Identifier: MIT */
/*
 * Devices of the machine, and what of one a driver gets.
 *
 * A server with the manifest word `device NAME` is started only if the machine has that device, and
 * gets just this device: its registers as physical memory objects, its interrupts, and start
 * arguments that say where in the objects the registers lie. The supervisor alone reaches
 * configuration space and interrupt tables. What a device says of itself is checked: it may be
 * broken or hostile.
 */
#ifndef TROUPE_POSIX_SUPERVISOR_DEVICE_H
#define TROUPE_POSIX_SUPERVISOR_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "start.h"

#define DEVICE_ITEMS 8
#define DEVICE_ARGS 8
#define DEVICE_VECTORS 4
#define DEVICE_NONE 0xffffffffu

struct device {
	bool wanted;		/* the manifest names one */
	bool found;
	char kind[PROTO_START_NAME];
	unsigned vectors;	/* interrupts wanted, found */
	uint64_t status_address;	/* where a 0 resets it, and how wide */
	unsigned status_width;
	uint32_t pci;		/* bus << 8 | device << 3 | function, or DEVICE_NONE */
	uint32_t line;		/* an interrupt line, or DEVICE_NONE: messages */
	uint32_t line_flags;	/* K_IRQ_* */
	/* the registers: objects that the supervisor made and the keeper gets */
	struct device_item {
		char name[PROTO_START_NAME];
		int handle;	/* the supervisor's; in the server's table from device_grant() on */
	} item[DEVICE_ITEMS];
	size_t items;
	char arg[DEVICE_ARGS][48];
	size_t args;
};

/*
 * Looks for the device d->kind that nobody else has: 0 (found, quiet and not yet able to write
 * memory), or -ENODEV.
 */
int device_find(struct device *d);
/*
 * Puts everything into the table of `keeper`; interrupts notify `endpoint`. From here on the device
 * may write memory.
 */
int device_grant(struct device *d, int keeper, int endpoint);
/* It may no longer write memory: its driver is given up. */
void device_stop(const struct device *d);

/* --- for the buses ------------------------------------------------------------------------ */

/*
 * An object for [address, address + size), whole pages around it. -EINVAL if any of that is RAM or
 * an interrupt controller.
 */
int device_object(uint64_t address, uint64_t size);
/* The registers `name` at this address: an object, and the argument NAME=OFFSET:SIZE[:EXTRA]. */
int device_registers(struct device *d, const char *name, uint64_t address, uint64_t size,
		     uint32_t extra);
void device_arg(struct device *d, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Gives back what device_registers() made. */
void device_forget(struct device *d);

#endif
