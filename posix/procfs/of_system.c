/*
 * /proc: files of the system, in Linux's formats.
 *
 * SPDX-License-Identifier: MIT
 */
#include "posix/procfs/procfs.h"

#include <errno.h>
#include <string.h>

#include "posix/misc/random.h"
#include "posix/misc/system.h"
#include "posix/proc/fork.h"
#include "posix/time/timers.h"
#include "posix_vfs.h"
#include "shares.h"

typedef unsigned long ul;

static struct k_system_info info;

/* --- stat, loadavg, uptime -------------------------------------------------------------------- */

/*
 * CPU time in ticks: what is not idle is user time but for the part that servers and the kernel
 * spent on programs' behalf.
 */
static void stat_text(struct text *x)
{
	ul idle = (ul)(info.idle / (NS_PER_SEC / LX_CLK_TCK)),
	   all = (ul)(info.uptime / (NS_PER_SEC / LX_CLK_TCK)) * info.cpus, busy, system = 0;
	uint64_t s = 0;

	list_for(l, &process_list) {
		uint64_t user, of_system;

		process_cpu(container_of(l, struct process, link), &user, &of_system);
		s += of_system;
	}
	system = (ul)(s / (NS_PER_SEC / LX_CLK_TCK));
	busy = all > idle ? all - idle : 0;
	if (system > busy)
		system = busy;
	text_format(x, "cpu  %lu 0 %lu %lu 0 0 0 0 0 0\n", busy - system, system, idle);
	for (uint32_t i = 0; i < info.cpus; i++)
		text_format(x, "cpu%u %lu 0 %lu %lu 0 0 0 0 0 0\n", i, (busy - system) / info.cpus,
			    system / info.cpus, idle / info.cpus);
	text_format(
		x,
		"intr 0\nctxt %lu\nbtime %lu\nprocesses %u\nprocs_running %u\nprocs_blocked 0\nsoftirq 0 0 0 0 0 0 0 0 0 0 0\n",
		(ul)info.context_switches, (ul)((srv_realtime() - srv_now()) / NS_PER_SEC),
		process_last_pid(), info.runnable ? info.runnable : 1);
}

static void loadavg_text(struct text *x)
{
	uint32_t load[3];

	system_load(load);
	for (int i = 0; i < 3; i++) {
		uint32_t v = load[i] + 65536 / 200;

		text_format(x, "%u.%02u ", v >> 16, (v & 65535) * 100 >> 16);
	}
	text_format(x, "%u/%u %u\n", info.runnable ? info.runnable : 1, thread_count_all(),
		    process_last_pid());
}

static void uptime_text(struct text *x)
{
	ul up = (ul)(info.uptime / 10000000), idle = (ul)(info.idle / 10000000);

	text_format(x, "%lu.%02lu %lu.%02lu\n", up / 100, up % 100, idle / 100, idle % 100);
}

/* --- memory ----------------------------------------------------------------------------------- */

static void meminfo_text(struct text *x)
{
	uint64_t cached = info.memory_reclaimable,
		 used = info.memory_total - info.memory_free - cached;
	const struct { const char *name; uint64_t value;
	} lines[] = {
		{ "MemTotal", info.memory_total },
		{ "MemFree", info.memory_free },
		{ "MemAvailable", info.memory_free + cached },
		{ "Buffers", 0 },
		{ "Cached", cached },
		{ "SwapCached", 0 },
		{ "Active", used },
		{ "Inactive", cached },
		{ "Active(anon)", used },
		{ "Inactive(anon)", 0 },
		{ "Active(file)", 0 },
		{ "Inactive(file)", cached },
		{ "Unevictable", 0 },
		{ "Mlocked", 0 },
		{ "SwapTotal", 0 },
		{ "SwapFree", 0 },
		{ "Dirty", 0 },
		{ "Writeback", 0 },
		{ "AnonPages", used },
		{ "Mapped", 0 },
		{ "Shmem", 0 },
		{ "KReclaimable", 0 },
		{ "Slab", info.frames_kernel * 4096 },
		{ "SReclaimable", 0 },
		{ "SUnreclaim", info.frames_kernel * 4096 },
		{ "KernelStack", 0 },
		{ "PageTables", info.frames_table * 4096 },
		{ "CommitLimit", info.memory_total },
		{ "Committed_AS", used },
		{ "VmallocTotal", 0 },
		{ "VmallocUsed", 0 },
		{ "VmallocChunk", 0 },
	};

	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
		text_format(x, "%s:%*s%8lu kB\n", lines[i].name, (int)(15 - strlen(lines[i].name)),
			    "", (ul)(lines[i].value / 1024));
}

static void vmstat_text(struct text *x)
{
	text_format(
		x,
		"nr_free_pages %lu\nnr_page_table_pages %lu\nnr_slab_unreclaimable %lu\npgpgin 0\npgpgout 0\npswpin 0\npswpout 0\n",
		(ul)(info.memory_free / 4096), (ul)info.frames_table, (ul)info.frames_kernel);
}

/* --- the processor ---------------------------------------------------------------------------- */

