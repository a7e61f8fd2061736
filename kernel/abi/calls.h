/* SPDX-License-Identifier: MIT */
/*
 * Stubs of the native calls for servers. `ep` is always the endpoint handle that received the call.
 *
 * Errors beyond native.h's common ones are named at each prototype. K_REDELIVER, negative, comes
 * from the k_caller_* calls and k_answer: the caller needs something first (an absent page); the
 * kernel has taken the call back and will deliver it again. The server must have committed nothing,
 * and forgets the call. ESRCH from the same: the caller died, forget the call.
 */
#ifndef TROUPE_ABI_CALLS_H
#define TROUPE_ABI_CALLS_H

#include "native.h"

#ifdef HOST_TEST
/* a test plays the kernel */
long k_syscall6(long n, long a, long b, long c, long d, long e, long f);
#else
static inline long k_syscall6(long n, long a, long b, long c, long d, long e, long f)
{
	long r;
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;

	__asm__ volatile("syscall"
			 : "=a"(r)
			 : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return r;
}
#endif
#define K0(name) k_syscall6(K_NATIVE_##name, 0, 0, 0, 0, 0, 0)
#define K1(name, a) k_syscall6(K_NATIVE_##name, (long)(a), 0, 0, 0, 0, 0)
#define K2(name, a, b) k_syscall6(K_NATIVE_##name, (long)(a), (long)(b), 0, 0, 0, 0)
#define K3(name, a, b, c) k_syscall6(K_NATIVE_##name, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define K4(name, a, b, c, d)                                                                       \
	k_syscall6(K_NATIVE_##name, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)
#define K5(name, a, b, c, d, e)                                                                    \
	k_syscall6(K_NATIVE_##name, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0)
#define K6(name, a, b, c, d, e, f)                                                                 \
	k_syscall6(K_NATIVE_##name, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e),         \
		   (long)(f))

/* handles */
static inline long k_handle_close(int h) { return K1(handle_close, h); }
/*
 * A second handle with at most these rights; for endpoints `badge` (nonzero) is the cookie of
 * k_call through it.
 */
static inline long k_handle_duplicate(int h, uint32_t rights, uint32_t badge)
{
	return K3(handle_duplicate, h, rights, badge);
}
static inline long k_handle_info(int h, struct k_handle_info *info)
{
	return K2(handle_info, h, info);
}

/* system. `ctl` is the control handle that the supervisor starts with. */
static inline long k_log_write(const char *text, size_t n) { return K2(log_write, text, n); }
/* Copies kernel log from absolute position *pos (advanced); returns bytes. */
static inline long k_log_read(uint64_t *pos, char *buf, size_t n)
{
	return K3(log_read, pos, buf, n);
}
static inline long k_system_info(struct k_system_info *info) { return K1(system_info, info); }
static inline long k_power(int ctl, unsigned how) { return K2(power, ctl, how); }
static inline int64_t k_clock_get(int realtime) { return K1(clock_get, realtime); }
static inline long k_clock_set(int ctl, int64_t realtime_ns)
{
	return K2(clock_set, ctl, realtime_ns);
}

/* endpoints and calls */
static inline long k_endpoint_create(void) { return K0(endpoint_create); }
/*
 * First carries out *answer (if not NULL), then waits for a message until `deadline`. 0 or
 * ETIMEDOUT. If the answer fails (EFAULT, EMFILE of the caller, ESRCH, -K_REDELIVER), that is
 * returned at once, nothing of it was done, the call (unless ESRCH or K_REDELIVER) is still held,
 * and no message is received.
 */
static inline long k_receive(int ep, const struct k_answer *answer, struct k_message *msg,
			     int64_t deadline)
{
	/* An answer that is nothing but a result goes in registers. */
	if (answer && !(answer->flags | answer->copies | answer->installs))
		return K6(receive, ep, 0, msg, deadline, answer->call, answer->result);
	return K4(receive, ep, answer, msg, deadline);
}
static inline long k_answer(int ep, const struct k_answer *answer)
{
	return K2(answer, ep, answer);
}

/* A call to a server from native code. Blocks until it is answered. */
static inline long k_call(const struct k_private_call *c) { return K2(call, c, 0); }

/*
 * The server is given up: every call that waits here, and every later one, fails with EIO. The same
 * happens when the last handle with RECEIVE is closed, and then notices are lost, too.
 */
static inline long k_endpoint_shut(int ep) { return K1(endpoint_shut, ep); }

/* powers over a held caller */
static inline long k_caller_read(int ep, uint64_t call, void *to, uint64_t from, size_t n)
{
	return K5(caller_read, ep, call, to, from, n);
}
/* Copies up to max bytes including the NUL; returns the length without NUL, or ENAMETOOLONG. */
static inline long k_caller_read_string(int ep, uint64_t call, char *to, uint64_t from, size_t max)
{
	return K5(caller_read_string, ep, call, to, from, max);
}
static inline long k_caller_write(int ep, uint64_t call, uint64_t to, const void *from, size_t n)
{
	return K5(caller_write, ep, call, to, from, n);
}
static inline long k_caller_cookie(int ep, uint64_t call, int fd, struct k_caller_cookie *out)
{
	return K4(caller_cookie, ep, call, fd, out);
}
/* Another handle to the caller's descriptor `fd` (EBADF). */
static inline long k_caller_take(int ep, uint64_t call, int fd)
{
	return K3(caller_take, ep, call, fd);
}
/*
 * Gives the caller a descriptor for `handle` now, before the answer and whatever it will be; its
 * number, `min` or above. flags: K_INSTALL_CLOEXEC, K_INSTALL_KEEP (else the handle moves).
 * CALLER_INSTALL. EMFILE; EINVAL: no description, other flags.
 */
static inline long k_caller_install(int ep, uint64_t call, int handle, uint32_t flags, uint32_t min)
{
	return K5(caller_install, ep, call, handle, flags, min);
}
/* On success the call is no longer held here. */
static inline long k_caller_forward(int ep, const struct k_forward *f)
{
	return K2(caller_forward, ep, f);
}
/*
 * The calling thread works on that call from now on, until it receives or answers: its time is the
 * caller's, and if it dies, that call is what it died of. For one that took several before. 0: it
 * works on no call.
 */
static inline long k_caller_serve(int ep, uint64_t call)
{
	return K2(caller_serve, ep, call);
}
static inline long k_caller_scratch(int ep, uint64_t call, void *to, size_t n)
{
	return K4(caller_scratch, ep, call, to, n);
}
/* Takes the i-th attached handle (0, 1) into the server's table; ENOENT if there is none. */
static inline long k_caller_attached(int ep, uint64_t call, int i)
{
	return K3(caller_attached, ep, call, i);
}
static inline long k_caller_regs_get(int ep, uint64_t call, struct k_regs *r)
{
	return K3(caller_regs_get, ep, call, r);
}
static inline long k_caller_regs_set(int ep, uint64_t call, const struct k_regs *r)
{
	return K3(caller_regs_set, ep, call, r);
}
/*
 * FPU state as XSAVE (or FXSAVE) image; get returns its size. set checks it: EINVAL. n = 0 resets
 * to initial.
 */
static inline long k_caller_fpu_get(int ep, uint64_t call, void *buf, size_t n)
{
	return K4(caller_fpu_get, ep, call, buf, n);
}
static inline long k_caller_fpu_set(int ep, uint64_t call, const void *buf, size_t n)
{
	return K4(caller_fpu_set, ep, call, buf, n);
}
static inline long k_caller_futex_wake(int ep, uint64_t call, uint64_t address, int n)
{
	return K4(caller_futex_wake, ep, call, address, n);
}
/*
 * on = 1: from now on close, dup2, dup3 of the caller's table decline to their server, and
 * K_MSG_TABLE_GONE comes here.
 */
static inline long k_caller_watch_table(int ep, uint64_t call, int on)
{
	return K3(caller_watch_table, ep, call, on);
}

/* descriptions, pipes, readiness */
static inline long k_description_create(int ep, const struct k_description *d)
{
	return K2(description_create, ep, d);
}
static inline long k_description_info(int h, struct k_caller_cookie *out)
{
	return K2(description_info, h, out);
}
/*
 * capacity in bytes (rounded up to pages, at most 1 MiB); packets = 1: message boundaries are kept
 * (O_DIRECT).
 */
static inline long k_pipe_create(size_t capacity, int packets)
{
	return K2(pipe_create, capacity, packets);
}
/*
 * Which ends (K_PIPE_READER | K_PIPE_WRITER) this pipe's server holds from now on; 0: none.
 * Absolute, per pipe, not per handle; whoever waits hears of it as of a description that is closed.
 * MANAGE. EINVAL: other bits.
 */
static inline long k_pipe_hold(int h, uint32_t ends) { return K2(pipe_hold, h, ends); }
/*
 * Takes up to n bytes out of the pipe into the server's memory; to = NULL: they are dropped. Never
 * blocks. Bytes (all there are, up to n); 0: the end of the file (nothing left, no writers), or n
 * was 0; EAGAIN: nothing there now. With K_PIPE_PEEK they stay, and 0 and EAGAIN mean that there is
 * nothing beyond `skip`. With K_PIPE_AT they go only if the first is still at position `skip`
 * (k_pipe_info.taken), else EAGAIN: a program's read may come between a peek and this. From a pipe
 * of packets: one packet, what does not fit is lost. READ. EINVAL: other flags, or both; skip
 * without a flag, or of a pipe of packets.
 */
static inline long k_pipe_read(int h, void *to, size_t n, uint32_t flags, size_t skip)
{
	return K5(pipe_read, h, to, n, flags, skip);
}
/*
 * Puts up to n bytes of the server's memory into the pipe. Never blocks, and does not keep short
 * writes in one piece. Bytes (may be short); EAGAIN: no room; EPIPE: no readers (0 if n is 0);
 * ENOMEM: the pipe's account has no page left. WRITE.
 */
static inline long k_pipe_write(int h, const void *from, size_t n)
{
	return K3(pipe_write, h, from, n);
}
static inline long k_pipe_info(int h, struct k_pipe_info *out) { return K2(pipe_info, h, out); }
/*
 * K_MSG_PIPE of this pipe goes to endpoint `ep` (RECEIVE) with this cookie from now on; ep -1: to
 * nobody. What was armed or already on its way is dropped: arm again. The binding belongs to the
 * pipe: it survives handle and server. The pipe keeps the endpoint alive. MANAGE.
 */
static inline long k_pipe_bind(int h, int ep, uint64_t cookie)
{
	return K3(pipe_bind, h, ep, cookie);
}
/*
 * Asks for one K_MSG_PIPE as soon as one of these events (K_PIPE_DATA ..) holds, at once if one
 * does; then the pipe is disarmed. Replaces what was armed before, also if its message is on its
 * way and was not received yet. 0 disarms. The message says what holds when it is received, which
 * may be less than what was asked for. MANAGE. EINVAL: other bits; bound to nobody.
 */
static inline long k_pipe_arm(int h, uint32_t events) { return K2(pipe_arm, h, events); }
static inline long k_source_create(void) { return K0(source_create); }
/*
 * level bits = (bits & ~clear) | set; pulse != 0: also wake edge-triggered waiters even if no bit
 * changed. K_SOURCE_DECLINE_* and K_SOURCE_CALLS_* may be among set and clear (native.h).
 */
static inline long k_source_set(int h, uint32_t set, uint32_t clear, int pulse)
{
	return K4(source_set, h, set, clear, pulse);
}

/* memory objects */
static inline long k_mobject_create(uint64_t size, uint32_t flags)
{
	return K2(mobject_create, size, flags);
}
/*
 * A copy-on-write child of [offset, offset+size) of the parent (page aligned offset); size may end
 * inside a page.
 */
static inline long k_mobject_clone(int parent, uint64_t offset, uint64_t size)
{
	return K3(mobject_clone, parent, offset, size);
}
static inline long k_mobject_pager_create(int ep, uint64_t cookie, uint64_t size)
{
	return K3(mobject_pager_create, ep, cookie, size);
}
static inline long k_mobject_physical(int ctl, uint64_t address, uint64_t size)
{
	return K3(mobject_physical, ctl, address, size);
}
/* Short at the object's end; absent pager pages: EAGAIN (bytes before them are returned first). */
static inline long k_mobject_read(int h, uint64_t offset, void *to, size_t n)
{
	return K4(mobject_read, h, offset, to, n);
}
/* Extends the object as needed. ENOSPC when its account is full. */
static inline long k_mobject_write(int h, uint64_t offset, const void *from, size_t n)
{
	return K4(mobject_write, h, offset, from, n);
}
/* Pages beyond the end go, from mappings too; the tail of the last page is zeroed. */
static inline long k_mobject_resize(int h, uint64_t size) { return K2(mobject_resize, h, size); }
static inline long k_mobject_punch(int h, uint64_t offset, uint64_t size)
{
	return K3(mobject_punch, h, offset, size);
}
static inline long k_mobject_info(int h, struct k_mobject_info *info)
{
	return K2(mobject_info, h, info);
}
static inline long k_mobject_set(int h, enum k_mobject_set what, uint64_t value)
{
	return K3(mobject_set, h, what, value);
}
/* Answers a PAGER message: data for [offset, offset+n) (page aligned). */
static inline long k_mobject_supply(int h, uint64_t offset, const void *from, size_t n,
				    uint32_t flags)
{
	return K5(mobject_supply, h, offset, from, n, flags);
}
/*
 * Copies out up to `max` page offsets that are dirty from *offset on, marking them clean and
 * write-protected.
 */
static inline long k_mobject_collect_dirty(int h, uint64_t *offset, uint64_t *offsets, size_t max)
{
	return K4(mobject_collect_dirty, h, offset, offsets, max);
}

/* address spaces */
static inline long k_space_create(void) { return K0(space_create); }
static inline long k_space_map(struct k_map *m) { return K2(space_map, m, 0); }
static inline long k_space_unmap(int space, uint64_t address, uint64_t size)
{
	return K3(space_unmap, space, address, size);
}
static inline long k_space_protect(int space, uint64_t address, uint64_t size, uint32_t flags)
{
	return K4(space_protect, space, address, size, flags);
}

/* accounts, tasks, threads */
static inline long k_account_create(const struct k_account_limits *l)
{
	return K1(account_create, l);
}
static inline long k_account_set(int h, const struct k_account_limits *l)
{
	return K2(account_set, h, l);
}
static inline long k_account_info(int h, struct k_account_info *info)
{
	return K2(account_info, h, info);
}
static inline long k_task_create(const struct k_task_create *t) { return K1(task_create, t); }
static inline long k_task_fork(int ep, uint64_t call, struct k_fork *f)
{
	return K3(task_fork, ep, call, f);
}
/*
 * Puts a duplicate of `handle` into the task's table at `slot` (-1 lowest); with AT
 * K_INSTALL_CWD/ROOT: fsctx. Returns the slot.
 */
static inline long k_task_install(int task, int handle, int slot, uint32_t flags)
{
	return K4(task_install, task, handle, slot, flags);
}
static inline long k_task_set(int task, enum k_task_set what, uint64_t value)
{
	return K3(task_set, task, what, value);
}
static inline long k_task_info(int task, struct k_task_info *info)
{
	return K2(task_info, task, info);
}
/* Regions from address `from` on; returns how many were written. */
static inline long k_task_regions(int task, uint64_t from, struct k_region *r, size_t max)
{
	return K4(task_regions, task, from, r, max);
}
/*
 * Short at the first page that cannot be reached; EFAULT if none. Writes break copy-on-write
 * (debuggers).
 */
static inline long k_task_memory_read(int task, uint64_t from, void *to, size_t n)
{
	return K4(task_memory_read, task, from, to, n);
}
static inline long k_task_memory_write(int task, uint64_t to, const void *from, size_t n)
{
	return K4(task_memory_write, task, to, from, n);
}
/* For /proc/PID/fd: descriptor numbers from `from` on with their cookies. */
static inline long k_task_handles(int task, uint32_t from, struct k_task_handle *out, size_t max)
{
	return K4(task_handles, task, from, out, max);
}
static inline long k_task_exec(int ep, const struct k_exec *e) { return K2(task_exec, ep, e); }
static inline long k_thread_create(const struct k_thread_create *t) { return K1(thread_create, t); }
static inline long k_thread_start(int h) { return K1(thread_start, h); }
/*
 * The thread sends K_MSG_EVENT to home 0 before it next returns to user mode; what it waits for is
 * stopped.
 */
static inline long k_thread_event(int h) { return K1(thread_event, h); }
static inline long k_thread_kill(int h) { return K1(thread_kill, h); }
/* All threads of the task. */
static inline long k_task_kill(int task) { return K1(task_kill, task); }
static inline long k_thread_set(int h, unsigned what, uint64_t value)
{
	return K3(thread_set, h, what, value);
}
static inline long k_thread_info(int h, struct k_thread_info *info)
{
	return K2(thread_info, h, info);
}

/* routes */
static inline long k_routes_create(uint32_t flags) { return K1(routes_create, flags); }
static inline long k_routes_set(int h, unsigned first, unsigned count, const struct k_route *r)
{
	return K4(routes_set, h, first, count, r);
}
static inline long k_routes_home(int h, unsigned n, int ep) { return K3(routes_home, h, n, ep); }

/* notifications, devices */
static inline long k_notification_create(int ep, uint32_t badge)
{
	return K2(notification_create, ep, badge);
}
static inline long k_notification_signal(int h, uint64_t bits)
{
	return K2(notification_signal, h, bits);
}
/*
 * Interrupts of the line signal bit 0 of the notification; masked until k_irq_ack(). K_IRQ_MSI: gsi
 * is ignored, nothing is masked. EBUSY: the line is taken; ENOSPC: no vector is left.
 */
static inline long k_irq_create(int ctl, unsigned gsi, uint32_t flags, int notification)
{
	return K4(irq_create, ctl, gsi, flags, notification);
}
static inline long k_irq_ack(int h) { return K1(irq_ack, h); }
/*
 * K_IRQ_MSI: what the device has to write. The vector goes with the last handle: silence the device
 * first. EINVAL: not made with K_IRQ_MSI.
 */
static inline long k_irq_message(int h, struct k_irq_message *out)
{
	return K2(irq_message, h, out);
}
/* After a restart the successor has a notification of its own. */
static inline long k_irq_bind(int h, int notification) { return K2(irq_bind, h, notification); }
static inline long k_ioport_create(int ctl, unsigned base, unsigned count)
{
	return K3(ioport_create, ctl, base, count);
}
/* width 1, 2, 4; n values: from/to an array of them (string I/O); returns 0 */
static inline long k_ioport_in(int h, unsigned offset, unsigned width, uint32_t *value)
{
	return K4(ioport_in, h, offset, width, value);
}
static inline long k_ioport_out(int h, unsigned offset, unsigned width, uint32_t value)
{
	return K4(ioport_out, h, offset, width, value);
}
/* After a restart: cookies of the endpoint's live descriptions from id *from on (advanced). */
static inline long k_endpoint_descriptions(int ep, uint64_t *from, uint64_t *cookies, size_t max)
{
	return K4(endpoint_descriptions, ep, from, cookies, max);
}

#endif
