/*
 * bocker-launcher: carries out a plan (file descriptor 4), reports to the engine (3), and stays as the
 * container's monitor. It decides nothing.
 */
#include "monitor.h"

#define CONTROL_FD 3
#define PLAN_FD 4
#define INHERITED_FD 5
#define AF_UNIX 1
#define SOCK_SEQPACKET_CLOEXEC (5 | 02000000)
#define SIGPIPE_NUMBER 13

static struct plan plan;
static struct context context;
static struct monitor monitor;

struct __attribute__((packed)) failure {
	uint32_t index;
	int32_t error;
};

static void tell_engine(const void *message, size_t n)
{
	SYS(sendto, CONTROL_FD, message, n, 0x4000 /* MSG_NOSIGNAL */, 0, 0);
}

__attribute__((noreturn)) static void fail(uint32_t index, long error)
{
	struct __attribute__((packed)) { char type; struct failure failure; } message = {'F', {index, (int32_t)-error}};
	if (context.result > 0) {
		SYS(kill, context.result, 9);
		SYS(wait4, context.result, 0, 0, 0);
	}
	/* A failed start leaves nothing: undone first, reported then. */
	plan_run_cleanup(&context);
	if (monitor.config.run_directory && monitor.config.run_directory[0] && !(monitor.config.flags & MONITOR_SESSION)) {
		static const char *const names[] = {"/attach", "/state"};
		for (size_t i = 0; i < LENGTH(names); i++) {
			char path[PATH_MAX];
			struct text t = {path, sizeof(path), 0, 0};
			text_add(&t, monitor.config.run_directory);
			text_add(&t, names[i]);
			SYS(unlinkat, AT_FDCWD, path, 0);
		}
	}
	tell_engine(&message, sizeof(message));
	exit_now(1);
}

static int make_pipe(int ends[2], int blocking_end)
{
	long e = SYS(pipe2, ends, O_CLOEXEC);
	if (e >= 0)
		SYS(fcntl, ends[1 - blocking_end], F_SETFL, O_NONBLOCK);
	return (int)e;
}

/* Real pipes, never socketpairs: /dev/stdout must be openable in the container. */
static long make_stdio(int theirs[3])
{
	int ends[2];
	theirs[0] = theirs[1] = theirs[2] = -1;
	monitor.stdin_fd = monitor.streams[0].fd = monitor.streams[1].fd = -1;
	if (monitor.config.flags & MONITOR_TTY)
		return 0;
	if (monitor.config.flags & MONITOR_STDIN) {
		if (make_pipe(ends, 0) < 0)
			return -EMFILE;
		theirs[0] = ends[0];
		monitor.stdin_fd = ends[1];
	}
	for (int i = 0; i < 2; i++) {
		if (make_pipe(ends, 1) < 0)
			return -EMFILE;
		monitor.streams[i].fd = ends[0];
		theirs[1 + i] = ends[1];
	}
	return 0;
}

static long start_time(long pid, char *buffer, size_t size)
{
	char path[32];
	struct text t = {path, sizeof(path), 0, 0};
	text_add(&t, "/proc/");
	text_add_number(&t, (unsigned long)pid);
	text_add(&t, "/stat");
	long n = read_small_file(path, buffer, size);
	/* Field 22; the name in field 2 may contain anything, so count from the last ')'. */
	long at = n;
	while (at > 0 && buffer[at] != ')')
		at--;
	long value = 0;
	for (int field = 2; at < n && field < 22; at++)
		field += buffer[at] == ' ';
	while (at < n && buffer[at] >= '0' && buffer[at] <= '9')
		value = value * 10 + (buffer[at++] - '0');
	return value;
}

static void write_state(int directory)
{
	char buffer[1024], content[256];
	struct text t = {content, sizeof(content), 0, 0};
	long self = SYS(getpid);
	text_add(&t, "{\"pid\":");
	text_add_number(&t, (unsigned long)context.result);
	text_add(&t, ",\"pidStart\":");
	text_add_number(&t, (unsigned long)start_time(context.result, buffer, sizeof(buffer)));
	text_add(&t, ",\"monitor\":");
	text_add_number(&t, (unsigned long)self);
	text_add(&t, ",\"monitorStart\":");
	text_add_number(&t, (unsigned long)start_time(self, buffer, sizeof(buffer)));
	text_add(&t, ",\"started\":\"");
	text_add_time(&t, now_ns(0));
	text_add(&t, "\"}\n");
	int fd = open_at(directory, "state.tmp", O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600);
	if (fd < 0 || write_all(fd, content, t.length) < 0)
		return;
	close_fd(fd);
	SYS(renameat2, directory, "state.tmp", directory, "state", 0);
}

