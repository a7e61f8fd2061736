/*
 * The benchmarks of sockets: rows over loopback for the table in bench.c, and the guest's end of
 * those over the network card, which net.py drives.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_NET_H
#define BENCH_NET_H

#include <stdint.h>

/* Each performs so many operations and returns the time in ns; -1 if it cannot be run here. */
int64_t net_tcp_pingpong(long count, long size);
int64_t net_udp_pingpong(long count, long size);
int64_t net_unix_pingpong(long count, long size);
int64_t net_tcp_connect(long count, long unused);
int64_t net_tcp_stream(long count, long chunk);
int64_t net_unix_stream(long count, long chunk);

/* "bench --peer send|receive|echo HOST PORT COUNT": the exit status. */
int net_peer(int argc, char **argv);

#endif
