/*
 * AF_NETLINK, as far as programs ask it what interfaces, addresses and routes there are.
 *
 * SPDX-License-Identifier: MIT
 */
#include "net.h"

#include <ifaddrs.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>

static char answer[65536] __attribute__((aligned(8)));

static int netlink_socket(void)
{
	int fd = CHECK_OK(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));

	timeout_set(fd, SO_RCVTIMEO, 5000);
	return fd;
}

struct request {
	struct nlmsghdr header;
	union {
		struct rtgenmsg any;
		struct ifinfomsg link;
		struct ifaddrmsg address;
		struct rtmsg route;
		char room[256];
	};
};

static struct request request_make(int type, int flags, size_t size)
{
	struct request request;

	memset(&request, 0, sizeof(request));
	request.header = (struct nlmsghdr){
		.nlmsg_len = NLMSG_LENGTH(size), .nlmsg_type = type, .nlmsg_flags = flags,
		.nlmsg_seq = 1234,
	};
	return request;
}

static void request_send(int fd, struct request *request)
{
	CHECK_EQ(send(fd, request, request->header.nlmsg_len, 0), request->header.nlmsg_len);
}

/* Calls back for each message of a dump, until it is done; how many there were. */
static int dump(int type, int family, size_t size, void (*each)(struct nlmsghdr *))
{
	struct request request = request_make(type, NLM_F_REQUEST | NLM_F_DUMP, size);
	int fd = netlink_socket(), count = 0;

	request.any.rtgen_family = family;
	request_send(fd, &request);
	for (;;) {
		int left = CHECK_OK(recv(fd, answer, sizeof(answer), 0));
		struct nlmsghdr *at = (void *)answer;

		CHECK_GE(left, (int)sizeof(*at));
		for (; NLMSG_OK(at, (unsigned)left); at = NLMSG_NEXT(at, left)) {
			CHECK_EQ(at->nlmsg_seq, 1234);
			CHECK_EQ(at->nlmsg_flags & NLM_F_MULTI, NLM_F_MULTI);
			if (at->nlmsg_type == NLMSG_DONE) {
				CHECK_OK(close(fd));
				return count;
			}
			CHECK_NE(at->nlmsg_type, NLMSG_ERROR);
			each(at);
			count++;
		}
	}
}

static struct rtattr *attribute(struct nlmsghdr *message, size_t size, int type)
{
	struct rtattr *at = (void *)((char *)NLMSG_DATA(message) + NLMSG_ALIGN(size));
	int left = message->nlmsg_len - NLMSG_LENGTH(NLMSG_ALIGN(size));

	for (; RTA_OK(at, left); at = RTA_NEXT(at, left))
		if ((at->rta_type & NLA_TYPE_MASK) == type)
			return at;
	return NULL;
}

/* Sends a request that must fail, or succeed with an acknowledgment; its error. */
static int acknowledged(struct request *request)
{
	int fd = netlink_socket();

	request_send(fd, request);
	ssize_t got = CHECK_OK(recv(fd, answer, sizeof(answer), 0));
	struct nlmsghdr *at = (void *)answer;
	struct nlmsgerr *error = NLMSG_DATA(at);
	CHECK_GE(got, (ssize_t)NLMSG_LENGTH(sizeof(*error)));
	CHECK_EQ(at->nlmsg_type, NLMSG_ERROR);
	CHECK_EQ(at->nlmsg_seq, request->header.nlmsg_seq);
	CHECK_EQ(error->msg.nlmsg_type, request->header.nlmsg_type);
	CHECK_OK(close(fd));
	return -error->error;
}

/* --- links ------------------------------------------------------------------------------ */

static int links_seen;

static void link_check(struct nlmsghdr *message)
{
	struct ifinfomsg *link = NLMSG_DATA(message);
	struct rtattr *name = attribute(message, sizeof(*link), IFLA_IFNAME);

	CHECK_EQ(message->nlmsg_type, RTM_NEWLINK);
	CHECK(name != NULL);
	CHECK(attribute(message, sizeof(*link), IFLA_MTU) != NULL);
	if (strcmp(RTA_DATA(name), "lo") != 0)
		return;
	links_seen++;
	CHECK_EQ(link->ifi_index, if_nametoindex("lo"));
	CHECK_EQ(link->ifi_type, ARPHRD_LOOPBACK);
	CHECK_EQ(link->ifi_flags & (IFF_UP | IFF_LOOPBACK | IFF_RUNNING),
		 IFF_UP | IFF_LOOPBACK | IFF_RUNNING);
	struct rtattr *address = attribute(message, sizeof(*link), IFLA_ADDRESS);
	CHECK(address && RTA_PAYLOAD(address) == 6);
}

