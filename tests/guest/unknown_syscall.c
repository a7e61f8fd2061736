/*
 * System-call numbers that do not exist.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <sys/syscall.h>
#include <unistd.h>

TEST(unknown_syscall, beyond_the_table)
{
	static const long numbers[] = { 1000, 4095, 4096, 65535, 1 << 20, 0x3fffffff, 0x7fffffff,
					-1, -2, -4095, -0x80000000L, 0x80000000 };

	for (unsigned i = 0; i < LENGTH(numbers); i++) {
		CHECK_ERRNO(syscall(numbers[i]), ENOSYS);
		CHECK_ERRNO(syscall(numbers[i], BAD_UNMAPPED, BAD_KERNEL, -1, -1, -1, -1), ENOSYS);
	}
}

TEST(unknown_syscall, every_number_in_the_gap)
{
	for (long number = 340; number < 424; number++)
		CHECK_ERRNO(syscall(number, 0, 0, 0, 0, 0, 0), ENOSYS);
	for (long number = 600; number < 1500; number++)
		CHECK_ERRNO(syscall(number, 0, 0, 0, 0, 0, 0), ENOSYS);
}

TEST(unknown_syscall, retired_numbers)
{
	static const long numbers[] = { 134, 156, 174, 177, 178, 180, 181, 182, 183, 184, 185,
					205, 211, 214, 215, 236 };

	for (unsigned i = 0; i < LENGTH(numbers); i++)
		CHECK_ERRNO(syscall(numbers[i], 0, 0, 0, 0, 0, 0), ENOSYS);
}

TEST(unknown_syscall, only_32_bits_of_the_number_count)
{
	CHECK_EQ(syscall(SYS_getpid | 1L << 32), getpid());
	CHECK_EQ(syscall(SYS_getpid | 0x7fffffffL << 32), getpid());
}
