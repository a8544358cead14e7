/* Operations that make, join and become processes. */
#include "plan.h"
#include <linux/prctl.h>

#define TIOCSPTLCK 0x40045431
#define TIOCGPTPEER 0x5441
#define TIOCSWINSZ 0x5414
#define TIOCSCTTY 0x540e
#define DEVPTS_SUPER_MAGIC 0x1cd1

/* args: flags, slot of the cgroup directory (~0: none). In the child the result is 0. */
static long clone_init(struct context *c, struct args *a)
{
	uint64_t flags = arg_int(a), slot = arg_int(a);
	struct clone_args args = {.flags = flags | CLONE_PIDFD, .exit_signal = 17 /* SIGCHLD */};
	args.pidfd = (uint64_t)(uintptr_t)&c->pidfd;
	if (c->result >= 0) /* one container; the pipes to another one are no longer open */
		return -EINVAL;
	if (slot != UINT64_MAX) {
		int cgroup = slot_get(c, slot);
		if (cgroup < 0)
			return -EBADF;
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)cgroup;
	}
	long pid = SYS(clone3, &args, sizeof(args));
	if (pid >= 0)
		c->result = pid; /* what is no process must never be waited for */
	return pid;
}

static long open_namespace(struct context *c, struct args *a)
{
	uint64_t slot = arg_int(a);
	char path[64];
	struct text t = {path, sizeof(path), 0, 0};
	text_add(&t, "/proc/");
	text_add_number(&t, (unsigned long)c->result);
	text_add(&t, "/ns/");
	text_add(&t, arg_bytes(a, NULL));
	return slot_set(c, slot, open_at(AT_FDCWD, path, O_RDONLY, 0));
}

long sync_next(struct context *c)
{
	char byte = 0;
	long n;
	do
		n = SYS(read, c->sync_read, &byte, 1);
	while (n == -EINTR);
	c->signalled += byte == SYNC_SIGNAL;
	return n == 1 ? 0 : n < 0 ? n : -EPIPE;
}

static long wait_for_monitor(struct context *c)
{
	long e = 0;
	while (e >= 0 && !c->signalled)
		e = sync_next(c);
	if (e >= 0)
		c->signalled--;
	return e;
}

/* The container's init has something to say that is no failure, by the pipe of its failures. */
static long tell_monitor(struct context *c)
{
	static const struct failure reached = FAILURE_NONE;
	return write_all(c->error_write, &reached, sizeof(reached));
}

/* Dies with the monitor; and if the monitor died before this call, now. */
static long die_with_monitor(struct context *c)
{
	long e = SYS(prctl, PR_SET_PDEATHSIG, 9, 0, 0, 0);
	struct pollfd p = {c->sync_read, POLLIN, 0};
	struct __kernel_timespec now = {0, 0};
	if (e >= 0 && SYS(ppoll, &p, 1, &now, 0, 0) > 0 && (p.revents & POLLHUP))
		return -EPIPE;
	return e;
}

/* One packet of one byte, which says what comes with it. */
static long send_descriptor(int socket, char type, int fd)
{
	struct { uint64_t length; int level, type; int fd; int pad; } control = {20, 1 /* SOL_SOCKET */, 1 /* SCM_RIGHTS */, fd, 0};
	struct iovec data = {&type, 1};
	struct { void *name; int namelen, pad; struct iovec *iov; uint64_t iovlen; void *control; uint64_t controllen;
		int flags; } message = {0, 0, 0, &data, 1, &control, sizeof(control), 0};
	return SYS(sendmsg, socket, &message, 0x4000 /* MSG_NOSIGNAL */);
}

