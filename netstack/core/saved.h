/* SPDX-License-Identifier: MIT */
/*
 * What outlives the server: two areas of plain records in its state object. A successor finds them
 * as they were at any instruction, so a record has a word that is written last and says that it
 * counts.
 */
#ifndef NETSTACK_CORE_SAVED_H
#define NETSTACK_CORE_SAVED_H

#include <stdint.h>

enum saved_part {
	SAVED_LISTENERS,	/* socket/listener.c */
	SAVED_INTERFACES,	/* netstack/interface: how the interfaces are configured */
	SAVED_PARTS
};
#define SAVED_LISTENERS_SIZE	0x20000u
#define SAVED_INTERFACES_SIZE	0x4000u

void saved_setup(int handle);	/* the state object; -1: nothing outlives us */
/*
 * The area, zeroed if what a predecessor left has another version (any number but 0). Less 16 bytes
 * than its size.
 */
void *saved_area(enum saved_part part, uint32_t version);

#endif
