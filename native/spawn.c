/*
 * spawn: a child of a multi-threaded JavaScript runtime, started as a clean process.
 *
 * The child shares the parent's memory until it executes (vfork), so between the two it makes
 * system calls only, and touches nothing but `struct spawn`.
 */
#include "module.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define FUNCTION(name) static napi_value name(napi_env env, napi_callback_info info)
#define HIGHEST_SIGNAL 64
#define KERNEL_SIGSET_SIZE 8

struct spawn {
	int exe_fd;
	char **argv;
	char **envp;
	/* A copy of the caller's: the child rewrites it while it moves descriptors. */
	int *fds;
	int fd_count;
	bool new_session;
	/* The cgroup v2 directory that the child is born in; -1: the caller's. */
	int cgroup;
	volatile int error;
};

/* glibc's sigaction refuses the two real-time signals it keeps for itself; the kernel does not. */
static void reset_signals(void)
{
	/* The kernel's struct sigaction, which is at most 32 bytes: zero is SIG_DFL, no flags. */
	const uint64_t action[4] = {0};
	const uint64_t empty = 0;

	for (int signal = 1; signal <= HIGHEST_SIGNAL; signal++)
		syscall(SYS_rt_sigaction, signal, action, NULL, KERNEL_SIGSET_SIZE);
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &empty, NULL, KERNEL_SIGSET_SIZE);
}

/* Puts fds[i] at number i. Sources below fd_count move up first, so no dup2 overwrites one. */
static int place_descriptors(struct spawn *spawn)
{
	int count = spawn->fd_count;

	if (spawn->exe_fd < count) {
		spawn->exe_fd = fcntl(spawn->exe_fd, F_DUPFD_CLOEXEC, count);
		if (spawn->exe_fd < 0)
			return -1;
	}
	for (int i = 0; i < count; i++) {
		int fd = spawn->fds[i];

		if (fd < 0 || fd >= count || fd == i)
			continue;
		spawn->fds[i] = fcntl(fd, F_DUPFD_CLOEXEC, count);
		if (spawn->fds[i] < 0)
			return -1;
	}
	for (int i = 0; i < count; i++) {
		int fd = spawn->fds[i];

		if (fd < 0)
			close(i);
		else if (fd == i ? fcntl(i, F_SETFD, 0) < 0 : dup2(fd, i) < 0)
			return -1;
	}
	/* Not closed at once: the program itself is still to be read from one of them. */
	return (int)syscall(SYS_close_range, (unsigned int)count, ~0U, CLOSE_RANGE_CLOEXEC);
}

/*
 * What a caller may have set for itself, with nice, chrt, ionice, taskset or setarch, is not the container's: it would
 * keep it for ever, and some of it (no randomized addresses) weakens it. Where it may not be changed, it stays.
 */
static void reset_scheduling(void)
{
	const struct sched_param standard = {0};
	uint64_t processors[16];

	memset(processors, 0xff, sizeof processors);
	syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, &standard);
	syscall(SYS_setpriority, PRIO_PROCESS, 0, 0);
	syscall(SYS_ioprio_set, 1 /* IOPRIO_WHO_PROCESS */, 0, 0);
	syscall(SYS_sched_setaffinity, 0, sizeof processors, processors);
	syscall(SYS_personality, 0);
}

static __attribute__((noreturn)) void run_child(struct spawn *spawn)
{
	umask(022);
	if (spawn->new_session && setsid() < 0)
		goto failed;
	if (place_descriptors(spawn) < 0)
		goto failed;
	reset_signals();
	reset_scheduling();
	syscall(SYS_execveat, spawn->exe_fd, "", spawn->argv, spawn->envp, AT_EMPTY_PATH);
failed:
	spawn->error = errno;
	_exit(127);
}

static __attribute__((noinline)) pid_t vfork_and_run(struct spawn *spawn)
{
	pid_t pid = vfork();

	if (pid == 0)
		run_child(spawn);
	return pid;
}

/*
 * clone3 without a frame of its own: the child goes on with its parent's stack, below this frame, so a wrapper's
 * return address would be overwritten before the parent comes back for it.
 */
