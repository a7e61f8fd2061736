/*
 * The line discipline: everything that a terminal does between its device and its programs.
 *
 * Below it is a device (a serial line, or the master side of a pseudo-terminal), above it the tty
 * server with its readers and writers. It does no input or output, takes no locks, allocates
 * nothing and knows no processes: bytes are pushed in at one end and taken out at the other, and
 * what it wants to tell goes through one callback, `signal`. It behaves as Linux's N_TTY does.
 *
 *      program --ldisc_write--> [output queue] --ldisc_output_peek/consume--> device
 *      program <--ldisc_read--- [input ring]   <--ldisc_input---------------- device
 *                                   '--echo--> [output queue]
 *
 * The caller keeps: job control (SIGTTIN, SIGTTOU, who is in the foreground), hang-up, parked
 * readers and writers with their timers, the wait for drained output in TCSETSW, and the rule that
 * one write is finished before the next begins. After any call the levels (ldisc_readable,
 * ldisc_writable, output pending) may have changed and should be looked at again.
 *
 * The invariant: tail <= head <= tail + LDISC_INPUT_SIZE for the free-running ring positions, and
 * with ICANON also tail <= canon <= head: [tail, canon) is finished lines, [canon, head) the line
 * being edited. Without ICANON all of [tail, head) can be read and canon means nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef POSIX_TTY_LDISC_H
#define POSIX_TTY_LDISC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "termios_wire.h"

#define LDISC_INPUT_SIZE 4096u	/* the longest canonical line, its newline included */
#define LDISC_OUTPUT_SIZE 16384u
#define LDISC_MASTER_SIZE 4095u		/* so much of its output a master has at once */
#define LDISC_ECHO_SIZE 2048u

/* What kind of device is below. */
enum ldisc_kind {
	LDISC_SERIAL,		/* a line: honours IXOFF, output wanted when nearly drained */
	LDISC_PTY,		/* a master: always 8 bits, holds its own back-pressure */
};

/* What ldisc_input_flagged is told of one character. */
enum ldisc_fault { LDISC_NORMAL, LDISC_BREAK, LDISC_PARITY };

struct ldisc_ops {
	/* Send `sig` to the foreground process group. Must not call back into the discipline. */
	void (*signal)(void *context, int sig);
};

struct ldisc {
	struct lx_termios2 termios;	/* read only for the caller: see ldisc_set_termios */
	struct lx_winsize winsize;
	const struct ldisc_ops *ops;
	void *context;
	enum ldisc_kind kind;

	/* Input. */
	size_t head, canon, tail;
	size_t lookahead;		/* held-back bytes already searched for ^S and ^Q */
	uint64_t special[4];		/* a bit for each character that needs a closer look */
	uint64_t line_end[LDISC_INPUT_SIZE / 64];
	bool raw;			/* no character is special and nothing is echoed */
	bool literal;			/* VLNEXT was typed */
	bool erasing;			/* inside \.../ of ECHOPRT */
	bool throttled;			/* the ring is nearly full */

	/* Output. */
	size_t out_head, out_tail;
	size_t out_sent;		/* a master has what lies before; no flush takes it back */
	size_t echo_head, echo_tail;
	unsigned column, canon_column;	/* where the cursor is, and was when the line began */
	bool stopped;			/* by the stop character or TCOOFF */
	bool stopped_by_call;		/* by TCOOFF, which only TCOON undoes */
	bool xchar_pending;
	uint8_t xchar;			/* a start or stop character, to go out first */

	/* Packet mode of a pseudo-terminal. */
	bool packet;
	uint8_t packet_status;

	uint8_t in[LDISC_INPUT_SIZE];
	uint8_t out[LDISC_OUTPUT_SIZE];
	uint16_t echo[LDISC_ECHO_SIZE];
};

/* A fresh terminal with default settings. `ops` and `context` must outlive it. */
void ldisc_init(struct ldisc *ld, enum ldisc_kind kind, const struct ldisc_ops *ops, void *context);

/* Everything pending is forgotten, settings stay: the terminal was closed or hung up. */
void ldisc_reset(struct ldisc *ld);

