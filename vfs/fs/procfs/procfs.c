/* SPDX-License-Identifier: MIT */
/* The nodes of /proc (procfs.h): tables of names, lookups, listings, links. */
#include "procfs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "mounts.h"

/* --- the list of pids --------------------------------------------------------------------- */

static const struct proto_pids *pids;

int proc_setup(int handle)
{
	struct k_map map = {
		.size = PROTO_PIDS_SIZE, .space = -1, .object = handle, .flags = K_MAP_READ
	};
	long e;

	if (handle < 0)
		return 0;
	e = k_space_map(&map);
	if (e < 0)
		return (int)e;
	pids = (const struct proto_pids *)map.address;
	return 0;
}

static uint32_t seq_begin(void)
{
	uint32_t seq;

	do
		seq = __atomic_load_n(&pids->seq, __ATOMIC_ACQUIRE);
	while (seq & 1);
	return seq;
}

static bool seq_again(uint32_t seq)
{
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return __atomic_load_n(&pids->seq, __ATOMIC_RELAXED) != seq;
}

static uint32_t slots(void)
{
	uint32_t n = pids->slots;

	return n < PROTO_PIDS_MAX ? n : PROTO_PIDS_MAX;
}

bool proc_pid_find(uint32_t pid, struct proto_pid *out)
{
	uint32_t seq;
	bool found;

	if (!pids || !pid)
		return false;
	do {
		seq = seq_begin();
		found = false;
		for (uint32_t i = 0, n = slots(); i < n && !found; i++) {
			if (pids->entry[i].pid == pid) {
				*out = pids->entry[i];
				found = true;
			}
		}
	} while (seq_again(seq));
	return found;
}

/* The smallest process (tgid 0) or thread of tgid above `pid`; 0: none. */
static uint32_t pid_after(uint32_t pid, uint32_t tgid)
{
	uint32_t seq, best;

	if (!pids)
		return 0;
	do {
		seq = seq_begin();
		best = 0;
		for (uint32_t i = 0, n = slots(); i < n; i++) {
			const struct proto_pid *p = &pids->entry[i];

			if (p->pid > pid && (!best || p->pid < best) &&
			    (tgid ? p->tgid == tgid : p->tgid == p->pid))
				best = p->pid;
		}
	} while (seq_again(seq));
	return best;
}

/* --- names -------------------------------------------------------------------------------- */

struct name {
	const char *name;
	uint32_t kind, mode;
};

#define F(perm) (LX_S_IFREG | (perm))
#define D(perm) (LX_S_IFDIR | (perm))
#define L (LX_S_IFLNK | 0777)

/* Below /proc/PID and /proc/PID/task/TID; `task` only in the first. */
static const struct name pid_names[] = {
	{ "task", PROC_TASK, D(0555) },
	{ "fd", PROC_FD, D(0500) },
	{ "fdinfo", PROC_FDINFO, D(0500) },
	{ "exe", PROC_EXE, L },
	{ "cwd", PROC_CWD, L },
	{ "root", PROC_ROOT_LINK, L },
	{ "stat", PROTO_PROC_STAT, F(0444) },
	{ "status", PROTO_PROC_STATUS, F(0444) },
	{ "statm", PROTO_PROC_STATM, F(0444) },
	{ "cmdline", PROTO_PROC_CMDLINE, F(0444) },
	{ "environ", PROTO_PROC_ENVIRON, F(0400) },
	{ "maps", PROTO_PROC_MAPS, F(0444) },
	{ "smaps", PROTO_PROC_SMAPS, F(0444) },
	{ "smaps_rollup", PROTO_PROC_SMAPS_ROLLUP, F(0444) },
	{ "comm", PROTO_PROC_COMM, F(0644) },
	{ "limits", PROTO_PROC_LIMITS, F(0444) },
	{ "io", PROTO_PROC_IO, F(0400) },
	{ "wchan", PROTO_PROC_WCHAN, F(0444) },
	{ "oom_score", PROTO_PROC_OOM_SCORE, F(0444) },
	{ "oom_score_adj", PROTO_PROC_OOM_SCORE_ADJ, F(0644) },
	{ "cgroup", PROTO_PROC_CGROUP, F(0444) },
	{ "auxv", PROTO_PROC_AUXV, F(0400) },
	{ "loginuid", PROTO_PROC_LOGINUID, F(0644) },
	{ "sessionid", PROTO_PROC_SESSIONID, F(0444) },
	{ "personality", PROTO_PROC_PERSONALITY, F(0400) },
	{ "schedstat", PROTO_PROC_SCHEDSTAT, F(0444) },
	{ "syscall", PROTO_PROC_SYSCALL, F(0400) },
	{ "mounts", PROC_MOUNTS, F(0444) },
	{ "mountinfo", PROC_MOUNTINFO, F(0444) },
};
#define PID_NAMES (sizeof pid_names / sizeof pid_names[0])

