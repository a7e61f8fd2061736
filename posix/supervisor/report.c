/* SPDX-License-Identifier: MIT */
/*
 * The report of a server's fault: what happened where, registers, and the calls that led there
 * (frame pointers).
 */
#include "calls.h"
#include "server.h"
#include "supervisor.h"

#define DEPTH 16

static const char *fault_name(uint64_t kind)
{
	static const char *const names[] = {
		[K_FAULT_MAPERR] = "nothing is mapped",
		[K_FAULT_ACCERR] = "access is not allowed",
		[K_FAULT_BUS] = "bus error",
		[K_FAULT_ILLEGAL] = "illegal instruction (or abort)",
		[K_FAULT_DIVIDE] = "division error",
		[K_FAULT_FPU] = "x87 error",
		[K_FAULT_SIMD] = "SSE error",
		[K_FAULT_BREAKPOINT] = "breakpoint",
		[K_FAULT_STEP] = "single step",
		[K_FAULT_ALIGN] = "alignment",
		[K_FAULT_PROTECTION] = "general protection",
	};

	return kind < sizeof(names) / sizeof(*names) && names[kind] ? names[kind] : "unknown fault";
}

static void backtrace(const struct server *s, const struct k_regs *regs)
{
	uint64_t frame = regs->rbp, pair[2];

	for (int i = 0; i < DEPTH && frame; i++) {
		if (k_task_memory_read(s->task, frame, pair, sizeof(pair)) != sizeof(pair))
			break;
		srv_log("  called from %llx", (unsigned long long)pair[1]);
		if (pair[0] <= frame)
			break;
		frame = pair[0];
	}
}

void server_report(const struct server *s, const struct k_message *m)
{
	struct k_regs r = { 0 };

	k_caller_regs_get(supervisor_endpoint, m->call, &r);
	srv_log("%s faulted: %s at address %llx, pc %llx", s->name, fault_name(m->extra[0]),
		(unsigned long long)m->extra[1], (unsigned long long)r.rip);
	srv_log("  rax %llx rbx %llx rcx %llx rdx %llx rsi %llx rdi %llx",
		(unsigned long long)r.rax, (unsigned long long)r.rbx, (unsigned long long)r.rcx,
		(unsigned long long)r.rdx, (unsigned long long)r.rsi, (unsigned long long)r.rdi);
	srv_log("  rbp %llx rsp %llx r8 %llx r9 %llx r10 %llx r11 %llx", (unsigned long long)r.rbp,
		(unsigned long long)r.rsp, (unsigned long long)r.r8, (unsigned long long)r.r9,
		(unsigned long long)r.r10, (unsigned long long)r.r11);
	srv_log("  r12 %llx r13 %llx r14 %llx r15 %llx flags %llx", (unsigned long long)r.r12,
		(unsigned long long)r.r13, (unsigned long long)r.r14, (unsigned long long)r.r15,
		(unsigned long long)r.rflags);
	backtrace(s, &r);
}
