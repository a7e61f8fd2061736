/* SPDX-License-Identifier: MIT */
/* What the supervisor knows of a server, from the manifest and from its life. */
#ifndef TROUPE_POSIX_SUPERVISOR_H
#define TROUPE_POSIX_SUPERVISOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "device.h"

#define SERVERS_MAX 16
#define GRANTS_MAX 16
#define SHARED_MAX 16
#define NAME_MAX_ 28
#define GRANT_LEFT_OUT (-2)

enum grant_kind {
	GRANT_CALL,
	GRANT_SHARED,
	GRANT_DMA,
	GRANT_SIGNAL,
	GRANT_ARCHIVE,
	GRANT_VDSO,
	GRANT_CONTROL,
	GRANT_TASK,
	GRANT_STATE,
	GRANT_IOPORT,
	GRANT_IRQ
};

/* One line of the manifest. */
struct grant {
	enum grant_kind kind;
	char name[NAME_MAX_];	/* of the handle, as the server asks for it */
	/* CALL, SIGNAL: badge. SHARED: size, writable. DMA: size. IOPORT: base, count. IRQ: line */
	uint32_t value[2];
	/*
	 * in the server's table, -1 until it is installed; GRANT_LEFT_OUT: the machine has no use
	 * for it
	 */
	int handle;
};

struct server {
	char name[NAME_MAX_];
	uint32_t number;	/* from 1: cookie of its instances' tasks */
	unsigned priority;	/* K_PRIORITY_* */
	bool receives;
	bool vital;
	uint32_t rights;	/* of its own endpoint */
	uint64_t memory;	/* bytes, 0: no limit */
	struct grant grant[GRANTS_MAX];
	size_t grants;
	struct device device;

	/* handles of the supervisor */
	int endpoint;		/* all rights; -1: it has none */
	int account;
	/* a task without threads that keeps the handle table through restarts */
	int keeper;
	int task, thread;	/* of the present instance, -1: none */
	int endpoint_slot;	/* of the endpoint in its table */
	unsigned starts, deaths;	/* deaths: those that nobody asked for */
	int64_t recent[4];	/* times of the last deaths */
	bool given_up;
	bool absent;		/* the machine lacks its device: never started */
	bool restart_wanted;	/* somebody asked: not its fault */
};

struct manifest {
	struct server server[SERVERS_MAX];
	size_t servers;
	struct {
		char name[NAME_MAX_];
		uint64_t size;
		int handle;
	} shared[SHARED_MAX];
	size_t shares;
};

/* Reads the manifest. 0, or -EINVAL after a message that names the line. */
int manifest_parse(struct manifest *m, const char *text, size_t size);
struct server *manifest_find(struct manifest *m, const char *name);

/*
 * Creates what outlives an instance: endpoint, account, keeper, shared objects; installs every
 * grant.
 */
int server_prepare(struct manifest *m, struct server *s);
/* Loads the image and starts an instance. */
int server_start(struct server *s);
/* The instance faulted: name, fault, registers, backtrace to the log. */
struct k_message;
void server_report(const struct server *s, const struct k_message *m);

/* Shows what has become of the servers, once all are started; and of one that changed. */
void status_begin(struct manifest *m);
void status_update(const struct server *s);

/* The boot archive, mapped. */
extern const char *archive;
extern size_t archive_size;
/* The supervisor's own endpoint, where faults and deaths arrive. */
extern int supervisor_endpoint;
/* Route table of all servers. */
extern int native_routes;

/* A member of the archive: 0, -ENOENT, or -EINVAL if the archive is damaged. */
int archive_find(const char *path, const char **data, size_t *size);

#endif
