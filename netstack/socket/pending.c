/* SPDX-License-Identifier: MIT */
/* Kinds of sockets that are not written yet: the strong definition of each replaces the one here. */
#include "socket.h"

const struct socket_ops socket_udp_ops __attribute__((weak)) = { .name = "udp" };
const struct socket_ops socket_ping_ops __attribute__((weak)) = { .name = "ping" };
const struct socket_ops socket_raw_ops __attribute__((weak)) = { .name = "raw" };