/*
 * Characters from the device. Returns how many were accepted; fewer than `n` means that the ring is
 * full of data that nobody has read: the rest must be offered again, first, after the next read or
 * flush (^S and ^Q in it have already had their effect). A canonical line that grows too long never
 * blocks: what does not fit replaces its last character.
 */
size_t ldisc_input(struct ldisc *ld, const void *bytes, size_t n);

/* One character with what the line said about it. False: no room, offer it again. */
bool ldisc_input_flagged(struct ldisc *ld, uint8_t c, enum ldisc_fault fault);

/* How a read is tried. */
enum ldisc_read_how {
	LDISC_NONBLOCK = 1,	/* O_NONBLOCK */
	LDISC_EXPIRED = 2,	/* the timer that was asked for has run out */
	LDISC_INTERRUPTED = 4,	/* a signal ends the read */
};

/* One parked reader; zeroed before the first try. */
struct ldisc_reader {
	uint8_t timer;		/* out: tenths of a second to wait for, 0 without limit */
	bool restart;		/* out: set the timer anew; otherwise leave a running one alone */
	bool started;
	size_t seen;
};

/*
 * Reads as read(2) does. 0: done, with the count in *got (0 is end of file, or VTIME ran out).
 * -EAGAIN: nothing to be had yet; unless LDISC_NONBLOCK was given, park the reader, set the timer
 * that `rd` asks for, and try again on new input, on a change of settings, or with LDISC_EXPIRED.
 * -EINTR: LDISC_INTERRUPTED and nothing was read.
 */
int ldisc_read(struct ldisc *ld, struct ldisc_reader *rd, unsigned how, void *buf, size_t n,
	       size_t *got) __attribute__((warn_unused_result));

/* Would a read return at once, and would a write get something done? As poll(2) sees it. */
bool ldisc_readable(const struct ldisc *ld);
bool ldisc_writable(const struct ldisc *ld);

/* Output of a program. Returns how much was taken, 0 when stopped or full. */
size_t ldisc_write(struct ldisc *ld, const void *bytes, size_t n);

/*
 * What the device should send next, without and with taking it; peek shows what lies in one piece.
 * While output is stopped a serial line gets nothing but a start or stop character; a master may
 * still take what was queued before. Taking makes room, into which waiting echoes move.
 */
size_t ldisc_output_peek(const struct ldisc *ld, const uint8_t **bytes);
void ldisc_output_consume(struct ldisc *ld, size_t n);
size_t ldisc_take_output(struct ldisc *ld, void *buf, size_t n);
/* Copies what ldisc_take_output would give, and leaves it there. */
size_t ldisc_output_copy(const struct ldisc *ld, void *buf, size_t n);
/* A character that goes out as it is, as if a program had written it (TIOCSTI on a master). */
void ldisc_output_insert(struct ldisc *ld, uint8_t c);

/* Has all output been taken? (TCSETSW, TCSETSF, tcdrain, close) */
bool ldisc_drained(const struct ldisc *ld);

/* FIONREAD and TIOCOUTQ. */
size_t ldisc_input_count(const struct ldisc *ld);
size_t ldisc_output_count(const struct ldisc *ld);

/* TCSETS and its kin, after the wait and the flush that some of them ask for. */
void ldisc_set_termios(struct ldisc *ld, const struct lx_termios2 *termios);

/* TCFLSH and TCXONC. -EINVAL for an unknown action. */
int ldisc_flush(struct ldisc *ld, int queue) __attribute__((warn_unused_result));
int ldisc_flow(struct ldisc *ld, int action) __attribute__((warn_unused_result));

/* TIOCSWINSZ: sends SIGWINCH if the size is another. */
void ldisc_set_winsize(struct ldisc *ld, const struct lx_winsize *size);

/* Packet mode (TIOCPKT) of a pseudo-terminal: the status byte for the master's next read, or 0. */
void ldisc_set_packet(struct ldisc *ld, bool on);
uint8_t ldisc_take_packet_status(struct ldisc *ld);

#endif
