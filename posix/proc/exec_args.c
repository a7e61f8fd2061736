/*
 * Arguments of execve: copied in, changed for scripts, laid out on the new stack.
 *
 * SPDX-License-Identifier: MIT
 */
#include "posix/proc/exec.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "heap.h"
#include "posix/misc/random.h"
#include "posix/proc/caller.h"
#include "posix/proc/cred.h"
#include "posix/signal/frame.h"

#define STRING_MAX 131072u		/* one string with its NUL */
#define PAGE 4096u
#define ARGS_FLOOR 131072u
#define ARGS_CEILING (6u << 20)

void exec_strings_free(struct exec_strings *s)
{
	heap_free(s->data);
	*s = (struct exec_strings){ 0 };
}

static int strings_room(struct exec_strings *s, size_t more)
{
	size_t capacity = s->capacity ? s->capacity : PAGE;
	char *data;

	while (capacity < s->size + more)
		capacity *= 2;
	if (capacity == s->capacity)
		return 0;
	data = heap_realloc(s->data, capacity);
	if (!data)
		return -ENOMEM;
	s->data = data;
	s->capacity = capacity;
	return 0;
}

static int strings_append(struct exec_strings *s, const char *text, size_t n)
{
	int r = strings_room(s, n);

	if (r)
		return r;
	memcpy(s->data + s->size, text, n);
	s->size += n;
	return 0;
}

/* --- copying in ------------------------------------------------------------------------------- */

/*
 * The caller's memory seen through one page at a time: the strings of a program usually lie side by
 * side, and one copy of a page fetches dozens of them.
 */
struct window {
	const struct k_message *m;
	uint64_t page;			/* which; ~0: none */
	char data[PAGE];
};

static int window_at(struct window *w, uint64_t address, const char **at, size_t *left)
{
	uint64_t page = address & ~(uint64_t)(PAGE - 1);
	int r;

	if (w->page != page) {
		w->page = ~0ull;
		r = caller_read(w->m, w->data, page, PAGE);
		if (r)
			return r;
		w->page = page;
	}
	*at = w->data + (address - page);
	*left = PAGE - (size_t)(address - page);
	return 0;
}

static int string_read(struct window *w, uint64_t from, struct exec_strings *s, size_t *budget)
{
	size_t length = 0;

	for (;;) {
		const char *at, *end;
		size_t left;
		int r = window_at(w, from, &at, &left);

		if (r)
			return r;
		end = memchr(at, 0, left);
		if (end)
			left = (size_t)(end - at) + 1;
		length += left;
		if (length > STRING_MAX || left > *budget)
			return -E2BIG;
		*budget -= left;
		r = strings_append(s, at, left);
		if (r || end)
			return r;
		from += left;
	}
}

static int strings_read(const struct k_message *m, uint64_t vector, struct exec_strings *s,
			size_t *budget)
{
	static struct window pointers, text;

	pointers = (struct window){ .m = m, .page = ~0ull };
	text.m = m;
	text.page = ~0ull;
	for (; vector; vector += 8) {
		uint64_t pointer;
		const char *at;
		size_t left;
		int r = vector & 7 ? -EFAULT : window_at(&pointers, vector, &at, &left);

		if (vector & 7)
			r = caller_read(m, &pointer, vector, sizeof pointer);
		else if (!r)
			memcpy(&pointer, at, sizeof pointer);
		if (r)
			return r;
		if (!pointer)
			return 0;
		if (*budget < 8)
			return -E2BIG;
		*budget -= 8;
		r = string_read(&text, pointer, s, budget);
		if (r)
			return r;
		s->count++;
	}
	return 0;
}

/* There may be a million: they are counted aside, not in the state. */
static int vector_read(const struct k_message *m, uint64_t vector, struct exec_strings *s,
		       size_t *budget)
{
	struct exec_strings read = *s;
	int r = strings_read(m, vector, &read, budget);

	*s = read;
	return r;
}

int exec_args_read(const struct k_message *m, struct exec *e)
{
	uint64_t limit = e->thread->process->limit[LX_RLIMIT_STACK].soft / 4;
	size_t budget = limit > ARGS_CEILING ? ARGS_CEILING :
			limit < ARGS_FLOOR   ? ARGS_FLOOR :
					       (size_t)limit;
	int r = vector_read(m, e->argv, &e->args, &budget);

	if (!r)
		r = vector_read(m, e->envp, &e->env, &budget);
	/* a program without argv[0] gets an empty one, as on Linux */
	if (!r && !e->args.count) {
		r = strings_append(&e->args, "", 1);
		e->args.count = 1;
	}
	return r;
}

