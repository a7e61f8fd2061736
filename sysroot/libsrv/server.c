/* SPDX-License-Identifier: MIT */
/*
 * The server loop: receiving, dispatch, the pending answer, forwards. What each part promises is in
 * server.h.
 */
#include "server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "outbox.h"
#include "state.h"

#define PRIVATE_NUMBERS (SRV_PRIVATE_END - SRV_PRIVATE)

static struct {
	const struct srv_ops *ops;
	int endpoint;
	bool answering;			/* `answer` is pending */
	struct k_answer answer;
	void (*undo)(void *arg, int error);
	void *undo_arg;
	uint32_t sent;			/* transactional: so many answers of the outbox have left */
	/* unknown numbers already logged; the last word: all above */
	uint64_t logged[K_ROUTE_NUMBERS / 64 + 1];
} loop;

static const struct srv_number *number_table[K_ROUTE_NUMBERS + PRIVATE_NUMBERS];

/* srv_timer.c */
int64_t srv_timer_next(void);
void srv_timer_run(void (*each)(void));

int srv_endpoint(void)
{
	return loop.endpoint;
}

/* --- answering ---------------------------------------------------------------------------- */

static bool call_is_gone(long error)
{
	return error == -ESRCH || error == -K_REDELIVER;
}

/*
 * The kernel did nothing of the pending answer. What should have moved is closed; the caller gets
 * the error if he is still there.
 */
static void answer_refused(long error)
{
	struct k_answer *a = &loop.answer;

	if (a->flags & K_ANSWER_REGS && !call_is_gone(error) && loop.ops->registers_refused) {
		loop.answering = false;
		loop.ops->registers_refused(a->call);
		return;
	}

	if (loop.undo)
		loop.undo(loop.undo_arg, (int)error);
	for (int i = 0; i < a->installs; i++) {
		if (!(a->install[i].flags & K_INSTALL_KEEP))
			k_handle_close(a->install[i].handle);
	}
	loop.answering = false;
	loop.undo = NULL;
	if (call_is_gone(error))
		return;
	if (!a->copies && !a->installs)
		return;		/* a plain result was refused: nothing better can be sent */
	srv_answer(a->call, error);
}

/* --- transactional servers ---------------------------------------------------------------- */

/*
 * The answer as it was written down; the registers that go with it are set. 0 or why it is refused.
 */
static long outbox_prepare(const struct outbox_answer *o)
{
	struct k_answer *a = &loop.answer;
	long r = 0;

	a->call = o->call;
	a->result = o->result;
	a->flags = o->flags;
	a->copies = a->installs = 0;
	if (o->handle >= 0) {
		a->installs = 1;
		a->install[0] =
			(struct k_answer_install){ .handle = o->handle, .flags = o->install_flags };
	}
	if (o->set_regs)
		r = k_caller_regs_set(loop.endpoint, o->call, &o->regs);
	if (!r && o->reset_fpu)
		r = k_caller_fpu_set(loop.endpoint, o->call, NULL, 0);
	return r;
}

static void outbox_send(const struct outbox_answer *o)
{
	long r = outbox_prepare(o);

	if (!r)
		r = k_answer(loop.endpoint, &loop.answer);
	if (r < 0)
		answer_refused(r);
}

/* The operation is final; all its answers leave, but for one that may go with the next receive. */
static void operation_end(bool keep_last)
{
	const struct outbox_answer *o;
	long r;

	loop.answering = false;
	do {
		outbox_commit();
		while (loop.sent + keep_last < outbox_count())
			outbox_send(outbox_get(loop.sent++));
		state_crash();
		o = outbox_get(loop.sent);
		r = o ? outbox_prepare(o) : 0;
		loop.answering = o && !r;
		if (r) {
			loop.sent++;
			answer_refused(r);
		}
	} while (state_dirty());	/* a refusal has consequences */
}

void srv_flush(void)
{
	if (loop.ops->transactional) {
		operation_end(false);
		return;
	}
	while (loop.answering) {
		long r = k_answer(loop.endpoint, &loop.answer);

		if (r < 0) {
			answer_refused(r);
		} else {
			loop.answering = false;
			loop.undo = NULL;
		}
	}
}

void srv_answer(uint64_t call, int64_t result)
{
	struct k_answer *a = &loop.answer;

	if (loop.ops->transactional) {
		outbox_answer(call, result);
		return;
	}
	srv_flush();
	a->call = call;
	a->result = result;
	a->flags = K_ANSWER_RESULT;
	a->copies = 0;
	a->installs = 0;
	loop.undo = NULL;
	loop.answering = true;
}

