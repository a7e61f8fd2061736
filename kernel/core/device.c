/* SPDX-License-Identifier: MIT */
/*
 * Notifications, interrupt lines and I/O ports. An interrupt only sets a bit; the driver does the
 * rest.
 */
#include "core/device.h"
#include "arch/irq.h"
#include "lib/errno.h"
#include "mm/kmalloc.h"

#define IRQ_LINES 512

static struct irq *irq_owner[IRQ_LINES];

static void notification_fill(struct notice *n, struct k_message *m)
{
	struct notification *o = container_of(n, struct notification, notice);

	m->kind = K_MSG_NOTIFY;
	m->cookie = o->badge;
	m->extra[0] = o->bits;
	o->bits = 0;
}

int notification_create(struct endpoint *e, uint32_t badge, struct notification **out)
{
	struct notification *n = kzalloc(sizeof(*n));

	if (!n)
		return -ENOMEM;
	object_init(&n->object, K_OBJECT_NOTIFICATION);
	notice_init(&n->notice, notification_fill);
	n->endpoint = e;
	object_get(&e->object);
	n->badge = badge;
	*out = n;
	return 0;
}

void notification_destroy(struct object *o)
{
	struct notification *n = container_of(o, struct notification, object);

	notice_cancel(&n->notice);
	object_put(&n->endpoint->object);
	kfree(n);
}

void notification_signal(struct notification *n, uint64_t bits)
{
	if (!bits)
		return;
	n->bits |= bits;
	endpoint_notify(n->endpoint, &n->notice);
}

void irq_raise(unsigned line)
{
	struct irq *q = line < IRQ_LINES ? irq_owner[line] : NULL;

	if (q)
		notification_signal(q->notification, 1ull << q->bit);
}

/* A line of the interrupt controller: from now on it is enabled. */
static int line_enable(struct irq *q, unsigned line, unsigned flags)
{
	unsigned arch_flags =
		(flags & K_IRQ_LEVEL ? ARCH_IRQ_LEVEL : 0) | (flags & K_IRQ_LOW ? ARCH_IRQ_LOW : 0);

	if (line >= IRQ_LINES)
		return -EINVAL;
	if (irq_owner[line])
		return -EBUSY;
	if (flags & K_IRQ_ISA)
		line = arch_irq_isa(line, &arch_flags);
	q->line = line;
	return line < IRQ_LINES && !irq_owner[line] ? arch_irq_enable(line, arch_flags, 0) : -EBUSY;
}

static int message_enable(struct irq *q, unsigned flags)
{
	return flags == K_IRQ_MSI ?
		       arch_msi_alloc(0, &q->line, &q->message.address, &q->message.data) :
		       -EINVAL;
}

int irq_create(unsigned line, unsigned flags, struct notification *n, struct irq **out)
{
	struct irq *q = kzalloc(sizeof(*q));
	int r;

	if (!q)
		return -ENOMEM;
	r = flags & K_IRQ_MSI ? message_enable(q, flags) : line_enable(q, line, flags);
	if (r) {
		kfree(q);
		return r;
	}
	object_init(&q->object, K_OBJECT_IRQ);
	q->notification = n;
	object_get(&n->object);
	irq_owner[q->line] = q;
	*out = q;
	return 0;
}

int irq_message(const struct irq *q, struct k_irq_message *out)
{
	*out = q->message;
	return q->line < ARCH_IRQ_MSI ? -EINVAL : 0;
}

void irq_bind(struct irq *q, struct notification *n)
{
	object_get(&n->object);
	object_put(&q->notification->object);
	q->notification = n;
}

void irq_destroy(struct object *o)
{
	struct irq *q = container_of(o, struct irq, object);

	if (q->line >= ARCH_IRQ_MSI)
		arch_msi_free(q->line);
	else
		arch_irq_disable(q->line);
	irq_owner[q->line] = NULL;
	object_put(&q->notification->object);
	kfree(q);
}

int ioport_create(uint16_t base, uint16_t count, struct ioport **out)
{
	struct ioport *p = kzalloc(sizeof(*p));

	if (!p)
		return -ENOMEM;
	object_init(&p->object, K_OBJECT_IOPORT);
	p->base = base;
	p->count = count;
	*out = p;
	return 0;
}

void ioport_destroy(struct object *o)
{
	kfree(container_of(o, struct ioport, object));
}
