/*
 * Fuzzer of the monitor: what attached clients send, with descriptors or without, in any order and in pieces, while the
 * container writes, stops reading and ends. The kernel is the harness's; descriptors are numbers.
 *
 * Input: one byte of the monitor's flags, one of how many clients there are from the start, then the script.
 */
#include "kernel.h"
#include <string.h>

static struct monitor monitor;
static struct context context;
static struct plan plan;
/* The container's output counts, so that what a client gets can be told from what it should get. */
static uint8_t next_output[2];
static uint64_t typed, taken; /* bytes of clients' input that were delivered to the monitor; that the container has read */
static int counts;	      /* they can be compared */

static int in_use(int fd)
{
	const int own[] = {0, 1, 2, 3, monitor.listener, monitor.call_pidfd, monitor.stdin_fd, monitor.log.fd, monitor.streams[0].fd,
			   monitor.streams[1].fd, context.pidfd};
	return is_known(fd, own, LENGTH(own), &monitor);
}

/* Before the monitor waits: nothing is open that it has forgotten, no input waits for a program that cannot take it. */
static void check(void)
{
	for (int fd = 0; fd < 256; fd++)
		if (kernel.descriptors[fd].open && !in_use(fd))
			bug("a descriptor is left open", fd);
	if (monitor.stdin_fd < 0 && monitor.input_at != monitor.input_length)
		bug("input waits for a closed stdin", (long)(monitor.input_length - monitor.input_at));
	if (monitor.input_at > monitor.input_length || monitor.input_length > sizeof(monitor.input))
		bug("the input is out of its bounds", (long)monitor.input_at);
	if (counts && monitor.stdin_fd >= 0 && typed != taken + monitor.input_length - monitor.input_at)
		bug("input is lost or made up", (long)(typed - taken));
}

/* Which of the descriptors are ready is the script's choice; without one all are. */
static long wait_events(const long *args)
{
	struct pollfd *fds = (void *)args[0];
	long found = 0;
	check();
	if (!kernel.script.left && monitor.ended && args[1] == 1)
		return 0;
	for (long i = 0; i < args[1]; i++) {
		uint8_t choice = kernel.script.left ? script_byte(&kernel.script) : 3;
		short events = 0;
		if (fds[i].fd >= 0 && !kernel.descriptors[fds[i].fd].open)
			bug("a closed descriptor is watched", fds[i].fd);
		if (choice & 1)
			events |= fds[i].events;
		if (choice & 2 && (choice & 0x10 || !kernel.script.left))
			events |= POLLHUP;
		fds[i].revents = events;
		found += events != 0;
		if (fds[i].fd >= 0)
			kernel.descriptors[fds[i].fd].ready = !!(events & (POLLIN | POLLHUP));
	}
	return found;
}

/* One packet of a client: kind and size from the script. */
static long packet(long header)
{
	uint8_t bytes[4097] = {0};
	uint8_t kind = script_byte(&kernel.script), size = script_byte(&kernel.script);
	static const char KINDS[] = "ADERGDAZ";
	if (!kernel.script.left || kind == 0xff)
		return 0;
	if (kind == 0xfe)
		return -EAGAIN;
	size_t n = 1 + (kind & 0x40 ? size * 16u : size);
	bytes[0] = (uint8_t)KINDS[kind & 7];
	script_bytes(&kernel.script, bytes + 1, n > 12 ? 12 : n - 1);
	if (n > 1 && bytes[0] == 'D' && monitor.stdin_fd >= 0)
		typed += (n > 4096 ? 4096 : n) - 1;
	return deliver(header, bytes, n, kind >> 3 & 7, kind & 0x20);
}

static long read_input(int fd, long to, size_t n)
{
	struct descriptor *d = &kernel.descriptors[fd];
	uint8_t choice = script_byte(&kernel.script);
	if (d->blocking && !d->ready)
		bug("the monitor blocks, reading", fd);
	d->ready = 0;
	if (!choice)
		return 0;
	if (choice > 0xf0)
		return choice & 1 ? -EAGAIN : -EIO;
	size_t size = choice * 8u < n ? choice * 8u : n;
	memset((void *)to, 'a' + choice % 8, size);
	if (monitor.stdin_fd >= 0)
		typed += size;
	return (long)size;
}

static long read_output(int stream, long to, size_t n)
{
	uint8_t choice = script_byte(&kernel.script);
	size_t size = choice * 150u < n ? choice * 150u : n;
	if (!choice)
		return 0;
	if (choice > 0xf8)
		return choice & 1 ? -EAGAIN : -EIO;
	for (size_t i = 0; i < size; i++)
		((uint8_t *)to)[i] = next_output[stream]++;
	return (long)size;
}

