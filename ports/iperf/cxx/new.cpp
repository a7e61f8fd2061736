// SPDX-License-Identifier: MIT
// new and delete without exceptions: out of memory ends the program, as an exception that nobody
// catches would.
#include <stdlib.h>

void *operator new(size_t size)
{
	void *block = malloc(size ? size : 1);

	if (!block)
		abort();
	return block;
}

void *operator new[](size_t size)
{
	return operator new(size);
}

void operator delete(void *block) noexcept
{
	free(block);
}

void operator delete[](void *block) noexcept
{
	free(block);
}

void operator delete(void *block, size_t) noexcept
{
	free(block);
}

void operator delete[](void *block, size_t) noexcept
{
	free(block);
}

extern "C" void __cxa_pure_virtual(void)
{
	abort();
}
