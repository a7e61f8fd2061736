/* SPDX-License-Identifier: MIT */
/*
 * The serial console's driver: a 16550 UART at an I/O port range, with its interrupt.
 *
 * Two threads, because each blocks in one thing: the first waits for interrupts and passes what
 * came in to the process server (PROTO_CONSOLE_INPUT), the second asks that server for output
 * (PROTO_CONSOLE_OUTPUT, held until there is some) and writes it. They share nothing but the
 * registers, of which each uses its own.
 *
 * When the driver dies, its successor finds the UART as it is; characters in its FIFO are not lost.
 * Source: National Semiconductor PC16550D data sheet.
 */
#include <errno.h>

#include "calls.h"
#include "console.h"
#include "server.h"

enum { DATA, INTERRUPTS_ON, FIFO_CONTROL, LINE_CONTROL, MODEM_CONTROL, LINE_STATUS };

#define INTERRUPT_RECEIVE	0x01
#define FIFO_ON			0x01	/* without clearing: a predecessor's input stays */
#define LINE_8N1		0x03
#define MODEM_READY		0x0b	/* DTR, RTS, OUT2: the interrupt reaches the controller */
#define STATUS_DATA		0x01
#define STATUS_PARITY		0x04
#define STATUS_BREAK		0x10
#define STATUS_TRANSMIT_EMPTY	0x20
#define FIFO_SIZE		16
#define STACK_SIZE		0x4000ul

static int uart, irq, posix;

static uint8_t reg_read(unsigned reg)
{
	uint32_t value = 0;

	k_ioport_in(uart, reg, 1, &value);
	return (uint8_t)value;
}

static void reg_write(unsigned reg, uint8_t value)
{
	k_ioport_out(uart, reg, 1, value);
}

/* --- input -------------------------------------------------------------------------------- */

static long posix_call(int number, const void *p, uint64_t n)
{
	struct k_private_call c = { .endpoint = posix,
				    .number = number,
				    .arg = { (uint64_t)p, n } };

	return k_call(&c);
}

static void input_pass(const char *bytes, unsigned n)
{
	if (n)
		posix_call(PROTO_CONSOLE_INPUT, bytes, n);
}

/* Everything that the UART holds; characters with errors are passed apart, in order. */
static void input_drain(void)
{
	static char bytes[256];
	unsigned n = 0;
	uint8_t status;

	while ((status = reg_read(LINE_STATUS)) & STATUS_DATA) {
		char c = (char)reg_read(DATA);

		if (status & (STATUS_BREAK | STATUS_PARITY)) {
			input_pass(bytes, n);
			n = 0;
			posix_call(PROTO_CONSOLE_FAULT,
				   (void *)(uint64_t)(status & STATUS_BREAK ? 1 : 2), (uint8_t)c);
			continue;
		}
		bytes[n++] = c;
		if (n == sizeof(bytes)) {
			input_pass(bytes, n);
			n = 0;
		}
	}
	input_pass(bytes, n);
}

/* --- output ------------------------------------------------------------------------------- */

static void output_bytes(const char *bytes, long n)
{
	while (n > 0) {
		while (!(reg_read(LINE_STATUS) & STATUS_TRANSMIT_EMPTY))
			;
		for (int room = FIFO_SIZE; room && n > 0; room--, n--)
			reg_write(DATA, (uint8_t)*bytes++);
	}
}

static _Noreturn void output_thread(void)
{
	static char bytes[PROTO_CONSOLE_MAX];

	for (;;)
		output_bytes(bytes, posix_call(PROTO_CONSOLE_OUTPUT, bytes, sizeof(bytes)));
}

/*
 * A thread beside this one, on a stack of its own; it uses no library, so it needs no thread-local
 * storage.
 */
static void output_start(void)
{
	struct k_map stack = {
		.size = STACK_SIZE, .space = -1, .object = -1, .flags = K_MAP_READ | K_MAP_WRITE
	};
	struct k_thread_create t = { .task = srv_handle_need("task"),
				     .priority = K_PRIORITY_DRIVER };
	long h;

	if (k_space_map(&stack) < 0)
		srv_panic("no memory for a stack");
	t.routes = -1;
	t.regs.rip = (uint64_t)output_thread;
	t.regs.rsp = stack.address + STACK_SIZE - 8;
	h = k_thread_create(&t);
	if (h < 0 || k_thread_start((int)h) < 0)
		srv_panic("cannot start the output thread: %ld", h);
}

static void on_interrupt(const struct k_message *m)
{
	(void)m;
	input_drain();
	k_irq_ack(irq);
}

int main(void)
{
	static const struct srv_ops ops = { .notify = on_interrupt };

	uart = srv_handle_need("uart");
	irq = srv_handle_need("uart-irq");
	posix = srv_handle_need("posix");
	reg_write(LINE_CONTROL, LINE_8N1);
	reg_write(FIFO_CONTROL, FIFO_ON);
	reg_write(MODEM_CONTROL, MODEM_READY);
	reg_write(INTERRUPTS_ON, INTERRUPT_RECEIVE);
	output_start();
	input_drain();
	k_irq_ack(irq);		/* a predecessor may have died before it could */
	srv_run(srv_handle_need("endpoint"), &ops);
}