void srv_answer_copy(uint64_t to, const void *from, size_t n)
{
	struct k_answer *a = &loop.answer;

	if (!n)
		return;
	if (!loop.answering || a->copies == K_ANSWER_COPIES)
		srv_panic("answer with too many copies");
	a->copy[a->copies++] = (struct k_answer_copy){ .to = to, .from = from, .size = n };
}

void srv_answer_install(int handle, uint32_t flags, uint32_t min, uint64_t fd_to)
{
	struct k_answer *a = &loop.answer;

	if (loop.ops->transactional) {
		if (min || fd_to || flags & K_INSTALL_KEEP)
			srv_panic("an answer that the outbox cannot hold");
		outbox_last()->handle = handle;
		outbox_last()->install_flags = flags;
		return;
	}
	if (!loop.answering || a->installs == K_ANSWER_INSTALLS)
		srv_panic("answer with too many installs");
	a->install[a->installs++] = (struct k_answer_install){
		.handle = handle, .flags = flags, .min = min, .fd_to = fd_to
	};
}

void srv_answer_flags(uint32_t flags)
{
	if (loop.ops->transactional)
		outbox_last()->flags |= flags;
	else
		loop.answer.flags |= flags;
}

void srv_answer_regs(const struct k_regs *regs, bool reset_fpu)
{
	struct outbox_answer *a = outbox_last();

	a->flags |= K_ANSWER_REGS;
	a->set_regs = true;
	a->regs = *regs;
	a->reset_fpu = reset_fpu;
}

void srv_answer_undo(void (*undo)(void *arg, int error), void *arg)
{
	loop.undo = undo;
	loop.undo_arg = arg;
}

/* --- forwarding --------------------------------------------------------------------------- */

static int forward(struct k_forward *f)
{
	long r;

	srv_flush();	/* answers leave in the order in which they were made */
	r = k_caller_forward(loop.endpoint, f);
	if (r >= 0)
		return 0;
	for (int i = 0; i < 2; i++) {
		if (f->handle[i] >= 0)
			k_handle_close(f->handle[i]);
	}
	if (!call_is_gone(r))
		srv_answer(f->call, r);
	return (int)r;
}

int srv_attached(const struct k_message *m)
{
	int h = (int)k_caller_attached(loop.endpoint, m->call, 0);

	return h == -ENOENT && m->flags & K_MSGF_REDELIVERED ? -K_RESTART_ALWAYS : h;
}

int srv_forward_kernel(uint64_t call)
{
	struct k_forward f = {
		.call = call, .flags = K_FORWARD_KERNEL, .endpoint = -1, .handle = { -1, -1 }
	};

	return forward(&f);
}

int srv_forward_kernel_args(uint64_t call, int number, const uint64_t arg[6], bool hook)
{
	struct k_forward f = { .call = call,
			       .flags = K_FORWARD_KERNEL | K_FORWARD_ARGS |
					(hook ? K_FORWARD_HOOK : 0),
			       .endpoint = -1,
			       .number = number,
			       .handle = { -1, -1 } };

	memcpy(f.arg, arg, sizeof f.arg);
	return forward(&f);
}

int srv_forward_as_is(uint64_t call, int endpoint)
{
	struct k_forward f = { .call = call, .endpoint = endpoint, .handle = { -1, -1 } };

	return forward(&f);
}

int srv_forward_descriptor(uint64_t call)
{
	struct k_forward f = {
		.call = call, .flags = K_FORWARD_DESCRIPTOR, .endpoint = -1, .handle = { -1, -1 }
	};

	return forward(&f);
}

int srv_forward(uint64_t call, const struct srv_forward *s)
{
	struct k_forward f = { .call = call,
			       .flags = K_FORWARD_ARGS,
			       .endpoint = s->endpoint,
			       .number = s->number,
			       .scratch = s->scratch,
			       .scratch_size = s->scratch ? s->scratch_size : 0,
			       .handle = { s->handle[0], s->handle[1] } };

	memcpy(f.arg, s->arg, sizeof f.arg);
	return forward(&f);
}

/* --- dispatch ----------------------------------------------------------------------------- */

static bool number_in(const struct srv_numbers *set, int n)
{
	return set && n >= 0 && n < K_ROUTE_NUMBERS && (set->word[n / 64] >> (n % 64) & 1);
}

