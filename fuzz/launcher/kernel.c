/* See kernel.h. */
#include "kernel.h"
#include <linux/mman.h>
#include <sanitizer/asan_interface.h>
#include <stdio.h>
#include <string.h>

/* The C library's headers of these and the kernel's exclude each other. */
__attribute__((noreturn)) void abort(void);
void *mmap(void *at, size_t size, int protection, int flags, int fd, long offset);

#define CALLS_MAX 400000
#define PLAN_MEMORY (sizeof(struct handover) + PLAN_MAX_BYTES)

struct kernel kernel;
/* The plan's own memory: only bytes that have come may be read. And what is shared with the child. */
static unsigned char *private_memory, *shared_memory, *times_memory;
static size_t received;

void bug(const char *what, long value)
{
	fprintf(stderr, "bug: %s (%ld)\n", what, value);
	abort();
}

uint8_t script_byte(struct script *s)
{
	if (!s->left)
		return 0;
	s->left--;
	return *s->at++;
}

size_t script_bytes(struct script *s, void *to, size_t n)
{
	size_t taken = n < s->left ? n : s->left;
	memcpy(to, s->at, taken);
	s->at += taken;
	s->left -= taken;
	return taken;
}

void touch(const void *at, size_t n)
{
	const void *poisoned = n ? __asan_region_is_poisoned((void *)(uintptr_t)at, n) : NULL;
	if (poisoned)
		*(volatile const char *)poisoned; /* the sanitizer says more than we could */
}

static void touch_text(long at)
{
	if (at)
		touch((const void *)at, strlen((const char *)at) + 1);
}

static void *memory(size_t size)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (at == (void *)-1)
		bug("no memory for the fuzzer", (long)size);
	return at;
}

void kernel_begin(struct script script)
{
	if (!private_memory) {
		private_memory = memory(PLAN_MAX_BYTES);
		shared_memory = memory(PLAN_MEMORY);
		times_memory = memory((PLAN_MAX_OPS + 1) * 8);
		__asan_poison_memory_region(private_memory, PLAN_MAX_BYTES);
	}
	__asan_unpoison_memory_region(private_memory, received);
	memset(private_memory, 0, received);
	memset(shared_memory, 0, sizeof(struct handover) + received);
	__asan_poison_memory_region(private_memory, received);
	received = 0;
	memset(kernel.descriptors, 0, sizeof(kernel.descriptors));
	for (int fd = 0; fd < 4; fd++)
		kernel.descriptors[fd].open = 1;
	kernel.script = script;
	kernel.calls = 0;
	kernel.swept = 0;
	kernel.answer = NULL;
}

void kernel_grow(size_t length)
{
	__asan_unpoison_memory_region(private_memory, length);
	received = length > received ? length : received;
}

int is_known(int fd, const int *own, size_t count, const struct monitor *m)
{
	for (size_t i = 0; i < count; i++)
		if (own[i] == fd)
			return 1;
	for (int i = 0; i < MAX_CLIENTS; i++) {
		const struct client *c = &m->clients[i];
		if (c->socket == fd || (c->socket >= 0 && (c->in == fd || c->out[0] == fd || c->out[1] == fd)))
			return 1;
	}
	return 0;
}

int kernel_open(void)
{
	for (int fd = 0; fd < DESCRIPTORS; fd++)
		if (!kernel.descriptors[fd].open) {
			kernel.descriptors[fd] = (struct descriptor){.open = 1, .next_byte = -1};
			return fd;
		}
	return -EMFILE;
}

static int is_open(long fd)
{
	return fd >= 0 && fd < DESCRIPTORS && kernel.descriptors[fd].open;
}

/* What the script says of a call that could go either way: 0, or an error. */
static long verdict(void)
{
	static const short errors[] = {ENOENT, EEXIST, EINVAL, EPERM, EACCES, ENOTDIR, EBUSY, EAGAIN, EINTR, ENOSPC, EIO,
				       ENOTEMPTY, EISDIR, ELOOP, EMFILE, EPIPE, ENOSYS, EOPNOTSUPP, ENOTSOCK, ECHILD};
	uint8_t byte = script_byte(&kernel.script);
	return byte < 200 ? 0 : -errors[(byte - 200u) % LENGTH(errors)];
}