/* The system's; a name with slashes is in a folder, which must have come before. */
static const struct name system_names[] = {
	{ "self", PROC_SELF, L },
	{ "thread-self", PROC_THREAD_SELF, L },
	{ "stat", PROTO_PROC_SYS_STAT, F(0444) },
	{ "meminfo", PROTO_PROC_MEMINFO, F(0444) },
	{ "uptime", PROTO_PROC_UPTIME, F(0444) },
	{ "loadavg", PROTO_PROC_LOADAVG, F(0444) },
	{ "version", PROTO_PROC_VERSION, F(0444) },
	{ "cpuinfo", PROTO_PROC_CPUINFO, F(0444) },
	{ "cmdline", PROTO_PROC_CMDLINE_KERNEL, F(0444) },
	{ "partitions", PROTO_PROC_PARTITIONS, F(0444) },
	{ "devices", PROTO_PROC_DEVICES, F(0444) },
	{ "interrupts", PROTO_PROC_INTERRUPTS, F(0444) },
	{ "swaps", PROTO_PROC_SWAPS, F(0444) },
	{ "vmstat", PROTO_PROC_VMSTAT, F(0444) },
	{ "diskstats", PROTO_PROC_DISKSTATS, F(0444) },
	{ "misc", PROTO_PROC_MISC, F(0444) },
	{ "modules", PROTO_PROC_MODULES, F(0444) },
	{ "filesystems", PROC_FILESYSTEMS, F(0444) },
	{ "tty", PROC_FOLDER, D(0555) },
	{ "tty/drivers", PROC_TTY_DRIVERS, F(0444) },
	{ "net", PROC_FOLDER, D(0555) },
	{ "net/dev", PROTO_PROC_NET_DEV, F(0444) },
	{ "net/route", PROTO_PROC_NET_ROUTE, F(0444) },
	{ "net/arp", PROTO_PROC_NET_ARP, F(0444) },
	{ "net/tcp", PROTO_PROC_NET_TCP, F(0444) },
	{ "net/tcp6", PROTO_PROC_NET_TCP6, F(0444) },
	{ "net/udp", PROTO_PROC_NET_UDP, F(0444) },
	{ "net/udp6", PROTO_PROC_NET_UDP6, F(0444) },
	{ "net/raw", PROTO_PROC_NET_RAW, F(0444) },
	{ "net/raw6", PROTO_PROC_NET_RAW6, F(0444) },
	{ "net/if_inet6", PROTO_PROC_NET_IF_INET6, F(0444) },
	{ "net/ipv6_route", PROTO_PROC_NET_IPV6_ROUTE, F(0444) },
	{ "net/sockstat", PROTO_PROC_NET_SOCKSTAT, F(0444) },
	{ "net/snmp", PROTO_PROC_NET_SNMP, F(0444) },
	{ "net/unix", PROC_NET_UNIX, F(0444) },
	{ "net/pnp", PROTO_PROC_NET_PNP, F(0444) },
	{ "sys", PROC_FOLDER, D(0555) },
	{ "sys/kernel", PROC_FOLDER, D(0555) },
	{ "sys/kernel/hostname", PROTO_PROC_HOSTNAME, F(0644) },
	{ "sys/kernel/domainname", PROTO_PROC_DOMAINNAME, F(0644) },
	{ "sys/kernel/ostype", PROTO_PROC_OSTYPE, F(0444) },
	{ "sys/kernel/osrelease", PROTO_PROC_OSRELEASE, F(0444) },
	{ "sys/kernel/version", PROTO_PROC_SYS_VERSION, F(0444) },
	{ "sys/kernel/pid_max", PROTO_PROC_PID_MAX, F(0644) },
	{ "sys/kernel/threads-max", PROTO_PROC_THREADS_MAX, F(0644) },
	{ "sys/kernel/ngroups_max", PROTO_PROC_NGROUPS_MAX, F(0444) },
	{ "sys/kernel/cap_last_cap", PROTO_PROC_CAP_LAST_CAP, F(0444) },
	{ "sys/kernel/printk", PROTO_PROC_PRINTK, F(0644) },
	{ "sys/kernel/core_pattern", PROTO_PROC_CORE_PATTERN, F(0644) },
	{ "sys/kernel/random", PROC_FOLDER, D(0555) },
	{ "sys/kernel/random/uuid", PROTO_PROC_RANDOM_UUID, F(0444) },
	{ "sys/kernel/random/boot_id", PROTO_PROC_RANDOM_BOOT_ID, F(0444) },
	{ "sys/kernel/random/entropy_avail", PROTO_PROC_RANDOM_ENTROPY, F(0444) },
	{ "sys/kernel/random/poolsize", PROTO_PROC_RANDOM_POOLSIZE, F(0444) },
	{ "sys/vm", PROC_FOLDER, D(0555) },
	{ "sys/vm/overcommit_memory", PROTO_PROC_OVERCOMMIT, F(0644) },
	{ "sys/vm/max_map_count", PROTO_PROC_MAX_MAP_COUNT, F(0644) },
	{ "sys/vm/swappiness", PROTO_PROC_SWAPPINESS, F(0644) },
	{ "sys/vm/drop_caches", PROC_DROP_CACHES, F(0200) },
	{ "sys/fs", PROC_FOLDER, D(0555) },
	{ "sys/fs/file-max", PROTO_PROC_FILE_MAX, F(0644) },
	{ "sys/fs/nr_open", PROTO_PROC_NR_OPEN, F(0644) },
	{ "sys/fs/pipe-max-size", PROTO_PROC_PIPE_MAX_SIZE, F(0644) },
	{ "sys/net", PROC_FOLDER, D(0555) },
	{ "sys/net/core", PROC_FOLDER, D(0555) },
	{ "sys/net/core/somaxconn", PROTO_PROC_SOMAXCONN, F(0644) },
	{ "sys/troupe", PROC_FOLDER, D(0555) },
	{ "sys/troupe/vfs", PROC_VFS_STATE, F(0444) },
	{ "sys/troupe/restart", PROTO_PROC_TROUPE_RESTART, F(0200) },
	{ "troupe", PROC_FOLDER, D(0555) },
	{ "troupe/objects", PROTO_PROC_TROUPE_OBJECTS, F(0400) },
	{ "troupe/servers", PROTO_PROC_TROUPE_SERVERS, F(0444) },
};

