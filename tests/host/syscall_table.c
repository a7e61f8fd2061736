/*
 * The table of system calls: complete, in order, named as Linux names them; and what is generated
 * from it: the generator makes from a small table exactly what is committed beside it, and
 * doc/conformance.md is what it makes from the real one.
 *
 * SPDX-License-Identifier: MIT
 */
#include <unistd.h>
#include <asm/unistd.h>

#include "native.h"
#include "test.h"

#define GENERATOR "posix/syscall/generate.awk"

struct entry {
	int number;
	const char *name;
	enum { PS, VFS, NET, FD, NONE } home;
	uint8_t op;
};

static const struct entry table[] = {
#define S(n, nm, dest, op, flag, arg, note) { n, #nm, dest, K_OP_##op },
#include "posix/syscall/syscalls.def"
#undef S
};

TEST(syscall_table, ascending_and_within_the_route_table)
{
	for (size_t i = 0; i < LENGTH(table); i++) {
		CHECK(table[i].number >= 0 && table[i].number < K_ROUTE_NUMBERS);
		if (i)
			CHECK(table[i].number > table[i - 1].number);
	}
}

TEST(syscall_table, numbers_are_linux_numbers)
{
	/* a few that stand for their neighbourhood; the table as a whole came from the headers */
	static const struct { int number; const char *name;
	} known[] = {
		{ __NR_read, "read" },
		{ __NR_rt_sigreturn, "rt_sigreturn" },
		{ __NR_execve, "execve" },
		{ __NR_wait4, "wait4" },
		{ __NR_gettid, "gettid" },
		{ __NR_exit_group, "exit_group" },
		{ __NR_openat, "openat" },
		{ __NR_ppoll, "ppoll" },
		{ __NR_prlimit64, "prlimit64" },
		{ __NR_getrandom, "getrandom" },
		{ __NR_statx, "statx" },
		{ __NR_clone3, "clone3" },
		{ __NR_faccessat2, "faccessat2" },
	};

	for (size_t k = 0; k < LENGTH(known); k++) {
		size_t i = 0;

		while (i < LENGTH(table) && table[i].number != known[k].number)
			i++;
		if (i == LENGTH(table) || strcmp(table[i].name, known[k].name))
			FAIL("number %d is not %s", known[k].number, known[k].name);
	}
}

TEST(syscall_table, enough_is_served)
{
	unsigned served = 0;

	for (size_t i = 0; i < LENGTH(table); i++)
		served += table[i].home != NONE;
	CHECK(served >= 170);
}

TEST(syscall_table, nobody_means_no_shortcut)
{
	for (size_t i = 0; i < LENGTH(table); i++) {
		if (table[i].home == NONE)
			CHECK_EQ(table[i].op, K_OP_NONE);
	}
}

/* What the generator makes equals the file. */
static void compare(const char *what, const char *from, const char *expected)
{
	static char made[262144], wanted[262144];
	char command[256];
	size_t a, b;
	FILE *f;

	CHECK_EQ(chdir(SOURCE_TOP), 0);
	snprintf(command, sizeof command, "awk -v what=%s -f %s %s", what, GENERATOR, from);
	f = popen(command, "r");
	CHECK(f != NULL);
	a = fread(made, 1, sizeof made, f);
	CHECK_EQ(pclose(f), 0);
	f = fopen(expected, "r");
	if (f == NULL)
		FAIL("%s is missing", expected);
	b = fread(wanted, 1, sizeof wanted, f);
	fclose(f);
	if (a != b || memcmp(made, wanted, a))
		FAIL("%s is not what %s makes", expected, GENERATOR);
}

TEST(syscall_table, generator)
{
	compare("shortcuts", "posix/syscall/golden/table.def",
		"posix/syscall/golden/shortcuts.expected");
	compare("names", "posix/syscall/golden/table.def", "posix/syscall/golden/names.expected");
	compare("conformance", "posix/syscall/golden/table.def",
		"posix/syscall/golden/conformance.expected");
}

TEST(syscall_table, conformance_page_is_current)
{
	compare("conformance", "posix/syscall/syscalls.def", "doc/conformance.md");
}
