/*
 * mremap: growing, shrinking and moving, with the contents kept.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static char *pages(int count)
{
	char *at = map_anonymous(count * PAGE);

	for (int i = 0; i < count; i++)
		memset(at + i * PAGE, 'a' + i, PAGE);
	return at;
}

static void check_pages(const char *at, int count)
{
	for (int i = 0; i < count; i++) {
		CHECK_EQ(at[i * PAGE], 'a' + i);
		CHECK_EQ(at[(i + 1) * PAGE - 1], 'a' + i);
	}
}

static int is_mapped(char *at)
{
	return msync(at, PAGE, MS_ASYNC) == 0;
}

TEST(mremap, shrinks_in_place)
{
	char *at = pages(5);

	CHECK(mremap(at, 5 * PAGE, 2 * PAGE, 0) == at);
	check_pages(at, 2);
	CHECK(is_mapped(at + PAGE));
	CHECK(!is_mapped(at + 2 * PAGE));
}

TEST(mremap, grows_in_place_where_free)
{
	char *at = pages(4);

	CHECK_OK(munmap(at + 2 * PAGE, 2 * PAGE));
	CHECK(mremap(at, 2 * PAGE, 4 * PAGE, 0) == at);
	check_pages(at, 2);
	CHECK_EQ(at[2 * PAGE], 0);
	CHECK_EQ(at[4 * PAGE - 1], 0);
}

TEST(mremap, moves_when_it_must)
{
	char *at = pages(4);

	/* The neighbour is in the way. */
	CHECK(mmap(at + 2 * PAGE, 2 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		   0) == at + 2 * PAGE);
	CHECK_ERRNO(mremap(at, 2 * PAGE, 8 * PAGE, 0), ENOMEM);
	char *moved = mremap(at, 2 * PAGE, 8 * PAGE, MREMAP_MAYMOVE);
	CHECK(moved != MAP_FAILED && moved != at);
	check_pages(moved, 2);
	CHECK_EQ(moved[2 * PAGE], 0);
	CHECK(!is_mapped(at));
	CHECK(is_mapped(at + 2 * PAGE));
	moved[7 * PAGE] = 1;
}

TEST(mremap, to_a_fixed_place)
{
	char *at = pages(3), *to = map_anonymous(3 * PAGE);

	memset(to, 9, 3 * PAGE);
	CHECK(mremap(at, 3 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
	check_pages(to, 2);
	CHECK_EQ(to[2 * PAGE], 9);
	CHECK(!is_mapped(at));
	CHECK(!is_mapped(at + 2 * PAGE));
}

TEST(mremap, errors)
{
	char *at = pages(4);

	CHECK_ERRNO(mremap(at + 1, PAGE, 2 * PAGE, MREMAP_MAYMOVE), EINVAL);
	CHECK_ERRNO(mremap(at, PAGE, 0, MREMAP_MAYMOVE), EINVAL);
	CHECK_ERRNO(mremap(at, PAGE, PAGE, 0x40), EINVAL);
	CHECK_ERRNO(mremap(at, PAGE, PAGE, MREMAP_FIXED, at + 2 * PAGE), EINVAL);
	CHECK_ERRNO(mremap(at, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, at + PAGE),
		    EINVAL);
	CHECK_ERRNO(mremap(at, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, at + 3 * PAGE + 1),
		    EINVAL);
	CHECK_ERRNO(mremap(at, 4 * PAGE, 1UL << 46, MREMAP_MAYMOVE), ENOMEM);
	CHECK_OK(munmap(at, 4 * PAGE));
	CHECK_ERRNO(mremap(at, PAGE, 2 * PAGE, MREMAP_MAYMOVE), EFAULT);
	CHECK_ERRNO(mremap(BAD_KERNEL, PAGE, 2 * PAGE, MREMAP_MAYMOVE), EFAULT);
}

TEST(mremap, middle_of_a_region)
{
	char *at = pages(5);
	char *moved = mremap(at + PAGE, 2 * PAGE, 4 * PAGE, MREMAP_MAYMOVE);

	CHECK(moved != MAP_FAILED);
	CHECK(moved[0] == 'b' && moved[PAGE] == 'c' && moved[2 * PAGE] == 0);
	CHECK(at[0] == 'a' && at[3 * PAGE] == 'd' && at[4 * PAGE] == 'e');
	CHECK(!is_mapped(at + PAGE));
}

TEST(mremap, file_memory)
{
	char page[PAGE];

	int fd = CHECK_OK(open("f", O_RDWR | O_CREAT, 0644));
	for (int i = 0; i < 4; i++) {
		memset(page, 'a' + i, PAGE);
		CHECK_EQ(write(fd, page, PAGE), PAGE);
	}
	char *at = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(at != MAP_FAILED);
	at[0] = 'X';
	at = mremap(at, 2 * PAGE, 4 * PAGE, MREMAP_MAYMOVE);
	CHECK(at != MAP_FAILED);
	CHECK(at[0] == 'X' && at[PAGE] == 'b' && at[2 * PAGE] == 'c' && at[3 * PAGE] == 'd');
	at[3 * PAGE] = 'Y';
	CHECK_EQ(pread(fd, page, 1, 3 * PAGE), 1);
	CHECK_EQ(page[0], 'Y');
}

TEST(mremap, copy_on_write_pages_move)
{
	char *at = pages(3);

	SUBPROCESS {
		char *moved = mremap(at, 3 * PAGE, 300 * PAGE, MREMAP_MAYMOVE);

		CHECK(moved != MAP_FAILED);
		check_pages(moved, 3);
		memset(moved, 'q', 3 * PAGE);
	}
	check_pages(at, 3);
}