TEST(netlink, links)
{
	CHECK_GE(dump(RTM_GETLINK, AF_UNSPEC, sizeof(struct ifinfomsg), link_check), 1);
	CHECK_EQ(links_seen, 1);
	/* Older programs send only the family. */
	CHECK_GE(dump(RTM_GETLINK, AF_UNSPEC, sizeof(struct rtgenmsg), link_check), 1);
	CHECK_EQ(links_seen, 2);
}

TEST(netlink, one_link)
{
	struct request request = request_make(RTM_GETLINK, NLM_F_REQUEST, sizeof(request.link));
	int fd = netlink_socket();

	request.link.ifi_index = if_nametoindex("lo");
	request_send(fd, &request);
	CHECK_OK(recv(fd, answer, sizeof(answer), 0));
	link_check((void *)answer);
	CHECK_EQ(links_seen, 1);
	CHECK_EQ(((struct nlmsghdr *)answer)->nlmsg_flags & NLM_F_MULTI, 0);
	request.link.ifi_index = 9999;
	CHECK_EQ(acknowledged(&request), ENODEV);
}

TEST(netlink, one_link_by_name)
{
	struct request request = request_make(RTM_GETLINK, NLM_F_REQUEST, sizeof(request.link));
	struct rtattr *name = (void *)(request.room + sizeof(request.link));
	int fd = netlink_socket();

	*name = (struct rtattr){ .rta_len = RTA_LENGTH(3), .rta_type = IFLA_IFNAME };
	strcpy(RTA_DATA(name), "lo");
	request.header.nlmsg_len += RTA_SPACE(3);
	request_send(fd, &request);
	CHECK_OK(recv(fd, answer, sizeof(answer), 0));
	link_check((void *)answer);
	CHECK_EQ(links_seen, 1);
}

/* --- addresses -------------------------------------------------------------------------- */

static int four_seen, six_seen;

static void address_check(struct nlmsghdr *message)
{
	struct ifaddrmsg *address = NLMSG_DATA(message);
	struct rtattr *data = attribute(message, sizeof(*address), IFA_ADDRESS);
	uint32_t four = htonl(INADDR_LOOPBACK);

	CHECK_EQ(message->nlmsg_type, RTM_NEWADDR);
	CHECK(data != NULL);
	if (address->ifa_family == AF_INET && memcmp(RTA_DATA(data), &four, 4) == 0) {
		four_seen++;
		CHECK_EQ(address->ifa_prefixlen, 8);
		CHECK_EQ(address->ifa_index, if_nametoindex("lo"));
		CHECK_EQ(address->ifa_scope, RT_SCOPE_HOST);
		CHECK(attribute(message, sizeof(*address), IFA_LOCAL) != NULL);
		CHECK_STR(RTA_DATA(attribute(message, sizeof(*address), IFA_LABEL)), "lo");
	}
	if (address->ifa_family == AF_INET6 && memcmp(RTA_DATA(data), &in6addr_loopback, 16) == 0) {
		six_seen++;
		CHECK_EQ(address->ifa_prefixlen, 128);
		CHECK_EQ(address->ifa_scope, RT_SCOPE_HOST);
	}
}

TEST(netlink, addresses)
{
	ipv6_needed();
	CHECK_GE(dump(RTM_GETADDR, AF_UNSPEC, sizeof(struct ifaddrmsg), address_check), 2);
	CHECK_EQ(four_seen, 1);
	CHECK_EQ(six_seen, 1);
	CHECK_GE(dump(RTM_GETADDR, AF_INET, sizeof(struct ifaddrmsg), address_check), 1);
	CHECK_EQ(four_seen, 2);
	CHECK_EQ(six_seen, 1);
	CHECK_GE(dump(RTM_GETADDR, AF_INET6, sizeof(struct rtgenmsg), address_check), 1);
	CHECK_EQ(six_seen, 2);
}

/* --- routes ----------------------------------------------------------------------------- */

static void route_check(struct nlmsghdr *message)
{
	struct rtmsg *route = NLMSG_DATA(message);

	CHECK_EQ(message->nlmsg_type, RTM_NEWROUTE);
	CHECK(route->rtm_family == AF_INET || route->rtm_family == AF_INET6);
	CHECK_LE(route->rtm_dst_len, route->rtm_family == AF_INET ? 32 : 128);
	if (route->rtm_dst_len)
		CHECK(attribute(message, sizeof(*route), RTA_DST) != NULL);
	CHECK(attribute(message, sizeof(*route), RTA_OIF) ||
	      attribute(message, sizeof(*route), RTA_MULTIPATH) ||
	      route->rtm_type != RTN_UNICAST);
}