static int add_link(struct node *dir, const char *name, const char *target)
{
	struct node *n = node_create(dir->fs, L, 0, 0, srv_realtime());

	if (!n || !entry_add(dir, name, strlen(name), n))
		return -ENOMEM;
	n->link.size = (uint32_t)strlen(target);
	n->link.target = state_alloc(n->link.size + 1);
	if (!n->link.target)
		return -ENOMEM;
	strcpy(n->link.target, target);
	return 0;
}

int procfs_fill(struct filesystem *fs)
{
	fs->root->kind = PROC_ROOT;
	for (size_t i = 0; i < sizeof system_names / sizeof system_names[0]; i++) {
		const struct name *s = &system_names[i];
		const char *name = s->name, *slash;
		struct node *dir = fs->root, *n;

		for (; (slash = strchr(name, '/')); name = slash + 1)
			dir = entry_find(dir, name, (size_t)(slash - name),
					 name_hash(name, (size_t)(slash - name)))
				      ->node;
		n = node_create(fs, s->mode, 0, 0, srv_realtime());
		if (!n || !entry_add(dir, name, strlen(name), n))
			return -ENOMEM;
		n->kind = s->kind;
		n->chain = fs->chains[0];
		state_set(fs->chains[0], n);
	}
	if (add_link(fs->root, "mounts", "self/mounts"))
		return -ENOMEM;
	node_commit();
	return 0;
}

