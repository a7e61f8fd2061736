/*
 * The process server's own descriptions: terminals and the random devices.
 *
 * A cookie is the file's slot and a generation, so one that comes late finds nothing. What concerns
 * the node behind a descriptor (fstat, fchmod and so on) goes back to the VFS with the node that
 * came with the open.
 *
 * SPDX-License-Identifier: MIT
 */
#include "posix/tty/pty.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "posix/misc/random.h"
#include "posix/proc/caller.h"
#include "posix/proc/cred.h"
#include "posix_vfs.h"

static STATE struct {
	struct file **file;
	uint32_t slots;
	unsigned used;
	uint32_t first_generation;	/* of the next new slot */
} table;
#define T STATE_OF(table)

struct file *file_find(uint64_t cookie)
{
	uint32_t slot = (uint32_t)cookie - 1;
	struct file *f = slot < T.slots ? T.file[slot] : NULL;

	return f && f->kind != FILE_NONE && f->generation == (uint32_t)(cookie >> 32) ? f : NULL;
}

unsigned file_count(void)
{
	return T.used;
}

static int slot_new(uint32_t *out)
{
	struct file **more;

	for (uint32_t i = 0; i < T.slots; i++) {
		if (T.file[i]->kind == FILE_NONE) {
			*out = i;
			return 0;
		}
	}
	more = realloc(T.file, (T.slots + 1) * sizeof *T.file);
	if (!more)
		return -ENOMEM;
	T.file = more;
	T.file[T.slots] = calloc(1, sizeof **T.file);
	if (!T.file[T.slots])
		return -ENOMEM;
	T.file[T.slots]->generation = T.first_generation;
	*out = T.slots++;
	return 0;
}

/* A master's close comes to us first, so that its number and its node are gone when it returns. */
static int describe(struct file *f, uint64_t cookie, uint32_t flags)
{
	struct k_description d = { .plane = K_PLANE_NONE, .object = -1, .object2 = -1, .source = -1,
		.flags = K_DESCRIPTION_EAGER, .cookie = cookie };

	if (f->kind == FILE_MASTER)
		d.decline = K_DECLINE_CLOSE;
	if (f->kind == FILE_MASTER)
		d.source = f->tty->pty->source;
	else if (f->tty)
		d.source = f->console ? f->tty->console_source : f->tty->source;
	if (f->tty)
		d.flags |= K_DESCRIPTION_NOSEEK;
	d.status = flags & ~(uint32_t)(LX_O_CLOEXEC | LX_O_NOCTTY | 0300 | 01000);
	return (int)k_description_create(grants.endpoint, &d);
}

int file_open(enum file_kind kind, struct tty *tty, uint32_t device, uint32_t flags, uint64_t node,
	      int pin)
{
	struct file new = { .kind = kind, .tty = tty, .console = device == TTY_CONSOLE_DEVICE,
		.node = node, .pin = pin };
	struct file *f;
	uint32_t slot;
	int r = slot_new(&slot);

	if (r)
		return r;
	f = T.file[slot];
	new.generation = f->generation + 1;
	r = describe(&new, (uint64_t)new.generation << 32 | (slot + 1), flags);
	if (r < 0)
		return r;
	*f = new;
	T.used++;
	if (kind == FILE_TTY && !tty->opens++ && tty->pty)
		pty_slave_opened(tty->pty);
	return r;
}

static void tty_closed(struct tty *tty)
{
	if (--tty->opens)
		return;
	tty->exclusive = false;
	if (tty->pty)
		pty_slave_closed(tty->pty);
}

void file_closed(uint64_t cookie)
{
	struct file *f = file_find(cookie);
	enum file_kind kind;
	struct tty *tty;

	if (!f)
		return;
	kind = f->kind;
	tty = f->tty;
	if (f->pin >= 0)
		k_handle_close(f->pin);
	f->kind = FILE_NONE;
	f->tty = NULL;
	T.used--;
	if (kind == FILE_TTY)
		tty_closed(tty);
	else if (kind == FILE_MASTER)
		pty_master_closed(tty->pty);
}

void files_hang(struct tty *tty)
{
	for (uint32_t i = 0; i < T.slots; i++) {
		if (T.file[i]->kind == FILE_TTY && T.file[i]->tty == tty && !T.file[i]->console)
			T.file[i]->hung = true;
	}
}

struct file *file_of_call(const struct k_message *m)
{
	return m->flags & K_MSGF_FOREIGNFD ? NULL : file_find(m->cookie);
}

/* --- open ------------------------------------------------------------------------------------- */

static void opened(const struct k_message *m, int handle, uint32_t flags)
{
	srv_answer(m->call, 0);
	srv_answer_install(handle, flags & LX_O_CLOEXEC ? K_INSTALL_CLOEXEC : 0, 0, 0);
}

static void open_fail(const struct k_message *m, int pin, int r)
{
	if (pin >= 0)
		k_handle_close(pin);
	srv_answer(m->call, r);
}

