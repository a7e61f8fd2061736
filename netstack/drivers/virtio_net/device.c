/* SPDX-License-Identifier: MIT */
/* The device as a whole: beginning (also anew), configuration, and which frames it lets through. */
#include "virtio_net.h"

#include <string.h>

#include "calls.h"
#include "server.h"

enum { CONFIG_MAC = 0, CONFIG_STATUS = 6, CONFIG_MTU = 10 };

#define STATUS_LINK 1u
#define MTU_USUAL 1500u
#define MTU_LEAST 68u

#define WANTED                                                                                     \
	(NET_F_CSUM | NET_F_GUEST_CSUM | NET_F_MTU | NET_F_MAC | NET_F_MRG_RXBUF | NET_F_STATUS |  \
	 NET_F_CTRL_VQ | NET_F_CTRL_RX | VIRTIO_F_EVENT_IDX)

#define VECTOR_QUEUES 1u

/* A command to the control queue: what the device reads, and the byte that it writes. */
struct net_command {
	uint8_t class, command, on;
	uint8_t pad;
	volatile uint8_t answer;
};

#define CLASS_RECEIVE 0u
enum { COMMAND_PROMISCUOUS, COMMAND_ALL_MULTICAST };

/* --- configuration ------------------------------------------------------------------------ */

static uint16_t config16(unsigned offset)
{
	uint16_t value;

	virtio_config(&nic.device, offset, &value, sizeof(value));
	return value;
}

static uint32_t mtu(void)
{
	/* a frame with a VLAN tag fits one buffer */
	uint32_t most = PROTO_NIC_BUFFER - sizeof(struct net_header) - 18, value = MTU_USUAL;

	if (nic.device.features & NET_F_MTU)
		value = config16(CONFIG_MTU);
	return value < MTU_LEAST ? MTU_USUAL : value < most ? value : most;
}

static void mac_read(void)
{
	/* locally administered: without an address of its own it gets a random one */
	uint8_t mac[6] = { 0x02 };
	struct k_system_info info;

	if (nic.device.features & NET_F_MAC) {
		virtio_config(&nic.device, CONFIG_MAC, mac, sizeof(mac));
	} else if (!k_system_info(&info)) {
		uint64_t random = info.seed[0] ^ (uint64_t)k_clock_get(1);

		memcpy(mac + 1, &random, sizeof(mac) - 1);
	}
	memcpy(nic.shared->mac, mac, sizeof(mac));
}

void device_configuration(void)
{
	uint32_t link =
		!(nic.device.features & NET_F_STATUS) || config16(CONFIG_STATUS) & STATUS_LINK;

	if (link == nic.shared->link)
		return;
	nic.shared->link = link;
	if (nic.generation)
		srv_log("link %s", link ? "up" : "down");
}

static void report(void)
{
	const uint8_t *m = nic.shared->mac;

	srv_log("%02x:%02x:%02x:%02x:%02x:%02x, link %s, MTU %u, %s, interrupts by %s", m[0], m[1],
		m[2], m[3], m[4], m[5], nic.shared->link ? "up" : "down", (unsigned)nic.shared->mtu,
		nic.device.features & NET_F_CSUM ? "checksums by the device" :
						   "no checksums by the device",
		nic.device.vectors ? "message" : "line");
}

/* --- beginning ---------------------------------------------------------------------------- */

static int queues_begin(void)
{
	int r;

	dma_rewind(&nic.memory);
	r = virtio_queue(&nic.device, QUEUE_RECEIVE, QUEUE_SIZE, VECTOR_QUEUES, &nic.memory,
			 &nic.receive);
	if (!r)
		r = virtio_queue(&nic.device, QUEUE_TRANSMIT, QUEUE_SIZE, VECTOR_QUEUES,
				 &nic.memory, &nic.transmit);
	if (!r && nic.device.features & NET_F_CTRL_VQ)
		r = virtio_queue(&nic.device, QUEUE_CONTROL, 16, VECTOR_QUEUES, &nic.memory,
				 &nic.control);
	nic.header = dma_take(&nic.memory, QUEUE_SIZE * sizeof(*nic.header), 64);
	nic.command = dma_take(&nic.memory, sizeof(*nic.command), 64);
	return r ? r : nic.header && nic.command ? 0 : -1;
}

static void shared_fill(void)
{
	struct proto_nic *s = nic.shared;

	s->magic = PROTO_NIC_MAGIC;
	s->features = (nic.device.features & NET_F_CSUM ? PROTO_NIC_TX_CHECKSUM : 0) |
		      (nic.device.features & NET_F_GUEST_CSUM ? PROTO_NIC_RX_CHECKSUM : 0);
	s->mtu = mtu();
	mac_read();
	device_configuration();
}

/*
 * Until the reset is done, the predecessor's buffers are the device's: so that comes first, and
 * nothing else matters if it fails.
 */
void device_begin(void)
{
	bool first = !nic.generation;
	int r;

	nic.reset_seen = __atomic_load_n(&nic.shared->reset_wanted, __ATOMIC_ACQUIRE);
	nic.ready = false;
	if (virtio_reset(&nic.device))
		srv_panic("the device does not reset");
	r = virtio_negotiate(&nic.device,
			     virtio_offered(&nic.device) & NET_F_CTRL_VQ ? WANTED :
									   WANTED & ~NET_F_CTRL_RX,
			     0);
	if (!r)
		r = queues_begin();
	if (!r)
		r = virtio_ready(&nic.device);
	if (r)
		srv_panic("the device cannot be set up: %d", r);
	nic.promiscuous = nic.all_multicast = 0;
	receive_begin();
	transmit_begin();
	rings_begin();
	shared_fill();
	nic.generation = nic.shared->generation + 1;
	nic.generation += !nic.generation;
	if (first)
		report();
	__atomic_store_n(&nic.shared->generation, nic.generation, __ATOMIC_RELEASE);
	k_notification_signal(nic.network, 1);
}

/* --- which frames ------------------------------------------------------------------------- */

static void command_send(uint8_t command, uint32_t on)
{
	uint64_t at = dma_address(&nic.memory, nic.command);
	struct virtqueue_segment s[] = { { at, 2 }, { at + 2, 1 }, { at + 4, 1 } };

	*nic.command = (struct net_command){
		.class = CLASS_RECEIVE, .command = command, .on = on != 0, .answer = 0xff
	};
	virtqueue_add(&nic.control, s, 2, 1, command);
	if (virtqueue_publish(&nic.control))
		virtio_notify(&nic.device, QUEUE_CONTROL);
}

/* One command at a time; what was wished for meanwhile follows. */
bool device_filter(void)
{
	uint32_t promiscuous = nic.shared->promiscuous != 0, all = nic.shared->all_multicast != 0,
		 length;
	uint64_t command;

	if (!(nic.device.features & NET_F_CTRL_RX))
		return false;
	if (virtqueue_take(&nic.control, &command, &length) && nic.command->answer)
		srv_log("the device refuses to change its filter");
	if (virtqueue_outstanding(&nic.control) ||
	    (promiscuous == nic.promiscuous && all == nic.all_multicast))
		return false;
	if (promiscuous != nic.promiscuous)
		command_send(COMMAND_PROMISCUOUS, nic.promiscuous = promiscuous);
	else
		command_send(COMMAND_ALL_MULTICAST, nic.all_multicast = all);
	return true;
}
