// SPDX-License-Identifier: MIT
//
// mkarchive: packs folders into the boot archive.
//
//     mkarchive [-t TABLE] -o OUTPUT FOLDER...
//
// The archive is a "newc" cpio that Linux and any cpio can read, with one more property: the
// data of every regular file begins on a page boundary and is followed by zeros up to the next
// one, so that a loader or a page cache can use the pages where they lie. The boundary is
// reached by padding the *name* with NULs, which newc allows; the zeros after the data are
// padding between members.
//
// Folders are merged, later ones over earlier ones. Folders and links come first, then files in
// order of their names, except that what the table lists comes in the table's order: two builds
// of one tree give one archive. Owner, mode and time never come from the host's file system:
//
//     file    0:0, mode 755 if its owner may execute it, else 644
//     folder  0:0, mode 755
//     TABLE   lines "dir|file PATH MODE UID GID" say otherwise; dir also makes the folder.
//             A file that is not there is skipped. `#` begins a comment.
//
// All entries carry the time SOURCE_DATE_EPOCH (or the time of the call).
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096u
#define HEADER 110u

struct entry {
	char *path;		// in the archive, without a leading slash
	char *source;		// file on the host; the target, for a link; NULL for a folder
	mode_t mode;
	unsigned uid, gid;
	unsigned rank;		// position in the table + 1; 0: not in it
	size_t size;
};

static struct entry *entries;
static size_t entry_count, entry_room;
static FILE *out;
static size_t out_offset;
static unsigned inode, timestamp;

static void fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fprintf(stderr, "mkarchive: ");
	vfprintf(stderr, format, args);
	fprintf(stderr, "\n");
	va_end(args);
	exit(1);
}

static char *text_format(const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		fail("out of memory");
	va_end(args);
	return text;
}

// --- the list of entries --------------------------------------------------------------------

// The entry of this path, made if need be.
static struct entry *entry_get(const char *path)
{
	for (size_t i = 0; i < entry_count; i++)
		if (!strcmp(entries[i].path, path))
			return &entries[i];
	if (entry_count == entry_room) {
		entry_room = entry_room ? 2 * entry_room : 256;
		entries = realloc(entries, entry_room * sizeof(*entries));
		if (!entries)
			fail("out of memory");
	}
	entries[entry_count] = (struct entry){ .path = text_format("%s", path) };
	return &entries[entry_count++];
}

static void entry_add(const char *path, const char *source, const struct stat *st)
{
	struct entry *entry = entry_get(path);
	char target[PATH_MAX];
	ssize_t length;

	entry->source = NULL;
	entry->size = 0;
	if (S_ISDIR(st->st_mode)) {
		entry->mode = S_IFDIR | 0755;
	} else if (S_ISLNK(st->st_mode)) {
		length = readlink(source, target, sizeof(target) - 1);
		if (length < 0)
			fail("%s: %s", source, strerror(errno));
		target[length] = 0;
		entry->mode = S_IFLNK | 0777;
		entry->source = text_format("%s", target);
		entry->size = (size_t)length;
	} else if (S_ISREG(st->st_mode)) {
		entry->mode = S_IFREG | (st->st_mode & S_IXUSR ? 0755 : 0644);
		entry->source = text_format("%s", source);
		entry->size = (size_t)st->st_size;
	} else {
		fail("%s is neither a file nor a folder nor a link", source);
	}
}

static void folder_scan(const char *folder, const char *prefix)
{
	DIR *dir = opendir(folder);
	struct dirent *item;
	struct stat st;

	if (!dir)
		fail("%s: %s", folder, strerror(errno));
	while ((item = readdir(dir))) {
		char *source, *path;

		if (!strcmp(item->d_name, ".") || !strcmp(item->d_name, ".."))
			continue;
		// Marks of the build system, which lie at the top of what we are given.
		if (!*prefix && !strcmp(item->d_name, ".done"))
			continue;
		source = text_format("%s/%s", folder, item->d_name);
		path = text_format("%s%s", prefix, item->d_name);
		if (lstat(source, &st))
			fail("%s: %s", source, strerror(errno));
		entry_add(path, source, &st);
		if (S_ISDIR(st.st_mode)) {
			char *deeper = text_format("%s/", path);

			folder_scan(source, deeper);
			free(deeper);
		}
		free(source);
		free(path);
	}
	closedir(dir);
}

static struct entry *entry_find(const char *path)
{
	for (size_t i = 0; i < entry_count; i++)
		if (!strcmp(entries[i].path, path))
			return &entries[i];
	return NULL;
}