static long opened(void)
{
	long e = verdict();
	return e < 0 ? e : kernel_open();
}

static long closed(long fd)
{
	if (!is_open(fd) && kernel.swept)
		return -EBADF;
	if (!is_open(fd))
		bug("a descriptor that is not open is closed", fd);
	kernel.descriptors[fd].open = 0;
	return 0;
}

static long close_range(unsigned from, unsigned to, unsigned flags)
{
	kernel.swept = 1;
	for (unsigned fd = from; !flags && fd <= to && fd < DESCRIPTORS; fd++)
		kernel.descriptors[fd].open = 0;
	return 0;
}

long deliver(long at, const uint8_t *bytes, size_t n, unsigned descriptors, int blocking)
{
	struct { void *name; int namelen, pad; struct iovec *iov; uint64_t iovlen; void *control; uint64_t controllen;
		int flags; } *header = (void *)at;
	struct { uint64_t length; int level, type; int fds[]; } *control = header->control;
	size_t done = 0;
	header->flags = 0;
	for (uint64_t i = 0; i < header->iovlen && done < n; i++) {
		struct iovec *v = &header->iov[i];
		size_t part = v->iov_len < n - done ? v->iov_len : n - done;
		unsigned char *to = v->iov_base;
		if (to >= private_memory && to < private_memory + PLAN_MAX_BYTES) {
			if (part > (size_t)(private_memory + PLAN_MAX_BYTES - to))
				bug("a part is received behind the plan's memory", (long)part);
			__asan_unpoison_memory_region(to, part);
			received = (size_t)(to - private_memory) + part;
		}
		memcpy(to, bytes + done, part);
		done += part;
	}
	if (done < n)
		header->flags |= 0x20; /* MSG_TRUNC */
	size_t room = header->controllen > 16 ? (header->controllen - 16) / 4 : 0;
	if (descriptors > room)
		header->flags |= 8; /* MSG_CTRUNC */
	unsigned passed = descriptors < room ? descriptors : (unsigned)room;
	header->controllen = 0;
	if (passed) {
		control->length = 16 + passed * 4;
		control->level = control->type = 1;
		header->controllen = (control->length + 7) & ~7ull;
		for (unsigned i = 0; i < passed; i++) {
			control->fds[i] = kernel_open();
			if (control->fds[i] >= 0)
				kernel.descriptors[control->fds[i]].blocking = (uint8_t)blocking;
		}
	}
	return (long)done;
}

/* A short answer of bytes from the script: what a file, a pipe or a socket has. */
static long answer_bytes(long to, size_t n)
{
	long e = verdict();
	size_t wanted = script_byte(&kernel.script);
	if (e < 0)
		return e;
	touch((void *)to, n);
	return (long)script_bytes(&kernel.script, (void *)to, wanted < n ? wanted : n);
}

static long directory_entries(long to, size_t n)
{
	uint8_t byte = script_byte(&kernel.script);
	struct { uint64_t inode; int64_t offset; uint16_t length; uint8_t type; char name[13]; } entry = {1, 1, 32, 4, {0}};
	if (!byte || n < sizeof(entry))
		return 0;
	script_bytes(&kernel.script, entry.name, byte % 12);
	if (byte & 0x80)
		entry.type = 8;
	memcpy((void *)to, &entry, sizeof(entry));
	return sizeof(entry);
}

static long map(long size, long flags)
{
	if (verdict() < 0)
		return -ENOMEM;
	if (size == PLAN_MAX_BYTES && flags & MAP_PRIVATE)
		return (long)private_memory;
	if (size == (long)PLAN_MEMORY)
		return (long)shared_memory;
	if (size == (PLAN_MAX_OPS + 1) * 8)
		return (long)times_memory;
	bug("unknown memory is mapped", size);
}