/* --- nodes of processes ------------------------------------------------------------------- */

static struct node *dynamic_find(struct filesystem *fs, uint32_t kind, uint32_t pid, uint32_t tid,
				 uint32_t fd)
{
	struct node *n = fs->chains[pid % 64];

	while (n && !(n->kind == kind && n->pid == pid && n->tid == tid && n->rdev == fd))
		n = n->chain;
	return n;
}

/* The node, found or made; owned by whom the process belongs to. */
static struct node *dynamic(struct node *parent, uint32_t kind, uint32_t mode,
			    const struct proto_pid *p, uint32_t pid, uint32_t tid, uint32_t fd)
{
	struct filesystem *fs = parent->fs;
	struct node *n = dynamic_find(fs, kind, pid, tid, fd);
	uint64_t ino =
		(uint64_t)pid << 43 | (uint64_t)tid << 28 | (uint64_t)kind << 20 | (fd & 0xfffff);

	if (n) {	/* setuid may have changed the owner */
		if (n->uid != p->uid || n->gid != p->gid) {
			state_set(n->uid, p->uid);
			state_set(n->gid, p->gid);
		}
		return n;
	}
	n = node_create(fs, mode, p->uid, p->gid, (int64_t)p->start);
	if (!n)
		return NULL;
	n->ino = ino;
	n->kind = kind;
	n->pid = pid;
	n->tid = tid;
	n->rdev = fd;
	n->flags = NODE_DYNAMIC;
	n->parent = parent;
	node_pin(parent);
	n->chain = fs->chains[pid % 64];
	state_set(fs->chains[pid % 64], n);
	node_loose(n);
	return n;
}

/* A decimal number without leading zeros; 0 in *out is one, too. */
static bool number(const char *s, size_t size, uint32_t *out)
{
	uint32_t v = 0;

	if (!size || size > 9 || (size > 1 && *s == '0'))
		return false;
	for (size_t i = 0; i < size; i++) {
		if (s[i] < '0' || s[i] > '9')
			return false;
		v = v * 10 + (uint32_t)(s[i] - '0');
	}
	*out = v;
	return true;
}

static int64_t result(struct node *n, struct node **out)
{
	*out = n;
	return n ? 0 : -ENOMEM;
}

/*
 * A process's folder in /proc, or a thread's in task. Like Linux, /proc also knows every thread by
 * its number, unlisted.
 */
static int64_t lookup_pid(struct node *dir, const char *name, size_t size, struct node **out)
{
	struct proto_pid p;
	uint32_t pid;

	if (!number(name, size, &pid) || !proc_pid_find(pid, &p))
		return -ENOENT;
	if (dir->kind == PROC_ROOT)
		return result(dynamic(dir, PROC_PID, D(0555), &p, pid, 0, 0), out);
	if (p.tgid != dir->pid)
		return -ENOENT;
	return result(dynamic(dir, PROC_TID, D(0555), &p, dir->pid, pid, 0), out);
}

static int64_t lookup_file(struct node *dir, const char *name, size_t size, struct node **out)
{
	struct proto_pid p;

	if (!proc_pid_find(dir->tid ? dir->tid : dir->pid, &p))
		return -ENOENT;
	for (size_t i = dir->kind == PROC_TID; i < PID_NAMES; i++) {
		const struct name *s = &pid_names[i];

		if (strlen(s->name) == size && !memcmp(s->name, name, size))
			return result(dynamic(dir, s->kind, s->mode, &p, dir->pid, dir->tid, 0),
				      out);
	}
	return -ENOENT;
}

