/* SPDX-License-Identifier: MIT */
/* What drivers need: notifications, interrupt lines, I/O port ranges. */
#ifndef TROUPE_CORE_DEVICE_H
#define TROUPE_CORE_DEVICE_H

#include "core/endpoint.h"

struct notification {
	struct object object;
	struct endpoint *endpoint;	/* counted */
	struct notice notice;
	uint64_t bits;			/* signalled and not yet delivered */
	uint32_t badge;
};

struct irq {
	struct object object;
	struct notification *notification;
	/* irq number of arch/irq.h; ARCH_IRQ_MSI and above: message-signalled */
	unsigned line;
	unsigned bit;
	struct k_irq_message message;	/* what raises a message-signalled one */
};

struct ioport {
	struct object object;
	uint16_t base, count;
};

int notification_create(struct endpoint *e, uint32_t badge, struct notification **out);
void notification_signal(struct notification *n, uint64_t bits);
/* A line fired (the controller has masked or acknowledged it). */
void irq_raise(unsigned line);
int irq_create(unsigned line, unsigned flags, struct notification *n, struct irq **out);
/* What its device has to write: 0, or EINVAL for a line. */
int irq_message(const struct irq *q, struct k_irq_message *out);
void irq_bind(struct irq *q, struct notification *n);
int ioport_create(uint16_t base, uint16_t count, struct ioport **out);

#endif