static void table_apply(const char *name)
{
	char line[PATH_MAX + 64], kind[8], path[PATH_MAX];
	FILE *table = fopen(name, "r");
	unsigned mode, uid, gid, rank = 0;

	if (!table)
		fail("%s: %s", name, strerror(errno));
	while (fgets(line, sizeof(line), table)) {
		struct entry *entry;

		line[strcspn(line, "#\n")] = 0;
		if (!line[strspn(line, " \t")])
			continue;
		if (sscanf(line, "%7s /%4000s %o %u %u", kind, path, &mode, &uid, &gid) != 5)
			fail("%s: what is `%s`?", name, line);
		rank++;
		entry = strcmp(kind, "dir") ? entry_find(path) : entry_get(path);
		if (!entry)
			continue;
		if (!entry->mode)
			entry->mode = S_IFDIR;
		entry->mode = (entry->mode & S_IFMT) | mode;
		entry->uid = uid;
		entry->gid = gid;
		entry->rank = rank;
	}
	fclose(table);
}

// Folders, links, files; among files those of the table first; then by name, which also puts a
// folder before what it holds.
static int entry_compare(const void *left, const void *right)
{
	const struct entry *a = left, *b = right;
	int ka = S_ISDIR(a->mode) ? 0 : S_ISLNK(a->mode) ? 1 : 2;
	int kb = S_ISDIR(b->mode) ? 0 : S_ISLNK(b->mode) ? 1 : 2;

	if (ka != kb)
		return ka - kb;
	if (ka == 2 && a->rank != b->rank)
		return !a->rank ? 1 : !b->rank ? -1 : a->rank < b->rank ? -1 : 1;
	return strcmp(a->path, b->path);
}

// --- writing --------------------------------------------------------------------------------

static void out_write(const void *data, size_t size)
{
	if (size && fwrite(data, 1, size, out) != size)
		fail("cannot write: %s", strerror(errno));
	out_offset += size;
}

static void out_zero(size_t size)
{
	static const char zeros[PAGE];

	for (; size > PAGE; size -= PAGE)
		out_write(zeros, PAGE);
	out_write(zeros, size);
}

static void header_write(const struct entry *entry, size_t name_size)
{
	char header[HEADER + 1];
	unsigned links = S_ISDIR(entry->mode) ? 2 : 1;

	snprintf(header, sizeof(header),
		 "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X", ++inode,
		 (unsigned)entry->mode, entry->uid, entry->gid, links, timestamp,
		 (unsigned)entry->size, 0, 0, 0, 0, (unsigned)name_size, 0);
	out_write(header, HEADER);
	out_write(entry->path, strlen(entry->path));
	out_zero(name_size - strlen(entry->path));
	out_zero(-out_offset & 3);
}

// Pads the archive so that a header with this name, its name padded within the 4096 bytes that
// Linux accepts, ends on a page boundary. Returns the size of the padded name.
static size_t page_fit(size_t name_size)
{
	size_t rest = -(out_offset + HEADER) % PAGE;

	if (rest < name_size) {
		out_zero(-out_offset % PAGE);
		rest = PAGE - HEADER;
	}
	return rest;
}

static void file_write(const struct entry *entry)
{
	FILE *file = fopen(entry->source, "rb");
	char buffer[65536];
	size_t got, total = 0;

	if (!file)
		fail("%s: %s", entry->source, strerror(errno));
	header_write(entry, page_fit(strlen(entry->path) + 1));
	while ((got = fread(buffer, 1, sizeof(buffer), file)) > 0) {
		out_write(buffer, got);
		total += got;
	}
	if (ferror(file) || total != entry->size)
		fail("%s changed while it was read", entry->source);
	fclose(file);
	out_zero(-out_offset % PAGE);
}

static void entry_write(const struct entry *entry)
{
	if (S_ISREG(entry->mode)) {
		file_write(entry);
		return;
	}
	header_write(entry, strlen(entry->path) + 1);
	if (S_ISLNK(entry->mode)) {
		out_write(entry->source, entry->size);
		out_zero(-out_offset & 3);
	}
}

static void archive_write(const char *name)
{
	struct entry trailer = { .path = "TRAILER!!!" };

	out = fopen(name, "wb");
	if (!out)
		fail("%s: %s", name, strerror(errno));
	for (size_t i = 0; i < entry_count; i++)
		entry_write(&entries[i]);
	header_write(&trailer, strlen(trailer.path) + 1);
	out_zero(-out_offset % PAGE);
	if (fclose(out))
		fail("%s: %s", name, strerror(errno));
}

int main(int argc, char **argv)
{
	const char *epoch = getenv("SOURCE_DATE_EPOCH"), *table = NULL, *output = NULL;
	int option;

	while ((option = getopt(argc, argv, "t:o:")) != -1) {
		if (option == 't')
			table = optarg;
		else if (option == 'o')
			output = optarg;
		else
			return 2;
	}
	if (!output || optind == argc)
		fail("usage: mkarchive [-t TABLE] -o OUTPUT FOLDER...");
	timestamp = epoch ? (unsigned)strtoul(epoch, NULL, 10) : (unsigned)time(NULL);
	while (optind < argc)
		folder_scan(argv[optind++], "");
	if (table)
		table_apply(table);
	qsort(entries, entry_count, sizeof(*entries), entry_compare);
	archive_write(output);
	return 0;
}
