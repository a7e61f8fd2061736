// SPDX-License-Identifier: MIT
//
// Built static, static-pie and dynamic: the smallest program that needs the loader, thread-local
// storage and a second thread to be right.
#include <pthread.h>
#include <stdio.h>

static _Thread_local int number = 40;

static void *thread_main(void *argument)
{
	number += *(int *)argument;
	return (void *)(long)number;
}

int main(int argc, char **argv)
{
	int two = 2;
	void *result = NULL;
	pthread_t thread;

	number = argc;
	(void)argv;
	if (pthread_create(&thread, NULL, thread_main, &two) || pthread_join(thread, &result))
		return 1;
	printf("hello: %d arguments, thread %ld\n", number - 1, (long)result);
	return 0;
}