static const struct srv_number *number_find(const struct k_message *m)
{
	int n = m->number;

	/* a private call has no process behind it, so it cannot be a system call */
	if (n >= 0 && n < K_ROUTE_NUMBERS)
		return m->kind == K_MSG_PRIVATE ? NULL : number_table[n];
	/*
	 * private numbers come from servers only: a program may say any number, but nobody
	 * forwarded it then
	 */
	if (n >= SRV_PRIVATE && n < SRV_PRIVATE_END &&
	    (m->kind == K_MSG_PRIVATE || (m->flags & K_MSGF_FORWARDED)))
		return number_table[K_ROUTE_NUMBERS + n - SRV_PRIVATE];
	return NULL;
}

static void call_unknown(const struct k_message *m)
{
	int n = m->number;
	int bit = n >= 0 && n < K_ROUTE_NUMBERS ? n : K_ROUTE_NUMBERS;
	const char *name, *program;

	if (!(loop.logged[bit / 64] >> (bit % 64) & 1)) {
		loop.logged[bit / 64] |= 1ull << (bit % 64);
		name = loop.ops->number_name ? loop.ops->number_name(n) : NULL;
		program = loop.ops->program_name ? loop.ops->program_name(m) : NULL;
		srv_log("system call %d (%s) is not implemented; used by %s, pid %u", n,
			name ? name : "?", program ? program : "?", m->pid);
	}
	if (loop.ops->unknown)
		loop.ops->unknown(m);
	else
		srv_answer(m->call, -ENOSYS);
}

static void call_dispatch(const struct k_message *m)
{
	const struct srv_number *n;

	if (loop.ops->admits && !loop.ops->admits(m)) {
		srv_answer(m->call, -ESRCH);
		return;
	}
	if (!(m->flags & K_MSGF_DECLINED) && number_in(loop.ops->shortcuts, m->number) &&
	    !(loop.ops->declines && loop.ops->declines(m))) {
		srv_forward_kernel(m->call);
		return;
	}
	n = number_find(m);
	if (n)
		n->handler(m);
	else if (m->kind == K_MSG_PRIVATE && loop.ops->private_call)
		loop.ops->private_call(m);
	else
		call_unknown(m);
}

static void cancel_dispatch(const struct k_message *m)
{
	struct srv_parked *p = srv_parked_find(m->call);

	if (p)
		p->cancel(p, m->extra[0] != 0);
	else if (loop.ops->cancel)
		loop.ops->cancel(m);
	/* else a late notice: the call was answered meanwhile */
}

/* A message whose sender waits, for a server that has no handler for it: let it go on. */
static void resume(const struct k_message *m)
{
	if (!m->call)
		return;
	srv_answer(m->call, 0);
	srv_answer_flags(K_ANSWER_RESUME);
}

static void other_dispatch(const struct k_message *m)
{
	const struct srv_ops *o = loop.ops;
	srv_handler *const handler[] = {
		[K_MSG_EVENT] = o->event,         [K_MSG_FAULT] = o->fault,
		[K_MSG_DONE] = o->done,           [K_MSG_THREAD_DEAD] = o->thread_dead,
		[K_MSG_TASK_GONE] = o->task_gone, [K_MSG_NOTIFY] = o->notify,
		[K_MSG_PAGER] = o->pager,         [K_MSG_TABLE_GONE] = o->table_gone,
		[K_MSG_MEMORY] = o->memory,       [K_MSG_CLOSED] = NULL,
		[K_MSG_PIPE] = o->pipe,           [K_MSG_OVERDUE] = o->overdue,
	};

	if (m->kind < sizeof handler / sizeof handler[0] && handler[m->kind])
		handler[m->kind](m);
	else if (m->kind != K_MSG_CLOSED)
		resume(m);
}

static void dispatch(const struct k_message *m)
{
	for (uint32_t i = 0; i < m->closed_count && i < K_CLOSED_BATCH; i++) {
		if (loop.ops->closed)
			loop.ops->closed(m->closed[i]);
	}
	switch (m->kind) {
	case K_MSG_CALL:
	case K_MSG_PRIVATE:
		call_dispatch(m);
		break;
	case K_MSG_CANCEL:
		cancel_dispatch(m);
		break;
	default:
		other_dispatch(m);
	}
}

