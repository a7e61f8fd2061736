/* SPDX-License-Identifier: MIT */
/*
 * The virtio network driver: moves frames between the device and netmem (sysroot/proto/nic_wire.h),
 * and copies none.
 *
 * One thread. It is woken by the device's interrupts and by the network server's doorbell, works
 * until there is nothing left to do on either side, and only then asks for interrupts and doorbells
 * again, looks once more, and sleeps. Whoever kills it, and whenever: its successor resets the
 * device before anything else, and no memory that the device was told of is ever freed.
 */
#include "virtio_net.h"

#include "calls.h"
#include "server.h"

#define NONSENSE_MAX 4
#define SENT_FEW 32

struct nic nic;

static void network_wake(void)
{
	barrier_full();
	if (!nic.shared->network_sleeping)
		return;
	nic.shared->network_sleeping = 0;
	k_notification_signal(nic.network, 1);
}

/* --- the network server's side of the beginning ------------------------------------------- */

static bool reset_is_wanted(void)
{
	return __atomic_load_n(&nic.shared->reset_wanted, __ATOMIC_ACQUIRE) != nic.reset_seen;
}

/* True: it has accepted what it had not before. */
static bool accept_look(void)
{
	if (nic.ready || __atomic_load_n(&nic.shared->accepted, __ATOMIC_ACQUIRE) != nic.generation)
		return false;
	nic.ready = true;
	rings_begin();
	return true;
}

static bool queue_is_broken(void)
{
	return nic.receive.broken || nic.transmit.broken || nic.control.broken;
}

/* --- work --------------------------------------------------------------------------------- */

static void interrupts_off(void)
{
	virtqueue_interrupt_off(&nic.receive);
	virtqueue_interrupt_off(&nic.transmit);
}

/*
 * True: something came meanwhile, so do not sleep. Of sent frames a part is enough, and a few can
 * wait for whatever comes next: see transmit.c.
 */
static bool interrupts_on(void)
{
	uint16_t outstanding = (uint16_t)virtqueue_outstanding(&nic.transmit);
	bool more = virtqueue_interrupt_on(&nic.receive);

	if (nic.device.features & NET_F_CTRL_VQ)
		more |= virtqueue_interrupt_on(&nic.control);
	return more | virtqueue_interrupt_later(&nic.transmit,
						(uint16_t)(outstanding < SENT_FEW ?
								   SENT_FEW :
								   outstanding - outstanding / 4));
}

/* Once it may be an accident. A driver that keeps dying is given up, and its device is silenced. */
static void nonsense(void)
{
	static int times;

	if (++times > NONSENSE_MAX)
		srv_panic("the device writes nonsense into its rings, again and again");
	srv_log("the device writes nonsense into its rings: it is reset");
}

/* One look at everything. */
static bool work_round(void)
{
	bool received, sent, other;

	if (reset_is_wanted() || queue_is_broken()) {
		if (queue_is_broken())
			nonsense();
		device_begin();
		return true;
	}
	other = accept_look();
	if (!nic.ready)
		return other;
	other |= device_filter();
	other |= receive_supply();
	received = receive_take();
	sent = transmit_take();
	if (received | sent)
		network_wake();
	return transmit_add() | received | sent | other;
}

/* With the network server told to ring, and interrupts on: is there really nothing? */
static bool sleep_prepare(void)
{
	__atomic_store_n(&nic.shared->driver_sleeping, 1, __ATOMIC_SEQ_CST);
	barrier_full();
	return (!nic.ready || !interrupts_on()) && !work_round();
}

static void work(void)
{
	do {
		nic.shared->driver_sleeping = 0;
		if (nic.ready)
			interrupts_off();
		while (work_round())
			;
	} while (!sleep_prepare());
}

static void on_notify(const struct k_message *m)
{
	bool device = m->cookie >= PROTO_START_DEVICE_BADGE &&
		      m->cookie < PROTO_START_DEVICE_BADGE + VIRTIO_VECTORS;
	bool config = m->cookie == PROTO_START_DEVICE_BADGE + VIRTIO_CONFIG_VECTOR;

	if (device) {
		nic.shared->interrupts++;
		if (config && virtio_cause(&nic.device) & VIRTIO_CAUSE_CONFIG) {
			device_configuration();
			network_wake();
		}
		if (config && virtio_failed(&nic.device))
			device_begin();
	}
	work();
	if (device)
		virtio_acknowledge(&nic.device);
}

int main(void)
{
	static const struct srv_ops ops = { .notify = on_notify };
	int r = virtio_open(&nic.device);

	if (!r)
		r = dma_map("netmem", &nic.netmem);
	if (!r)
		r = dma_map("virtqueue", &nic.memory);
	if (r || nic.netmem.size < PROTO_NIC_HEADER)
		srv_panic("no device, or no memory for it: %d", r);
	nic.shared = nic.netmem.base;
	nic.network = srv_handle_need("network-signal");
	device_begin();
	virtio_acknowledge(&nic.device);	/* a predecessor may have died before it could */
	work();
	srv_run(srv_handle_need("endpoint"), &ops);
}