struct cpuid { uint32_t a, b, c, d; };

static struct cpuid cpuid(uint32_t leaf, uint32_t sub)
{
	struct cpuid r = { leaf, 0, sub, 0 };

	__asm__("cpuid" : "+a"(r.a), "=b"(r.b), "+c"(r.c), "=d"(r.d));
	return r;
}

static void bits_text(struct text *x, uint32_t bits, const char *const *names)
{
	for (int i = 0; i < 32; i++) {
		if ((bits >> i & 1) && names[i])
			text_format(x, " %s", names[i]);
	}
}

static void flags_text(struct text *x)
{
	static const char *const one_d[32] = { "fpu",  "vme",     "de",   "pse",  "tsc",  "msr",
					       "pae",  "mce",     "cx8",  "apic", 0,      "sep",
					       "mtrr", "pge",     "mca",  "cmov", "pat",  "pse36",
					       "pn",   "clflush", 0,      "dts",  "acpi", "mmx",
					       "fxsr", "sse",     "sse2", "ss",   "ht",   "tm",
					       0,      "pbe" };
	static const char *const one_c[32] = {
		"pni",    "pclmulqdq", "dtes64",  "monitor", "ds_cpl",
		"vmx",    "smx",       "est",     "tm2",     "ssse3",
		"cid",    0,           "fma",     "cx16",    "xtpr",
		"pdcm",   0,           "pcid",    "dca",     "sse4_1",
		"sse4_2", "x2apic",    "movbe",   "popcnt",  "tsc_deadline_timer",
		"aes",    "xsave",     "osxsave", "avx",     "f16c",
		"rdrand", "hypervisor"
	};
	static const char *const extended_d[32] = {
		[11] = "syscall", [20] = "nx", [26] = "pdpe1gb", [27] = "rdtscp", [29] = "lm"
	};
	static const char *const seven_b[32] = {
		[0] = "fsgsbase",    [3] = "bmi1",     [5] = "avx2",    [7] = "smep", [8] = "bmi2",
		[9] = "erms",        [10] = "invpcid", [18] = "rdseed", [19] = "adx", [20] = "smap",
		[23] = "clflushopt", [24] = "clwb",    [29] = "sha_ni"
	};
	struct cpuid one = cpuid(1, 0);

	text_format(x, "flags\t\t:");
	bits_text(x, one.d, one_d);
	bits_text(x, cpuid(0x80000001, 0).d, extended_d);
	bits_text(x, one.c, one_c);
	if (cpuid(0, 0).a >= 7)
		bits_text(x, cpuid(7, 0).b, seven_b);
	text_format(x, "\n");
}

static void model_name(char name[49])
{
	if (cpuid(0x80000000, 0).a < 0x80000004) {
		strcpy(name, "unknown");
		return;
	}
	for (uint32_t i = 0; i < 3; i++) {
		struct cpuid r = cpuid(0x80000002 + i, 0);

		memcpy(name + 16 * i, &r, 16);
	}
	name[48] = 0;
}

static void cpuinfo_text(struct text *x)
{
	struct cpuid zero = cpuid(0, 0), one = cpuid(1, 0);
	uint32_t family = one.a >> 8 & 15, model = one.a >> 4 & 15;
	char vendor[13] = "", name[49];
	ul khz = (ul)(info.tsc_hz / 1000);

	memcpy(vendor, &zero.b, 4);
	memcpy(vendor + 4, &zero.d, 4);
	memcpy(vendor + 8, &zero.c, 4);
	if (family == 6 || family == 15)
		model |= one.a >> 12 & 0xf0;
	if (family == 15)
		family += one.a >> 20 & 0xff;
	model_name(name);
	for (uint32_t i = 0; i < info.cpus; i++) {
		text_format(
			x,
			"processor\t: %u\nvendor_id\t: %s\ncpu family\t: %u\nmodel\t\t: %u\nmodel name\t: %s\nstepping\t: %u\n",
			i, vendor, family, model, name + strspn(name, " "), one.a & 15);
		text_format(
			x,
			"cpu MHz\t\t: %lu.%03lu\nphysical id\t: %u\nsiblings\t: 1\ncore id\t\t: 0\ncpu cores\t: 1\napicid\t\t: %u\n",
			khz / 1000, khz % 1000, i, i);
		text_format(x,
			    "fpu\t\t: yes\nfpu_exception\t: yes\ncpuid level\t: %u\nwp\t\t: yes\n",
			    zero.a);
		flags_text(x);
		text_format(
			x,
			"bogomips\t: %lu.%02lu\nclflush size\t: 64\ncache_alignment\t: 64\naddress sizes\t: %u bits physical, %u bits virtual\n\n",
			khz / 500, khz / 5 % 100, cpuid(0x80000008, 0).a & 0xff,
			cpuid(0x80000008, 0).a >> 8 & 0xff);
	}
}

/* --- sys -------------------------------------------------------------------------------------- */

