/* Attached clients: a message socket each, with the descriptors they passed. See PROTOCOL.md. */
#include "monitor.h"

#define MSG_DONTWAIT 0x40
#define MSG_NOSIGNAL 0x4000
#define MSG_CMSG_CLOEXEC 0x40000000
#define TIOCSWINSZ 0x5414

struct client *client_add(struct monitor *m, int socket)
{
	for (int i = 0; i < MAX_CLIENTS; i++) {
		struct client *c = &m->clients[i];
		if (c->socket >= 0)
			continue;
		*c = (struct client){.socket = socket, .in = -1, .out = {-1, -1}};
		return c;
	}
	close_fd(socket);
	return NULL;
}

void client_drop(struct monitor *m, struct client *c)
{
	(void)m;
	close_fd(c->socket);
	close_fd(c->in);
	close_fd(c->out[0]);
	close_fd(c->out[1]);
	*c = (struct client){.socket = -1, .in = -1, .out = {-1, -1}};
}

void client_tell(struct monitor *m, struct client *c, const void *message, size_t n)
{
	if (c->socket >= 0 && SYS(sendto, c->socket, message, n, MSG_DONTWAIT | MSG_NOSIGNAL, 0, 0) < 0)
		client_drop(m, c);
}

/*
 * A passed pipe or terminal is opened anew, so that it can be made non-blocking without changing it for
 * its owner. A regular file keeps its shared offset; a socket takes MSG_DONTWAIT.
 */
static int own_descriptor(int fd, int flags)
{
	struct statx st;
	char path[32];
	struct text t = {path, sizeof(path), 0, 0};
	if (fd < 0 || sys_statx(fd, "", AT_EMPTY_PATH, &st) < 0)
		return fd;
	unsigned type = st.stx_mode & 0170000;
	if (type != 0010000 && type != 0020000)
		return fd;
	text_add(&t, "/proc/self/fd/");
	text_add_number(&t, (unsigned long)fd);
	int mine = open_at(AT_FDCWD, path, flags | O_NONBLOCK | O_NOCTTY, 0);
	if (mine < 0)
		return fd;
	close_fd(fd);
	return mine;
}

static void close_all(const int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++)
		close_fd(fds[i]);
}

void client_attach(struct client *c, unsigned wanted, const int *fds, size_t count)
{
	size_t used = 0;
	/* Once: the descriptors of another time would take the place of those that are watched already. */
	if (c->attached)
		wanted = 0;
	c->attached = 1;
	if (!wanted) {
		close_all(fds, count);
		return;
	}
	c->no_detach = !!(wanted & 8);
	if (wanted & 1 && used < count)
		c->in = own_descriptor(fds[used++], O_RDONLY);
	if (wanted & 2 && used < count)
		c->out[0] = own_descriptor(fds[used++], O_WRONLY);
	if (wanted & 4 && used < count)
		c->out[1] = own_descriptor(fds[used++], O_WRONLY);
	close_all(fds + used, count - used);
}

void input_close(struct monitor *m)
{
	if (!(m->config.flags & MONITOR_TTY)) /* a pty is also where the output comes from */
		close_fd(m->stdin_fd);
	m->stdin_fd = -1;
	m->input_at = m->input_length = 0;
}

void client_input_end(struct monitor *m, struct client *c)
{
	close_fd(c->in);
	c->in = -1;
	if (!(m->config.flags & MONITOR_STDIN_ONCE) || m->config.flags & MONITOR_TTY)
		return;
	if (m->input_at == m->input_length)
		input_close(m);
	else
		m->config.flags |= 1u << 31; /* close when the rest is written */
}

static void queue_input(struct monitor *m, const unsigned char *bytes, size_t n)
{
	/* Kept for nobody, it would keep the monitor from reading what else its clients say. */
	if (m->stdin_fd < 0)
		return;
	if (m->input_at == m->input_length)
		m->input_at = m->input_length = 0;
	if (n > sizeof(m->input) - m->input_length)
		n = sizeof(m->input) - m->input_length;
	memcpy(m->input + m->input_length, bytes, n);
	m->input_length += n;
}

void client_input(struct monitor *m, struct client *c, const unsigned char *bytes, size_t n)
{
	const unsigned char *keys = (const unsigned char *)m->config.detach_keys;
	size_t length = c->no_detach || !(m->config.flags & MONITOR_TTY) ? 0 : m->config.detach_length;
	for (size_t i = 0; i < n; i++) {
		if (length && bytes[i] == keys[c->matched]) {
			if (++c->matched < length)
				continue;
			client_tell(m, c, "Q", 1);
			client_drop(m, c);
			return;
		}
		/* Not the sequence after all: what was held back belongs to the container. */
		queue_input(m, keys, c->matched);
		c->matched = length && bytes[i] == keys[0];
		if (!c->matched)
			queue_input(m, bytes + i, 1);
	}
}

void client_message(struct monitor *m, struct client *c)
{
	unsigned char message[4096];
	struct { uint64_t length; int level, type; int fds[4]; } control;
	struct iovec data = {message, sizeof(message)};
	struct { void *name; int namelen, pad; struct iovec *iov; uint64_t iovlen; void *control; uint64_t controllen;
		int flags; } header = {0, 0, 0, &data, 1, &control, sizeof(control), 0};
	long n = SYS(recvmsg, c->socket, &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	if (n == -EAGAIN || n == -EINTR)
		return;
	if (n <= 0) {
		client_drop(m, c);
		return;
	}
	size_t count = header.controllen >= 16 && control.type == 1 && control.length >= 16 ? (control.length - 16) / 4 : 0;
	if (message[0] == 'A' && n >= 2) {
		client_attach(c, message[1], control.fds, count);
		return;
	}
	close_all(control.fds, count);
	if (message[0] == 'D') {
		client_input(m, c, message + 1, (size_t)n - 1);
	} else if (message[0] == 'E') {
		client_input_end(m, c);
	} else if (message[0] == 'G') {
		m->hurried = 1;
	} else if (message[0] == 'R' && n >= 5 && m->config.flags & MONITOR_TTY && m->streams[0].fd >= 0) {
		unsigned short size[4] = {(unsigned short)(message[1] | message[2] << 8),
					  (unsigned short)(message[3] | message[4] << 8), 0, 0};
		SYS(ioctl, m->streams[0].fd, TIOCSWINSZ, size);
	}
}

int client_feed(struct monitor *m, struct client *c, int stream)
{
	struct stream *s = &m->streams[stream];
	while (c->out[stream] >= 0 && c->done[stream] < s->length) {
		const unsigned char *at = s->chunk + c->done[stream];
		size_t left = s->length - c->done[stream];
		long n = SYS(sendto, c->out[stream], at, left, MSG_DONTWAIT | MSG_NOSIGNAL, 0, 0);
		if (n == -ENOTSOCK)
			n = SYS(write, c->out[stream], at, left);
		if (n == -EINTR)
			continue;
		if (n == -EAGAIN)
			return 0;
		if (n < 0) { /* a reader that went away does not hold the others up */
			close_fd(c->out[stream]);
			c->out[stream] = -1;
			break;
		}
		c->done[stream] += (size_t)n;
	}
	return 1;
}
