/*
 * getrandom and the random devices.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Crude: bytes of all kinds, bits about evenly set. Wrong once in far more than a lifetime. */
static void check_random(const unsigned char *bytes, size_t size)
{
	long set = 0, kinds = 0;
	char seen[256] = { 0 };

	for (size_t i = 0; i < size; i++) {
		set += __builtin_popcount(bytes[i]);
		kinds += !seen[bytes[i]]++;
	}
	CHECK_GT(set, (long)size * 4 - (long)size / 4);
	CHECK_LT(set, (long)size * 4 + (long)size / 4);
	CHECK_GT(kinds, 200);
}

TEST(getrandom, fills)
{
	static unsigned char a[5000], b[5000];

	CHECK_EQ(getrandom(a, sizeof(a), 0), sizeof(a));
	CHECK_EQ(getrandom(b, sizeof(b), GRND_NONBLOCK), sizeof(b));
	check_random(a, sizeof(a));
	check_random(b, sizeof(b));
	CHECK_NE(memcmp(a, b, sizeof(a)), 0);
	CHECK_EQ(getrandom(a, 256, GRND_RANDOM), 256);
	CHECK_EQ(getrandom(a, 0, 0), 0);
}

TEST(getrandom, exactly_what_was_asked_for)
{
	unsigned char bytes[64];

	for (int size = 1; size < 40; size++) {
		memset(bytes, 0, sizeof(bytes));
		CHECK_EQ(getrandom(bytes, size, 0), size);
		for (int i = size; i < 64; i++)
			CHECK_EQ(bytes[i], 0);
	}
}

TEST(getrandom, differs_between_processes)
{
	uint64_t *values = map_shared(PAGE);

	for (int i = 0; i < 10; i++)
		SUBPROCESS {
			CHECK_EQ(getrandom(&values[i], 8, 0), 8);
		}
	for (int i = 0; i < 10; i++)
		for (int j = 0; j < i; j++)
			CHECK_NE(values[i], values[j]);
}

TEST(getrandom, devices)
{
	static unsigned char bytes[5000];
	static const char *const names[] = { "/dev/urandom", "/dev/random" };

	for (int i = 0; i < 2; i++) {
		int fd = CHECK_OK(open(names[i], O_RDWR));

		CHECK_EQ(read(fd, bytes, sizeof(bytes)), sizeof(bytes));
		check_random(bytes, sizeof(bytes));
		CHECK_EQ(write(fd, "seed", 4), 4);
	}
}

TEST(getrandom, errors)
{
	char byte;

	CHECK_ERRNO(getrandom(&byte, 1, 0x100), EINVAL);
	CHECK_ERRNO(syscall(SYS_getrandom, BAD_UNMAPPED, 8, 0), EFAULT);
	CHECK_ERRNO(syscall(SYS_getrandom, BAD_KERNEL, 8, 0), EFAULT);
}
