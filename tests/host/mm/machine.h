/* SPDX-License-Identifier: MIT */
/* The machine under the host test of kernel/mm. */
#ifndef TESTS_HOST_MM_MACHINE_H
#define TESTS_HOST_MM_MACHINE_H

#include <stdbool.h>
#include <stdint.h>
#include "arch/paging.h"
#include "core/endpoint.h"
#include "mm/frame.h"

struct account;

extern bool machine_preempts;	/* preempt_needed() says so now and then */

void machine_start(uint64_t bytes);
struct account *machine_account(uint64_t frames);
struct endpoint *machine_endpoint(void);
/* Delivers the next notice; false if there is none. */
bool machine_message(struct endpoint *e, struct k_message *m);

#endif