static void uuid_text(struct text *x, uint8_t u[16])
{
	u[6] = (u[6] & 15) | 0x40;
	u[8] = (u[8] & 63) | 0x80;
	for (int i = 0; i < 16; i++)
		text_format(x, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", u[i]);
	text_format(x, "\n");
}

static void random_uuid(struct text *x, bool of_boot)
{
	static STATE struct { uint8_t id[16]; bool have; } of_this_boot;
	uint8_t u[16], *boot = STATE_OF(of_this_boot).id;

	random_bytes(u, sizeof u);
	if (of_boot && !STATE_OF(of_this_boot).have) {
		memcpy(boot, u, sizeof u);
		STATE_OF(of_this_boot).have = true;
	}
	uuid_text(x, of_boot ? boot : u);
}

static int sys_text(struct text *x, int file)
{
	switch (file) {
	case PROTO_PROC_HOSTNAME: text_format(x, "%s\n", system_hostname); return 0;
	case PROTO_PROC_DOMAINNAME: text_format(x, "%s\n", system_domainname); return 0;
	case PROTO_PROC_OSTYPE: text_format(x, "%s\n", SYSTEM_NAME); return 0;
	case PROTO_PROC_OSRELEASE: text_format(x, "%s\n", SYSTEM_RELEASE); return 0;
	case PROTO_PROC_SYS_VERSION: text_format(x, "%s\n", SYSTEM_VERSION); return 0;
	case PROTO_PROC_PID_MAX: text_format(x, "32768\n"); return 0;
	case PROTO_PROC_THREADS_MAX: text_format(x, "%u\n", fork_thread_limit); return 0;
	case PROTO_PROC_RANDOM_UUID: random_uuid(x, false); return 0;
	case PROTO_PROC_RANDOM_BOOT_ID: random_uuid(x, true); return 0;
	case PROTO_PROC_RANDOM_ENTROPY:
		text_format(x, "%d\n", random_is_seeded() ? 256 : 0);
		return 0;
	case PROTO_PROC_RANDOM_POOLSIZE: text_format(x, "256\n"); return 0;
	case PROTO_PROC_NGROUPS_MAX: text_format(x, "64\n"); return 0;
	case PROTO_PROC_CAP_LAST_CAP: text_format(x, "40\n"); return 0;
	case PROTO_PROC_PRINTK: text_format(x, "4\t4\t1\t7\n"); return 0;
	case PROTO_PROC_CORE_PATTERN: text_format(x, "core\n"); return 0;
	case PROTO_PROC_OVERCOMMIT: text_format(x, "1\n"); return 0;
	case PROTO_PROC_MAX_MAP_COUNT: text_format(x, "65530\n"); return 0;
	case PROTO_PROC_SWAPPINESS: text_format(x, "0\n"); return 0;
	case PROTO_PROC_FILE_MAX:
		text_format(x, "%lu\n", (ul)(info.memory_total / PROTO_FILE_MEMORY));
		return 0;
	case PROTO_PROC_NR_OPEN: text_format(x, "1048576\n"); return 0;
	case PROTO_PROC_PIPE_MAX_SIZE: text_format(x, "1048576\n"); return 0;
	case PROTO_PROC_SOMAXCONN: text_format(x, "4096\n"); return 0;
	case PROTO_PROC_TROUPE_SERVERS: return procfs_servers_text(x);
	}
	return -ENOENT;
}

int procfs_system_text(struct text *x, int file)
{
	if (k_system_info(&info) < 0)
		return -EIO;
	switch (file) {
	case PROTO_PROC_SYS_STAT: stat_text(x); return 0;
	case PROTO_PROC_MEMINFO: meminfo_text(x); return 0;
	case PROTO_PROC_UPTIME: uptime_text(x); return 0;
	case PROTO_PROC_LOADAVG: loadavg_text(x); return 0;
	case PROTO_PROC_VERSION:
		text_format(x, "%s version %s (troupe) %s\n", SYSTEM_NAME, SYSTEM_RELEASE,
			    SYSTEM_VERSION);
		return 0;
	case PROTO_PROC_CPUINFO: cpuinfo_text(x); return 0;
	case PROTO_PROC_CMDLINE_KERNEL: text_format(x, "%s\n", info.command_line); return 0;
	case PROTO_PROC_PARTITIONS: text_format(x, "major minor  #blocks  name\n\n"); return 0;
	case PROTO_PROC_DEVICES:
		text_format(
			x,
			"Character devices:\n  1 mem\n  4 ttyS\n  5 /dev/tty\n  5 /dev/console\n  5 /dev/ptmx\n136 pts\n\nBlock devices:\n");
		return 0;
	case PROTO_PROC_INTERRUPTS: text_format(x, "           CPU0       \n"); return 0;
	case PROTO_PROC_SWAPS:
		text_format(x, "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
		return 0;
	case PROTO_PROC_VMSTAT: vmstat_text(x); return 0;
	case PROTO_PROC_DISKSTATS: case PROTO_PROC_MODULES: return 0;
	case PROTO_PROC_MISC: text_format(x, "\n"); return 0;
	}
	return sys_text(x, file);
}
