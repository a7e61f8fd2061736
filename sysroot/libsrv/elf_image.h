/*
 * Reading the headers of an ELF64 program for x86-64: what has to be mapped where.
 *
 * No memory is touched but the given buffers and the result, nothing is allocated, and every number
 * in the result has been checked: ranges neither overflow nor leave user space, segments ascend and
 * do not overlap, and each can be mapped by pages. A program's headers come in two pieces, because
 * they need not lie together in the file:
 *
 *	elf_image_header(&img, first_bytes, n);
 *	...read img.headers_size bytes at img.headers_at...
 *	elf_image_segments(&img, headers);
 *
 * or, for a file that is in memory as a whole, elf_image_whole().
 *
 * -ENOEXEC: not a program for this machine. -EINVAL: one that cannot be loaded. (As in Linux, where
 * the second would kill the process, because there it is past the point of no return.)
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LIBSRV_ELF_IMAGE_H
#define LIBSRV_ELF_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ELF_IMAGE_HEADER 64u		/* bytes that elf_image_header needs */
#define ELF_IMAGE_SEGMENTS 32u
#define ELF_IMAGE_INTERPRETER 4096u	/* the longest interpreter path, with its NUL */

enum elf_image_access { ELF_EXECUTE = 1, ELF_WRITE = 2, ELF_READ = 4 };

/* A PT_LOAD that is not empty. The last page is zero from `address` + `file_size` on. */
struct elf_image_segment {
	uint64_t address, memory_size;	/* before the bias; not rounded */
	uint64_t offset, file_size;	/* congruent with address modulo the page size */
	uint32_t access;
};

enum elf_image_stack { ELF_STACK_DEFAULT, ELF_STACK_PLAIN, ELF_STACK_EXECUTABLE };

struct elf_image {
	bool dynamic;			/* may be loaded anywhere */
	uint64_t entry;			/* before the bias */
	uint64_t headers_at;		/* of the program headers in the file */
	uint32_t headers, headers_size;	/* their number and bytes */
	uint64_t headers_address;	/* AT_PHDR before the bias; 0: not in memory */
	uint64_t interpreter_at, interpreter_size;	/* in the file; size 0: none */
	enum elf_image_stack stack;	/* what PT_GNU_STACK says */
	bool has_tls;
	uint64_t tls_address, tls_file_size, tls_memory_size, tls_align;
	uint64_t low, high;		/* all segments, rounded to pages */
	uint64_t align;			/* what the bias must be a multiple of */
	uint64_t code_start, code_end, data_start, data_end, brk;	/* as in /proc/PID/stat */
	uint32_t segments;
	struct elf_image_segment segment[ELF_IMAGE_SEGMENTS];
};

/* The file header, in the first `n` bytes of the file. */
int elf_image_header(struct elf_image *img, const void *head, size_t n)
	__attribute__((warn_unused_result));

/* The program headers, img->headers_size bytes without need of alignment. */
int elf_image_segments(struct elf_image *img, const void *headers)
	__attribute__((warn_unused_result));

/* Both, and -EINVAL if a segment or the interpreter's name lies beyond the file's end. */
int elf_image_whole(struct elf_image *img, const void *file, size_t size)
	__attribute__((warn_unused_result));

/* Is this what PT_INTERP names: a NUL-terminated path of img->interpreter_size bytes? */
int elf_image_interpreter(const struct elf_image *img, const char *name)
	__attribute__((warn_unused_result));

#endif
