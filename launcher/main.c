/*
 * bocker-launcher: carries out the plan that the engine sends over file descriptor 3, reports there, and
 * stays as the container's monitor. It decides nothing.
 */
#include "monitor.h"
#include <linux/wait.h>

#define AF_UNIX 1
#define SOCK_SEQPACKET_CLOEXEC (5 | 02000000)
#define SIGPIPE_NUMBER 13
#define PID_MAX (1u << 22) /* the kernel's own limit */
#define PART_MAX (256u << 10) /* bytes; a packet of the engine's is smaller */
#define PART_DESCRIPTORS 64

static struct plan plan;
static struct context context;
static struct monitor monitor;

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
	plan_run_phase(&context, PHASE_CLEANUP);
	if (monitor.config.run_directory && monitor.config.run_directory[0] && !(monitor.config.flags & MONITOR_SESSION)) {
		static const char *const names[] = {"/attach", "/state.tmp"};
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

/* One operation of the container's init after the other, as they come. Returns only the failed one's error. */
static long run_inside(uint32_t *index)
{
	for (;;) {
		for (; *index < plan.count; ++*index) {
			long e = plan.ops[*index]->phase == PHASE_CONTAINER ? plan_run(&context, *index) : 0;
			if (e < 0)
				return e;
		}
		if (plan.complete)
			return -ENOEXEC; /* the last operation is exec */
		long e = sync_next(&context);
		if (e >= 0)
			e = plan_take(&plan);
		if (e < 0)
			return e;
	}
}

__attribute__((noreturn)) static void run_container(int pipes[4], int console)
{
	uint32_t index = 0;
	struct { void *handler; unsigned long flags; void *restorer; uint64_t mask; } standard = {0, 0, 0, 0};
	close_fd(pipes[1]);
	close_fd(pipes[2]);
	close_fd(CONTROL_FD);
	context.sync_read = pipes[0];
	context.error_write = pipes[3];
	context.console_socket = console;
	SYS(rt_sigaction, SIGPIPE_NUMBER, &standard, 0, 8);
	int32_t error = (int32_t)-run_inside(&index);
	struct failure failure = {index, error};
	write_all(context.error_write, &failure, sizeof(failure));
	exit_now(127);
}

/* A pidfd of a child of the monitor's; other processes, and ids that kill(2) reads as "all", are none. */
static int open_child(uint32_t pid)
{
	if (pid == 0 || pid > PID_MAX)
		return -EPROTO;
	/* Nobody else can have a child's id: the monitor has not waited for it. */
	int pidfd = (int)SYS(pidfd_open, pid, 0);
	long e = pidfd < 0 ? pidfd : SYS(waitid, P_PIDFD, pidfd, 0, WNOHANG | WNOWAIT | WEXITED, 0);
	if (e >= 0)
		return pidfd;
	close_fd(pidfd);
	return (int)e;
}

/* The container's process has ended, and left its place to this child of the monitor's. */
static void take_successor(uint32_t pid)
{
	if (context.result <= 0)
		fail(UINT32_MAX, -EPROTO); /* there is none whose place it could take */
	while (SYS(wait4, context.result, 0, 0, 0) == -EINTR)
		;
	close_fd(context.pidfd);
	context.result = -1; /* what is waited for is not killed any more */
	context.pidfd = open_child(pid);
	if (context.pidfd < 0)
		fail(UINT32_MAX, context.pidfd);
	context.result = pid;
}

/* Waits for what the container's init says: 1 that it has come so far, 0 that it has executed its program. */
static int await_container(int error_read)
{
	struct failure failure;
	long n;
	for (;;) {
		do
			n = SYS(read, error_read, &failure, sizeof(failure));
		while (n == -EINTR);
		if (n != sizeof(failure))
			return 0;
		if (failure.error != FAILURE_SUCCEEDED)
			break;
		take_successor(failure.index);
	}
	if (failure.error)
		fail(failure.index, -failure.error);
	return 1;
}

/* Held until the state file is there; -1 for sessions, which start nothing that could be taken for lost. */
static int start_lock = -1;
static struct client *first;
static int next_slot = SLOT_INHERITED;

static void take_descriptors(const int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (monitor.config.flags & MONITOR_LOCKED && start_lock < 0) {
			start_lock = fds[i];
			continue;
		}
		/* More than there are slots for are sockets of host ports, which no operation names. */
		if (next_slot < PLAN_SLOTS)
			context.slots[next_slot++] = fds[i];
		if (context.held_count == HELD_MAX)
			fail(UINT32_MAX, -EMFILE);
		context.held[context.held_count++] = fds[i];
	}
}

