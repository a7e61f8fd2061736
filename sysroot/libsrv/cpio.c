/*
 * The newc archive reader. A member is a header of hexadecimal fields, the name with its NUL, and
 * the data; name and data each end at a multiple of four bytes from the archive's start.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cpio.h"

#include <errno.h>
#include <string.h>

#define HEADER_SIZE 110u
#define FIELDS 13

enum field {
	FIELD_INO, FIELD_MODE, FIELD_UID, FIELD_GID, FIELD_NLINK, FIELD_MTIME, FIELD_SIZE,
	FIELD_DEV_MAJOR, FIELD_DEV_MINOR, FIELD_RDEV_MAJOR, FIELD_RDEV_MINOR, FIELD_NAME_SIZE,
	FIELD_SUM,
};

static const char trailer[] = "TRAILER!!!";

void cpio_open(struct cpio *c, const void *archive, size_t size)
{
	c->start = archive;
	c->size = size;
	c->at = 0;
}

static int hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static int header_parse(const uint8_t *header, uint32_t field[FIELDS])
{
	const uint8_t *at = header + 6;

	for (int i = 0; i < FIELDS; i++) {
		field[i] = 0;
		for (int n = 0; n < 8; n++) {
			int digit = hex_digit(*at++);

			if (digit < 0)
				return -EINVAL;
			field[i] = field[i] << 4 | (uint32_t)digit;
		}
	}
	return 0;
}

static bool magic_ok(const uint8_t *header)
{
	return memcmp(header, "070701", 6) == 0 || memcmp(header, "070702", 6) == 0;
}

/* Only the format with check sums has one to compare: of a file's bytes, added up. */
static bool sum_ok(const uint8_t *header, const struct cpio_entry *entry, uint32_t sum)
{
	const uint8_t *data = entry->data;

	if (header[5] != '2' || (entry->mode & 0170000) != 0100000 || entry->size == 0)
		return true;
	for (uint32_t i = 0; i < entry->size; i++)
		sum -= data[i];
	return sum == 0;
}

/* A name shows neither where the archive was made nor that it is meant for the root. */
static const char *name_relative(const char *name)
{
	for (;;) {
		if (name[0] == '/')
			name++;
		else if (name[0] == '.' && name[1] == '/')
			name += 2;
		else
			return name[0] ? name : ".";
	}
}

/* The member at c->at, which is known to have a whole header. Advances c->at past it. */
static int member_parse(struct cpio *c, struct cpio_entry *entry)
{
	const uint8_t *header = c->start + c->at;
	size_t left = c->size - c->at - HEADER_SIZE;
	size_t name_at = c->at + HEADER_SIZE;
	const char *name = (const char *)header + HEADER_SIZE;
	uint32_t field[FIELDS];
	size_t data_at, end;

	if (!magic_ok(header) || header_parse(header, field))
		return -EINVAL;
	if (field[FIELD_NAME_SIZE] == 0 || field[FIELD_NAME_SIZE] > left)
		return -EINVAL;
	if (memchr(name, 0, field[FIELD_NAME_SIZE]) == NULL)
		return -EINVAL;
	data_at = (name_at + field[FIELD_NAME_SIZE] + 3) & ~(size_t)3;
	/* The padding of the very last member may have been cut off. */
	if (data_at > c->size)
		data_at = c->size;
	if (field[FIELD_SIZE] > c->size - data_at)
		return -EINVAL;
	end = (data_at + field[FIELD_SIZE] + 3) & ~(size_t)3;
	*entry = (struct cpio_entry){
		.name = name, .data = c->start + data_at, .offset = data_at,
		.size = field[FIELD_SIZE], .mode = field[FIELD_MODE], .uid = field[FIELD_UID],
		.gid = field[FIELD_GID], .nlink = field[FIELD_NLINK], .mtime = field[FIELD_MTIME],
		.ino = field[FIELD_INO], .dev_major = field[FIELD_DEV_MAJOR],
		.dev_minor = field[FIELD_DEV_MINOR], .rdev_major = field[FIELD_RDEV_MAJOR],
		.rdev_minor = field[FIELD_RDEV_MINOR],
	};
	if (!sum_ok(header, entry, field[FIELD_SUM]))
		return -EINVAL;
	c->at = end < c->size ? end : c->size;
	return 0;
}

int cpio_next(struct cpio *c, struct cpio_entry *entry)
{
	for (;;) {
		while (c->at < c->size && c->start[c->at] == 0)
			c->at++;
		if (c->at == c->size)
			return 0;
		if (c->size - c->at < HEADER_SIZE || member_parse(c, entry))
			return -EINVAL;
		if (strcmp(entry->name, trailer) == 0)
			continue;
		entry->name = name_relative(entry->name);
		return 1;
	}
}

int cpio_find(const void *archive, size_t size, const char *name, struct cpio_entry *entry)
{
	struct cpio c;
	int r;

	cpio_open(&c, archive, size);
	while ((r = cpio_next(&c, entry)) > 0) {
		if (strcmp(entry->name, name) == 0)
			return 0;
	}
	return r < 0 ? r : -ENOENT;
}

bool cpio_same_file(const struct cpio_entry *a, const struct cpio_entry *b)
{
	return a->nlink > 1 && b->nlink > 1 && a->ino == b->ino && a->dev_major == b->dev_major &&
	       a->dev_minor == b->dev_minor;
}