static int64_t lookup_fd(struct request *r, struct node *dir, const char *name, size_t size,
			 struct node **out)
{
	bool info = dir->kind == PROC_FDINFO;
	struct proto_pid p;
	struct pos to;
	uint32_t fd;
	int64_t e;

	if (!number(name, size, &fd) || !proc_pid_find(dir->pid, &p))
		return -ENOENT;
	e = link_resolve(r, PROTO_LINK_FD, dir->pid, dir->tid, fd, &to);
	if (e)
		return e;
	return result(dynamic(dir, info ? (uint32_t)PROTO_PROC_FDINFO : (uint32_t)PROC_FD_LINK,
			      info ? F(0400) : LX_S_IFLNK | 0700, &p, dir->pid, dir->tid, fd),
		      out);
}

static int64_t proc_lookup(struct request *r, struct node *dir, const char *name, size_t size,
			   struct entry **e, struct node **n)
{
	*e = NULL;
	switch (dir->kind) {
	case PROC_ROOT:
	case PROC_TASK:
		return lookup_pid(dir, name, size, n);
	case PROC_PID:
	case PROC_TID:
		return lookup_file(dir, name, size, n);
	case PROC_FD:
	case PROC_FDINFO:
		return lookup_fd(r, dir, name, size, n);
	}
	return -ENOENT;
}

struct node *proc_node(struct filesystem *fs, uint32_t kind, uint32_t pid, uint32_t tid)
{
	struct node *dir = fs->root;
	struct proto_pid p;

	if (!pid)
		return dynamic_find(fs, kind, 0, 0, 0);
	if (!proc_pid_find(pid, &p))
		return NULL;
	dir = dynamic(dir, PROC_PID, D(0555), &p, pid, 0, 0);
	if (kind == PROTO_PROC_FDINFO) {
		dir = dir ? dynamic(dir, PROC_FDINFO, D(0500), &p, pid, 0, 0) : NULL;
		return dir ? dynamic(dir, PROTO_PROC_FDINFO, F(0400), &p, pid, 0, tid) : NULL;
	}
	if (tid && dir) {
		dir = dynamic(dir, PROC_TASK, D(0555), &p, pid, 0, 0);
		dir = dir ? dynamic(dir, PROC_TID, D(0555), &p, pid, tid, 0) : NULL;
	}
	for (size_t i = 0; dir && i < PID_NAMES; i++) {
		if (pid_names[i].kind == kind)
			return dynamic(dir, kind, pid_names[i].mode, &p, pid, tid, 0);
	}
	return NULL;
}

/* --- links -------------------------------------------------------------------------------- */

static int64_t proc_link(struct request *r, struct pos link, unsigned depth, struct fs_link *out)
{
	const struct node *n = link.node;
	char *text = r->link_text[depth];

	switch (n->kind) {
	case PROC_SELF:
		snprintf(text, sizeof r->link_text[0], "%u", (unsigned)r->m->pid);
		out->text = text;
		return 0;
	case PROC_THREAD_SELF:
		snprintf(text, sizeof r->link_text[0], "%u/task/%u", (unsigned)r->m->pid,
			 (unsigned)r->m->tid);
		out->text = text;
		return 0;
	case PROC_EXE:
		return link_resolve(r, PROTO_LINK_EXE, n->pid, n->tid, 0, &out->jump);
	case PROC_CWD:
		return link_resolve(r, PROTO_LINK_CWD, n->pid, n->tid, 0, &out->jump);
	case PROC_ROOT_LINK:
		return link_resolve(r, PROTO_LINK_ROOT, n->pid, n->tid, 0, &out->jump);
	case PROC_FD_LINK:
		return link_resolve(r, PROTO_LINK_FD, n->pid, n->tid, n->rdev, &out->jump);
	}
	return -EINVAL;
}

/* --- listings ----------------------------------------------------------------------------- */

#define PID_COOKIE (1ull << 32)

static char list_name[16];

