/* SPDX-License-Identifier: MIT */
/*
 * The manifest's parser: a line is a word and its arguments; `#` begins a comment. See the manifest
 * itself.
 */
#include "supervisor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "calls.h"
#include "server.h"

#define WORDS 8

struct line {
	char text[160];
	char *word[WORDS];
	int words;
	int number;
};

struct server *manifest_find(struct manifest *m, const char *name)
{
	for (size_t i = 0; i < m->servers; i++)
		if (!strcmp(m->server[i].name, name))
			return &m->server[i];
	return NULL;
}

static int complain(const struct line *l, const char *why)
{
	srv_log("manifest line %d: %s: %s", l->number, l->words ? l->word[0] : "", why);
	return -EINVAL;
}

static bool word_number(const char *w, uint32_t *value)
{
	char *end;
	unsigned long v = strtoul(w, &end, 0);

	*value = (uint32_t)v;
	return *w && !*end && v <= UINT32_MAX;
}

static int set_name(const struct line *l, char *to, const char *name)
{
	if (strlen(name) >= NAME_MAX_)
		return complain(l, "name too long");
	strcpy(to, name);
	return 0;
}

static int begin_server(struct manifest *m, struct line *l)
{
	struct server *s = &m->server[m->servers];

	if (l->words != 2)
		return complain(l, "wants a name");
	if (m->servers == SERVERS_MAX || manifest_find(m, l->word[1]))
		return complain(l, "too many servers, or twice the same");
	memset(s, 0, sizeof(*s));
	s->endpoint = s->account = s->keeper = s->task = s->thread = s->endpoint_slot = -1;
	s->priority = K_PRIORITY_SERVER;
	s->number = (uint32_t)++m->servers;
	return set_name(l, s->name, l->word[1]);
}

static int set_priority(struct server *s, struct line *l)
{
	if (l->words == 2 && !strcmp(l->word[1], "server"))
		s->priority = K_PRIORITY_SERVER;
	else if (l->words == 2 && !strcmp(l->word[1], "driver"))
		s->priority = K_PRIORITY_DRIVER;
	else
		return complain(l, "wants server or driver");
	return 0;
}

static int set_endpoint(struct server *s, struct line *l)
{
	static const struct { const char *word; uint32_t right; } rights[] = {
		{ "memory", K_RIGHT_CALLER_MEMORY }, { "install", K_RIGHT_CALLER_INSTALL },
		{ "take", K_RIGHT_CALLER_TAKE }, { "regs", K_RIGHT_CALLER_REGS },
	};

	s->receives = true;
	s->rights = K_RIGHT_RECEIVE | K_RIGHT_CALL | K_RIGHT_DUPLICATE;
	for (int w = 1; w < l->words; w++) {
		size_t i = 0;

		while (i < 4 && strcmp(rights[i].word, l->word[w]))
			i++;
		if (i == 4)
			return complain(l, "knows memory, install, take, regs");
		s->rights |= rights[i].right;
	}
	return 0;
}

static const struct {
	const char *word;
	enum grant_kind kind;
	/* argument that names the handle (0: the word itself); numbers that follow */
	int names, min, max;
} grant_words[] = {
	{ "call", GRANT_CALL, 1, 0, 1 },       { "shared", GRANT_SHARED, 1, 1, 1 },
	{ "dma", GRANT_DMA, 1, 1, 1 },         { "signal", GRANT_SIGNAL, 1, 1, 1 },
	{ "archive", GRANT_ARCHIVE, 0, 0, 0 }, { "vdso", GRANT_VDSO, 0, 0, 0 },
	{ "control", GRANT_CONTROL, 0, 0, 0 }, { "task", GRANT_TASK, 0, 0, 0 },
	{ "state", GRANT_STATE, 0, 0, 0 },     { "ioport", GRANT_IOPORT, 1, 2, 2 },
	{ "irq", GRANT_IRQ, 1, 1, 1 },
};

static int add_grant(struct server *s, struct line *l)
{
	struct grant *g = &s->grant[s->grants];
	size_t i = 0;
	int numbers;

	while (i < sizeof(grant_words) / sizeof(*grant_words) &&
	       strcmp(grant_words[i].word, l->word[0]))
		i++;
	if (i == sizeof(grant_words) / sizeof(*grant_words))
		return complain(l, "unknown word");
	if (s->grants == GRANTS_MAX)
		return complain(l, "too many handles");
	memset(g, 0, sizeof(*g));
	g->kind = grant_words[i].kind;
	g->handle = -1;
	if (g->kind == GRANT_SHARED && l->words == 4) {
		if (strcmp(l->word[3], "rw") && strcmp(l->word[3], "r"))
			return complain(l, "wants r or rw");
		g->value[1] = !strcmp(l->word[3], "rw");
		l->words = 3;
	}
	numbers = l->words - 1 - grant_words[i].names;
	if (numbers < grant_words[i].min || numbers > grant_words[i].max)
		return complain(l, "wrong number of arguments");
	for (int n = 0; n < numbers; n++)
		if (!word_number(l->word[1 + grant_words[i].names + n], &g->value[n]))
			return complain(l, "not a number");
	s->grants++;
	return set_name(l, g->name, l->word[grant_words[i].names]);
}

/* device KIND [INTERRUPTS] */
static int set_device(struct server *s, struct line *l)
{
	uint32_t n = 1;

	if (l->words < 2 || l->words > 3 || s->device.wanted)
		return complain(l, "wants one kind of device, and how many interrupts");
	if (l->words == 3 && (!word_number(l->word[2], &n) || !n || n > DEVICE_VECTORS))
		return complain(l, "so many interrupts it cannot have");
	s->device.wanted = true;
	s->device.vectors = n;
	return set_name(l, s->device.kind, l->word[1]);
}

static int parse_line(struct manifest *m, struct line *l)
{
	struct server *s = m->servers ? &m->server[m->servers - 1] : NULL;
	uint32_t n;

	if (!strcmp(l->word[0], "server"))
		return begin_server(m, l);
	if (!s)
		return complain(l, "before the first server");
	if (!strcmp(l->word[0], "priority"))
		return set_priority(s, l);
	if (!strcmp(l->word[0], "endpoint"))
		return set_endpoint(s, l);
	if (!strcmp(l->word[0], "device"))
		return set_device(s, l);
	if (!strcmp(l->word[0], "vital")) {
		s->vital = true;
		return 0;
	}
	if (!strcmp(l->word[0], "memory")) {
		if (l->words != 2 || !word_number(l->word[1], &n))
			return complain(l, "wants a number of MiB");
		s->memory = (uint64_t)n << 20;
		return 0;
	}
	return add_grant(s, l);
}

int manifest_parse(struct manifest *m, const char *text, size_t size)
{
	const char *end = text + size;
	struct line l = { .number = 0 };

	while (text < end) {
		const char *eol = memchr(text, '\n', (size_t)(end - text));
		size_t n = (size_t)((eol ? eol : end) - text);
		char *comment, *save;
		int r;

		l.number++;
		l.words = 0;
		if (n >= sizeof(l.text))
			return complain(&l, "line too long");
		memcpy(l.text, text, n);
		l.text[n] = 0;
		text = eol ? eol + 1 : end;
		comment = strchr(l.text, '#');
		if (comment)
			*comment = 0;
		for (char *w = strtok_r(l.text, " \t\r", &save); w && l.words < WORDS;
		     w = strtok_r(NULL, " \t\r", &save))
			l.word[l.words++] = w;
		if (l.words && (r = parse_line(m, &l)))
			return r;
	}
	return 0;
}