/* A session leader without a terminal gets the one that he opens. */
static void acquire_on_open(struct thread *t, struct tty *tty, uint32_t device, uint32_t flags)
{
	struct session *s = t->process->group->session;

	if (flags & LX_O_NOCTTY || (flags & LX_O_ACCMODE) == LX_O_WRONLY)
		return;
	if (device == TTY_CONSOLE_DEVICE || device == TTY_CURRENT_DEVICE)
		return;
	if (s->leader == t->process && !s->tty && !tty->session)
		tty_acquire(tty, t->process);
}

/* Which terminal an open means. 0 or an error. */
static int tty_of_open(struct thread *t, uint32_t kind, uint32_t device, struct tty **out)
{
	struct pty *pty;

	*out = kind == PROTO_TTY_CURRENT ? process_tty(t->process) : tty_find(device);
	if (kind == PROTO_TTY_PTS) {
		pty = pty_find(device);
		if (!pty)
			return -EIO;
		*out = &pty->slave;
	}
	if (!*out)
		return -ENXIO;
	if ((*out)->pty && pty_may_open((*out)->pty))
		return -EIO;
	return (*out)->exclusive && !cred_capable(t->cred, LX_CAP_SYS_ADMIN) ? -EBUSY : 0;
}

/* /dev/ptmx: arg[4] is the device number of the slave that the VFS has made a node for. */
static void open_master(const struct k_message *m, int pin)
{
	struct pty *p = NULL;
	int h = pty_create((uint32_t)m->arg[4], thread_of(m)->cred->user, &p);

	if (!h)
		h = file_open(FILE_MASTER, &p->slave, (uint32_t)m->arg[2], (uint32_t)m->arg[1],
			      m->arg[3], pin);
	if (h >= 0) {
		opened(m, h, (uint32_t)m->arg[1]);
		return;
	}
	open_fail(m, pin, h);
	if (p) {
		p->master_open = false;
		pty_check(p);
	}
}

void ps_tty_open(const struct k_message *m)
{
	struct thread *t = thread_of(m);
	uint32_t kind = (uint32_t)m->arg[0], flags = (uint32_t)m->arg[1];
	uint32_t device = (uint32_t)m->arg[2];
	int pin = srv_attached(m), h;
	struct tty *tty;

	if (pin == -K_RESTART_ALWAYS) {
		srv_answer(m->call, pin);
		return;
	}
	if (kind == PROTO_TTY_PTMX) {
		open_master(m, pin);
		return;
	}
	h = tty_of_open(t, kind, device, &tty);
	if (kind == PROTO_TTY_CONSOLE)
		device = TTY_CONSOLE_DEVICE;
	if (kind == PROTO_TTY_CURRENT)
		device = TTY_CURRENT_DEVICE;
	if (!h)
		h = file_open(FILE_TTY, tty, device, flags, m->arg[3], pin);
	if (h < 0) {
		open_fail(m, pin, h);
		return;
	}
	acquire_on_open(t, tty, device, flags);
	opened(m, h, flags);
}

void ps_random_open(const struct k_message *m)
{
	int pin = srv_attached(m);
	int h = pin == -K_RESTART_ALWAYS ? pin :
					   file_open(m->arg[0] ? FILE_URANDOM : FILE_RANDOM, NULL,
						     0, (uint32_t)m->arg[1], m->arg[3], pin);

	if (h < 0)
		open_fail(m, pin, h);
	else
		opened(m, h, (uint32_t)m->arg[1]);
}

/* --- calls on our descriptors ----------------------------------------------------------------- */

static bool may_read(const struct k_message *m)
{
	return (m->fd_flags & LX_O_ACCMODE) != LX_O_WRONLY;
}

static bool may_write(const struct k_message *m)
{
	return (m->fd_flags & LX_O_ACCMODE) != 0;
}

/* The random devices may be short: of a vector, the first buffer that is not empty is served. */
static void random_call(const struct k_message *m, bool urgent, bool vector, bool write)
{
	struct { uint64_t base, size; } v = { m->arg[1], m->arg[2] };
	struct k_message plain = *m;
	int r = 0;

	for (uint64_t i = 0; vector && !r && i < m->arg[2]; i++) {
		r = i < 1024 ? caller_read(m, &v, m->arg[1] + i * sizeof v, sizeof v) : -EINVAL;
		if (v.size)
			break;
	}
	if (r || (vector && !m->arg[2])) {
		caller_answer(m, r);
		return;
	}
	plain.arg[1] = v.base;
	plain.arg[2] = v.size;
	if (write)
		random_write(&plain);
	else
		random_read(&plain, urgent);
}

static void read_call(const struct k_message *m, bool vector)
{
	struct file *f = file_of_call(m);

	if (!f || !may_read(m))
		srv_answer(m->call, -EBADF);
	else if (f->kind == FILE_TTY)
		tty_read(m, f, vector);
	else if (f->kind == FILE_MASTER)
		pty_read(m, f, vector);
	else
		random_call(m, f->kind == FILE_URANDOM, vector, false);
}

void in_read(const struct k_message *m)
{
	read_call(m, false);
}

void in_readv(const struct k_message *m)
{
	read_call(m, true);
}

