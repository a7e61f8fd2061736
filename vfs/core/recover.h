/* SPDX-License-Identifier: MIT */
/*
 * Taking over from a predecessor that died: its state is in the arena, already rolled back to its
 * last whole operation.
 */
#ifndef VFS_CORE_RECOVER_H
#define VFS_CORE_RECOVER_H

/* Closes files whose descriptions are gone and handles that nobody knows. 0 or an error. */
int recover(int endpoint);

#endif
