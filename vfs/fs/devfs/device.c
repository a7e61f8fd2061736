/* SPDX-License-Identifier: MIT */
/*
 * Opening device nodes. null, zero and full are data planes of the kernel; terminals and the random
 * devices belong to the process server, which makes their descriptions and keeps ours as the way
 * back to the node.
 */
#include "open.h"

#include <errno.h>

#include "devpts.h"

static int64_t memory_device(struct request *r, struct pos at, uint32_t flags)
{
	struct k_description d = { .object = -1, .object2 = -1, .source = -1 };

	switch (LX_MINOR(at.node->rdev)) {
	case 3:
		d.plane = K_PLANE_NULL;
		break;
	case 5:
		d.plane = K_PLANE_ZERO;
		break;
	case 7:
		d.plane = K_PLANE_FULL;
		break;
	case 8:
	case 9:
		return open_elsewhere(r, at, flags, PROTO_PS_RANDOM_OPEN,
				      LX_MINOR(at.node->rdev) - 8);
	default:
		return -ENXIO;
	}
	return open_finish(r, FILE_PLAIN, at, flags, &d);
}

int64_t device_open(struct request *r, struct pos at, uint32_t flags)
{
	uint32_t minor = LX_MINOR(at.node->rdev);

	switch (LX_MAJOR(at.node->rdev)) {
	case 1:
		return memory_device(r, at, flags);
	case 4:
		return minor == 64 ?
			       open_elsewhere(r, at, flags, PROTO_PS_TTY_OPEN, PROTO_TTY_SERIAL) :
			       -ENXIO;
	case 5:
		if (minor == 2)
			return devpts_open_master(r, at, flags);
		return minor > 2 ? -ENXIO :
				   open_elsewhere(r, at, flags, PROTO_PS_TTY_OPEN,
						  minor ? PROTO_TTY_CONSOLE : PROTO_TTY_CURRENT);
	case 136:
		return open_elsewhere(r, at, flags, PROTO_PS_TTY_OPEN, PROTO_TTY_PTS);
	}
	return -ENXIO;
}