static void write_call(const struct k_message *m, bool vector)
{
	struct file *f = file_of_call(m);

	if (!f || !may_write(m))
		srv_answer(m->call, -EBADF);
	else if (f->kind == FILE_TTY)
		tty_write(m, f, vector);
	else if (f->kind == FILE_MASTER)
		pty_write(m, f, vector);
	else
		random_call(m, false, vector, true);
}

void in_write(const struct k_message *m)
{
	write_call(m, false);
}

void in_writev(const struct k_message *m)
{
	write_call(m, true);
}

/* pread, pwrite and so on: terminals have no positions, the random devices do not care. */
void in_pread(const struct k_message *m)
{
	struct file *f = file_of_call(m);

	if (!f || f->tty)
		srv_answer(m->call, f ? -ESPIPE : -EBADF);
	else if (m->number == 17)
		read_call(m, false);
	else if (m->number == 18)
		write_call(m, false);
	else
		srv_answer(m->call, -EINVAL);
}

void in_lseek(const struct k_message *m)
{
	struct file *f = file_of_call(m);

	srv_answer(m->call, !f ? -EBADF : f->tty ? -ESPIPE : 0);
}

void in_ioctl(const struct k_message *m)
{
	struct file *f = file_of_call(m);
	uint64_t arg[6];
	int r = f ? srv_ioctl_as_fcntl(m, arg) : -EBADF;

	if (r < 0)
		caller_answer(m, r);
	else if (r)
		srv_forward_kernel_args(m->call, NR_FCNTL, arg, false);
	else if (f->tty)
		tty_ioctl(m, f);
	else
		random_ioctl(m);
}

/* The kernel closes it; the hook lets nobody go on before we have heard of it. */
void in_close(const struct k_message *m)
{
	struct file *f = file_of_call(m);

	if (f && f->kind == FILE_MASTER)
		srv_forward_kernel_args(m->call, m->number, m->arg, true);
	else
		srv_forward_kernel(m->call);
}

void in_not_socket(const struct k_message *m)
{
	srv_answer(m->call, -ENOTSOCK);
}

/* A call about the node behind a descriptor that the VFS forwarded, because it is not its own. */
void in_foreign(const struct k_message *m)
{
	struct file *f = file_of_call(m);
	struct proto_node node = { .number = m->number };
	struct srv_forward fw = { .endpoint = grants.vfs, .number = PROTO_VFS_NODE,
		.scratch = &node, .scratch_size = sizeof node, .handle = { -1, -1 } };
	struct k_caller_cookie c;

	if (!f && k_caller_cookie(grants.endpoint, m->call, (int)m->arg[0], &c) == 0 && c.own)
		f = file_find(c.cookie);
	if (f)
		node.node = f->node;
	memcpy(node.arg, m->arg, sizeof node.arg);
	memcpy(fw.arg, m->arg, sizeof fw.arg);
	srv_forward(m->call, &fw);
}

/*
 * Numbers with a shortcut that we want to see for our own descriptions: data calls, for which the
 * kernel has no plane, and the close of a master.
 */
bool file_declines(const struct k_message *m)
{
	const struct file *f;

	switch (m->number) {
	case 0: case 1: case 8: case 17: case 18: case 19: case 20: case 40:
	case 295: case 296: case 327: case 328:
		return true;
	case 3:
		f = file_of_call(m);
		return f && f->kind == FILE_MASTER;
	/* a signal mask goes with them */
	case 270: case 271: case 281: case 34:
		return true;
	}
	return false;
}

/* --- recovery --------------------------------------------------------------------------------- */

static void pair_know(struct pty *p, void *know)
{
	(*(void (**)(int))know)(p->source);
	(*(void (**)(int))know)(p->slave.source);
}

void file_know(void (*know)(int handle))
{
	for (uint32_t i = 0; i < T.slots; i++) {
		if (T.file[i]->kind != FILE_NONE)
			know(T.file[i]->pin);
	}
	know(console_tty.source);
	know(console_tty.console_source);
	pty_each(pair_know, &know);
}

/*
 * A description that was made and not committed has the number that the next in its slot would get,
 * and its end is still to be told.
 */
void file_reconcile(bool (*is_alive)(uint64_t cookie))
{
	T.first_generation++;
	for (uint32_t i = 0; i < T.slots; i++) {
		struct file *f = T.file[i];
		uint64_t cookie = (uint64_t)f->generation << 32 | (i + 1);

		if (f->kind == FILE_NONE)
			f->generation++;
		else if (!is_alive(cookie))
			file_closed(cookie);
	}
}

static void ready_tell(const struct tty *tty)
{
	k_source_set(tty->source, tty->ready, ~tty->ready & 0xffff, 0);
	if (tty->console_source >= 0)
		k_source_set(tty->console_source, tty->ready, ~tty->ready & 0xffff, 0);
}

static void pair_tell(struct pty *p, void *unused)
{
	(void)unused;
	ready_tell(&p->slave);
	k_source_set(p->source, p->ready, ~p->ready & 0xffff, 0);
}

void file_ready_tell(void)
{
	ready_tell(&console_tty);
	pty_each(pair_tell, NULL);
}
