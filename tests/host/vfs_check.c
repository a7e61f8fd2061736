/* SPDX-License-Identifier: MIT */
/* Setup and consistency check of the VFS under test (vfs_check.h). */
#include "vfs_check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "archive.h"
#include "creds.h"
#include "file.h"
#include "fs.h"
#include "in.h"
#include "lock.h"
#include "mounts.h"
#include "procfs.h"
#include "recover.h"
#include "socket.h"
#include "start.h"
#include "state.h"

struct proto_pids *vfs_pids;
struct proto_creds *vfs_creds;

static struct srv_ops ops;
static int endpoint, state;

static void begin(void)
{
	static struct srv_number numbers[256];

	for (size_t i = 0; i < request_table_size; i++)
		numbers[i] = (struct srv_number){ request_table[i].number, request_run,
						  request_table[i].name };
	ops = (struct srv_ops){ .numbers = numbers,
				.number_count = request_table_size,
				.closed = request_closed,
				.pipe = pipe_notice,
				.done = request_done,
				.table_gone = lock_table_gone };
	srv_setup(endpoint, &ops);
}

/* What the supervisor would pass. */
static void start_record(const char *const *name, const int *h, unsigned n)
{
	static union {
		struct proto_start s;
		char room[1024];
	} u;

	memset(&u, 0, sizeof u);
	u.s.magic = PROTO_START_MAGIC;
	u.s.count = n;
	for (unsigned i = 0; i < n; i++) {
		strcpy(u.s.item[i].name, name[i]);
		u.s.item[i].handle = h[i];
	}
	srv_start(&u.s);
}

void vfs_setup(const void *archive, uint64_t size)
{
	static const char *const names[] = { "endpoint", "state", "archive",
					     "posix",    "creds", "pids" };
	int h[6];

	mock_reset();
	free(vfs_pids);
	free(vfs_creds);
	vfs_pids = calloc(1, PROTO_PIDS_SIZE);
	vfs_creds = calloc(1, PROTO_CREDS_SIZE);
	h[0] = endpoint = mock_endpoint();
	h[1] = state = mock_mobject(NULL, 0);
	h[2] = archive ? mock_mobject(archive, size) : -1;
	h[3] = request_posix = mock_endpoint();
	h[4] = mock_shared(vfs_creds);
	h[5] = mock_shared(vfs_pids);
	start_record(names, h, 6);
	CHECK_EQ(state_open(state, 1), 0);
	state_format(1);
	CHECK_EQ(cred_setup(h[4]), 0);
	CHECK_EQ(proc_setup(h[5]), 0);
	archive_setup(h[2]);
	begin();
	CHECK_EQ(mounts_start(), 0);
	vfs_check("after the start");
}

void vfs_restart(void)
{
	mock_kill_at = 0;
	node_lost();
	socket_lost();
	CHECK_EQ(state_open(state, 1), 0);
	CHECK(state_recovered());
	begin();
	CHECK_EQ(recover(endpoint), 0);
	vfs_check("after a restart");
}

/* --- the check ---------------------------------------------------------------------------- */

static const char *occasion;

static void wrong(const char *what, const struct node *n)
{
	fprintf(stderr, "inconsistent %s: %s (ino %lu mode %o nlink %u pins %u name %s)\n",
		occasion, what, n ? (unsigned long)n->ino : 0, n ? n->mode : 0, n ? n->nlink : 0,
		n ? n->pins : 0, n && n->name ? n->name->text : "-");
	abort();
}

struct count {
	const struct node *node;
	uint32_t names, pins;
	bool named;	/* its name entry was seen */
};
static struct count *nodes;
static size_t node_count, node_room;

static struct count *count_of(const struct node *n)
{
	for (size_t i = 0; i < node_count; i++) {
		if (nodes[i].node == n)
			return &nodes[i];
	}
	if (node_count == node_room)
		nodes = realloc(nodes, (node_room += 1024) * sizeof *nodes);
	nodes[node_count] = (struct count){ .node = n };
	return &nodes[node_count++];
}

static void check_names(void)
{
	size_t names = 0;

	for (uint32_t i = 0; i < NAMES_SEGMENTS && vfs->segment[i]; i++) {
		for (uint32_t j = 0; j < NAMES_SEGMENT; j++) {
			for (struct entry *e = vfs->segment[i][j]; e; e = e->chain) {
				if (e->gone || entry_find(e->dir, e->text, e->size, e->hash) != e)
					wrong("a name is not found in its place", e->node);
				count_of(e->node)->names++;
				count_of(e->dir);
				names++;
			}
		}
	}
	if (names != vfs->names)
		wrong("number of names", NULL);
}

/* Mounts that are in no list any more, but still used by open files. */
static const struct mount *detached[1024];
static unsigned detached_count;

static bool check_file(struct file *f)
{
	const struct mount *m = f->at.mount;

	count_of(f->at.node)->pins++;
	if (!m->detached)
		return true;
	for (unsigned i = 0; i < detached_count; i++) {
		if (detached[i] == m)
			return true;
	}
	detached[detached_count++] = m;
	count_of(m->root)->pins++;
	return true;
}

static uint64_t gone, weight, extra;