static long statistics(long at)
{
	struct statx *st = (struct statx *)at;
	long e = verdict();
	memset(st, 0, sizeof(*st));
	if (e < 0)
		return e;
	uint8_t kind = script_byte(&kernel.script);
	st->stx_mode = kind % 3 == 0 ? 0100644 : kind % 3 == 1 ? 0040755 : 0020666;
	st->stx_rdev_major = 1;
	st->stx_rdev_minor = kind & 4 ? 5 : 3;
	st->stx_nlink = kind & 8 ? 0 : 1;
	st->stx_size = kind & 16 ? 1 << 21 : 0;
	return 0;
}

static long polled(struct pollfd *fds, size_t n, long timeout)
{
	long found = 0;
	touch(fds, n * sizeof(*fds));
	for (size_t i = 0; i < n; i++) {
		if (fds[i].fd >= 0 && !is_open(fds[i].fd) && !kernel.swept)
			bug("a closed descriptor is watched", fds[i].fd);
		fds[i].revents = fds[i].fd >= 0 ? fds[i].events | POLLHUP : 0;
		found += fds[i].revents != 0;
	}
	if (!found && !timeout)
		longjmp(kernel.end, 1); /* it would wait for ever */
	return found;
}

static long wait_for(long pid, long status)
{
	long e = verdict();
	if (pid <= 0 && pid != -1)
		bug("waits for a process that is not its own", pid);
	if (pid > INT32_MAX)
		bug("waits for a pid that is none", pid);
	if (status)
		*(int *)status = script_byte(&kernel.script) << 8;
	return e < 0 ? e : pid == -1 ? REAPED_PID : pid;
}

static long killed(long pid)
{
	if (pid != (int)pid || pid <= 0)
		bug("a signal to processes that are not its own", pid);
	return verdict();
}

static long forked(long child)
{
	long e = verdict();
	return e < 0 ? e : script_byte(&kernel.script) & 1 ? 0 : child;
}

static long cloned(const struct clone_args *args)
{
	long pid = forked(CHILD_PID);
	if (args->pidfd && pid > 0)
		*(int *)(uintptr_t)args->pidfd = kernel_open();
	return pid;
}

/* Pointers of calls whose answer is only yes or no: s text, b bytes whose size is the next argument, f descriptor. */
static const struct { long n; const char *args; } SHAPES[] = {
	{__NR_mkdirat, "-s"}, {__NR_symlinkat, "s-s"}, {__NR_mknodat, "-s"}, {__NR_unlinkat, "-s"}, {__NR_chdir, "s"},
	{__NR_renameat2, "-s-s"}, {__NR_mount, "sss-s"}, {__NR_fsconfig, "--ss"}, {__NR_mount_setattr, "-s-b"},
	{__NR_move_mount, "-s-s"}, {__NR_pivot_root, "ss"}, {__NR_umount2, "s"}, {__NR_sethostname, "b"},
	{__NR_setdomainname, "b"}, {__NR_fchownat, "-s"}, {__NR_keyctl, "-s"}, {__NR_bind, "-b"},
};

static long simple(long n, const long *args)
{
	for (size_t i = 0; i < LENGTH(SHAPES); i++)
		for (const char *s = SHAPES[i].n == n ? SHAPES[i].args : ""; *s; s++, args++) {
			if (*s == 's')
				touch_text(args[0]);
			if (*s == 'b')
				touch((void *)args[0], (size_t)args[1]);
		}
	return verdict();
}

static long executed(const long *args)
{
	touch_text(args[0]);
	for (int list = 1; list < 3; list++)
		for (char **word = (char **)args[list]; *word; word++)
			touch_text((long)*word);
	long e = verdict();
	if (e < 0)
		return e;
	longjmp(kernel.end, 1);
}

static long written(long fd, long bytes, size_t n)
{
	if (!is_open(fd))
		return -EBADF;
	touch((void *)bytes, n);
	long e = verdict();
	return e < 0 ? e : (long)n;
}

static long groups_set(const long *args)
{
	touch((void *)args[1], (size_t)args[0] * 4);
	return verdict();
}

static long filter_loaded(const long *args)
{
	const struct { unsigned short count; const void *at; } *program = (void *)args[2];
	touch(program->at, program->count * 8u);
	return verdict();
}

