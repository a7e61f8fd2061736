/*
 * The newc archive reader: archives made here field by field, one made by this host's cpio if it
 * has one, damaged ones, and random bytes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cpio.h"

#include <errno.h>

#include "test.h"

static uint8_t archive[65536];
static size_t size;

static void put(const void *bytes, size_t n)
{
	CHECK(size + n <= sizeof(archive));
	memcpy(archive + size, bytes, n);
	size += n;
}

static void put_padding(void)
{
	while (size % 4)
		archive[size++] = 0;
}

/* A member whose name takes `name_size` bytes, NULs included. */
static void put_member(const char *magic, uint32_t mode, uint32_t nlink, const char *name,
		       uint32_t name_size, const char *data, uint32_t sum)
{
	char header[200], padded[300] = { 0 };

	snprintf(header, sizeof(header), "%s%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08X",
		 magic, 7u, mode, 1000u, 100u, nlink, 0x65000000u, (unsigned)strlen(data), 8u, 1u,
		 5u, 64u, name_size, sum);
	put(header, 110);
	snprintf(padded, sizeof(padded), "%s", name);
	put(padded, name_size);
	put_padding();
	put(data, strlen(data));
	put_padding();
}

static void put_file(uint32_t mode, const char *name, const char *data)
{
	put_member("070701", mode, 1, name, (uint32_t)strlen(name) + 1, data, 0);
}

static void put_trailer(void)
{
	put_file(0, "TRAILER!!!", "");
}

static struct cpio reader;
static struct cpio_entry entry;

static void expect(const char *name, uint32_t mode, const char *data)
{
	CHECK_EQ(cpio_next(&reader, &entry), 1);
	CHECK(strcmp(entry.name, name) == 0);
	CHECK_EQ(entry.mode, mode);
	CHECK_EQ(entry.size, strlen(data));
	CHECK_MEM(entry.data, data, strlen(data));
	CHECK(entry.data == archive + entry.offset);
}

static void expect_end(int how)
{
	CHECK_EQ(cpio_next(&reader, &entry), how);
	CHECK_EQ(cpio_next(&reader, &entry), how);
}

static void begin(void)
{
	memset(archive, 0xaa, sizeof(archive));
	size = 0;
}

static void finish(void)
{
	cpio_open(&reader, archive, size);
}

TEST(cpio, kinds_of_files)
{
	begin();
	put_file(0040755, ".", "");
	put_file(0040755, "./dev", "");
	put_file(0020666, "/dev/null", "");
	put_file(0100644, "etc/motd", "welcome\n");
	put_file(0120777, "bin", "usr/bin");
	put_trailer();
	finish();
	expect(".", 0040755, "");
	expect("dev", 0040755, "");
	expect("dev/null", 0020666, "");
	CHECK_EQ(entry.rdev_major, 5);
	CHECK_EQ(entry.rdev_minor, 64);
	expect("etc/motd", 0100644, "welcome\n");
	CHECK_EQ(entry.uid, 1000);
	CHECK_EQ(entry.gid, 100);
	CHECK_EQ(entry.mtime, 0x65000000);
	CHECK_EQ(entry.dev_major, 8);
	CHECK_EQ(entry.ino, 7);
	expect("bin", 0120777, "usr/bin");
	expect_end(0);
	CHECK_EQ(cpio_find(archive, size, "bin", &entry), 0);
	CHECK_EQ(cpio_find(archive, size, "sbin", &entry), -ENOENT);
}

TEST(cpio, padding_and_several_archives)
{
	begin();
	put_member("070701", 0100755, 1, "padded", 256, "data", 0);
	put("\0\0\0\0\0\0\0\0", 8);
	put_file(0100644, "after", "x");
	put_trailer();
	put("\0\0\0\0", 4);
	put_file(0100644, "second", "y");
	put_trailer();
	put("\0\0\0\0", 4);
	finish();
	expect("padded", 0100755, "data");
	expect("after", 0100644, "x");
	expect("second", 0100644, "y");
	expect_end(0);
}

