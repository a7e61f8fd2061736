/*
 * Terminal settings: the defaults and the three user forms.
 *
 * The invariant is that ispeed and ospeed of kept settings always agree with the speed codes in
 * cflag, so that TCGETS2 shows the truth whichever call set them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tty_termios.h"

#include <string.h>

/* Speed codes 0 to 15, then those with the extension bit (BOTHER, its number 0, is not a speed). */
static const uint32_t speed_low[16] = {
	0, 50, 75, 110, 134, 150, 200, 300, 600, 1200, 1800, 2400, 4800, 9600, 19200, 38400,
};
static const uint32_t speed_high[16] = {
	0, 57600, 115200, 230400, 460800, 500000, 576000, 921600, 1000000, 1152000, 1500000,
	2000000, 2500000, 3000000, 3500000, 4000000,
};

static uint32_t speed_of(uint32_t code, uint32_t other)
{
	if (code == LX_BOTHER)
		return other;
	return code & LX_BOTHER ? speed_high[code & 15] : speed_low[code & 15];
}

static void termios_settle_speed(struct lx_termios2 *t)
{
	uint32_t in = (t->cflag >> LX_CIBAUD_SHIFT) & LX_CBAUD;

	t->ospeed = speed_of(t->cflag & LX_CBAUD, t->ospeed);
	t->ispeed = in ? speed_of(in, t->ispeed) : t->ospeed;
}

void termios_default(struct lx_termios2 *t)
{
	*t = (struct lx_termios2){
		.iflag = LX_ICRNL | LX_IXON,
		.oflag = LX_OPOST | LX_ONLCR,
		.cflag = LX_B38400 | LX_CS8 | LX_CREAD | LX_HUPCL,
		.lflag = LX_ISIG | LX_ICANON | LX_ECHO | LX_ECHOE | LX_ECHOK | LX_ECHOCTL |
			 LX_ECHOKE | LX_IEXTEN,
		.cc = {
			[LX_VINTR] = 3, [LX_VQUIT] = 28, [LX_VERASE] = 127, [LX_VKILL] = 21,
			[LX_VEOF] = 4, [LX_VMIN] = 1, [LX_VSTART] = 17, [LX_VSTOP] = 19,
			[LX_VSUSP] = 26, [LX_VREPRINT] = 18, [LX_VDISCARD] = 15,
			[LX_VWERASE] = 23, [LX_VLNEXT] = 22,
		},
		.ispeed = 38400,
		.ospeed = 38400,
	};
}

void termios_to_user(const struct lx_termios2 *t, struct lx_termios *user)
{
	memcpy(user, t, sizeof(*user));
}

void termios_to_termio(const struct lx_termios2 *t, struct lx_termio *user)
{
	*user = (struct lx_termio){
		.iflag = (uint16_t)t->iflag, .oflag = (uint16_t)t->oflag,
		.cflag = (uint16_t)t->cflag, .lflag = (uint16_t)t->lflag, .line = t->line,
	};
	memcpy(user->cc, t->cc, sizeof(user->cc));
}

void termios_from_user(struct lx_termios2 *t, const struct lx_termios *user)
{
	memcpy(t, user, sizeof(*user));
	termios_settle_speed(t);
}

void termios_from_user2(struct lx_termios2 *t, const struct lx_termios2 *user)
{
	*t = *user;
	termios_settle_speed(t);
}

void termios_from_termio(struct lx_termios2 *t, const struct lx_termio *user)
{
	t->iflag = (t->iflag & 0xffff0000u) | user->iflag;
	t->oflag = (t->oflag & 0xffff0000u) | user->oflag;
	t->cflag = (t->cflag & 0xffff0000u) | user->cflag;
	t->lflag = (t->lflag & 0xffff0000u) | user->lflag;
	t->line = user->line;
	memcpy(t->cc, user->cc, sizeof(user->cc));
	termios_settle_speed(t);
}
