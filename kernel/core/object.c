/* SPDX-License-Identifier: MIT */
/*
 * Reference counts, ids and destruction of kernel objects; accounts and fs contexts, which are
 * little more.
 */
#include "core/object.h"
#include "core/account.h"
#include "core/handle.h"
#include "lib/errno.h"
#include "lib/print.h"
#include "mm/kmalloc.h"

HOT_DATA uint64_t object_count[K_OBJECT_TYPES];

HOT_DATA static uint64_t object_last_id;

void object_init(struct object *o, enum k_object_type type)
{
	o->references = 1;
	o->type = type;
	o->id = ++object_last_id;
	object_count[type]++;
}

static void control_destroy(struct object *o)
{
	(void)o;
	panic("the control object was destroyed");
}

static void (*const object_destroy[K_OBJECT_TYPES])(struct object *) = {
	[K_OBJECT_SPACE] = space_destroy,
	[K_OBJECT_TABLE] = table_destroy,
	[K_OBJECT_FSCTX] = fsctx_destroy,
	[K_OBJECT_ACCOUNT] = account_destroy,
	[K_OBJECT_TASK] = task_destroy,
	[K_OBJECT_THREAD] = thread_destroy,
	[K_OBJECT_MOBJECT] = mobject_destroy,
	[K_OBJECT_ENDPOINT] = endpoint_destroy,
	[K_OBJECT_DESCRIPTION] = description_destroy,
	[K_OBJECT_PIPE] = pipe_destroy,
	[K_OBJECT_SOURCE] = source_destroy,
	[K_OBJECT_NOTIFICATION] = notification_destroy,
	[K_OBJECT_IRQ] = irq_destroy,
	[K_OBJECT_IOPORT] = ioport_destroy,
	[K_OBJECT_ROUTES] = routes_destroy,
	[K_OBJECT_CONTROL] = control_destroy,
};

/* Objects destroyed within each other's destruction; the kernel's stack is small */
#define DEPTH_MAX 12

/*
 * Chains of objects that hold each other are as long as users make them. Beyond a depth the dead
 * wait until the outermost destruction is over, linked through their ids: nobody asks for a dead
 * object's, but for a table's.
 */
static void object_bury(struct object *o)
{
	static struct object *waiting;
	static unsigned depth;

	if (depth >= DEPTH_MAX && o->type != K_OBJECT_TABLE) {
		o->id = (uint64_t)waiting;
		waiting = o;
		return;
	}
	depth++;
	object_destroy[o->type](o);
	while (depth == 1 && waiting) {
		o = waiting;
		waiting = (struct object *)o->id;
		object_destroy[o->type](o);
	}
	depth--;
}

void object_put(struct object *o)
{
	if (!o)
		return;
	ASSERT(o->references > 0);
	object_unpin(o);
}

void object_end(struct object *o)
{
	object_count[o->type]--;
	object_bury(o);
}

int account_create(const struct k_account_limits *l, struct account **out)
{
	struct account *a = kzalloc(sizeof(*a));

	if (!a)
		return -ENOMEM;
	object_init(&a->object, K_OBJECT_ACCOUNT);
	if (l)
		a->limit = *l;
	*out = a;
	return 0;
}

void account_destroy(struct object *o)
{
	kfree(container_of(o, struct account, object));
}

int fsctx_create(struct fsctx *copy_of, struct fsctx **out)
{
	struct fsctx *f = kzalloc(sizeof(*f));

	if (!f)
		return -ENOMEM;
	object_init(&f->object, K_OBJECT_FSCTX);
	f->umask = 022;
	if (copy_of) {
		f->cwd = copy_of->cwd;
		f->root = copy_of->root;
		f->umask = copy_of->umask;
		if (f->cwd)
			object_get(f->cwd);
		if (f->root)
			object_get(f->root);
	}
	*out = f;
	return 0;
}

void fsctx_destroy(struct object *o)
{
	struct fsctx *f = container_of(o, struct fsctx, object);

	object_put(f->cwd);
	object_put(f->root);
	kfree(f);
}