TEST(cpio, links)
{
	struct cpio_entry first;

	begin();
	put_member("070701", 0100644, 2, "a", 2, "", 0);
	put_member("070701", 0100644, 2, "b", 2, "data", 0);
	put_file(0100644, "c", "");
	finish();
	expect("a", 0100644, "");
	first = entry;
	expect("b", 0100644, "data");
	CHECK(cpio_same_file(&first, &entry));
	expect("c", 0100644, "");
	CHECK(!cpio_same_file(&first, &entry));
	expect_end(0);
}

TEST(cpio, check_sums)
{
	begin();
	put_member("070702", 0100644, 1, "good", 5, "ab", 'a' + 'b');
	put_member("070702", 0120777, 1, "link", 5, "ab", 0);
	put_member("070702", 0100644, 1, "bad", 4, "ab", 'a');
	finish();
	expect("good", 0100644, "ab");
	expect("link", 0120777, "ab");
	expect_end(-EINVAL);
}

TEST(cpio, damage)
{
	static const struct {
		size_t at;
		const char *bytes;
	} cases[] = {
		{ 0, "070707" }, { 6, "0000000g" }, { 94, "00000000" }, { 94, "ffffffff" },
		{ 94, "00000003" }, { 54, "ffffffff" }, { 54, "0000000c" },
	};

	for (size_t i = 0; i < LENGTH(cases); i++) {
		begin();
		put_file(0100644, "name", "contents");
		memcpy(archive + cases[i].at, cases[i].bytes, strlen(cases[i].bytes));
		finish();
		expect_end(-EINVAL);
	}
	begin();
	finish();
	expect_end(0);
}

/* However short it is cut, nothing beyond is read (each copy ends where its memory does). */
TEST(cpio, truncation)
{
	begin();
	put_file(0100644, "one", "contents of one");
	put_member("070701", 0100644, 1, "two", 40, "contents", 0);
	put_trailer();
	for (size_t n = 0; n <= size; n++) {
		uint8_t *copy = malloc(n + 1);
		int r;

		memcpy(copy, archive, n);
		copy = realloc(copy, n ? n : 1);
		cpio_open(&reader, copy, n);
		while ((r = cpio_next(&reader, &entry)) > 0)
			CHECK(entry.offset + entry.size <= n);
		CHECK(r == 0 || r == -EINVAL);
		free(copy);
	}
}

/* What another program wrote. */
TEST(cpio, made_by_this_host)
{
	int found = 0;
	FILE *f;

	if (system("command -v cpio >/dev/null 2>&1") != 0)
		return;
	f = popen("cd /etc && printf '%s\\n' . ./passwd ./hostname | cpio -o -H newc 2>/dev/null",
		  "r");
	CHECK(f != NULL);
	size = fread(archive, 1, sizeof(archive), f);
	pclose(f);
	finish();
	while (cpio_next(&reader, &entry) > 0)
		found += strcmp(entry.name, "passwd") == 0 && memchr(entry.data, ':', entry.size);
	CHECK_EQ(found, 1);
	expect_end(0);
}

static void random_run(const uint8_t *data, size_t n)
{
	size_t members = 0;
	uint64_t sum = 0;
	int r;

	cpio_open(&reader, data, n);
	while ((r = cpio_next(&reader, &entry)) > 0) {
		const uint8_t *bytes = entry.data;

		for (size_t i = 0; i < entry.size; i++)
			sum += bytes[i];
		CHECK(strlen(entry.name) < n);
		members++;
	}
	CHECK(r == 0 || r == -EINVAL);
	CHECK(members <= n / 110 && sum <= 255 * (uint64_t)n);
}

TEST(cpio, random_runs)
{
	uint64_t seed = 1;

	for (unsigned round = test_rounds(20000); round > 0; round--) {
		uint8_t *copy;

		begin();
		for (int i = 0; i < 3; i++)
			put_member("070701", 0100644, 1, "name", 5 + test_below(&seed, 9),
				   "contents", 0);
		put_trailer();
		for (uint32_t i = test_below(&seed, 6); i > 0; i--)
			archive[test_random(&seed) % size] =
				(uint8_t)"0123456789abcdefF\0\1\377"[test_below(&seed, 20)];
		size -= test_below(&seed, 2) ? test_random(&seed) % size : 0;
		copy = malloc(size ? size : 1);
		memcpy(copy, archive, size);
		random_run(copy, size);
		free(copy);
	}
}

#ifdef FUZZ
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	random_run(data, n);
	return 0;
}
#endif
