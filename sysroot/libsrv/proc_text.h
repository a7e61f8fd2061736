/* SPDX-License-Identifier: MIT */
/*
 * Files of /proc that a server answers with a text. The VFS has the nodes and sends whoever opens
 * or rewinds one to the server (PROTO_PS_PROC_OPEN, PROTO_PS_PROC_REFRESH); a memory object holds
 * the text, and reads are the kernel's.
 */
#ifndef TROUPE_LIBSRV_PROC_TEXT_H
#define TROUPE_LIBSRV_PROC_TEXT_H

#include "server.h"
#include "text.h"

/*
 * Writes what m->arg[0] and [1] name to x. 0 or a negative errno; that memory ran out stays noted
 * in x.
 */
typedef int proc_text_maker(const struct k_message *m, struct text *x);

/*
 * Sends the caller back to the VFS, with an object that holds the text or with an error. Who opens
 * to write gets an empty one.
 */
void proc_text_open(const struct k_message *m, int vfs, proc_text_maker *make);
/*
 * Makes the text anew in the object that is attached to the caller, then lets the lseek that asked
 * for it go on.
 */
void proc_text_refresh(const struct k_message *m, proc_text_maker *make);

#endif
