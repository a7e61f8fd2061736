/* SPDX-License-Identifier: MIT */
/*
 * Virtio devices on PCI (modern interface) and as memory-mapped slots that the kernel's command
 * line names.
 */
#ifndef TROUPE_POSIX_SUPERVISOR_VIRTIO_H
#define TROUPE_POSIX_SUPERVISOR_VIRTIO_H

#include "device.h"

/*
 * 0: d has the registers and interrupts of a device of d->kind, which has been reset. -ENODEV:
 * there is none.
 */
int virtio_find(struct device *d);
/* The device stops whatever it does. 0 or -EIO. */
int virtio_reset(const struct device *d);

#endif
