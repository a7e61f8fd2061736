/*
 * Editing the unfinished line: erase a character, a word, the line; print it again.
 *
 * What is shown must take back exactly what was shown: the width of a tab depends on the columns
 * before it, a control character was shown as two, a UTF-8 character is several bytes and one
 * column. The marks of finished lines all lie before ld->canon, so nothing here touches them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "ldisc.h"

#include "ldisc_priv.h"

void edit_finish_erasing(struct ldisc *ld)
{
	if (ld->erasing) {
		echo_plain(ld, '/');
		ld->erasing = false;
	}
}

/* Where the last character of the line begins, or its end if there is no whole character. */
static size_t edit_last_char(const struct ldisc *ld)
{
	size_t at = ld->head;

	while (at != ld->canon) {
		at--;
		if (!char_continues(ld, input_at(ld, at)))
			return at;
	}
	return ld->head;
}

/* The columns in use before a tab that was at `end`, back to the tab before it or line start. */
static void edit_show_tab_erased(struct ldisc *ld, size_t end)
{
	unsigned columns = 0;
	bool after_tab = false;

	while (end != ld->canon && !after_tab) {
		uint8_t c = input_at(ld, --end);

		if (c == '\t')
			after_tab = true;
		else if (char_is_control(c))
			columns += lflag(ld, LX_ECHOCTL) ? 2 : 0;
		else if (!char_continues(ld, c))
			columns++;
	}
	echo_erase_tab(ld, columns, after_tab);
}

static void edit_show_blank(struct ldisc *ld)
{
	echo_plain(ld, '\b');
	echo_plain(ld, ' ');
	echo_plain(ld, '\b');
}

/* On paper: the erased characters themselves, between \ and /. */
static void edit_show_printed(struct ldisc *ld, size_t at, size_t end)
{
	if (!ld->erasing) {
		echo_plain(ld, '\\');
		ld->erasing = true;
	}
	echo_char(ld, input_at(ld, at));
	while (++at != end) {
		echo_plain(ld, input_at(ld, at));
		echo_column_back(ld);
	}
}

/* The character [at, end) has gone from the line; show that. `single`: by VERASE. */
static void edit_show_erased(struct ldisc *ld, size_t at, size_t end, bool single)
{
	uint8_t c = input_at(ld, at);

	if (lflag(ld, LX_ECHOPRT)) {
		edit_show_printed(ld, at, end);
	} else if (single && !lflag(ld, LX_ECHOE)) {
		echo_char(ld, ld->termios.cc[LX_VERASE]);
	} else if (c == '\t') {
		edit_show_tab_erased(ld, at);
	} else if (!char_is_control(c)) {
		edit_show_blank(ld);
	} else if (lflag(ld, LX_ECHOCTL)) {
		edit_show_blank(ld);
		edit_show_blank(ld);
	}
}

static void edit_erase_char(struct ldisc *ld, bool single)
{
	size_t end = ld->head;
	size_t at = edit_last_char(ld);

	ld->head = at;
	if (at != end && lflag(ld, LX_ECHO))
		edit_show_erased(ld, at, end, single);
}

/* First what is no part of a word, then the word. */
static void edit_erase_word(struct ldisc *ld)
{
	bool in_word = false;

	for (size_t at; (at = edit_last_char(ld)) != ld->head; edit_erase_char(ld, false)) {
		if (char_is_word(input_at(ld, at)))
			in_word = true;
		else if (in_word)
			break;
	}
}

/* A kill that is not shown character by character. */
static void edit_kill_at_once(struct ldisc *ld)
{
	ld->head = ld->canon;
	if (!lflag(ld, LX_ECHO))
		return;
	edit_finish_erasing(ld);
	echo_char(ld, ld->termios.cc[LX_VKILL]);
	if (lflag(ld, LX_ECHOK))
		echo_plain(ld, '\n');
}

static void edit_kill(struct ldisc *ld)
{
	const uint32_t visual = LX_ECHO | LX_ECHOK | LX_ECHOKE | LX_ECHOE;

	if ((ld->termios.lflag & visual) != visual) {
		edit_kill_at_once(ld);
		return;
	}
	while (edit_last_char(ld) != ld->head)
		edit_erase_char(ld, false);
}

void edit_erase(struct ldisc *ld, uint8_t c)
{
	if (ld->head == ld->canon)
		return;
	if (cc_is(ld, c, LX_VERASE))
		edit_erase_char(ld, true);
	else if (cc_is(ld, c, LX_VWERASE))
		edit_erase_word(ld);
	else
		edit_kill(ld);
	if (ld->head == ld->canon && lflag(ld, LX_ECHO))
		edit_finish_erasing(ld);
}

void edit_reprint(struct ldisc *ld, uint8_t c)
{
	edit_finish_erasing(ld);
	echo_char(ld, c);
	echo_plain(ld, '\n');
	for (size_t at = ld->canon; at != ld->head; at++)
		echo_char(ld, input_at(ld, at));
}