static int next_pid(struct node *dir, uint64_t cookie, struct fs_dirent *out)
{
	uint32_t pid = pid_after(cookie < PID_COOKIE ? 0 : (uint32_t)(cookie - PID_COOKIE),
				 dir->kind == PROC_TASK ? dir->pid : 0);

	if (!pid)
		return 0;
	*out = (struct fs_dirent){ .cookie = PID_COOKIE + pid,
				   .type = LX_S_IFDIR,
				   .name = list_name };
	out->ino = dir->kind == PROC_TASK ? (uint64_t)dir->pid << 43 | (uint64_t)pid << 28 |
						    (uint64_t)PROC_TID << 20 :
					    (uint64_t)pid << 43 | (uint64_t)PROC_PID << 20;
	out->size = (size_t)snprintf(list_name, sizeof list_name, "%u", (unsigned)pid);
	return 1;
}

static int next_file(struct node *dir, uint64_t cookie, struct fs_dirent *out)
{
	size_t i = (size_t)cookie - 2;		/* entry i has cookie i + 3 */

	if (dir->kind == PROC_TID && i == 0)
		i = 1;
	if (i >= PID_NAMES)
		return 0;
	*out = (struct fs_dirent){ .cookie = i + 3,
				   .type = pid_names[i].mode & LX_S_IFMT,
				   .name = pid_names[i].name,
				   .size = strlen(pid_names[i].name),
				   .ino = (uint64_t)dir->pid << 43 | (uint64_t)dir->tid << 28 |
					  (uint64_t)pid_names[i].kind << 20 };
	return 1;
}

static int proc_next(struct request *r, struct node *dir, uint64_t cookie, struct fs_dirent *out)
{
	(void)r;
	switch (dir->kind) {
	case PROC_ROOT:
		if (cookie < PID_COOKIE && fs_list_next(dir, cookie, out))
			return 1;
		return next_pid(dir, cookie, out);
	case PROC_TASK:
		return next_pid(dir, cookie, out);
	case PROC_PID:
	case PROC_TID:
		return next_file(dir, cookie, out);
	case PROC_FOLDER:
		return fs_list_next(dir, cookie, out);
	}
	return 0;
}

bool proc_is_fd_list(const struct node *n)
{
	return n->fs->kind == FS_PROCFS && (n->kind == PROC_FD || n->kind == PROC_FDINFO);
}

void proc_fd_dirent(const struct node *dir, uint32_t fd, char name[16], struct fs_dirent *d)
{
	bool info = dir->kind == PROC_FDINFO;

	*d = (struct fs_dirent){
		.cookie = fd + 3ull,
		.type = info ? LX_S_IFREG : LX_S_IFLNK,
		.name = name,
		.ino = (uint64_t)dir->pid << 43 | (uint64_t)dir->tid << 28 |
		       (uint64_t)(info ? (uint32_t)PROTO_PROC_FDINFO : (uint32_t)PROC_FD_LINK)
			       << 20 |
		       (fd & 0xfffff)
	};
	d->size = (size_t)snprintf(name, 16, "%u", (unsigned)fd);
}

static size_t proc_node_name(const struct node *n, char *to, size_t size)
{
	switch (n->kind) {
	case PROC_PID:
		return (size_t)snprintf(to, size, "%u", (unsigned)n->pid);
	case PROC_TID:
		return (size_t)snprintf(to, size, "%u", (unsigned)n->tid);
	case PROC_FD_LINK:
	case PROTO_PROC_FDINFO:
		return (size_t)snprintf(to, size, "%u", (unsigned)n->rdev);
	}
	for (size_t i = 0; i < PID_NAMES; i++) {
		if (pid_names[i].kind == n->kind)
			return (size_t)snprintf(to, size, "%s", pid_names[i].name);
	}
	return 0;
}

const struct fs_type procfs_type = {
	.name = "proc", .magic = LX_PROC_MAGIC, .fixed = ENOENT,
	.lookup = proc_lookup, .link = proc_link, .next = proc_next, .node_name = proc_node_name,
};