static void step(const struct k_message *m)
{
	dispatch(m);
	if (loop.ops->transactional)
		operation_end(true);
}

/*
 * Each timer is an operation of its own, as each message is: there may be thousands in one moment,
 * and what one operation may change is bounded.
 */
static void timer_ran(void)
{
	operation_end(true);
}

void srv_setup(int endpoint, const struct srv_ops *ops)
{
	loop.ops = ops;
	loop.endpoint = endpoint;
	loop.answering = false;
	loop.sent = 0;
	memset(loop.logged, 0, sizeof loop.logged);
	memset(number_table, 0, sizeof number_table);
	for (size_t i = 0; i < ops->number_count; i++) {
		unsigned n = ops->numbers[i].number;

		if (n < K_ROUTE_NUMBERS)
			number_table[n] = &ops->numbers[i];
		else if (n >= SRV_PRIVATE && n < SRV_PRIVATE_END)
			number_table[K_ROUTE_NUMBERS + n - SRV_PRIVATE] = &ops->numbers[i];
		else
			srv_panic("number %u of %s is out of range", n, ops->numbers[i].name);
	}
}

void srv_round(void)
{
	/* in one page: the kernel writes it directly */
	static struct k_message m __attribute__((aligned(256)));
	bool answering = loop.answering;
	long r = k_receive(loop.endpoint, answering ? &loop.answer : NULL, &m, srv_timer_next());

	if (r < 0 && r != -ETIMEDOUT) {
		if (!answering)
			srv_panic("receive: error %ld", r);
		loop.sent++;
		answer_refused(r);
		if (loop.ops->transactional)
			operation_end(true);
		return;
	}
	loop.answering = false;
	loop.undo = NULL;
	if (loop.ops->transactional) {
		outbox_clear();
		loop.sent = 0;
	}
	srv_timer_run(loop.ops->transactional ? timer_ran : NULL);
	if (r == 0)
		step(&m);
}

/* --- recovery of transactional servers ---------------------------------------------------- */

static struct {
	struct k_message *message;
	size_t count, room;
} backlog;

static void backlog_add(const struct k_message *m)
{
	if (backlog.count == backlog.room) {
		backlog.room = backlog.room ? 2 * backlog.room : 64;
		backlog.message = realloc(backlog.message, backlog.room * sizeof *m);
		if (!backlog.message)
			srv_panic("no memory to recover");
	}
	backlog.message[backlog.count++] = *m;
}

/* A call that the predecessor held: it may have its answer, or be parked. True: that is all. */
static bool call_known(const struct k_message *m)
{
	const struct outbox_answer *o = outbox_find(m->call);
	struct srv_parked *p = srv_parked_find(m->call);
	long r;

	if (o) {
		r = outbox_prepare(o);
		if (!r)
			r = k_answer(loop.endpoint, &loop.answer);
		if (r < 0 && !call_is_gone(r))
			k_answer(loop.endpoint, &(struct k_answer){ .call = m->call,
								    .result = r,
								    .flags = K_ANSWER_RESULT });
		return true;
	}
	if (p)
		p->held = true;
	return p != NULL;
}

void srv_recover(void)
{
	static struct k_message m __attribute__((aligned(256)));
	bool old = true;
	long r;

	srv_parked_forget();
	while (old) {
		r = k_receive(loop.endpoint, NULL, &m, 1);
		if (r == -ETIMEDOUT)
			break;
		if (r < 0)
			srv_panic("receive: error %ld", r);
		/* they come first, all of them: the first call that is none of them ends it */
		old = !m.call || m.kind == K_MSG_CANCEL || (m.flags & K_MSGF_REDELIVERED);
		if (!old || !m.call || m.kind == K_MSG_CANCEL || !call_known(&m))
			backlog_add(&m);
	}
	outbox_clear();
	srv_parked_drop();
}

static void backlog_run(void)
{
	for (size_t i = 0; i < backlog.count; i++) {
		const struct k_message *m = &backlog.message[i];

		/* should this be what its predecessor died of, too, it gets EIO and not a third */
		k_caller_serve(loop.endpoint, m->kind == K_MSG_CANCEL ? 0 : m->call);
		step(m);
	}
	free(backlog.message);
	memset(&backlog, 0, sizeof backlog);
}

_Noreturn void srv_run(int endpoint, const struct srv_ops *ops)
{
	srv_setup(endpoint, ops);
	backlog_run();
	for (;;)
		srv_round();
}
