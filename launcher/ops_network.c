/*
 * Netlink messages that TypeScript encoded: sent as they are, but for the number of the container's
 * namespace descriptor, which only this process knows.
 */
#include "plan.h"
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/socket.h>

#define AF_NETLINK 16
#define SOCK_RAW_CLOEXEC (3 | 02000000)
#define MSG_MAX (64 * 1024)

/* Reads acknowledgements until `acks` came; the first error of them. */
static long collect_acks(int fd, uint64_t acks)
{
	char buffer[8192] __attribute__((aligned(8)));
	long first = 0;
	while (acks) {
		long n = SYS(recvfrom, fd, buffer, sizeof(buffer), 0, 0, 0);
		if (n == -EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? n : -EPROTO;
		long at = 0;
		while (n - at >= (long)sizeof(struct nlmsghdr)) {
			struct nlmsghdr *h = (struct nlmsghdr *)(buffer + at);
			if (h->nlmsg_len < sizeof(*h) || h->nlmsg_len > n - at)
				return -EPROTO;
			if (h->nlmsg_type == NLMSG_ERROR && h->nlmsg_len >= sizeof(*h) + sizeof(int)) {
				int error = ((struct nlmsgerr *)(h + 1))->error;
				if (error && !first)
					first = error;
				if (--acks == 0)
					break;
			}
			at += NLMSG_ALIGN(h->nlmsg_len);
		}
		/* A refused batch of nf_tables answers once, not once a message. */
		if (first)
			return first;
	}
	return first;
}

static long talk(struct context *c, struct args *a)
{
	static char message[MSG_MAX] __attribute__((aligned(8)));
	uint64_t protocol = arg_int(a), patch_at = arg_int(a), slot = arg_int(a), acks = arg_int(a);
	size_t n;
	const char *bytes = arg_bytes(a, &n);
	struct sockaddr_nl { uint16_t family, pad; uint32_t pid, groups; } kernel = {AF_NETLINK, 0, 0, 0};
	if (a->bad || n > sizeof(message))
		return -EINVAL;
	memcpy(message, bytes, n);
	if (patch_at != UINT64_MAX) {
		int fd = slot_get(c, slot);
		if (fd < 0 || patch_at > n || n - patch_at < 4)
			return -EINVAL;
		memcpy(message + patch_at, &fd, 4);
	}
	int fd = (int)SYS(socket, AF_NETLINK, SOCK_RAW_CLOEXEC, protocol);
	if (fd < 0)
		return fd;
	long e = SYS(sendto, fd, message, n, 0, &kernel, sizeof(kernel));
	if (e >= 0)
		e = collect_acks(fd, acks);
	close_fd(fd);
	return e;
}

#define LINK_RUNNING 0x40 /* IFF_RUNNING: its operstate is up */
#define LINK_WAIT_MS 1000

/* The flags of the interface that `fd` is asked for: 0 or -errno. */
static long link_flags(int fd, const void *request, size_t size, unsigned *flags)
{
	struct sockaddr_nl { uint16_t family, pad; uint32_t pid, groups; } kernel = {AF_NETLINK, 0, 0, 0};
	char buffer[8192] __attribute__((aligned(8)));
	long n = SYS(sendto, fd, request, size, 0, &kernel, sizeof(kernel));
	if (n < 0)
		return n;
	do
		n = SYS(recvfrom, fd, buffer, sizeof(buffer), 0, 0, 0);
	while (n == -EINTR);
	if (n < 0)
		return n;
	const struct nlmsghdr *h = (const struct nlmsghdr *)buffer;
	if (n < (long)sizeof(*h) || h->nlmsg_len > n)
		return -EPROTO;
	if (h->nlmsg_type == NLMSG_ERROR && h->nlmsg_len >= sizeof(*h) + sizeof(int))
		return ((const struct nlmsgerr *)(h + 1))->error;
	if (h->nlmsg_type != RTM_NEWLINK || h->nlmsg_len < sizeof(*h) + sizeof(struct ifinfomsg))
		return -EPROTO;
	*flags = ((const struct ifinfomsg *)(h + 1))->ifi_flags;
	return 0;
}

/*
 * Until the kernel has noticed that an interface has a carrier. Before, it drops what is sent there: it looks a moment
 * later, when it gets its lock of all interfaces, or since Linux 6.8 when it is asked (linkwatch_sync_dev). One that
 * does not get ready in time is no reason not to start: its first packet comes late.
 */
static long await_link(struct args *a)
{
	struct {
		struct nlmsghdr header;
		struct ifinfomsg link;
	} request = {
		{sizeof(request), RTM_GETLINK, NLM_F_REQUEST, 1, 0},
		{.ifi_index = (int)arg_int(a)},
	};
	struct { int64_t sec, nsec; } pause = {0, 1000000};
	if (a->bad)
		return -EINVAL;
	int fd = (int)SYS(socket, AF_NETLINK, SOCK_RAW_CLOEXEC, NETLINK_ROUTE);
	if (fd < 0)
		return fd;
	unsigned flags = 0;
	long e = 0;
	for (int tries = 0; tries < LINK_WAIT_MS; tries++) {
		e = link_flags(fd, &request, sizeof(request), &flags);
		if (e < 0 || flags & LINK_RUNNING)
			break;
		SYS(nanosleep, &pause, 0);
	}
	close_fd(fd);
	return e;
}

long op_network(struct context *c, int code, struct args *a)
{
	switch (code) {
	case OP_NETLINK: return talk(c, a);
	case OP_AWAIT_LINK: return await_link(a);
	default: return NOT_MINE;
	}
}