static long bpf_program(const long *args)
{
	const struct { uint32_t type, count; uint64_t at, license; } *load = (void *)args[1];
	if (args[0] != 5 /* BPF_PROG_LOAD */)
		return verdict();
	touch((void *)(uintptr_t)load->at, load->count * 8ul);
	touch_text((long)load->license);
	return opened();
}

static long text_answer(long to, const char *text)
{
	long e = verdict();
	memcpy((void *)to, text, strlen(text) + 1);
	return e < 0 ? e : (long)strlen(text);
}

static long pair_opened(long at)
{
	int *ends = (int *)at;
	long e = verdict();
	if (e < 0)
		return e;
	ends[0] = kernel_open();
	ends[1] = kernel_open();
	return 0;
}

static long ended(void)
{
	longjmp(kernel.end, 1);
}

/* The call by its number; each line says what the call's pointers are, and what it may answer. */
static long answer_call(long n, const long *a)
{
	switch (n) {
	case __NR_exit_group: return ended();
	case __NR_execve: return executed(a);
	case __NR_mmap: return map(a[1], a[3]);
	case __NR_munmap: return 0;
	case __NR_close: return closed(a[0]);
	case __NR_close_range: return close_range((unsigned)a[0], (unsigned)a[1], (unsigned)a[2]);
	case __NR_openat: case __NR_openat2: case __NR_open_tree: touch_text(a[1]); return opened();
	case __NR_fsopen: touch_text(a[0]); return opened();
	case __NR_fsmount: case __NR_socket: case __NR_accept4: case __NR_pidfd_open: return opened();
	case __NR_pipe2: return pair_opened(a[0]);
	case __NR_socketpair: return pair_opened(a[3]);
	case __NR_bpf: return bpf_program(a);
	case __NR_seccomp: return filter_loaded(a);
	case __NR_setgroups: return groups_set(a);
	case __NR_readlinkat: return answer_bytes(a[2], (size_t)a[3]);
	case __NR_read: return is_open(a[0]) ? answer_bytes(a[1], (size_t)a[2]) : -EBADF;
	case __NR_recvfrom: return answer_bytes(a[1], (size_t)a[2]);
	case __NR_recvmsg: return deliver(a[1], (const uint8_t *)"P", 1, script_byte(&kernel.script) & 1, 0);
	case __NR_write: case __NR_sendto: return written(a[0], a[1], (size_t)a[2]);
	case __NR_getdents64: return directory_entries(a[1], (size_t)a[2]);
	case __NR_statx: touch_text(a[1]); return statistics(a[4]);
	case __NR_ppoll: return polled((void *)a[0], (size_t)a[1], a[2]);
	case __NR_wait4: return wait_for(a[0], a[1]);
	case __NR_waitid: return verdict();
	case __NR_kill: return killed(a[0]);
	case __NR_clone: return forked(REAPED_PID);
	case __NR_clone3: return cloned((void *)a[0]);
	case __NR_getcwd: return text_answer(a[0], script_byte(&kernel.script) & 1 ? "(unreachable)/" : "/");
	/* Not for ever: as many files as there is script are there. */
	case __NR_faccessat: touch_text(a[1]); return script_byte(&kernel.script) & 1 ? 0 : -ENOENT;
	case __NR_getpid: return 77;
	case __NR_clock_gettime: *(struct __kernel_timespec *)a[1] = (struct __kernel_timespec){(long)kernel.calls, 1}; return 0;
	case __NR_rt_sigtimedwait: return verdict() < 0 ? -EAGAIN : script_byte(&kernel.script) & 1 ? 15 : 17;
	case __NR_dup3: return is_open(a[0]) ? a[1] : -EBADF;
	case __NR_sendmsg: return verdict();
	}
	return simple(n, a);
}

long sys6(long n, long a, long b, long c, long d, long e, long f)
{
	const long args[6] = {a, b, c, d, e, f};
	if (++kernel.calls > CALLS_MAX)
		bug("it does not come to an end; the last call", n);
	long answer = kernel.answer ? kernel.answer(n, args) : NOT_ANSWERED;
	return answer == NOT_ANSWERED ? answer_call(n, args) : answer;
}
