/* SPDX-License-Identifier: MIT */
/*
 * Numbers and layouts of the Linux x86-64 ABI that the kernel operations speak. Facts, nothing
 * else.
 */
#ifndef TROUPE_DATA_LINUX_H
#define TROUPE_DATA_LINUX_H

#include <stdint.h>

/* open and fcntl */
#define O_ACCMODE	3u
#define O_APPEND	02000u
#define O_NONBLOCK	04000u
#define O_ASYNC		020000u
#define O_DIRECT	040000u
#define O_NOATIME	01000000u
#define O_CLOEXEC	02000000u

#define F_DUPFD		0
#define F_GETFD		1
#define F_SETFD		2
#define F_GETFL		3
#define F_SETFL		4
#define F_DUPFD_CLOEXEC	1030
#define F_SETPIPE_SZ	1031
#define F_GETPIPE_SZ	1032
#define FD_CLOEXEC	1u

#define CLOSE_RANGE_UNSHARE 2u
#define CLOSE_RANGE_CLOEXEC 4u

/* read, write, lseek */
#define SEEK_SET	0u
#define SEEK_CUR	1u
#define SEEK_END	2u
#define SEEK_DATA	3u
#define SEEK_HOLE	4u
#define RWF_HIPRI	0x01u
#define RWF_DSYNC	0x02u
#define RWF_SYNC	0x04u
#define RWF_NOWAIT	0x08u
#define RWF_APPEND	0x10u
#define RWF_SUPPORTED	0x1fu
#define IOV_MAX		1024u
#define RW_MAX		0x7ffff000ul	/* one call moves at most this */
#define PIPE_BUF	4096ul
#define MSG_DONTWAIT	0x40u
#define MSG_NOSIGNAL	0x4000u

/* readiness */
#define POLLIN		0x001u
#define POLLPRI		0x002u
#define POLLOUT		0x004u
#define POLLERR		0x008u
#define POLLHUP		0x010u
#define POLLNVAL	0x020u
#define POLLRDNORM	0x040u
#define POLLRDBAND	0x080u
#define POLLWRNORM	0x100u
#define POLLWRBAND	0x200u
#define POLLRDHUP	0x2000u
#define POLL_IN		(POLLIN | POLLRDNORM)
#define POLL_OUT	(POLLOUT | POLLWRNORM)

#define EPOLL_CTL_ADD	1
#define EPOLL_CTL_DEL	2
#define EPOLL_CTL_MOD	3
#define EPOLLEXCLUSIVE	(1u << 28)
#define EPOLLWAKEUP	(1u << 29)
#define EPOLLONESHOT	(1u << 30)
#define EPOLLET		(1u << 31)

struct pollfd {
	int32_t fd;
	uint16_t events, revents;
};

struct epoll_event {
	uint32_t events;
	uint64_t data;
} __attribute__((packed));

/* time */
#define CLOCK_REALTIME		0
#define CLOCK_MONOTONIC		1
#define CLOCK_PROCESS_CPUTIME_ID 2
#define CLOCK_THREAD_CPUTIME_ID	3
#define CLOCK_MONOTONIC_RAW	4
#define CLOCK_REALTIME_COARSE	5
#define CLOCK_MONOTONIC_COARSE	6
#define CLOCK_BOOTTIME		7
#define CLOCK_REALTIME_ALARM	8
#define CLOCK_BOOTTIME_ALARM	9
#define CLOCK_TAI		11
#define TIMER_ABSTIME		1u

struct timespec {
	int64_t seconds, nanoseconds;
};

struct timeval {
	int64_t seconds, microseconds;
};

/* futex */
#define FUTEX_WAIT		0u
#define FUTEX_WAKE		1u
#define FUTEX_REQUEUE		3u
#define FUTEX_CMP_REQUEUE	4u
#define FUTEX_WAKE_OP		5u
#define FUTEX_WAIT_BITSET	9u
#define FUTEX_WAKE_BITSET	10u
#define FUTEX_PRIVATE_FLAG	128u
#define FUTEX_CLOCK_REALTIME	256u

/* arch_prctl */
#define ARCH_SET_GS	0x1001u
#define ARCH_SET_FS	0x1002u
#define ARCH_GET_FS	0x1003u
#define ARCH_GET_GS	0x1004u

#endif
