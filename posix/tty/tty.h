/*
 * Terminals: a line discipline between a device and the descriptions that programs have of it, with
 * sessions and job control.
 *
 *	program --read, write, ioctl--> tty.c, tty_ioctl.c --> ldisc --> device
 *
 * The device is a driver task (console.c) or the master of a pseudo-terminal (pty.c). Descriptions
 * have no data plane: every read and write comes here. Callers who must wait are parked in the
 * terminal's queues. After anything that may have moved the discipline, tty_pump() looks at
 * everything again: output for the device, readers, writers, those who wait for drained output,
 * readiness, and signals that the discipline raised meanwhile.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef POSIX_TTY_H
#define POSIX_TTY_H

#include "posix/proc/process.h"
#include "posix/tty/ldisc.h"

#define TTY_CONSOLE_DEVICE 0x501u	/* 5:1 */
#define TTY_SERIAL_DEVICE 0x440u	/* 4:64 */
#define TTY_CURRENT_DEVICE 0x500u	/* 5:0 */
#define TTY_OVERFLOW 4096u
#define TTY_CHUNK 16384u		/* so much is copied at a time */
/*
 * Of one operation: so many bytes to be sent, or an eighth of it typed, which are more work. It is
 * met only by what leaves no trace, as letters for a line that is full: all else ends for want of
 * room.
 */
#define TTY_BUDGET (2 * LDISC_OUTPUT_SIZE)
#define TTY_TYPED 8u

/* What poll sees. */
#define TTY_READY_IN 0x41u		/* POLLIN, POLLRDNORM */
#define TTY_READY_PRI 0x2u
#define TTY_READY_OUT 0x104u		/* POLLOUT, POLLWRNORM */
#define TTY_READY_HUP 0x10u
#define TTY_READY_HUNG 0x15du		/* after a hang-up: all of them, and POLLERR */

struct pty;

struct tty {
	struct ldisc ldisc;
	uint32_t device;
	struct session *session;	/* whose controlling terminal it is */
	uint32_t pgrp;			/* foreground */
	unsigned opens;			/* files; a pseudo-terminal's master is not one of them */
	bool exclusive;
	int source;			/* readiness */
	int console_source;		/* the same for files that never hang; -1: there are none */
	uint32_t ready;			/* bits that both have */
	bool arrived;			/* input since readiness was last looked at */
	struct srv_parked_list readers, writers, drainers;
	uint64_t signals;		/* raised by the discipline, not yet sent */
	bool pumping;
	size_t budget;			/* what is left of it */
	struct srv_timer more;		/* goes on with writers that have used it up */
	/* input that the discipline had no room for */
	uint8_t overflow[TTY_OVERFLOW];
	size_t overflow_used;
	/* what a reader was to get when his page was absent: he comes again */
	uint32_t stash_tid;
	size_t stash_used;
	uint8_t stash[LDISC_INPUT_SIZE];
	/* The device: there may be something to send. True: it took or gave something. */
	bool (*output)(struct tty *tty);
	struct pty *pty;		/* NULL: no pseudo-terminal */
};

/* An open description of ours. */
enum file_kind { FILE_NONE, FILE_TTY, FILE_MASTER, FILE_RANDOM, FILE_URANDOM };
struct file {
	enum file_kind kind;
	struct tty *tty;
	bool console;		/* opened as /dev/console: no job control, does not hang */
	bool hung;
	uint64_t node;		/* the VFS's, for fstat and its kin */
	int pin;		/* VFS description that keeps the node; -1 */
	uint32_t generation;
};

/* file.c */
struct file *file_find(uint64_t cookie);
/* A description of a new file: its handle, or a negative errno. */
int file_open(enum file_kind kind, struct tty *tty, uint32_t device, uint32_t flags, uint64_t node,
	      int pin);
void file_closed(uint64_t cookie);
/* Marks every file of this terminal but masters and those that were opened as the console. */
void files_hang(struct tty *tty);
struct file *file_of_call(const struct k_message *m);
unsigned file_count(void);
/*
 * Recovery: every handle of files, terminals and pairs; the end of files whose descriptions are
 * gone; readiness, told anew.
 */
void file_know(void (*know)(int handle));
void file_reconcile(bool (*is_alive)(uint64_t cookie));
void file_ready_tell(void);
/* Linux's answer for reads and the like on what is not ours any more (cannot happen) is EBADF. */
bool file_declines(const struct k_message *m);
srv_handler in_read, in_write, in_readv, in_writev, in_pread, in_ioctl, in_foreign, in_not_socket;
srv_handler in_lseek, in_close;
srv_handler ps_tty_open, ps_random_open;

/* tty.c */
int tty_init(struct tty *tty, enum ldisc_kind kind, uint32_t device,
	     bool (*output)(struct tty *tty));
void tty_input(struct tty *tty, const uint8_t *bytes, size_t n);
/* The same without a look at what follows from it; n is at most tty_input_room(). */
void tty_input_put(struct tty *tty, const uint8_t *bytes, size_t n);
static inline size_t tty_input_room(const struct tty *tty)
{
	return sizeof tty->overflow - tty->overflow_used;
}
void tty_pump(struct tty *tty);
/* The terminal goes. */
void tty_end(struct tty *tty);
/* Has the device sent all output? What a pseudo-terminal's programs wrote counts as sent. */
bool tty_drained(const struct tty *tty);
void tty_read(const struct k_message *m, struct file *f, bool vector);
void tty_write(const struct k_message *m, struct file *f, bool vector);
/* Can the caller change or read it? 0; -EIO; -K_RESTART_SYS after the group got its signal. */
int tty_job_check(struct thread *t, struct file *f, int sig);
struct tty *process_tty(const struct process *p);
void tty_acquire(struct tty *tty, struct process *p);
struct tty *tty_find(uint32_t device);
void tty_signal_group(struct tty *tty, int sig);
/*
 * The ways in which terminal and session part: the leader gives it up (TIOCNOTTY) or exits; the
 * line is gone (vhangup, a closed master); another session steals it, or the session ends.
 */
void tty_give_up(struct tty *tty);
void tty_leader_exit(struct tty *tty);
void tty_hangup(struct tty *tty);
void tty_session_gone(struct tty *tty);

/* The caller's buffers, arg[1] and arg[2] of a call, plain or as vectors: how much they hold... */
int64_t tty_buffer_size(const struct k_message *m, bool vector);
/* ... and n bytes at offset `skip` copied out to them or in from them. */
int tty_buffer_copy(const struct k_message *m, bool vector, uint64_t skip, uint8_t *data, size_t n,
		    bool out);
/* The end of a write: `r` unless something was done. What was done of one that comes again. */
void tty_write_end(const struct k_message *m, int r, uint64_t done);
uint64_t tty_write_begun(const struct k_message *m);
void tty_write_keep(const struct srv_parked *p);

/* tty_ioctl.c */
void tty_ioctl(const struct k_message *m, struct file *f);
bool tty_ioctl_again(struct srv_parked *p);

/* console.c: the terminal of the serial console */
extern struct tty tty_of_console;
#define console_tty STATE_OF(tty_of_console)
/* Its driver waits for something to put out. */
bool console_is_idle(void);
/* And it has put out all that there was. */
bool console_is_drained(void);
void console_setup(void);
srv_handler console_input, console_output, console_fault;

#endif
