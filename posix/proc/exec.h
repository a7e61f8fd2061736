/*
 * execve: from the VFS's word that a file may be executed to the first instruction of the new
 * program.
 *
 * An exec goes through stages, between which the caller is with the VFS (looking up an interpreter)
 * or held here (until its sibling threads are dead):
 *
 *	exec.c        receives PROTO_PS_EXEC; scripts and interpreters; the order of things
 *	exec_args.c   copies the arguments in; lays out the new stack
 *	exec_image.c  builds the new address space
 *
 * Until exec_commit nothing of the caller has changed and every error is an errno. After
 * k_task_exec only a kill can fail it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef POSIX_EXEC_H
#define POSIX_EXEC_H

#include "elf_image.h"
#include "posix/proc/process.h"
#include "posix_vfs.h"

/* NUL-terminated strings one after the other. */
struct exec_strings {
	char *data;
	size_t size, capacity;
	uint32_t count;
};

struct exec_file {
	int description;
	struct elf_image elf;
	uint64_t bias;
	uint32_t mode, uid, gid, flags;
	uint64_t cookie, device, inode, size;
};

struct exec {
	struct thread *thread;
	uint64_t argv, envp;
	struct exec_strings args, env;
	char *name;			/* as the program gave it */
	unsigned depth;			/* of `#!` */
	struct exec_file program, interpreter;
	bool have_program;
	int space;			/* the new one, or -1 */
	struct process_image image;
	struct cred *cred;		/* if the file changes it */
	bool secure;
	char *stack;			/* what goes to [stack_sp, stack_top) */
	uint64_t stack_sp, stack_top;
	uint64_t entry;
	struct { uint64_t at, size; } zero[2];	/* the ends of data segments' last pages */
	unsigned zeros;
	struct srv_parked *alone;	/* waits until the other threads are dead */
	struct srv_timer again;		/* ... then goes on, once the kernel has forgotten them */
	bool entered, committed;	/* at, and beyond, the point of no return */
};

/* Before the calls that were held come again: what t is called in them. */
void exec_recover_tid(const struct thread *t);
void exec_recover(struct thread *t);
/* Tells every handle that t's exec has. */
void exec_know(const struct thread *t, void (*know)(int handle));
void exec_drop(struct thread *t);	/* forgets t's exec */
/* All other threads are dead: t goes on, in an operation of its own. */
void exec_alone(struct thread *t);
srv_handler ps_exec;

/* exec_args.c */
int exec_args_read(const struct k_message *m, struct exec *e);
/* `#!`: "interpreter [argument] script" instead of args[0]. */
int exec_args_script(struct exec *e, const char *interpreter, const char *argument,
		     const char *script);
int exec_stack_make(struct exec *e);
void exec_strings_free(struct exec_strings *s);

/* exec_image.c */
/* Where the vDSO's parts are; call once. */
void exec_image_setup(int vdso);
uint64_t exec_vdso_start_offset(void);	/* of troupe_start in the image */
int exec_space_make(struct exec *e);
/* Maps the vDSO into a space at `address`, the data page below it. */
int exec_map_vdso(int space, uint64_t address);
uint64_t exec_vdso_size(void);

/* Parses a `#!` line in the first n bytes of a file. 0, or -ENOEXEC. Pure. */
struct exec_script { char interpreter[256]; char argument[256]; bool has_argument; };
int exec_script_parse(const char *head, size_t n, struct exec_script *s);

#endif
