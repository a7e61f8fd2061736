/*
 * Pseudo-terminals: a terminal whose device is a description, the master.
 *
 * What a program writes to the master is typed into the slave's terminal; what its programs write,
 * and the echo, is what the master reads. The VFS chooses the number, makes the node /dev/pts/N and
 * gives us a description of its own that stands for the master; closing that takes the node away.
 *
 * A pair lives while its master or any file of its slave is open. When the master closes, the
 * slave's terminal hangs up. When the last slave file closes, the master reads EIO after the rest
 * of the output, until the slave is opened again.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef POSIX_TTY_PTY_H
#define POSIX_TTY_PTY_H

#include "posix/tty/tty.h"

#define PTY_MAX_USER 1024u

struct user;

struct pty {
	struct tty slave;
	struct user *owner;	/* whom it counts for */
	struct srv_parked_list readers, writers;	/* of the master */
	int source;		/* the master's readiness */
	uint32_t ready;
	size_t output_seen;	/* where the output was when readiness was last looked at */
	bool master_open;
	bool locked;		/* the slave cannot be opened (TIOCSPTLCK) */
	bool slave_closed;	/* it was open, and is not any more */
	bool stopped;		/* TCOOFF on the master: nothing can be written to it */
	bool master_exclusive;	/* TIOCEXCL on the master: nobody can open it anyway */
};

/*
 * A new pair for the node with this device number; its master counts as open. Every user but root
 * may have PTY_MAX_USER. 0 with *out, -ENOSPC, -ENOMEM.
 */
int pty_create(uint32_t device, struct user *owner, struct pty **out);
struct pty *pty_find(uint32_t device);
/* Frees it if neither side is open. */
void pty_check(struct pty *p);
/* What file.c tells: a file of the slave was opened, the last one closed; the master closed. */
void pty_slave_opened(struct pty *p);
void pty_slave_closed(struct pty *p);
void pty_master_closed(struct pty *p);
/* TIOCVHANGUP on the master itself. */
void pty_master_hang(struct pty *p, struct file *master);
/* From a device number to N of /dev/pts/N. */
uint32_t pty_number(uint32_t device);
/* May the slave be opened? 0 or -EIO. */
int pty_may_open(const struct pty *p);
/* Every pair. */
void pty_each(void (*f)(struct pty *p, void *arg), void *arg);
/* Part of tty_pump: the master's readiness. */
void pty_readiness(struct pty *p);

void pty_read(const struct k_message *m, struct file *f, bool vector);
void pty_write(const struct k_message *m, struct file *f, bool vector);

#endif
