/*
 * Names and numbers: what getaddrinfo() answers without asking anybody else.
 *
 * SPDX-License-Identifier: MIT
 */
#include "net.h"

#include <netdb.h>

static struct addrinfo *look(const char *host, const char *service, int family, int flags)
{
	struct addrinfo hints = { .ai_family = family, .ai_socktype = SOCK_STREAM,
				  .ai_flags = flags };
	struct addrinfo *list = NULL;
	int error = getaddrinfo(host, service, &hints, &list);

	if (error)
		FAIL("getaddrinfo(%s, %s): %s", host ? host : "NULL", service ? service : "NULL",
		     gai_strerror(error));
	CHECK_EQ(list->ai_socktype, SOCK_STREAM);
	CHECK_EQ(list->ai_protocol, IPPROTO_TCP);
	return list;
}

static int error_of(const char *host, const char *service, int flags)
{
	struct addrinfo hints = { .ai_flags = flags, .ai_socktype = SOCK_STREAM }, *list;

	return getaddrinfo(host, service, &hints, &list);
}

static struct address address_of(const struct addrinfo *info)
{
	struct address at = { .size = info->ai_addrlen };

	memcpy(&at.any, info->ai_addr, info->ai_addrlen);
	return at;
}

TEST(resolve, numbers)
{
	CHECK_ADDRESS(address_of(look("127.0.0.1", "80", AF_UNSPEC, AI_NUMERICHOST)),
		      loopback(AF_INET, 80));
	CHECK_ADDRESS(address_of(look("::1", "443", AF_UNSPEC, AI_NUMERICHOST)),
		      loopback(AF_INET6, 443));
	CHECK_ADDRESS(address_of(look("10.0.2.2", NULL, AF_INET, 0)), address_in(0x0a000202, 0));
	CHECK_ADDRESS(address_of(look("127.1", NULL, AF_INET, 0)), loopback(AF_INET, 0));
}

TEST(resolve, localhost)
{
	CHECK_ADDRESS(address_of(look("localhost", "22", AF_INET, 0)), loopback(AF_INET, 22));
	struct addrinfo *list = look("localhost", "22", AF_UNSPEC, 0);
	for (struct addrinfo *at = list; at; at = at->ai_next)
		CHECK_ADDRESS(address_of(at), loopback(at->ai_family, 22));
	freeaddrinfo(list);
}

TEST(resolve, nobody_in_particular)
{
	CHECK_ADDRESS(address_of(look(NULL, "80", AF_INET, AI_PASSIVE)), any_address(AF_INET, 80));
	CHECK_ADDRESS(address_of(look(NULL, "80", AF_INET6, AI_PASSIVE)),
		      any_address(AF_INET6, 80));
	CHECK_ADDRESS(address_of(look(NULL, "80", AF_INET, 0)), loopback(AF_INET, 80));
	CHECK_ADDRESS(address_of(look(NULL, "80", AF_INET6, 0)), loopback(AF_INET6, 80));
}

TEST(resolve, errors)
{
	CHECK_EQ(error_of(NULL, NULL, 0), EAI_NONAME);
	CHECK_EQ(error_of("host.invalid", NULL, AI_NUMERICHOST), EAI_NONAME);
	CHECK_EQ(error_of("127.0.0.1", "99x", AI_NUMERICSERV), EAI_NONAME);
	CHECK_EQ(error_of("127.0.0.1", NULL, 0x40000000), EAI_BADFLAGS);
}

TEST(resolve, back_to_text)
{
	char host[100], service[20];
	struct address at = loopback(AF_INET6, 8080);

	CHECK_EQ(getnameinfo(&at.any, at.size, host, sizeof(host), service, sizeof(service),
			     NI_NUMERICHOST | NI_NUMERICSERV), 0);
	CHECK_STR(host, "::1");
	CHECK_STR(service, "8080");
	at = loopback(AF_INET, 8080);
	CHECK_EQ(getnameinfo(&at.any, at.size, host, sizeof(host), service, sizeof(service),
			     NI_NUMERICHOST | NI_NUMERICSERV), 0);
	CHECK_STR(host, "127.0.0.1");
}

TEST(resolve, leads_to_a_connection)
{
	int listener = listener_new(AF_INET, 1);
	char port[10];

	snprintf(port, sizeof(port), "%d", local_port(listener));
	struct addrinfo *list = look("localhost", port, AF_INET, AI_NUMERICSERV | AI_ADDRCONFIG);
	int fd = CHECK_OK(socket(list->ai_family, list->ai_socktype, list->ai_protocol));
	CHECK_OK(connect(fd, list->ai_addr, list->ai_addrlen));
	CHECK_OK(accept(listener, NULL, NULL));
	freeaddrinfo(list);
}
