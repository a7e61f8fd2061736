/*
 * COM1, polled. The transmitter is waited for, but not for ever: a machine without the port must
 * boot, too.
 *
 * SPDX-License-Identifier: MIT
 */
#include "dev/console.h"
#include "priv.h"

#define COM1 0x3f8
#define LINE_STATUS (COM1 + 5)
#define TRANSMIT_EMPTY 0x20
#define PATIENCE 100000

static bool present;

void console_init(void)
{
	port_out8(COM1 + 1, 0);	   /* no interrupts */
	port_out8(COM1 + 3, 0x80); /* divisor: 115200 baud */
	port_out8(COM1 + 0, 1);
	port_out8(COM1 + 1, 0);
	port_out8(COM1 + 3, 3); /* 8 bits, no parity */
	port_out8(COM1 + 2, 7); /* FIFOs on and empty */
	port_out8(COM1 + 4, 0xb);
	present = port_in8(LINE_STATUS) != 0xff;
}

static void put(uint8_t byte)
{
	for (unsigned i = 0; i < PATIENCE && !(port_in8(LINE_STATUS) & TRANSMIT_EMPTY); i++)
		arch_relax();
	port_out8(COM1, byte);
}

void console_write(const char *text, size_t size)
{
	for (size_t i = 0; present && i < size; i++) {
		if (text[i] == '\n')
			put('\r');
		put((uint8_t)text[i]);
	}
}
