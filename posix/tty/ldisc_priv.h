/*
 * What the parts of the line discipline share: ldisc.c (settings, flow, levels), ldisc_input.c
 * (characters in), ldisc_edit.c (erase, kill, reprint), ldisc_output.c (characters and echoes out),
 * ldisc_read.c (readers).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef POSIX_TTY_LDISC_PRIV_H
#define POSIX_TTY_LDISC_PRIV_H

#include "ldisc.h"

#define RING(position) ((position) & (LDISC_INPUT_SIZE - 1))

static inline bool iflag(const struct ldisc *ld, uint32_t bits)
{
	return (ld->termios.iflag & bits) != 0;
}

static inline bool oflag(const struct ldisc *ld, uint32_t bits)
{
	return (ld->termios.oflag & bits) != 0;
}

static inline bool lflag(const struct ldisc *ld, uint32_t bits)
{
	return (ld->termios.lflag & bits) != 0;
}

/* Does `c` do what slot `which` says? A slot that holds 0 is disabled. */
static inline bool cc_is(const struct ldisc *ld, uint8_t c, enum lx_cc which)
{
	return c != 0 && c == ld->termios.cc[which];
}

/* Lines are assembled here, and not by the other end (EXTPROC). */
static inline bool line_mode(const struct ldisc *ld)
{
	return (ld->termios.lflag & (LX_ICANON | LX_EXTPROC)) == LX_ICANON;
}

/* Character classes beyond ASCII are Latin-1's, whatever the session's encoding. */
static inline bool char_is_control(uint8_t c)
{
	return c < 0x20 || c == 0x7f;
}

static inline bool char_is_upper(uint8_t c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 0xc0 && c <= 0xde && c != 0xd7);
}

static inline bool char_is_lower(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 0xdf && c != 0xf7);
}

static inline bool char_is_word(uint8_t c)
{
	return char_is_upper(c) || char_is_lower(c) || (c >= '0' && c <= '9') || c == '_';
}

/* The second or a later byte of a UTF-8 character. */
static inline bool char_continues(const struct ldisc *ld, uint8_t c)
{
	return iflag(ld, LX_IUTF8) && (c & 0xc0) == 0x80;
}

static inline bool bit_test(const uint64_t *map, size_t i)
{
	return (map[i / 64] >> (i % 64)) & 1;
}

static inline void bit_set(uint64_t *map, size_t i)
{
	map[i / 64] |= UINT64_C(1) << (i % 64);
}

static inline void bit_clear(uint64_t *map, size_t i)
{
	map[i / 64] &= ~(UINT64_C(1) << (i % 64));
}

static inline uint8_t input_at(const struct ldisc *ld, size_t position)
{
	return ld->in[RING(position)];
}

static inline bool line_ends_at(const struct ldisc *ld, size_t position)
{
	return bit_test(ld->line_end, RING(position));
}

/* A marked NUL stands for an end of file and is not data. */
static inline bool eof_at(const struct ldisc *ld, size_t position)
{
	return line_ends_at(ld, position) && input_at(ld, position) == 0;
}

/* ldisc.c */
void output_stop(struct ldisc *ld);
void output_start(struct ldisc *ld);
void input_forget(struct ldisc *ld);
void output_sent(struct ldisc *ld);
void output_forget(struct ldisc *ld);
void throttle_update(struct ldisc *ld);

/* ldisc_edit.c: VERASE, VWERASE, VKILL; VREPRINT. */
void edit_erase(struct ldisc *ld, uint8_t c);
void edit_reprint(struct ldisc *ld, uint8_t c);
void edit_finish_erasing(struct ldisc *ld);

/*
 * ldisc_output.c. Echoes are queued as small operations and carried out at the end of a batch of
 * input, so that a signal character can still take back what was typed just before it.
 */
void echo_char(struct ldisc *ld, uint8_t c);		/* ^X for a control character */
void echo_plain(struct ldisc *ld, uint8_t c);		/* as it is */
void echo_line_start(struct ldisc *ld);			/* the line begins at this column */
void echo_column_back(struct ldisc *ld);		/* the last byte moved no cursor */
void echo_erase_tab(struct ldisc *ld, unsigned columns, bool after_tab);
void echo_forget(struct ldisc *ld);
void echo_run(struct ldisc *ld);			/* carry out what fits */
void echo_run_if_many(struct ldisc *ld);

#endif
