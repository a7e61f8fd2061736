/* SPDX-License-Identifier: MIT */
/*
 * The shape of the code: a call, an answer and a switch are one function each, with all that they
 * nearly always need inside (WHOLE) and what they rarely need outside (RARELY). After a change of
 * space each return and each code page costs an emulator a look-up, and each page a CPU an entry of
 * its TLB.
 */
#ifndef TROUPE_LIB_SHAPE_H
#define TROUPE_LIB_SHAPE_H

#define WHOLE __attribute__((flatten, hot))
#define RARELY __attribute__((noinline))
/* What they use of global data lies on one page */
#define HOT_DATA __attribute__((section(".data.hot")))
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#endif
