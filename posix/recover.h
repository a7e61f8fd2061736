/*
 * After a predecessor's death. See recover.c.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef POSIX_RECOVER_H
#define POSIX_RECOVER_H

/* A predecessor did not come as far as the first process: what it made is closed. */
void recover_nothing(void);
/* Before the loop runs: makes what the kernel has agree with what is written down. */
void recover(void);

#endif
