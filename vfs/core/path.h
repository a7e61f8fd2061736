/* SPDX-License-Identifier: MIT */
/* From a place back to its path: getcwd, /proc/PID/fd, mount tables. */
#ifndef VFS_CORE_PATH_H
#define VFS_CORE_PATH_H

#include <stdbool.h>
#include "node.h"

#define PATH_TEXT (LX_PATH_MAX + 512)

/*
 * The path of `at` as seen from `root`, in buf; the text begins at the returned pointer and ends at
 * the end of buf with a NUL. NULL if it does not fit. *reachable (may be NULL) is false when it is
 * not below root: then the path is from its own top.
 */
const char *path_of(struct pos root, struct pos at, char *buf, size_t size, bool *reachable);

#endif
