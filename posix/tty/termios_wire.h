/*
 * The terminal settings as programs hand them over: the layouts and numbers of the Linux x86-64
 * ioctls TCGETA..TCSETSF2, TIOCGWINSZ, TCXONC, TCFLSH and packet mode.
 *
 * A native server is compiled against newlib, whose own <termios.h> and <signal.h> number things
 * differently, so everything here carries the prefix LX_ and can be included beside any libc.
 * struct lx_termios2 is also the form in which the line discipline keeps its settings.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef POSIX_TTY_TERMIOS_WIRE_H
#define POSIX_TTY_TERMIOS_WIRE_H

#include <stdint.h>

#define LX_NCCS 19

/* TCGETS, TCSETS, TCSETSW, TCSETSF. */
struct lx_termios {
	uint32_t iflag, oflag, cflag, lflag;
	uint8_t line;
	uint8_t cc[LX_NCCS];
};

/* TCGETS2, TCSETS2, TCSETSW2, TCSETSF2. */
struct lx_termios2 {
	uint32_t iflag, oflag, cflag, lflag;
	uint8_t line;
	uint8_t cc[LX_NCCS];
	uint32_t ispeed, ospeed;
};

/* TCGETA, TCSETA, TCSETAW, TCSETAF. */
struct lx_termio {
	uint16_t iflag, oflag, cflag, lflag;
	uint8_t line;
	uint8_t cc[8];
};

/* TIOCGWINSZ, TIOCSWINSZ. */
struct lx_winsize {
	uint16_t rows, cols, xpixel, ypixel;
};

_Static_assert(sizeof(struct lx_termios) == 36, "struct termios of the kernel ABI");
_Static_assert(sizeof(struct lx_termios2) == 44, "struct termios2 of the kernel ABI");
_Static_assert(sizeof(struct lx_termio) == 18, "struct termio of the kernel ABI");
_Static_assert(sizeof(struct lx_winsize) == 8, "struct winsize of the kernel ABI");

enum lx_cc {
	LX_VINTR = 0, LX_VQUIT = 1, LX_VERASE = 2, LX_VKILL = 3, LX_VEOF = 4, LX_VTIME = 5,
	LX_VMIN = 6, LX_VSWTC = 7, LX_VSTART = 8, LX_VSTOP = 9, LX_VSUSP = 10, LX_VEOL = 11,
	LX_VREPRINT = 12, LX_VDISCARD = 13, LX_VWERASE = 14, LX_VLNEXT = 15, LX_VEOL2 = 16,
};

enum lx_iflag {
	LX_IGNBRK = 0x1, LX_BRKINT = 0x2, LX_IGNPAR = 0x4, LX_PARMRK = 0x8, LX_INPCK = 0x10,
	LX_ISTRIP = 0x20, LX_INLCR = 0x40, LX_IGNCR = 0x80, LX_ICRNL = 0x100, LX_IUCLC = 0x200,
	LX_IXON = 0x400, LX_IXANY = 0x800, LX_IXOFF = 0x1000, LX_IMAXBEL = 0x2000,
	LX_IUTF8 = 0x4000,
};

enum lx_oflag {
	LX_OPOST = 0x1, LX_OLCUC = 0x2, LX_ONLCR = 0x4, LX_OCRNL = 0x8, LX_ONOCR = 0x10,
	LX_ONLRET = 0x20, LX_OFILL = 0x40, LX_OFDEL = 0x80, LX_TABDLY = 0x1800, LX_XTABS = 0x1800,
};

enum lx_cflag {
	LX_CBAUD = 0x100f, LX_BOTHER = 0x1000, LX_B38400 = 0xf, LX_CSIZE = 0x30, LX_CS8 = 0x30,
	LX_CSTOPB = 0x40, LX_CREAD = 0x80, LX_PARENB = 0x100, LX_PARODD = 0x200, LX_HUPCL = 0x400,
	LX_CLOCAL = 0x800, LX_CIBAUD_SHIFT = 16,
};

enum lx_lflag {
	LX_ISIG = 0x1, LX_ICANON = 0x2, LX_XCASE = 0x4, LX_ECHO = 0x8, LX_ECHOE = 0x10,
	LX_ECHOK = 0x20, LX_ECHONL = 0x40, LX_NOFLSH = 0x80, LX_TOSTOP = 0x100, LX_ECHOCTL = 0x200,
	LX_ECHOPRT = 0x400, LX_ECHOKE = 0x800, LX_FLUSHO = 0x1000, LX_PENDIN = 0x4000,
	LX_IEXTEN = 0x8000, LX_EXTPROC = 0x10000,
};

enum lx_tcflow { LX_TCOOFF = 0, LX_TCOON = 1, LX_TCIOFF = 2, LX_TCION = 3 };
enum lx_tcflush { LX_TCIFLUSH = 0, LX_TCOFLUSH = 1, LX_TCIOFLUSH = 2 };

enum lx_packet {
	LX_TIOCPKT_DATA = 0, LX_TIOCPKT_FLUSHREAD = 1, LX_TIOCPKT_FLUSHWRITE = 2,
	LX_TIOCPKT_STOP = 4, LX_TIOCPKT_START = 8, LX_TIOCPKT_NOSTOP = 16, LX_TIOCPKT_DOSTOP = 32,
	LX_TIOCPKT_IOCTL = 64,
};

/* The signals that a terminal sends. */
enum { LX_TTY_SIGINT = 2, LX_TTY_SIGQUIT = 3, LX_TTY_SIGTSTP = 20, LX_TTY_SIGWINCH = 28 };

#endif
