/*
 * Terminals: a line discipline between a device and the descriptions that programs have of it, with sessions and job control.
 *
 *	program --read, write, ioctl--> tty.c, tty_ioctl.c --> ldisc --> device (console.c: a driver task)
 *
 * Descriptions have no data plane: every read and write comes here. Callers who must wait are parked in the terminal's queues.
 * After anything that may have moved the discipline, tty_pump() looks at everything again: output for the device, readers,
 * writers, those who wait for drained output, readiness, and signals that the discipline raised meanwhile.
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

struct tty {
	struct ldisc ldisc;
	uint32_t device;
	struct session *session;	/* whose controlling terminal it is */
	uint32_t pgrp;			/* foreground */
	unsigned opens;
	bool exclusive;
	int source;			/* readiness */
	uint32_t ready;			/* bits that it has */
	struct srv_parked_list readers, writers, drainers;
	uint64_t signals;		/* raised by the discipline, not yet sent */
	bool pumping;
	/* input that the discipline had no room for */
	uint8_t overflow[TTY_OVERFLOW];
	size_t overflow_used;
	/* what a reader was to get when his page was absent: he comes again */
	uint32_t stash_tid;
	size_t stash_used;
	uint8_t stash[LDISC_INPUT_SIZE];
	/* the device */
	void (*output)(struct tty *tty);	/* there is something to send */
	void *device_data;
};

/* An open description of ours. */
enum file_kind { FILE_NONE, FILE_TTY, FILE_RANDOM, FILE_URANDOM };
struct file {
	enum file_kind kind;
	struct tty *tty;
	bool console;		/* opened as /dev/console: no job control, never a controlling terminal by itself */
	bool hung;
	uint64_t node;		/* the VFS's, for fstat and its kin */
	int pin;		/* VFS description that keeps the node; -1 */
	uint32_t generation;
};

/* file.c */
struct file *file_find(uint64_t cookie);
/* A description of a new file: its handle, or a negative errno. */
int file_open(enum file_kind kind, struct tty *tty, uint32_t device, uint32_t flags, uint64_t node, int pin);
void file_closed(uint64_t cookie);
/* Every terminal file of this terminal that was not opened as the console hangs. */
void files_hang(struct tty *tty);
struct file *file_of_call(const struct k_message *m);
unsigned file_count(void);
/* Linux's answer for reads and the like on what is not ours any more (cannot happen) is EBADF. */
bool file_declines(const struct k_message *m);
srv_handler in_read, in_write, in_readv, in_writev, in_pread, in_ioctl, in_foreign, in_not_socket, in_lseek;
srv_handler ps_tty_open, ps_random_open;

/* tty.c */
int tty_init(struct tty *tty, uint32_t device, void (*output)(struct tty *tty), void *data);
void tty_input(struct tty *tty, const uint8_t *bytes, size_t n);
void tty_pump(struct tty *tty);
void tty_read(const struct k_message *m, struct file *f, bool vector);
void tty_write(const struct k_message *m, struct file *f, bool vector);
/* Can the caller change or read the terminal? 0; -EIO; -K_RESTART_SYS after the group got its signal. */
int tty_job_check(struct thread *t, struct file *f, int sig);
struct tty *process_tty(const struct process *p);
void tty_acquire(struct tty *tty, struct process *p);
/* The session gives it up; with hangup its foreground group gets SIGHUP and its files hang. */
void tty_disassociate(struct tty *tty, bool hangup);
void tty_session_gone(struct tty *tty);
struct tty *tty_find(uint32_t device);
void tty_signal_group(struct tty *tty, int sig);

/* tty_ioctl.c */
void tty_ioctl(const struct k_message *m, struct file *f);
bool tty_ioctl_again(struct srv_parked *p);

/* console.c: the terminal of the serial console */
extern struct tty console_tty;
/* Its driver waits for something to put out. */
bool console_is_idle(void);
void console_setup(void);
srv_handler console_input, console_output, console_fault;

#endif