/* The socket's address goes through the directory's descriptor: sun_path holds 108 bytes only. */
static int listen_in(int directory)
{
	struct { uint16_t family; char path[108]; } address = {AF_UNIX, {0}};
	struct text t = {address.path, sizeof(address.path), 0, 0};
	text_add(&t, "/proc/self/fd/");
	text_add_number(&t, (unsigned long)directory);
	text_add(&t, "/attach");
	SYS(unlinkat, directory, "attach", 0);
	int fd = (int)SYS(socket, AF_UNIX, SOCK_SEQPACKET_CLOEXEC, 0);
	SYS(umask, 0177);
	long e = SYS(bind, fd, &address, sizeof(address));
	SYS(umask, 022);
	if (e >= 0)
		e = SYS(listen, fd, 16);
	if (e >= 0)
		return fd;
	close_fd(fd);
	return (int)e;
}

static int receive_descriptor(int socket)
{
	char byte;
	struct { uint64_t length; int level, type; int fd, pad; } control;
	struct iovec data = {&byte, 1};
	struct { void *name; int namelen, pad; struct iovec *iov; uint64_t iovlen; void *control; uint64_t controllen;
		int flags; } message = {0, 0, 0, &data, 1, &control, sizeof(control), 0};
	long n = SYS(recvmsg, socket, &message, 0x40000040 /* CLOEXEC | DONTWAIT */);
	return n == 1 && message.controllen >= 20 ? control.fd : -EPIPE;
}

__attribute__((noreturn)) static void run_container(int pipes[4], int console)
{
	struct failure failure = {0, 0};
	uint32_t index = 0;
	struct { void *handler; unsigned long flags; void *restorer; uint64_t mask; } standard = {0, 0, 0, 0};
	close_fd(pipes[1]);
	close_fd(pipes[2]);
	close_fd(CONTROL_FD);
	context.sync_read = pipes[0];
	context.error_write = pipes[3];
	context.console_socket = console;
	SYS(rt_sigaction, SIGPIPE_NUMBER, &standard, 0, 8);
	failure.error = (int32_t)-plan_run_phase(&context, PHASE_CONTAINER, &index);
	failure.index = index;
	write_all(context.error_write, &failure, sizeof(failure));
	exit_now(127);
}

/* Waits until the container's init has executed its program, or has said why not. */
static void await_start(int error_read)
{
	struct failure failure;
	long n;
	do
		n = SYS(read, error_read, &failure, sizeof(failure));
	while (n == -EINTR);
	if (n == sizeof(failure))
		fail(failure.index, -failure.error);
	close_fd(error_read);
}

/* Held until the state file is there; -1 for sessions, which start nothing that could be taken for lost. */
static int start_lock = -1;

static void prepare(void)
{
	struct { void *handler; unsigned long flags; void *restorer; uint64_t mask; } ignore = {(void *)1, 0, 0, 0};
	SYS(rt_sigaction, SIGPIPE_NUMBER, &ignore, 0, 8);
	SYS(prctl, 4 /* PR_SET_DUMPABLE */, 0, 0, 0, 0);
	SYS(fcntl, CONTROL_FD, 2 /* F_SETFD */, 1);
	context.plan = &plan;
	context.tmpfs_mask = -1;
	context.pidfd = -1;
	context.result = -1;
	for (int i = 0; i < PLAN_SLOTS; i++)
		context.slots[i] = -1;
	for (int i = 0; i < MAX_CLIENTS; i++)
		monitor.clients[i] = (struct client){.socket = -1, .in = -1, .out = {-1, -1}};
	monitor.context = &context;
	monitor.listener = -1;
	long e = plan_load(&plan, PLAN_FD);
	if (e >= 0)
		e = monitor_config_read(&monitor.config, &plan);
	if (e < 0)
		fail(UINT32_MAX, e);
	close_fd(PLAN_FD);
	/* More than there are slots for are host ports, which only need to be held. */
	for (uint64_t i = 0; i < monitor.config.inherited; i++) {
		if (SLOT_INHERITED + i < PLAN_SLOTS)
			context.slots[SLOT_INHERITED + i] = (int)(INHERITED_FD + i);
		SYS(fcntl, INHERITED_FD + i, 2 /* F_SETFD */, 1);
	}
	/* Whoever holds the container's lock shares it: killed now, it must not look as if nobody were starting it. */
	int lock = (int)(INHERITED_FD + monitor.config.inherited);
	start_lock = SYS(fcntl, lock, 2 /* F_SETFD */, 1) < 0 ? -1 : lock;
	if (plan.header->flags & PLAN_TIMINGS) {
		long at = SYS(mmap, 0, (PLAN_MAX_OPS + 1) * 8, 3 /* PROT_READ|WRITE */, 0x21 /* MAP_SHARED|ANONYMOUS */, -1, 0);
		context.times = at > 0 || at < -4095 ? (uint64_t *)at : NULL;
	}
}

