/* SPDX-License-Identifier: MIT */
/* The wire: net_wire.h. */
#include "net_wire.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sanitizer/asan_interface.h>

#include "glue.h"
#include "interface.h"
#include "netlink.h"
#include "saved.h"
#include "server.h"

#define NETMEM 0x400000u
#define SLOTS PROTO_NIC_SLOTS

int64_t wire_now = 1000000000;
struct proto_nic *wire_nic;
unsigned wire_signals;
bool wire_hold;

static char *netmem;
static uint32_t held[SLOTS];
static unsigned held_count;

/* --- what the stack wants of kernel and library ------------------------------------------- */

enum { HANDLE_NETMEM = 3, HANDLE_SIGNAL };

int srv_handle(const char *name)
{
	return !strcmp(name, "netmem")            ? HANDLE_NETMEM :
	       !strcmp(name, "virtio-net-signal") ? HANDLE_SIGNAL :
						    -1;
}

int64_t srv_now(void)
{
	return wire_now;
}

int64_t srv_realtime(void)
{
	return wire_now + 1700000000ll * 1000000000;
}

void srv_panic(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	abort();
}

long k_syscall6(long n, long a, long b, long c, long d, long e, long f)
{
	(void)c;
	(void)d;
	(void)e;
	(void)f;
	switch (n) {
	case K_NATIVE_mobject_info:
		*(struct k_mobject_info *)b = (struct k_mobject_info){ .size = NETMEM };
		return 0;
	case K_NATIVE_space_map:
		((struct k_map *)a)->address = (uintptr_t)netmem;
		return 0;
	case K_NATIVE_notification_signal:
		wire_signals++;
		return 0;
	case K_NATIVE_system_info:
		memset((void *)a, 0, sizeof(struct k_system_info));
		return 0;
	}
	return -ENOSYS;
}

void *saved_area(enum saved_part part, uint32_t version)
{
	static union { uint64_t align; char bytes[SAVED_INTERFACES_SIZE]; } area;

	(void)part;
	(void)version;
	return area.bytes;
}

/* No sockets here: nobody listens to notices. */
void notice_emit(void *group, const void *data, size_t n)
{
	(void)group;
	(void)data;
	(void)n;
}

/* --- the driver --------------------------------------------------------------------------- */

static void *at(uint32_t offset)
{
	return netmem + offset;
}

static void driver_begin(void)
{
	for (uint32_t i = 0; i < SLOTS; i++)
		ASAN_UNPOISON_MEMORY_REGION(at(PROTO_NIC_HEADER + i * PROTO_NIC_BUFFER),
					    PROTO_NIC_BUFFER);
	held_count = 0;
	wire_nic->link = 1;
	wire_nic->mtu = 1500;
	memcpy(wire_nic->mac, "\x52\x54\x00\x12\x34\x56", 6);
	wire_nic->generation++;
}

void wire_setup(uint32_t features)
{
	netmem = aligned_alloc(4096, NETMEM);
	memset(netmem, 0, NETMEM);
	wire_nic = (struct proto_nic *)netmem;
	wire_nic->features = features;
	net_lwip_setup();
	driver_begin();
	wire_run(0);
}

void wire_restart(void)
{
	driver_begin();
	wire_run(0);
}

void wire_run(int64_t ns)
{
	int64_t stop = wire_now + ns;

	for (;;) {
		int64_t next;

		net_lwip_poll();
		next = net_lwip_deadline();
		if (next > stop)
			break;
		if (next > wire_now)
			wire_now = next;
	}
	wire_now = stop;
}

unsigned wire_buffers(void)
{
	return wire_nic->supply.produced - wire_nic->supply.consumed;
}

bool wire_send(const void *frame, size_t n, uint16_t flags, size_t piece)
{
	struct proto_nic_ring *in = &wire_nic->supply, *out = &wire_nic->received;
	size_t done = 0;

	if (!piece || piece > PROTO_NIC_BUFFER - 12)
		piece = PROTO_NIC_BUFFER - 12;
	if (wire_buffers() < (n + piece - 1) / piece || wire_nic->accepted != wire_nic->generation)
		return false;
	while (done < n) {
		struct proto_nic_entry b = in->slot[in->consumed++ % SLOTS];
		size_t part = n - done < piece ? n - done : piece;

		ASAN_UNPOISON_MEMORY_REGION(at(b.offset), PROTO_NIC_BUFFER);
		memcpy(at(b.offset + 12), (const char *)frame + done, part);
		ASAN_POISON_MEMORY_REGION(at(b.offset), 12 & ~7u);
		ASAN_POISON_MEMORY_REGION(at((uint32_t)((b.offset + 12 + part + 7) & ~7ul)),
					  PROTO_NIC_BUFFER - ((12 + part + 7) & ~7ul));
		done += part;
		out->slot[out->produced % SLOTS] = (struct proto_nic_entry){
			.offset = b.offset + 12,
			.length = (uint16_t)part,
			.id = b.id,
			.flags = (uint16_t)(flags | (done < n ? PROTO_NIC_MORE : 0))
		};
		out->produced++;
	}
	return true;
}

static void report(uint32_t id)
{
	struct proto_nic_ring *r = &wire_nic->sent;

	r->slot[r->produced % SLOTS] = (struct proto_nic_entry){ .id = id };
	r->produced++;
}

void wire_release(void)
{
	for (unsigned n = 0; n < held_count; n++)
		report(held[n]);
	held_count = 0;
}

size_t wire_next(uint8_t frame[WIRE_FRAME], struct proto_nic_entry *entry)
{
	struct proto_nic_ring *r = &wire_nic->transmit;
	struct proto_nic_entry e;
	size_t n = 0;
	uint32_t id;

	if (r->consumed == r->produced)
		return 0;
	if (entry)
		*entry = r->slot[r->consumed % SLOTS];
	id = r->slot[r->consumed % SLOTS].id;
	do {
		e = r->slot[r->consumed++ % SLOTS];
		if (e.offset < PROTO_NIC_HEADER || e.offset + e.length > NETMEM ||
		    n + e.length > WIRE_FRAME)
			abort();
		memcpy(frame + n, at(e.offset), e.length);
		n += e.length;
	} while (e.flags & PROTO_NIC_MORE);
	if (wire_hold && held_count < SLOTS)
		held[held_count++] = id;
	else
		report(id);
	return n;
}
