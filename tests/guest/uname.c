/*
 * uname and sysinfo.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

TEST(uname, fields)
{
	struct utsname name;
	char host[65];

	memset(&name, 'x', sizeof(name));
	CHECK_OK(uname(&name));
	CHECK_GT(strnlen(name.sysname, 65), 0);
	CHECK_LT(strnlen(name.sysname, 65), 65);
	CHECK_STR(name.machine, "x86_64");
	CHECK(name.release[0] >= '1' && name.release[0] <= '9');
	CHECK_LT(strnlen(name.nodename, 65), 65);
	CHECK_LT(strnlen(name.version, 65), 65);
	CHECK_OK(gethostname(host, sizeof(host)));
	CHECK_STR(host, name.nodename);
	CHECK_ERRNO(syscall(SYS_uname, BAD_UNMAPPED), EFAULT);
	CHECK_ERRNO(syscall(SYS_uname, NULL), EFAULT);
}

TEST(uname, sysinfo)
{
	struct sysinfo info;

	memset(&info, 0xff, sizeof(info));
	CHECK_OK(sysinfo(&info));
	CHECK_GE(info.mem_unit, 1);
	CHECK_GT(info.totalram, 0);
	CHECK_LE(info.freeram, info.totalram);
	CHECK_GE(info.procs, 1);
	CHECK_GE(info.uptime, 0);
	long before = info.uptime;
	CHECK_OK(sysinfo(&info));
	CHECK_GE(info.uptime, before);
	CHECK_ERRNO(syscall(SYS_sysinfo, BAD_UNMAPPED), EFAULT);
}

TEST(uname, processors)
{
	CHECK_GE(sysconf(_SC_NPROCESSORS_ONLN), 1);
	CHECK_GE(sysconf(_SC_NPROCESSORS_CONF), sysconf(_SC_NPROCESSORS_ONLN));
	CHECK_EQ(sysconf(_SC_PAGESIZE), 4096);
}