/*
 * Reads one packet: a part of the plan (P), or the engine's own attachment (A), which comes before the plan, so
 * that no output is missed. An engine that hangs up before the plan is complete has changed its mind.
 */
static void receive_part(void)
{
	unsigned char head[8] = {0};
	struct { uint64_t length; int level, type; int fds[PART_DESCRIPTORS]; } control;
	struct iovec data[2] = {{head, sizeof(head)}, {plan.base + plan.length, PART_MAX}};
	struct { void *name; int namelen, pad; struct iovec *iov; uint64_t iovlen; void *control; uint64_t controllen;
		int flags; } message = {0, 0, 0, data, 2, &control, sizeof(control), 0};
	if (plan.length > PLAN_MAX_BYTES - PART_MAX)
		fail(UINT32_MAX, -E2BIG);
	long n;
	do
		n = SYS(recvmsg, CONTROL_FD, &message, 0x40000000 /* MSG_CMSG_CLOEXEC */);
	while (n == -EINTR);
	if (n < 2 || message.flags & 0x28 /* MSG_TRUNC | MSG_CTRUNC */)
		fail(UINT32_MAX, n < 0 ? n : n == 0 ? -ECANCELED : -EINVAL);
	size_t count = message.controllen >= 16 && control.type == 1 && control.length >= 16 ? (control.length - 16) / 4 : 0;
	if (head[0] == 'A') {
		client_attach(first, head[1], control.fds, count);
		first->waits = first->out[0] >= 0;
		return;
	}
	if (head[0] != 'P' || n < 8)
		fail(UINT32_MAX, -EINVAL);
	int is_first = !plan.length;
	plan.length += (size_t)n - 8;
	plan.complete = head[1] & 1;
	long e = plan_index(&plan);
	if (e >= 0 && is_first)
		e = monitor_config_read(&monitor.config, &plan);
	if (e < 0)
		fail(UINT32_MAX, e);
	take_descriptors(control.fds, count);
}

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
	monitor.call_pidfd = -1;
	long e = plan_begin(&plan);
	if (e < 0)
		fail(UINT32_MAX, e);
	first = client_add(&monitor, CONTROL_FD);
	while (!plan.length)
		receive_part();
	if (plan_header(&plan)->flags & PLAN_TIMINGS) {
		long at = SYS(mmap, 0, (PLAN_MAX_OPS + 1) * 8, 3 /* PROT_READ|WRITE */, 0x21 /* MAP_SHARED|ANONYMOUS */, -1, 0);
		context.times = at > 0 || at < -4095 ? (uint64_t *)at : NULL;
	}
}

static void tell_started(void)
{
	struct __attribute__((packed)) { char type; uint32_t pid; } started = {'S', (uint32_t)context.result};
	static struct { uint64_t type; uint64_t times[PLAN_MAX_OPS]; } timings; /* zeroed, not in the binary */
	if (context.times) {
		timings.type = 'T';
		memcpy(timings.times, context.times, plan.count * 8);
		tell_engine(&timings, 8 + plan.count * 8);
	}
	tell_engine(&started, sizeof(started));
}

static int pipes[4], console[2] = {-1, -1}, run_directory = -1;

