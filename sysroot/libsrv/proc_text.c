/* SPDX-License-Identifier: MIT */
/* Files of /proc that a server answers with a text. */
#include "proc_text.h"

#include <errno.h>
#include <string.h>

#include "posix_vfs.h"

#define O_ACCMODE 3u
#define O_WRONLY 1u
#define NR_LSEEK 8

static int text_put(int object, const struct text *x)
{
	long r = x->failed ? -ENOMEM : k_mobject_resize(object, x->size);

	if (r >= 0 && x->size)
		r = k_mobject_write(object, 0, x->data, x->size);
	return r < 0 ? (int)r : 0;
}

static void opened(const struct k_message *m, int vfs, int object, int error)
{
	struct srv_forward f = {
		.endpoint = vfs,
		.number = PROTO_VFS_PROC_OPENED,
		.handle = { error ? -1 : object, -1 },
	};

	memcpy(f.arg, m->arg, sizeof f.arg);
	f.arg[5] = (uint64_t)(int64_t)error;
	if (error && object >= 0)
		k_handle_close(object);
	srv_forward(m->call, &f);
}

void proc_text_open(const struct k_message *m, int vfs, proc_text_maker *make)
{
	bool reading = (m->arg[3] & O_ACCMODE) != O_WRONLY;
	struct text x = { 0 };
	int r = reading ? make(m, &x) : 0, object = -1;

	if (!r)
		object = (int)k_mobject_create(x.size, 0);
	if (!r)
		r = object < 0 ? object : text_put(object, &x);
	text_free(&x);
	opened(m, vfs, object, r);
}

void proc_text_refresh(const struct k_message *m, proc_text_maker *make)
{
	uint64_t arg[6] = { m->arg[3], m->arg[4], m->arg[5], 0, 0, 0 };
	int object = srv_attached(m);
	struct text x = { 0 };
	int r = object < 0 ? object : make(m, &x);

	if (!r)
		r = text_put(object, &x);
	text_free(&x);
	if (object >= 0)
		k_handle_close(object);
	if (r)
		srv_answer(m->call, r);
	else
		srv_forward_kernel_args(m->call, NR_LSEEK, arg, false);
}
