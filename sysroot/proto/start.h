/* SPDX-License-Identifier: MIT */
/*
 * What a native server finds at its start: the handles that its manifest grants, by name, and its
 * arguments.
 *
 * The supervisor writes one struct proto_start at the top of the new stack and passes its address
 * in rdi; rsp lies below it, aligned to 16. After item[count] follow args_count NUL-terminated
 * strings, args_size bytes in all; the first is the server's name. A restarted server gets the same
 * handles, and "restarted" among its arguments.
 */
#ifndef TROUPE_PROTO_START_H
#define TROUPE_PROTO_START_H

#include <stdint.h>

#define PROTO_START_MAGIC 0x54525055u	/* "UPRT" */
#define PROTO_START_NAME 28

struct proto_start_item {
	char name[PROTO_START_NAME];	/* NUL-terminated */
	int32_t handle;
};

struct proto_start {
	uint32_t magic, count;
	uint32_t args_count, args_size;
	struct proto_start_item item[];
};

_Static_assert(sizeof(struct proto_start_item) == 32, "start item layout");

/* Names that every server may ask for. */
/* Where it receives, all rights that its manifest allows */
#define PROTO_START_ENDPOINT	"endpoint"
#define PROTO_START_STATE	"state"		/* its state memory object (read, write, resize) */
#define PROTO_START_ARCHIVE	"archive"	/* the boot archive's memory object (read) */
#define PROTO_START_CONTROL	"control"

/*
 * A server with a device (manifest: `device KIND`) finds its interrupts under this name, the second
 * and later ones with their number behind it ("device-irq1"); each notifies its endpoint with badge
 * PROTO_START_DEVICE_BADGE + number. Arguments NAME=VALUE say what else it must know:
 * sysroot/libdrv reads them.
 */
#define PROTO_START_DEVICE_IRQ "device-irq"
#define PROTO_START_DEVICE_BADGE 0x20000u

#endif
