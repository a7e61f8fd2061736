/* SPDX-License-Identifier: MIT */
/*
 * The process server's credential records (sysroot/proto/creds.h), as a server reads them.
 */
#ifndef TROUPE_LIBSRV_CREDENTIALS_H
#define TROUPE_LIBSRV_CREDENTIALS_H

#include <stdint.h>

#include "creds.h"

/* Maps the object behind `handle` read-only, for ever. 0 or a negative errno. */
int credentials_map(int handle, const struct proto_creds **out);
/*
 * The record of a message's credential id; never NULL. Id 0 is the system itself; an unknown id,
 * or any other without records (NULL), has no rights beyond others'.
 */
const struct proto_cred *credentials_find(const struct proto_creds *records, uint64_t id);

#endif
