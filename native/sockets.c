/* Sockets, and descriptors passed over them. */
#include "module.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FUNCTION(name) static napi_value name(napi_env env, napi_callback_info info)
/* SCM_MAX_FD of the kernel. */
#define MAX_FDS 253

FUNCTION(js_socket)
{
	ENTER(3);
	int domain = (int)take_integer(&call, 0);
	int type = (int)take_integer(&call, 1);
	int protocol = (int)take_integer(&call, 2);

	RUN(socket(domain, type, protocol));
}

FUNCTION(js_socketpair)
{
	ENTER(4);
	int domain = (int)take_integer(&call, 0);
	int type = (int)take_integer(&call, 1);
	int protocol = (int)take_integer(&call, 2);
	int32_t *out = take_int32s(&call, 3, 2, NULL);

	RUN(socketpair(domain, type, protocol, out));
}

FUNCTION(js_bind)
{
	ENTER(2);
	int fd = (int)take_integer(&call, 0);
	struct bytes address = take_bytes(&call, 1);

	RUN(bind(fd, (struct sockaddr *)address.data, (socklen_t)address.length));
}

FUNCTION(js_connect)
{
	ENTER(2);
	int fd = (int)take_integer(&call, 0);
	struct bytes address = take_bytes(&call, 1);

	RUN(connect(fd, (struct sockaddr *)address.data, (socklen_t)address.length));
}

FUNCTION(js_listen)
{
	ENTER(2);
	int fd = (int)take_integer(&call, 0);
	int backlog = (int)take_integer(&call, 1);

	RUN(listen(fd, backlog));
}

FUNCTION(js_accept4)
{
	ENTER(2);
	int fd = (int)take_integer(&call, 0);
	int flags = (int)take_integer(&call, 1);

	RUN(accept4(fd, NULL, NULL, flags));
}

static int64_t socket_name(int fd, struct bytes out)
{
	socklen_t length = (socklen_t)out.length;

	if (getsockname(fd, (struct sockaddr *)out.data, &length) < 0)
		return -1;
	return length;
}

FUNCTION(js_getsockname)
{
	ENTER(2);
	int fd = (int)take_integer(&call, 0);
	struct bytes out = take_bytes(&call, 1);

	RUN(socket_name(fd, out));
}

FUNCTION(js_setsockopt)
{
	ENTER(4);
	int fd = (int)take_integer(&call, 0);
	int level = (int)take_integer(&call, 1);
	int name = (int)take_integer(&call, 2);
	struct bytes value = take_bytes(&call, 3);

	RUN(setsockopt(fd, level, name, value.data, (socklen_t)value.length));
}

static int64_t socket_option(int fd, int level, int name, struct bytes out)
{
	socklen_t length = (socklen_t)out.length;

	if (getsockopt(fd, level, name, out.data, &length) < 0)
		return -1;
	return length;
}

FUNCTION(js_getsockopt)
{
	ENTER(4);
	int fd = (int)take_integer(&call, 0);
	int level = (int)take_integer(&call, 1);
	int name = (int)take_integer(&call, 2);
	struct bytes out = take_bytes(&call, 3);

	RUN(socket_option(fd, level, name, out));
}

union control {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(MAX_FDS * sizeof(int))];
};

static ssize_t send_fds(int fd, struct bytes data, const int *fds, size_t count, int flags)
{
	union control control;
	struct iovec vector = {.iov_base = data.data, .iov_len = data.length};
	struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};

	if (count > 0) {
		memset(&control, 0, sizeof control);
		message.msg_control = control.bytes;
		message.msg_controllen = CMSG_SPACE(count * sizeof(int));
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(&control.header), fds, count * sizeof(int));
	}
	return sendmsg(fd, &message, flags);
}

FUNCTION(js_send_fds)
{
	ENTER(4);
	int fds[MAX_FDS];
	uint32_t count = 0;
	int fd = (int)take_integer(&call, 0);
	struct bytes data = take_bytes(&call, 1);
	int flags = (int)take_integer(&call, 3);

	if (!call.thrown && napi_get_array_length(env, call.argv[2], &count) != napi_ok)
		throw_type(&call, "an array of descriptors was expected");
	if (count > MAX_FDS)
		call.error = EINVAL;
	for (uint32_t i = 0; call_ready(&call) && i < count; i++) {
		napi_value element;

		if (napi_get_element(env, call.argv[2], i, &element) != napi_ok ||
		    napi_get_value_int32(env, element, &fds[i]) != napi_ok)
			throw_type(&call, "an array of descriptors was expected");
	}
	RUN(send_fds(fd, data, fds, count, flags));
}

static ssize_t receive_fds(int fd, struct bytes data, int32_t *out, size_t capacity, int flags)
{
	union control control;
	struct iovec vector = {.iov_base = data.data, .iov_len = data.length};
	struct msghdr message = {
		.msg_iov = &vector,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof control.bytes,
	};
	ssize_t received = recvmsg(fd, &message, flags | MSG_CMSG_CLOEXEC);
	size_t kept = 0;

	if (received < 0)
		return -1;
	for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header != NULL;
	     header = CMSG_NXTHDR(&message, header)) {
		if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
			continue;
		size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		for (size_t i = 0; i < count; i++) {
			int got;

			memcpy(&got, CMSG_DATA(header) + i * sizeof(int), sizeof got);
			/* A descriptor nobody asked for must not stay open in this process. */
			if (kept + 1 < capacity)
				out[++kept] = got;
			else
				close(got);
		}
	}
	out[0] = (int32_t)kept;
	return received;
}

FUNCTION(js_receive_fds)
{
	ENTER(4);
	size_t capacity;
	int fd = (int)take_integer(&call, 0);
	struct bytes data = take_bytes(&call, 1);
	int32_t *out = take_int32s(&call, 2, 1, &capacity);
	int flags = (int)take_integer(&call, 3);

	RUN(receive_fds(fd, data, out, capacity, flags));
}

FUNCTION(js_shutdown)
{
	ENTER(2);
	int fd = (int)take_integer(&call, 0);
	int how = (int)take_integer(&call, 1);

	RUN(shutdown(fd, how));
}

const struct function socket_functions[] = {
	{"socket", js_socket},
	{"socketpair", js_socketpair},
	{"bind", js_bind},
	{"connect", js_connect},
	{"listen", js_listen},
	{"accept4", js_accept4},
	{"getsockname", js_getsockname},
	{"setsockopt", js_setsockopt},
	{"getsockopt", js_getsockopt},
	{"sendFds", js_send_fds},
	{"recvFds", js_receive_fds},
	{"shutdown", js_shutdown},
	{NULL, NULL},
};