static void check_directory(const struct node *n)
{
	uint32_t count = 0, folders = 0;
	uint64_t last = 2;

	for (struct entry *e = n->dir.first; e; e = e->next) {
		if (e->dir != n || e->cookie <= last ||
		    (e->next ? e->next->prev != e : n->dir.last != e))
			wrong("a directory's list", n);
		last = e->cookie;
		count++;
		folders += node_is(e->node, LX_S_IFDIR);
		if (node_is(e->node, LX_S_IFDIR) && e->node->parent != n)
			wrong("a directory's parent", e->node);
	}
	if (count != n->dir.count || folders != n->dir.subdirs)
		wrong("a directory's counts", n);
}

/* --- sockets */

static struct {
	uint64_t number;
	uint32_t refs;
} socket_refs[4096];
static uint32_t rights, socket_rights;
static uint64_t parcels_weight, sent_weight;

static void socket_ref(const struct socket *s)
{
	socket_refs[s->number % 4096].number = s->number;
	socket_refs[s->number % 4096].refs++;
}

static void check_channel(const struct socket *s)
{
	uint64_t bytes = 0;
	uint32_t count = 0;

	for (struct parcel *p = s->in->first; p; p = p->next) {
		count++;
		bytes += p->data ? p->size : 0;
		if (p->from)
			socket_ref(p->from);
		if (p->data || p->from)
			parcels_weight += parcel_weight(p->size);
		if (p->unwritten || (!p->next && s->in->last != p))
			wrong("a parcel", s->node);
		rights += p->right_count;
		for (uint32_t i = 0; i < p->right_count; i++)
			socket_rights += p->right[i].socket != 0;
	}
	if (count != s->in->count || bytes != s->in->bytes ||
	    (s->in->reader != s && s->state != SOCKET_DEAD))
		wrong("a channel", s->node);
}

static void count_socket(struct socket *s)
{
	uint32_t waiting = 0;

	if (s->file || s->listener)
		socket_ref(s);
	if (s->peer)
		socket_ref(s->peer);
	if (s->place.node)
		count_of(s->place.node)->pins++;
	sent_weight += s->sent;
	for (struct socket *child = s->first; child; child = child->next) {
		if (child->listener != s || (!child->next && s->last != child))
			wrong("a queue of connections", s->node);
		waiting += !child->accept_call;
	}
	if (waiting != s->waiting)
		wrong("number of connections", s->node);
	if (s->node && (s->node->socket != s || socket_of(s->file) != s))
		wrong("a socket's node", s->node);
	if (s->in)
		check_channel(s);
}

static void check_refs(struct socket *s)
{
	if (socket_refs[s->number % 4096].number != s->number ||
	    socket_refs[s->number % 4096].refs != s->refs)
		wrong("references of a socket", s->node);
}

static void check_sockets(void)
{
	uint32_t counted = 0;

	memset(socket_refs, 0, sizeof socket_refs);
	rights = socket_rights = 0;
	parcels_weight = sent_weight = 0;
	socket_each(count_socket);
	socket_each(check_refs);
	for (unsigned i = 0; i < INFLIGHT_CHAINS; i++)
		counted += vfs->sockets->inflight[i];
	if (counted != rights || vfs->sockets->inflight_sockets != socket_rights)
		wrong("descriptors on their way", NULL);
	if (parcels_weight != vfs->sockets->weight || sent_weight != parcels_weight)
		wrong("the weight of parcels", NULL);
}

void vfs_check(const char *when)
{
	uint64_t on_file_systems = 0;

	occasion = when;
	if (state_dirty())
		wrong("an operation was not finished", NULL);
	node_count = detached_count = 0;
	gone = weight = extra = 0;
	check_names();
	file_each(check_file);
	for (struct filesystem *fs = vfs->filesystems; fs; fs = fs->next) {
		if (fs->root)
			count_of(fs->root)->pins++;
		on_file_systems += fs->nodes;
		extra += fs->extra;
		for (unsigned i = 0; i < 64; i++) {
			for (struct node *n = fs->chains[i]; n; n = n->chain) {
				if (n->flags & NODE_LOOSE || (n->flags & NODE_DYNAMIC && !n->pins))
					wrong("a dynamic node was left", n);
				if (n->flags & NODE_DYNAMIC)
					count_of(n->parent)->pins++;
				count_of(n);
			}
		}
	}
	for (struct mount *m = vfs->mounts; m; m = m->next) {
		count_of(m->root)->pins++;
		if (m->covered)
			count_of(m->covered)->pins++;
	}
	count_of(vfs->anon->root)->pins++;
	count_of(vfs->sockets->mount->root)->pins++;
	check_sockets();
	/* names that are gone pin their directories; nodes appear while we go */
	for (size_t i = 0; i < node_count; i++) {
		const struct node *n = nodes[i].node;

		if (n->name && n->name->gone) {
			count_of(n->name->dir)->pins++;
			gone++;
		}
	}
	if (on_file_systems != vfs->live_nodes || node_count != vfs->live_nodes)
		wrong("number of nodes", NULL);
	if (vfs->live_entries != vfs->names + gone)
		wrong("number of entries", NULL);
	for (size_t i = 0; i < node_count; i++) {
		const struct node *n = nodes[i].node;

		weight += n->nlink > 1 ? n->nlink - 1 : 0;
		if (node_is(n, LX_S_IFLNK) && n->link.target)
			weight += node_weight(n->link.size);
		if (n->nlink != nodes[i].names)
			wrong("links", n);
		if (n->pins != nodes[i].pins)
			wrong("pins", n);
		if (node_is(n, LX_S_IFDIR))
			check_directory(n);
	}
	if (weight != extra)
		wrong("the weight of links", NULL);
}
