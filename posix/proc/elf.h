/*
 * Reading the headers of an ELF64 program for x86-64: what to map where. Checks everything; touches no memory but its own.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef POSIX_ELF_H
#define POSIX_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ELF_SEGMENTS 16
#define ELF_HEADERS_MAX 64
#define ELF_PHDR_SIZE 56

struct elf_segment {
	uint64_t address, memory_size;	/* before the bias */
	uint64_t offset, file_size;
	bool read, write, execute;
};

struct elf_info {
	bool dynamic;			/* ET_DYN: may be loaded anywhere */
	uint64_t entry;
	uint64_t headers_at;		/* file offset of the program headers */
	uint32_t headers;
	uint64_t headers_address;	/* where they are in memory, before the bias; 0: nowhere */
	uint64_t interpreter_at, interpreter_size;	/* file range of PT_INTERP; size 0: none */
	bool stack_execute;
	uint32_t segments;
	struct elf_segment segment[ELF_SEGMENTS];	/* ascending, not overlapping */
	uint64_t low, high;		/* page-rounded range of all segments */
};

/* From the first n bytes of the file: headers_at and headers, entry, dynamic. 0 or -ENOEXEC. */
int elf_read_header(const void *head, size_t n, struct elf_info *e);
/* From the program headers (e->headers * ELF_PHDR_SIZE bytes) and the file's size: the rest. 0, -ENOEXEC, -EINVAL. */
int elf_read_segments(const void *headers, uint64_t file_size, struct elf_info *e);

#endif