/* The pty comes from the container's own devpts; no name in it is ever trusted (CVE-2025-52565). */
static int open_pty(int *peer)
{
	struct { long type; char rest[256]; } fs;
	int unlocked = 0;
	int master = open_at(AT_FDCWD, "/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_NOFOLLOW, 0);
	if (master < 0)
		return master;
	long e = SYS(fstatfs, master, &fs);
	if (e >= 0 && fs.type != DEVPTS_SUPER_MAGIC)
		e = -ENODEV;
	if (e >= 0)
		e = SYS(ioctl, master, TIOCSPTLCK, &unlocked);
	if (e >= 0)
		e = *peer = (int)SYS(ioctl, master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (e >= 0)
		return master;
	close_fd(master);
	return (int)e;
}

static long bind_console(int peer)
{
	int file = open_at(AT_FDCWD, "/dev/console", O_CREAT | O_NOFOLLOW | O_RDONLY | O_NONBLOCK | O_NOCTTY, 0620);
	if (file < 0)
		return file;
	int tree = (int)SYS(open_tree, peer, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
	long e = tree < 0 ? tree
			  : SYS(move_mount, tree, "", file, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
	close_fd(tree);
	close_fd(file);
	return e;
}

static long set_up_pty(struct context *c, int console, unsigned rows, unsigned cols, uint32_t uid)
{
	struct { unsigned short rows, cols, x, y; } size = {(unsigned short)rows, (unsigned short)cols, 0, 0};
	int peer = -1, master = open_pty(&peer);
	if (master < 0)
		return master;
	if (rows && cols)
		SYS(ioctl, master, TIOCSWINSZ, &size);
	SYS(fchownat, peer, "", uid, -1, AT_EMPTY_PATH);
	long e = console ? bind_console(peer) : 0;
	if (e >= 0)
		e = send_descriptor(c->console_socket, 'P', master);
	if (e >= 0)
		e = SYS(ioctl, peer, TIOCSCTTY, 0);
	for (int i = 0; i < 3 && e >= 0; i++)
		e = SYS(dup3, peer, i, 0);
	close_fd(peer);
	close_fd(master);
	return e;
}

/* args: tty, console, rows, columns, uid, gid-less owner of the streams */
static long set_up_stdio(struct context *c, struct args *a)
{
	int tty = (int)arg_int(a), console = (int)arg_int(a);
	unsigned rows = (unsigned)arg_int(a), cols = (unsigned)arg_int(a);
	uint32_t uid = (uint32_t)arg_int(a);
	long e = SYS(setsid);
	if (e < 0)
		return e;
	if (tty)
		return set_up_pty(c, console, rows, cols, uid);
	for (int i = 0; i < 3; i++) {
		int fd = c->stdio[i];
		if (fd < 0) {
			/* The container's own null device, so that no descriptor of the host stays. */
			fd = open_at(AT_FDCWD, "/dev/null", i ? O_WRONLY : O_RDONLY, 0);
			if (fd < 0)
				return fd;
		} else {
			SYS(fchownat, fd, "", uid, -1, AT_EMPTY_PATH); /* so that /dev/stdout can be opened */
		}
		e = SYS(dup3, fd, i, 0);
		if (e < 0 && fd != i)
			return e;
	}
	return 0;
}

/*
 * Closed now rather than by execve: that looks the program up first, and the container may have chosen a path that
 * goes by /proc/self/fd (CVE-2024-21626). What is needed until then are two pipes, and no path goes on from a pipe.
 */
static long close_rest(struct context *c)
{
	unsigned keep[2] = {(unsigned)c->sync_read, (unsigned)c->error_write}, from = 3;
	if (keep[0] > keep[1]) {
		keep[0] = (unsigned)c->error_write;
		keep[1] = (unsigned)c->sync_read;
	}
	for (int i = 0; i < 2; i++) {
		if (keep[i] > from)
			SYS(close_range, from, keep[i] - 1, 0);
		if (keep[i] >= from)
			from = keep[i] + 1;
	}
	SYS(close_range, from, ~0u, 0);
	return SYS(close_range, 3, ~0u, 4 /* CLOSE_RANGE_CLOEXEC */);
}

/*
 * A child takes this process's place: a process that is in another pid namespace than its own children, and has been
 * in none of the container's until now, was not to be seen by the container (CVE-2016-9962). The child is the monitor's
 * as this one is; nothing of the host is open or under it.
 */
static long succeed(struct context *c)
{
	for (int i = 0; i < PLAN_SLOTS; i++)
		slot_empty(c, (uint64_t)i);
	struct clone_args args = {.flags = CLONE_PARENT};
	long pid = SYS(clone3, &args, sizeof(args));
	if (pid <= 0)
		return pid;
	/* Its id in this process's pid namespace, which is the monitor's. */
	struct failure succeeded = {(uint32_t)pid, FAILURE_SUCCEEDED};
	write_all(c->error_write, &succeeded, sizeof(succeeded));
	exit_now(0);
}

static const char **read_list(struct args *a, const char **list, size_t room)
{
	uint64_t n = arg_int(a);
	if (n >= room) {
		a->bad = 1;
		n = 0;
	}
	for (uint64_t i = 0; i < n; i++)
		list[i] = arg_bytes(a, NULL);
	list[n] = NULL;
	return list + n + 1;
}

/* args: argv, environment, candidate paths of the program. Returns only on failure. */
static long execute(struct args *a)
{
	static const char *lists[131072];
	const char **argv = lists, **end = lists + LENGTH(lists);
	const char **envp = read_list(a, argv, LENGTH(lists) / 2);
	const char **paths = read_list(a, envp, (size_t)(end - envp) - 64);
	read_list(a, paths, (size_t)(end - paths));
	if (a->bad)
		return -E2BIG;
	long result = -ENOENT;
	for (; *paths; paths++) {
		long e = SYS(execve, *paths, argv, envp);
		if (e == -EACCES)
			result = e; /* found, but not allowed: a later candidate may still do */
		else if (e != -ENOENT && e != -ENOTDIR)
			return e;
	}
	return result;
}

/* The parent becomes the reaper; the child goes on with the plan. */
static long split_reaper(struct context *c)
{
	uint64_t all = ~0ull, none = 0;
	SYS(rt_sigprocmask, 2 /* SIG_SETMASK */, &all, 0, 8);
	/* The old call: the filter is loaded, and answers clone3 with ENOSYS, since it cannot see its flags. */
	long pid = SYS(clone, 17 /* SIGCHLD */, 0, 0, 0, 0);
	if (pid < 0)
		return pid;
	if (pid > 0) {
		plan_unshare(c->plan);
		SYS(close_range, 3, ~0u, 0);
		reaper_run((int)pid);
	}
	c->reaper_pid = 1;
	/* Its own process group and the terminal's foreground, so that ^C reaches it. */
	int self = (int)SYS(getpid);
	SYS(setpgid, 0, 0);
	SYS(ioctl, 0, 0x5410 /* TIOCSPGRP */, &self);
	SYS(rt_sigprocmask, 2, &none, 0, 8);
	return 0;
}

long op_process(struct context *c, int code, struct args *a)
{
	uint64_t slot;
	char byte = SYNC_SIGNAL;
	switch (code) {
	case OP_CLONE:
		return clone_init(c, a);
	case OP_OPEN_NS:
		return open_namespace(c, a);
	case OP_UNSHARE:
		return SYS(unshare, arg_int(a));
	case OP_HAND_OVER: /* in the container's process 3 is anything */
		slot = arg_int(a);
		return c->result ? send_descriptor(CONTROL_FD, 'H', slot_get(c, slot)) : -EINVAL;
	case OP_SETNS:
		slot = arg_int(a);
		return SYS(setns, slot_get(c, slot), arg_int(a));
	case OP_WAIT: /* the monitor has waited in main.c */
		return c->result ? 0 : wait_for_monitor(c);
	case OP_SIGNAL:
		return c->result ? SYS(write, c->sync_write, &byte, 1) : tell_monitor(c);
	case OP_STDIO:
		return set_up_stdio(c, a);
	case OP_DEATHSIG:
		return die_with_monitor(c);
	case OP_SUCCEED:
		return succeed(c);
	case OP_REAPER:
		return split_reaper(c);
	case OP_CLOSE_REST:
		return close_rest(c);
	case OP_EXEC:
		return execute(a);
	}
	return NOT_MINE;
}