static inline __attribute__((always_inline)) long raw_clone3(struct clone_args *args)
{
#if defined(__x86_64__)
	long result;

	__asm__ volatile("syscall" : "=a"(result) : "a"(SYS_clone3), "D"(args), "S"(sizeof *args) : "rcx", "r11", "memory");
	return result;
#elif defined(__aarch64__)
	register long x8 __asm__("x8") = SYS_clone3;
	register long x0 __asm__("x0") = (long)args;
	register long x1 __asm__("x1") = sizeof *args;

	__asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1) : "memory");
	return x0;
#else
#error "bocker knows x86-64 and arm64"
#endif
}

/* As vfork, into a cgroup: a move after birth would wait milliseconds for the kernel. */
static __attribute__((noinline)) pid_t clone_and_run(struct spawn *spawn)
{
	struct clone_args args = {
		.flags = CLONE_VM | CLONE_VFORK | CLONE_INTO_CGROUP,
		.exit_signal = SIGCHLD,
		.cgroup = (uint64_t)spawn->cgroup,
	};
	long pid = raw_clone3(&args);

	if (pid == 0)
		run_child(spawn);
	if (pid >= 0)
		return (pid_t)pid;
	errno = (int)-pid;
	return -1;
}

static int64_t spawn_process(struct spawn *spawn)
{
	const uint64_t all = ~(uint64_t)0;
	uint64_t before = 0;
	pid_t pid;
	int failure;

	/* A handler of the runtime that ran in the child would run on the parent's memory. */
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &before, KERNEL_SIGSET_SIZE);
	pid = spawn->cgroup < 0 ? vfork_and_run(spawn) : clone_and_run(spawn);
	failure = pid < 0 ? errno : spawn->error;
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, KERNEL_SIGSET_SIZE);
	if (failure != 0) {
		while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			continue;
		errno = failure;
		return -1;
	}
	return pid;
}

static void free_strings(char **strings)
{
	for (size_t i = 0; strings != NULL && strings[i] != NULL; i++)
		free(strings[i]);
	free(strings);
}

static char *take_string(struct call *call, napi_value value)
{
	size_t length = 0;
	char *string;

	if (napi_get_value_string_utf8(call->env, value, NULL, 0, &length) != napi_ok) {
		throw_type(call, "an array of strings was expected");
		return NULL;
	}
	string = malloc(length + 1);
	if (string == NULL) {
		call->error = ENOMEM;
		return NULL;
	}
	napi_get_value_string_utf8(call->env, value, string, length + 1, &length);
	if (memchr(string, '\0', length) != NULL)
		call->error = EINVAL;
	return string;
}

static char **take_strings(struct call *call, int index)
{
	uint32_t count = 0;
	char **strings;

	if (call_ready(call) && napi_get_array_length(call->env, call->argv[index], &count) != napi_ok)
		throw_type(call, "an array of strings was expected");
	if (!call_ready(call))
		return NULL;
	strings = calloc((size_t)count + 1, sizeof *strings);
	if (strings == NULL)
		call->error = ENOMEM;
	for (uint32_t i = 0; call_ready(call) && i < count; i++) {
		napi_value element;

		if (napi_get_element(call->env, call->argv[index], i, &element) != napi_ok)
			throw_type(call, "an array of strings was expected");
		else
			strings[i] = take_string(call, element);
	}
	return strings;
}

FUNCTION(js_spawn)
{
	ENTER(6);
	size_t fd_count;
	int32_t *fds = take_int32s(&call, 3, 0, &fd_count);
	struct spawn spawn = {
		.exe_fd = (int)take_integer(&call, 0),
		.fd_count = (int)fd_count,
		.new_session = take_boolean(&call, 4),
		.cgroup = (int)take_integer(&call, 5),
	};
	int64_t pid = -1;

	spawn.argv = take_strings(&call, 1);
	spawn.envp = take_strings(&call, 2);
	if (call_ready(&call)) {
		spawn.fds = calloc(fd_count + 1, sizeof *spawn.fds);
		if (spawn.fds == NULL)
			call.error = ENOMEM;
		else if (fd_count > 0)
			memcpy(spawn.fds, fds, fd_count * sizeof *spawn.fds);
	}
	if (call_ready(&call)) {
		pid = spawn_process(&spawn);
		if (pid < 0)
			call.error = errno;
	}
	free(spawn.fds);
	free_strings(spawn.argv);
	free_strings(spawn.envp);
	return call_end(&call, pid);
}

const struct function spawn_functions[] = {
	{"spawn", js_spawn},
	{NULL, NULL},
};
