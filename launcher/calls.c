/* Calls of the engine: a monitor decides nothing, and the engine has no process that could wait. */
#include "monitor.h"

#define WAIT_MAX_MS 1000000000u
#define KILLED_SECONDS 1

/* A file in the run directory, by which the engine says what it wants; 0 where there can be none. */
static int wish(struct monitor *m, char path[PATH_MAX], const char *name)
{
	struct text t = {path, PATH_MAX, 0, 0};
	text_add(&t, m->config.run_directory);
	text_add(&t, name);
	return m->config.run_directory[0] && m->config.call_argv[0] && !t.overflow;
}

static long fork_engine(struct monitor *m, int *pidfd)
{
	struct clone_args args = {.flags = CLONE_PIDFD, .pidfd = (uint64_t)(uintptr_t)pidfd, .exit_signal = 17 /* SIGCHLD */};
	long pid = SYS(clone3, &args, sizeof(args));
	if (pid)
		return pid;
	SYS(execve, m->config.call_argv[0], m->config.call_argv, m->config.call_envp);
	exit_now(127);
}

void calls_plan(struct monitor *m)
{
	char path[PATH_MAX], digits[16];
	uint64_t wait = 0;
	m->call_at = 0;
	if (!wish(m, path, "/check") || read_small_file(path, digits, sizeof(digits)) <= 0)
		return;
	for (int i = 0; digits[i] >= '0' && digits[i] <= '9' && wait < WAIT_MAX_MS; i++)
		wait = wait * 10 + (uint64_t)(digits[i] - '0');
	m->call_at = now_ns(1) + wait * 1000000;
}

struct __kernel_timespec *calls_wait(struct monitor *m, struct __kernel_timespec *limit)
{
	if (!m->call_at)
		return NULL;
	uint64_t now = now_ns(1);
	uint64_t left = m->call_at > now ? m->call_at - now : 0;
	*limit = (struct __kernel_timespec){(long)(left / 1000000000), (long)(left % 1000000000)};
	return limit;
}

void calls_due(struct monitor *m)
{
	if (!m->call_at || now_ns(1) < m->call_at)
		return;
	m->call_at = 0;
	m->call_pid = fork_engine(m, &m->call_pidfd);
	if (m->call_pid > 0)
		return;
	/* No memory, or no process for it: some other time. */
	m->call_pidfd = -1;
	calls_plan(m);
}

void calls_ended(struct monitor *m)
{
	int status;
	while (SYS(wait4, m->call_pid, &status, 0, 0) == -EINTR)
		;
	close_fd(m->call_pidfd);
	m->call_pidfd = -1;
	calls_plan(m);
}

void calls_stop(struct monitor *m)
{
	m->call_at = 0;
	if (m->call_pidfd < 0)
		return;
	/* Where even SIGKILL has to wait for a disk or a server, nobody else does. */
	struct pollfd gone = {m->call_pidfd, POLLIN, 0};
	struct __kernel_timespec limit = {KILLED_SECONDS, 0};
	SYS(pidfd_send_signal, m->call_pidfd, 9, 0, 0);
	SYS(ppoll, &gone, 1, &limit, 0, 0);
	close_fd(m->call_pidfd);
	m->call_pidfd = -1;
}

void calls_last(struct monitor *m)
{
	char path[PATH_MAX];
	if (wish(m, path, "/restart") && SYS(faccessat, AT_FDCWD, path, 0, 0) == 0)
		fork_engine(m, &m->call_pidfd);
}