static long reads(const long *args)
{
	int fd = (int)args[0];
	for (int s = 0; s < 2; s++)
		if (fd == monitor.streams[s].fd)
			return read_output(s, args[1], (size_t)args[2]);
	for (int i = 0; i < MAX_CLIENTS; i++)
		if (monitor.clients[i].socket >= 0 && fd == monitor.clients[i].in)
			return read_input(fd, args[1], (size_t)args[2]);
	if (fd < 0 || !kernel.descriptors[fd].open)
		return -EBADF;
	/* A file: of the next call's time, a few digits. */
	uint8_t choice = script_byte(&kernel.script);
	if (!(choice & 1))
		return 0;
	*(char *)args[1] = (char)('0' + choice / 2 % 11);
	return 1;
}

/* Output to a client may not have a hole, nor anything twice. */
static long client_takes(int fd, const uint8_t *bytes, size_t n)
{
	struct descriptor *d = &kernel.descriptors[fd];
	uint8_t choice = kernel.script.left ? script_byte(&kernel.script) : 1;
	size_t size = choice & 1 ? n : choice < n ? choice : n;
	if (!choice)
		return -EAGAIN;
	if (choice > 0xf0)
		return choice & 2 ? -EPIPE : -EINTR;
	if (d->next_byte >= 0 && bytes[0] != d->next_byte)
		bug("a client's output has a hole", d->next_byte - bytes[0]);
	d->next_byte = (uint8_t)(bytes[size - 1] + 1);
	return (long)size;
}

static long writes(long n, const long *args)
{
	int fd = (int)args[0];
	uint8_t choice;
	if (fd < 0 || !kernel.descriptors[fd].open)
		return -EBADF;
	touch((void *)args[1], (size_t)args[2]);
	for (int i = 0; i < MAX_CLIENTS; i++) {
		if (monitor.clients[i].socket < 0)
			continue;
		if (fd == monitor.clients[i].out[0] || fd == monitor.clients[i].out[1]) {
			if (n == __NR_sendto && fd % 3)
				return -ENOTSOCK;
			return client_takes(fd, (void *)args[1], (size_t)args[2]);
		}
	}
	if (fd != monitor.stdin_fd)
		return NOT_ANSWERED;
	choice = kernel.script.left ? script_byte(&kernel.script) : 1;
	if (!choice)
		return -EAGAIN;
	if (choice > 0xf0) {
		counts = 0; /* what nobody reads is thrown away */
		return choice & 2 ? -EPIPE : -EINTR;
	}
	long size = choice & 1 || choice > args[2] ? args[2] : choice;
	taken += (uint64_t)size;
	return size;
}

static long answer(long n, const long *args)
{
	switch (n) {
	case __NR_ppoll: return wait_events(args);
	case __NR_recvmsg: return packet(args[1]);
	case __NR_recvfrom: return -ENOTSOCK;
	case __NR_read: return reads(args);
	case __NR_write: case __NR_sendto: return writes(n, args);
	}
	return NOT_ANSWERED;
}

static void begin(uint8_t flags, uint8_t clients)
{
	static const char KEYS[] = "ab";
	memset(&monitor, 0, sizeof(monitor));
	memset(&context, 0, sizeof(context));
	memset(&plan, 0, offsetof(struct plan, ops));
	plan.count = 0;
	context.plan = &plan;
	context.result = CHILD_PID;
	context.pidfd = kernel_open();
	for (int i = 0; i < PLAN_SLOTS; i++)
		context.slots[i] = -1;
	for (int i = 0; i < MAX_CLIENTS; i++)
		monitor.clients[i] = (struct client){.socket = -1, .in = -1, .out = {-1, -1}};
	monitor.context = &context;
	monitor.config = (struct monitor_config){.flags = flags & 7, .log_path = flags & 0x40 ? "/log" : "", .exit_path = "/exit",
		.log_max_size = 30000, .log_max_files = 3, .run_directory = "/run", .oom_path = "/oom", .detach_keys = KEYS,
		.detach_length = flags & 0x10 ? 2 : 0, .discard_path = flags & 0x20 ? "/discard" : ""};
	monitor.config.call_argv[0] = "/engine";
	log_open(&monitor.log, monitor.config.log_path, 30000, 3);
	monitor.listener = kernel_open();
	monitor.call_pidfd = -1;
	monitor.streams[0].fd = kernel_open();
	monitor.streams[1].fd = flags & MONITOR_TTY ? -1 : kernel_open();
	monitor.stdin_fd = flags & MONITOR_TTY ? monitor.streams[0].fd : flags & MONITOR_STDIN ? kernel_open() : -1;
	for (int i = 0; i < clients % 18; i++) {
		struct client *c = client_add(&monitor, kernel_open());
		if (c)
			c->waits = clients & 0x80;
	}
	/* With detach keys some of the input is no input. */
	counts = !(flags & 0x10 && flags & MONITOR_TTY);
	next_output[0] = next_output[1] = 0;
	typed = taken = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return -1;
	kernel_begin((struct script){NULL, 0});
	begin(data[0], data[1]);
	kernel.script = (struct script){data + 2, size - 2};
	kernel.answer = answer;
	if (!setjmp(kernel.end))
		monitor_run(&monitor);
	return 0;
}