TEST(netlink, routes)
{
	CHECK_GE(dump(RTM_GETROUTE, AF_INET, sizeof(struct rtmsg), route_check), 0);
	CHECK_GE(dump(RTM_GETROUTE, AF_INET6, sizeof(struct rtgenmsg), route_check), 0);
}

/* The route that a packet would take, as `ip route get`. */
TEST(netlink, route_to_loopback)
{
	struct request request = request_make(RTM_GETROUTE, NLM_F_REQUEST, sizeof(request.route));
	struct rtattr *to = (void *)(request.room + sizeof(request.route));
	uint32_t four = htonl(INADDR_LOOPBACK);
	int fd = netlink_socket();

	request.route.rtm_family = AF_INET;
	request.route.rtm_dst_len = 32;
	*to = (struct rtattr){ .rta_len = RTA_LENGTH(4), .rta_type = RTA_DST };
	memcpy(RTA_DATA(to), &four, 4);
	request.header.nlmsg_len += RTA_SPACE(4);
	request_send(fd, &request);
	CHECK_OK(recv(fd, answer, sizeof(answer), 0));
	struct nlmsghdr *at = (void *)answer;
	CHECK_EQ(at->nlmsg_type, RTM_NEWROUTE);
	struct rtattr *device = attribute(at, sizeof(struct rtmsg), RTA_OIF);
	CHECK(device != NULL);
	CHECK_EQ(*(int *)RTA_DATA(device), if_nametoindex("lo"));
}

/* --- libc on top of it ------------------------------------------------------------------ */

TEST(netlink, getifaddrs)
{
	struct ifaddrs *list;
	int four = 0, six = 0, packet = 0;

	ipv6_needed();
	CHECK_OK(getifaddrs(&list));
	for (struct ifaddrs *at = list; at; at = at->ifa_next) {
		struct address address;

		CHECK(at->ifa_name && at->ifa_name[0]);
		if (!at->ifa_addr || strcmp(at->ifa_name, "lo") != 0)
			continue;
		CHECK_EQ(at->ifa_flags & (IFF_UP | IFF_LOOPBACK), IFF_UP | IFF_LOOPBACK);
		packet += at->ifa_addr->sa_family == AF_PACKET;
		if (at->ifa_addr->sa_family == AF_INET) {
			memcpy(&address, at->ifa_addr, sizeof(address.in));
			four += address.in.sin_addr.s_addr == htonl(INADDR_LOOPBACK);
			CHECK_EQ(((struct sockaddr_in *)at->ifa_netmask)->sin_addr.s_addr,
				 htonl(0xff000000));
		}
		if (at->ifa_addr->sa_family == AF_INET6) {
			memcpy(&address, at->ifa_addr, sizeof(address.in6));
			six += memcmp(&address.in6.sin6_addr, &in6addr_loopback, 16) == 0;
		}
	}
	freeifaddrs(list);
	CHECK_EQ(four, 1);
	CHECK_EQ(six, 1);
	CHECK_EQ(packet, 1);
}

TEST(netlink, if_nameindex)
{
	struct if_nameindex *list = if_nameindex();
	char name[IF_NAMESIZE] = "";
	int seen = 0;

	CHECK(list != NULL);
	for (int i = 0; list[i].if_index; i++) {
		CHECK_EQ(list[i].if_index, if_nametoindex(list[i].if_name));
		seen += strcmp(list[i].if_name, "lo") == 0;
	}
	if_freenameindex(list);
	CHECK_EQ(seen, 1);
	CHECK(if_indextoname(if_nametoindex("lo"), name) != NULL);
	CHECK_STR(name, "lo");
	CHECK_EQ(if_nametoindex("none0"), 0);
	CHECK_EQ(errno, ENODEV);
	CHECK(if_indextoname(9999, name) == NULL);
	CHECK_EQ(errno, ENXIO);
}

/* --- errors ----------------------------------------------------------------------------- */

TEST(netlink, unknown_requests)
{
	struct request request = request_make(RTM_MAX + 99, NLM_F_REQUEST, sizeof(request.link));

	CHECK_EQ(acknowledged(&request), EOPNOTSUPP);
	request.header.nlmsg_seq = 77;
	CHECK_EQ(acknowledged(&request), EOPNOTSUPP);
	/* Nothing to do, but an answer was asked for. */
	request = request_make(NLMSG_NOOP, NLM_F_REQUEST | NLM_F_ACK, 0);
	CHECK_EQ(acknowledged(&request), 0);
}

