/*
 * Conversions between the three user forms of terminal settings and the one that is kept.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef POSIX_TTY_TTY_TERMIOS_H
#define POSIX_TTY_TTY_TERMIOS_H

#include "termios_wire.h"

/* What a terminal has when it is first opened. */
void termios_default(struct lx_termios2 *t);

/* The kept settings as TCGETS and TCGETA show them. */
void termios_to_user(const struct lx_termios2 *t, struct lx_termios *user);
void termios_to_termio(const struct lx_termios2 *t, struct lx_termio *user);

/*
 * The user's settings laid over the current ones; `t` holds the current settings on entry and the
 * new ones on return. TCSETS knows no numeric speed: it is derived from the flags, or kept where
 * they say "other". termio carries only the low halves of the flags and the first eight characters.
 */
void termios_from_user(struct lx_termios2 *t, const struct lx_termios *user);
void termios_from_user2(struct lx_termios2 *t, const struct lx_termios2 *user);
void termios_from_termio(struct lx_termios2 *t, const struct lx_termio *user);

#endif
