#include "monitor.h"

#define SOCK_SEQPACKET_CLOEXEC (5 | 02000000)
#define DRAIN_NS 2000000000u
#define REMOVAL_SECONDS 2

long monitor_config_read(struct monitor_config *m, const struct plan *plan)
{
	struct args a = plan_monitor_args(plan);
	m->flags = arg_int(&a);
	m->log_path = arg_bytes(&a, NULL);
	m->log_max_size = arg_int(&a);
	m->log_max_files = arg_int(&a);
	m->exit_path = arg_bytes(&a, NULL);
	m->run_directory = arg_bytes(&a, NULL);
	m->oom_path = arg_bytes(&a, NULL);
	m->detach_keys = arg_bytes(&a, &m->detach_length);
	m->discard_path = arg_bytes(&a, NULL);
	const char **lists[] = {m->call_argv, m->call_envp};
	size_t rooms[] = {LENGTH(m->call_argv), LENGTH(m->call_envp)};
	for (int l = 0; l < 2; l++) {
		uint64_t n = arg_int(&a);
		if (n >= rooms[l])
			return -E2BIG;
		for (uint64_t i = 0; i < n; i++)
			lists[l][i] = arg_bytes(&a, NULL);
		lists[l][n] = NULL;
	}
	return a.bad ? -EINVAL : 0;
}

static int out_of_memory(const char *path)
{
	char buffer[512];
	long n = path[0] ? read_small_file(path, buffer, sizeof(buffer)) : 0;
	for (long i = 0; i + 9 < n; i++)
		if ((i == 0 || buffer[i - 1] == '\n') && !memcmp(buffer + i, "oom_kill ", 9))
			return buffer[i + 9] != '0';
	return 0;
}