int exec_args_script(struct exec *e, const char *interpreter, const char *argument,
		     const char *script)
{
	struct exec_strings n = { 0 };
	size_t first = strlen(e->args.data) + 1;
	int r = strings_append(&n, interpreter, strlen(interpreter) + 1);

	if (!r && argument)
		r = strings_append(&n, argument, strlen(argument) + 1);
	if (!r)
		r = strings_append(&n, script, strlen(script) + 1);
	if (!r)
		r = strings_append(&n, e->args.data + first, e->args.size - first);
	if (r) {
		exec_strings_free(&n);
		return r;
	}
	n.count = e->args.count + (argument ? 2 : 1);
	exec_strings_free(&e->args);
	e->args = n;
	return 0;
}

/* --- the stack -------------------------------------------------------------------------------- */

static uint64_t cpu_features(void)
{
	uint32_t a = 1, b, c = 0, d;

	__asm__("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	return d;
}

struct layout {
	uint64_t name, env, args, platform, random, sp;
	size_t words;
};

#define AUXV_WORDS 48
static const char platform[] = "x86_64";

static struct layout layout_make(const struct exec *e)
{
	struct layout l;

	l.name = e->stack_top - 8 - (strlen(e->name) + 1);
	l.env = l.name - e->env.size;
	l.args = l.env - e->args.size;
	l.platform = (l.args - sizeof platform) & ~15ull;
	l.random = l.platform - 16;
	l.words = 1 + e->args.count + 1 + e->env.count + 1 + AUXV_WORDS;
	l.sp = (l.random - l.words * 8) & ~15ull;
	return l;
}

static uint32_t auxv_make(const struct exec *e, const struct layout *l, uint64_t *v)
{
	const struct proto_cred *c = (e->cred ? e->cred : e->thread->cred)->record;
	const struct exec_file *p = &e->program;
	const uint64_t all[][2] = {
		{ LX_AT_SYSINFO_EHDR, e->image.vdso },
		{ LX_AT_MINSIGSTKSZ, frame_stack_min() },
		{ LX_AT_HWCAP, cpu_features() },
		{ LX_AT_PAGESZ, PAGE },
		{ LX_AT_CLKTCK, LX_CLK_TCK },
		{ LX_AT_PHDR, p->elf.headers_address ? p->elf.headers_address + p->bias : 0 },
		{ LX_AT_PHENT, p->elf.headers_size / p->elf.headers },
		{ LX_AT_PHNUM, p->elf.headers },
		{ LX_AT_BASE, e->interpreter.description >= 0 ? e->interpreter.bias : 0 },
		{ LX_AT_FLAGS, 0 },
		{ LX_AT_ENTRY, p->elf.entry + p->bias },
		{ LX_AT_UID, c->ruid },
		{ LX_AT_EUID, c->euid },
		{ LX_AT_GID, c->rgid },
		{ LX_AT_EGID, c->egid },
		{ LX_AT_SECURE, e->secure },
		{ LX_AT_RANDOM, l->random },
		{ LX_AT_HWCAP2, 0 },
		{ LX_AT_EXECFN, l->name },
		{ LX_AT_PLATFORM, l->platform },
		{ LX_AT_NULL, 0 },
	};

	_Static_assert(sizeof all <= AUXV_WORDS * 8, "room for the auxiliary vector");
	memcpy(v, all, sizeof all);
	return sizeof all;
}

/* Pointers to `count` strings that begin at `at`, and a NULL. */
static uint64_t *pointers_make(uint64_t *to, const struct exec_strings *s, uint64_t at)
{
	const char *text = s->data;

	for (uint32_t i = 0; i < s->count; i++) {
		size_t n = strlen(text) + 1;

		*to++ = at;
		at += n;
		text += n;
	}
	*to++ = 0;
	return to;
}

int exec_stack_make(struct exec *e)
{
	struct layout l = layout_make(e);
	size_t size = e->stack_top - l.sp;
	uint64_t *word;
	char *b;

	b = e->stack = calloc(1, size);
	if (!b)
		return -ENOMEM;
	e->stack_sp = l.sp;
	strcpy(b + (l.name - l.sp), e->name);
	if (e->env.size)
		memcpy(b + (l.env - l.sp), e->env.data, e->env.size);
	memcpy(b + (l.args - l.sp), e->args.data, e->args.size);
	memcpy(b + (l.platform - l.sp), platform, sizeof platform);
	random_bytes(b + (l.random - l.sp), 16);
	word = (uint64_t *)(void *)b;
	*word++ = e->args.count;
	word = pointers_make(word, &e->args, l.args);
	word = pointers_make(word, &e->env, l.env);
	e->image.auxv_size = auxv_make(e, &l, word);
	memcpy(e->image.auxv, word, e->image.auxv_size);
	e->image.arg_start = l.args;
	e->image.arg_end = e->image.env_start = l.env;
	e->image.env_end = l.name;
	e->image.stack_start = l.sp;
	return 0;
}