/* The container's process is there; it does its part while the monitor does its own. */
static void after_clone(void)
{
	struct monitor_config *config = &monitor.config;
	close_fd(pipes[0]);
	close_fd(pipes[3]);
	close_fd(console[1]);
	for (int i = 0; i < 3; i++)
		close_fd(context.stdio[i]);
	if (config->run_directory[0] && !(config->flags & MONITOR_SESSION)) {
		run_directory = open_at(AT_FDCWD, config->run_directory, O_RDONLY | O_DIRECTORY, 0);
		monitor.listener = run_directory < 0 ? run_directory : state_listen(run_directory);
		if (run_directory >= 0)
			state_prepare(run_directory, context.result);
	}
}

/* One operation of the monitor's. Returns in the container's process, too, but only to become it. */
static void run_outside(uint32_t index)
{
	const struct op *op = plan.ops[index];
	if (op->phase != PHASE_HOST && op->phase != PHASE_HOST_AFTER)
		return;
	if (op->code == OP_CLONE && !plan.complete) {
		long e = plan_share(&plan);
		if (e < 0)
			fail(index, e);
	}
	if (op->code == OP_WAIT && !await_container(pipes[2]))
		fail(index, -EPIPE);
	long before = context.result;
	long e = plan_run(&context, index);
	if (e < 0) {
		/* What was to be done to a process that is gone: then it has said why it went. */
		struct pollfd said = {pipes[2], POLLIN, 0};
		struct __kernel_timespec now = {0, 0};
		if (op->phase == PHASE_HOST_AFTER && SYS(ppoll, &said, 1, &now, 0, 0) > 0)
			await_container(pipes[2]);
		fail(index, e);
	}
	/* A clone that was refused, and whose refusal does not count, has made no process. */
	if (op->code != OP_CLONE || context.result == before)
		return;
	if (context.result == 0)
		run_container(pipes, console[1]);
	after_clone();
}

/* Does what the plan says, as it comes, until the container's program runs. */
static void start_container(void)
{
	static const char more = SYNC_MORE;
	for (uint32_t next = 0;;) {
		while (next < plan.count)
			run_outside(next++);
		if (plan.complete)
			break;
		receive_part();
		if (plan.handover) {
			plan_give(&plan);
			SYS(write, context.sync_write, &more, 1);
		}
	}
	plan_unshare(&plan);
	if (context.result < 0)
		fail(UINT32_MAX, -EINVAL);
	if (await_container(pipes[2]))
		fail(UINT32_MAX, -EPROTO);
	close_fd(pipes[2]);
}

__attribute__((noreturn)) static void launcher_main(void)
{
	prepare();
	struct monitor_config *config = &monitor.config;
	if (SYS(pipe2, pipes, O_CLOEXEC) < 0 || SYS(pipe2, pipes + 2, O_CLOEXEC) < 0 || make_stdio(context.stdio) < 0)
		fail(UINT32_MAX, -EMFILE);
	if (config->flags & MONITOR_TTY)
		SYS(socketpair, AF_UNIX, 1 | 02000000, 0, console);
	context.sync_write = pipes[1];
	log_open(&monitor.log, config->log_path, config->log_max_size, config->log_max_files);
	start_container();
	context.started = now_ns(1);
	if (config->flags & MONITOR_TTY) {
		int pty = receive_descriptor(console[0]);
		monitor.streams[0].fd = pty;
		monitor.stdin_fd = pty;
		SYS(fcntl, pty, F_SETFL, O_NONBLOCK | O_RDWR);
		close_fd(console[0]);
	}
	if (run_directory >= 0)
		state_publish(run_directory);
	close_fd(run_directory);
	plan_run_phase(&context, PHASE_STARTED);
	close_fd(start_lock); /* the state file speaks for the container from here on */
	tell_started();
	monitor_run(&monitor);
}

void launcher_start(void);
void launcher_start(void)
{
	launcher_main();
}

#if defined(SYSTEM_CALLS_ELSEWHERE)
/* The fuzzer's program has a beginning of its own. */
#elif defined(__x86_64__)
__asm__(".globl _start\n_start: xor %ebp,%ebp\n and $-16,%rsp\n call launcher_start\n hlt\n");
#elif defined(__aarch64__)
__asm__(".globl _start\n_start: mov x29,#0\n mov x30,#0\n mov x0,sp\n and sp,x0,#-16\n bl launcher_start\n");
#endif