static void tell_started(void)
{
	struct __attribute__((packed)) { char type; uint32_t pid; } started = {'S', (uint32_t)context.result};
	static struct { uint64_t type; uint64_t times[PLAN_MAX_OPS]; } timings = {'T', {0}};
	if (context.times) {
		memcpy(timings.times, context.times, plan.count * 8);
		tell_engine(&timings, 8 + plan.count * 8);
	}
	tell_engine(&started, sizeof(started));
}

__attribute__((noreturn)) static void launcher_main(void)
{
	int pipes[4], console[2] = {-1, -1}, directory = -1;
	uint32_t failed = 0;
	prepare();
	struct monitor_config *config = &monitor.config;
	if (SYS(pipe2, pipes, O_CLOEXEC) < 0 || SYS(pipe2, pipes + 2, O_CLOEXEC) < 0 || make_stdio(context.stdio) < 0)
		fail(UINT32_MAX, -EMFILE);
	if (config->flags & MONITOR_TTY)
		SYS(socketpair, AF_UNIX, 1 | 02000000, 0, console);
	context.sync_write = pipes[1];
	log_open(&monitor.log, config->log_path, config->log_max_size, config->log_max_files);
	/* The engine's own attachment lies in the socket already; taken first, so that no output is missed. */
	struct client *first = client_add(&monitor, CONTROL_FD);
	client_message(&monitor, first);
	first->waits = first->out[0] >= 0;
	long e = plan_run_phase(&context, PHASE_HOST, &failed);
	if (e >= 0 && context.result == 0) /* OP_CLONE, the phase's last, returned twice */
		run_container(pipes, console[1]);
	close_fd(pipes[0]);
	close_fd(pipes[3]);
	close_fd(console[1]);
	for (int i = 0; i < 3; i++)
		close_fd(context.stdio[i]);
	if (e >= 0 && config->run_directory[0] && !(config->flags & MONITOR_SESSION)) {
		directory = open_at(AT_FDCWD, config->run_directory, O_RDONLY | O_DIRECTORY, 0);
		monitor.listener = directory < 0 ? directory : listen_in(directory);
	}
	if (e >= 0)
		e = plan_run_phase(&context, PHASE_HOST_AFTER, &failed);
	if (e < 0)
		fail(failed, e);
	await_start(pipes[2]);
	if (config->flags & MONITOR_TTY) {
		int pty = receive_descriptor(console[0]);
		monitor.streams[0].fd = pty;
		monitor.stdin_fd = pty;
		SYS(fcntl, pty, F_SETFL, O_NONBLOCK | O_RDWR);
		close_fd(console[0]);
	}
	if (directory >= 0)
		write_state(directory);
	close_fd(directory);
	close_fd(start_lock); /* the state file speaks for the container from here on */
	tell_started();
	monitor_run(&monitor);
}

void launcher_start(void);
void launcher_start(void)
{
	launcher_main();
}

#if defined(__x86_64__)
__asm__(".globl _start\n_start: xor %ebp,%ebp\n and $-16,%rsp\n call launcher_start\n hlt\n");
#elif defined(__aarch64__)
__asm__(".globl _start\n_start: mov x29,#0\n mov x30,#0\n mov x0,sp\n and sp,x0,#-16\n bl launcher_start\n");
#endif
