/* SPDX-License-Identifier: MIT */
/* /proc/net: handlers of PROTO_PS_PROC_OPEN, _REFRESH and _WRITE, from the VFS. */
#ifndef NETSTACK_INTERFACE_PROC_H
#define NETSTACK_INTERFACE_PROC_H

#include "server.h"

srv_handler interface_proc_open, interface_proc_refresh, interface_proc_write;

#endif