TEST(netlink, cut_short)
{
	struct request request = request_make(RTM_GETLINK, NLM_F_REQUEST, sizeof(request.link));
	int fd = netlink_socket();

	/* Too short for a header, or shorter than it says: no answer at all. */
	CHECK_EQ(send(fd, &request, 8, 0), 8);
	CHECK_EQ(send(fd, &request, 20, 0), 20);
	request.header.nlmsg_len = 4;
	CHECK_EQ(send(fd, &request, 32, 0), 32);
	CHECK_ERRNO(recv(fd, answer, sizeof(answer), MSG_DONTWAIT), EAGAIN);
	/* Too short for its type. */
	request = request_make(RTM_GETLINK, NLM_F_REQUEST, 4);
	CHECK_EQ(acknowledged(&request), EINVAL);
}

TEST(netlink, changes_are_for_root)
{
	struct request request = request_make(RTM_NEWADDR, NLM_F_REQUEST | NLM_F_ACK,
					      sizeof(request.address));

	SUBPROCESS {
		drop_to_user(1000, 1000);
		CHECK_EQ(acknowledged(&request), EPERM);
		request.header.nlmsg_type = RTM_DELROUTE;
		CHECK_EQ(acknowledged(&request), EPERM);
		CHECK_GE(dump(RTM_GETADDR, AF_INET, sizeof(request.address), address_check), 1);
	}
}

TEST(netlink, addresses_of_its_own)
{
	struct sockaddr_nl at = { .nl_family = AF_NETLINK }, other;
	socklen_t size = sizeof(at);
	int a = netlink_socket(), b = netlink_socket();

	CHECK_OK(bind(a, (void *)&at, sizeof(at)));
	CHECK_OK(bind(b, (void *)&at, sizeof(at)));
	CHECK_OK(getsockname(a, (void *)&at, &size));
	CHECK_EQ(size, sizeof(at));
	CHECK_EQ(at.nl_family, AF_NETLINK);
	CHECK_NE(at.nl_pid, 0);
	CHECK_OK(getsockname(b, (void *)&other, &size));
	CHECK_NE(at.nl_pid, other.nl_pid);
	int c = netlink_socket();
	other = at;
	CHECK_ERRNO(bind(c, (void *)&other, sizeof(other)), EADDRINUSE);
	CHECK_ERRNO(bind(c, (void *)&other, 4), EINVAL);
	/* The kernel is who answers. */
	struct request request = request_make(NLMSG_NOOP, NLM_F_REQUEST | NLM_F_ACK, 0);
	request_send(a, &request);
	size = sizeof(other);
	CHECK_OK(recvfrom(a, answer, sizeof(answer), 0, (void *)&other, &size));
	CHECK_EQ(size, sizeof(other));
	CHECK_EQ(other.nl_pid, 0);
	CHECK_EQ(((struct nlmsghdr *)answer)->nlmsg_pid, at.nl_pid);
}

TEST(netlink, how_long_is_the_answer)
{
	struct request request = request_make(NLMSG_NOOP, NLM_F_REQUEST | NLM_F_ACK, 0);
	int fd = netlink_socket();

	request_send(fd, &request);
	ssize_t size = CHECK_OK(recv(fd, NULL, 0, MSG_PEEK | MSG_TRUNC));
	CHECK_EQ(size, NLMSG_LENGTH(sizeof(struct nlmsgerr)));
	CHECK_EQ(recv(fd, answer, sizeof(answer), 0), size);
	CHECK_ERRNO(recv(fd, answer, sizeof(answer), MSG_DONTWAIT), EAGAIN);
	CHECK_EQ(events_now(fd, POLLIN | POLLOUT), POLLOUT);
	request_send(fd, &request);
	CHECK_EQ(poll_for(fd, POLLIN | POLLOUT), POLLIN | POLLOUT);
}

TEST(netlink, as_a_socket)
{
	int fd = netlink_socket();

	CHECK_EQ(option_get(fd, SOL_SOCKET, SO_DOMAIN), AF_NETLINK);
	CHECK_EQ(option_get(fd, SOL_SOCKET, SO_TYPE), SOCK_RAW);
	CHECK_EQ(option_get(fd, SOL_SOCKET, SO_PROTOCOL), NETLINK_ROUTE);
	CHECK_ERRNO(socket(AF_NETLINK, SOCK_STREAM, NETLINK_ROUTE), ESOCKTNOSUPPORT);
	CHECK_ERRNO(socket(AF_NETLINK, SOCK_RAW, 9999), EPROTONOSUPPORT);
	CHECK_ERRNO(listen(fd, 1), EOPNOTSUPP);
	CHECK_ERRNO(accept(fd, NULL, NULL), EOPNOTSUPP);
	CHECK_OK(option_set(fd, SOL_SOCKET, SO_RCVBUF, 65536));
}
