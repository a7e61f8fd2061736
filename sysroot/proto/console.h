/* SPDX-License-Identifier: MIT */
/*
 * Between a console driver and the process server: private calls (k_call) of the driver's threads
 * on its handle of the process server's endpoint, badge PROTO_CONSOLE_BADGE.
 */
#ifndef TROUPE_PROTO_CONSOLE_H
#define TROUPE_PROTO_CONSOLE_H

#define PROTO_CONSOLE_BADGE 1

enum proto_console {
	/*
	 * arg[0] = address, arg[1] = size (at most PROTO_CONSOLE_MAX) of characters that came in.
	 * Answered at once: how many were taken.
	 */
	PROTO_CONSOLE_INPUT = 4096 + 64,
	/*
	 * arg[0] = address, arg[1] = size of a buffer. Held until there is something to send;
	 * answers its length.
	 */
	PROTO_CONSOLE_OUTPUT,
	/* arg[0] = 0 normal, 1 break, 2 parity error, arg[1] = character. */
	PROTO_CONSOLE_FAULT,
	PROTO_CONSOLE_END
};

#define PROTO_CONSOLE_MAX 4096u

#endif