/* Whole or not at all: a temporary name, then rename. */
static void write_record(const char *path, const char *content, size_t n, int durable)
{
	char temporary[PATH_MAX];
	struct text t = {temporary, sizeof(temporary), 0, 0};
	text_add(&t, path);
	text_add(&t, ".tmp");
	int fd = open_at(AT_FDCWD, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return;
	long e = write_all(fd, content, n);
	if (e >= 0 && durable)
		e = SYS(fsync, fd);
	close_fd(fd);
	if (e < 0) {
		SYS(unlinkat, AT_FDCWD, temporary, 0);
		return;
	}
	SYS(renameat2, AT_FDCWD, temporary, AT_FDCWD, path, 0);
	size_t slash = t.length;
	while (slash && temporary[slash] != '/')
		slash--;
	temporary[slash] = 0;
	if (durable && (fd = open_at(AT_FDCWD, temporary, O_RDONLY | O_DIRECTORY, 0)) >= 0) {
		SYS(fsync, fd);
		close_fd(fd);
	}
}

static void record_exit(struct monitor *m)
{
	char buffer[256];
	struct text t = {buffer, sizeof(buffer), 0, 0};
	if (!m->config.exit_path[0])
		return;
	text_add(&t, "{\"code\":");
	text_add_number(&t, (unsigned long)m->exit_code);
	text_add(&t, ",\"oom\":");
	text_add(&t, m->oom ? "true" : "false");
	text_add(&t, ",\"finished\":\"");
	text_add_time(&t, now_ns(0));
	text_add(&t, "\"}\n");
	write_record(m->config.exit_path, buffer, t.length, !!(m->config.flags & MONITOR_DURABLE));
}

static void reap(struct monitor *m)
{
	int status = 0;
	while (SYS(wait4, m->context->result, &status, 0, 0) == -EINTR)
		;
	m->ended = 1;
	m->exit_code = status & 0x7f ? 128 + (status & 0x7f) : status >> 8 & 0xff;
	m->oom = out_of_memory(m->config.oom_path);
	input_close(m);
	record_exit(m);
	m->context->exit_code = m->exit_code;
	m->context->oom = m->oom;
	plan_run_phase(m->context, PHASE_ENDED);
	calls_stop(m);
}

static int delivered(struct monitor *m, int stream)
{
	int all = 1;
	for (int i = 0; i < MAX_CLIENTS; i++)
		if (m->clients[i].socket >= 0)
			all &= client_feed(m, &m->clients[i], stream);
	return all;
}

static const char *stream_name(int stream)
{
	return stream ? "stderr" : "stdout";
}

/* The next chunk of a stream, once every client has had the last one: the slowest sets the pace. */
static void read_stream(struct monitor *m, int index)
{
	struct stream *s = &m->streams[index];
	long n = SYS(read, s->fd, s->chunk, sizeof(s->chunk));
	if (n == -EINTR || n == -EAGAIN)
		return;
	if (n <= 0) { /* a pty ends with EIO */
		if (s->fd == m->stdin_fd)
			input_close(m);
		close_fd(s->fd);
		s->fd = -1;
		s->length = 0;
		log_finish(&m->log, &s->line, stream_name(index));
		return;
	}
	s->length = (size_t)n;
	for (int i = 0; i < MAX_CLIENTS; i++)
		m->clients[i].done[index] = 0;
	if (m->log.fd >= 0)
		log_add(&m->log, &s->line, stream_name(index), s->chunk, s->length);
	if (delivered(m, index))
		s->length = 0;
}

static void write_input(struct monitor *m)
{
	while (m->input_at < m->input_length) {
		long n = SYS(write, m->stdin_fd, m->input + m->input_at, m->input_length - m->input_at);
		if (n == -EINTR)
			continue;
		if (n == -EAGAIN)
			return;
		if (n < 0) { /* nobody reads any more */
			if (m->config.flags & MONITOR_TTY)
				m->input_at = m->input_length;
			else
				input_close(m);
			return;
		}
		m->input_at += (size_t)n;
	}
	if (m->config.flags & 1u << 31)
		input_close(m);
}

struct watch {
	struct pollfd fds[5 + 2 + MAX_CLIENTS * 4];
	struct { int kind, index; } what[5 + 2 + MAX_CLIENTS * 4];
	int count;
};
enum { W_EXIT, W_CALL, W_LISTEN, W_STDIN, W_STREAM, W_CLIENT, W_CLIENT_IN, W_CLIENT_OUT };

static void watch_add(struct watch *w, int fd, short events, int kind, int index)
{
	if (fd < 0)
		return;
	w->fds[w->count] = (struct pollfd){fd, events, 0};
	w->what[w->count].kind = kind;
	w->what[w->count++].index = index;
}

static void watch_all(struct monitor *m, struct watch *w)
{
	int input_pending = m->input_at < m->input_length;
	w->count = 0;
	if (!m->ended)
		watch_add(w, m->context->pidfd, POLLIN, W_EXIT, 0);
	watch_add(w, m->call_pidfd, POLLIN, W_CALL, 0);
	watch_add(w, m->listener, POLLIN, W_LISTEN, 0);
	if (input_pending)
		watch_add(w, m->stdin_fd, POLLOUT, W_STDIN, 0);
	for (int s = 0; s < 2; s++)
		if (!m->streams[s].length)
			watch_add(w, m->streams[s].fd, POLLIN, W_STREAM, s);
	for (int i = 0; i < MAX_CLIENTS; i++) {
		struct client *c = &m->clients[i];
		if (c->socket < 0)
			continue;
		/* Input waits its turn: with some on its way, only hang-ups are watched. */
		watch_add(w, c->socket, input_pending ? 0 : POLLIN, W_CLIENT, i);
		if (!input_pending && m->stdin_fd >= 0)
			watch_add(w, c->in, POLLIN, W_CLIENT_IN, i);
		for (int s = 0; s < 2; s++)
			if (m->streams[s].length && c->done[s] < m->streams[s].length)
				watch_add(w, c->out[s], POLLOUT, W_CLIENT_OUT, i);
	}
}

static void client_readable(struct monitor *m, struct client *c)
{
	unsigned char bytes[2048];
	long n = SYS(read, c->in, bytes, sizeof(bytes));
	if (n == -EINTR || n == -EAGAIN)
		return;
	if (n <= 0)
		client_input_end(m, c);
	else
		client_input(m, c, bytes, (size_t)n);
}

static void serve(struct monitor *m, int kind, int index, short events)
{
	struct client *c = &m->clients[index];
	int socket;
	/* There is room for one client's input; the poll comes back to the others. */
	if (m->input_at < m->input_length && (kind == W_CLIENT_IN || (kind == W_CLIENT && events & POLLIN)))
		return;
	switch (kind) {
	case W_EXIT:
		reap(m);
		return;
	case W_CALL:
		if (m->call_pidfd >= 0)
			calls_ended(m);
		return;
	case W_LISTEN:
		socket = (int)SYS(accept4, m->listener, 0, 0, 02000000);
		if (socket >= 0)
			client_add(m, socket);
		return;
	case W_STDIN:
		write_input(m);
		return;
	case W_STREAM:
		read_stream(m, index);
		return;
	case W_CLIENT:
		if (events & POLLIN)
			client_message(m, c);
		else if (c->socket >= 0)
			client_drop(m, c);
		break;
	case W_CLIENT_IN:
		if (c->in >= 0)
			client_readable(m, c);
		break;
	}
	if (m->stdin_fd >= 0 && m->input_at < m->input_length)
		write_input(m);
	for (int s = 0; s < 2; s++)
		if (m->streams[s].length && delivered(m, s))
			m->streams[s].length = 0;
}

static int has_clients(struct monitor *m)
{
	for (int i = 0; i < MAX_CLIENTS; i++)
		if (m->clients[i].socket >= 0)
			return 1;
	return 0;
}

static int open_streams(struct monitor *m)
{
	return m->streams[0].fd >= 0 || m->streams[1].fd >= 0 || m->streams[0].length || m->streams[1].length;
}

/* What nobody waits for is not delivered; a client that has not had all of it gets no more, rather than a hole. */
static void give_up_delivery(struct monitor *m)
{
	for (int i = 0; i < MAX_CLIENTS * 2; i++) {
		struct client *c = &m->clients[i / 2];
		int s = i % 2;
		if (c->socket < 0 || c->out[s] < 0 || c->done[s] >= m->streams[s].length)
			continue;
		close_fd(c->out[s]);
		c->out[s] = -1;
	}
	m->streams[0].length = m->streams[1].length = 0;
}

/* After the end: what is in the pipes still has to arrive, but a grandchild holding one may not keep us. */
static void loop(struct monitor *m)
{
	struct watch w;
	uint64_t ended_at = 0;
	calls_plan(m);
	while (!m->ended || open_streams(m)) {
		struct __kernel_timespec limit = {0, 100000000};
		watch_all(m, &w);
		long n = SYS(ppoll, w.fds, w.count, m->ended ? &limit : calls_wait(m, &limit), 0, 0);
		for (int i = 0; i < w.count && n > 0; i++)
			if (w.fds[i].revents)
				serve(m, w.what[i].kind, w.what[i].index, w.fds[i].revents);
		if (!m->ended) {
			calls_due(m);
			continue;
		}
		if (!ended_at)
			ended_at = now_ns(1);
		int waiting_for_reader = m->streams[0].length || m->streams[1].length;
		if (!waiting_for_reader && n == 0 && now_ns(1) - ended_at > DRAIN_NS)
			break;
		if (waiting_for_reader && (m->hurried || !has_clients(m)))
			give_up_delivery(m);
	}
	for (int s = 0; s < 2; s++)
		log_finish(&m->log, &m->streams[s].line, stream_name(s));
}

/*
 * A client that was attached from the start removes the container, and hangs up when it has. One that is stopped
 * (^Z) does not keep everybody else.
 */
static void await_removal(struct monitor *m)
{
	for (int i = 0; i < MAX_CLIENTS; i++) {
		struct pollfd p = {m->clients[i].socket, 0, 0};
		struct __kernel_timespec limit = {REMOVAL_SECONDS, 0};
		while (m->clients[i].waits && p.fd >= 0 && SYS(ppoll, &p, 1, &limit, 0, 0) == -EINTR)
			;
	}
}

void monitor_run(struct monitor *m)
{
	loop(m);
	struct __attribute__((packed)) { char type; int32_t code; uint8_t oom; } ended = {'X', m->exit_code, (uint8_t)m->oom};
	for (int i = 0; i < MAX_CLIENTS; i++)
		client_tell(m, &m->clients[i], &ended, sizeof(ended));
	plan_run_phase(m->context, PHASE_CLEANUP);
	/* The last that holds the container's mounts: gone before its files are. */
	for (int i = 0; i < PLAN_SLOTS; i++)
		close_fd(m->context->slots[i]);
	close_fd(m->listener);
	if (!m->config.discard_path[0]) {
		calls_last(m);
		exit_now(0);
	}
	await_removal(m);
	/* Whoever waited has moved the files out of the way; if nobody did, the engine is called for it. */
	if (remove_tree(m->config.discard_path) == -ENOENT)
		SYS(execve, m->config.call_argv[0], m->config.call_argv, m->config.call_envp);
	remove_tree(m->config.run_directory);
	exit_now(0);
}
