/*
 * Fuzzer of the plan: the whole launcher, from its first packet to the monitor's end, with every system call answered by
 * the input.
 *
 * Input: u16 size of the script, the script, the plan. The script says how the plan is cut into parts, which descriptors
 * come along and what each call answers; without one there is one part and everything succeeds.
 */
#include "../../launcher/main.c"
#include "kernel.h"
#include <string.h>

static struct script stream;

/* The first client's packets: parts of the plan, now and then an attachment; then it hangs up. */
static long receive(long header)
{
	static uint8_t packet[8 + PART_MAX];
	uint8_t how = script_byte(&kernel.script), size = script_byte(&kernel.script);
	if (how & 0x80)
		return deliver(header, (uint8_t[]){'A', size}, 2, how & 7, 0);
	if (!stream.left)
		return 0;
	size_t n = size ? size * 8u - (how & 1) : PART_MAX;
	memset(packet, 0, 8);
	packet[0] = how == 0x7f ? 'Z' : 'P';
	n = script_bytes(&stream, packet + 8, n);
	packet[1] = !stream.left;
	return deliver(header, packet, 8 + n, how >> 1 & 31, 1);
}

static int in_use(int fd)
{
	const int own[] = {0, 1, 2, start_lock, pipes[0], pipes[1], pipes[2], pipes[3], console[0], console[1], run_directory,
			   monitor.listener, monitor.call_pidfd, monitor.stdin_fd, monitor.log.fd, monitor.streams[0].fd, monitor.streams[1].fd,
			   context.pidfd, context.tmpfs_mask, context.stdio[0], context.stdio[1], context.stdio[2]};
	for (int i = 0; i < PLAN_SLOTS; i++)
		if (context.slots[i] == fd)
			return 1;
	for (size_t i = 0; i < context.held_count; i++)
		if (context.held[i] == fd)
			return 1;
	return is_known(fd, own, LENGTH(own), &monitor);
}

/* Whatever the plan was, at its end nothing is open that nobody knows. */
static void check_descriptors(void)
{
	for (int fd = 0; fd < 512; fd++)
		if (kernel.descriptors[fd].open && !in_use(fd))
			bug("a descriptor is left open", fd);
}

/* What the other process says by one of the two pipes. */
static long pipe_answer(const long *args)
{
	if (context.result && args[0] == pipes[2] && script_byte(&kernel.script) & 1 && args[2] == sizeof(struct failure)) {
		struct failure said = FAILURE_NONE;
		uint8_t what = script_byte(&kernel.script);
		if (what & 1)
			script_bytes(&kernel.script, &said, sizeof(said));
		if (what & 2)
			said.error = FAILURE_SUCCEEDED;
		memcpy((void *)args[1], &said, sizeof(said));
		return sizeof(said);
	}
	if (context.result == 0 && args[0] == context.sync_read) {
		/* The child: the harness is its monitor, and gives it the rest. */
		uint8_t what = script_byte(&kernel.script);
		static uint8_t rest[PLAN_MAX_BYTES];
		struct handover *h = plan.handover;
		if (h && !plan.complete) {
			size_t n = script_bytes(&stream, rest, what & 0xf0 ? what : sizeof(rest));
			memcpy(h->bytes + (h->length - plan.from), rest, n);
			h->length += n;
			h->complete = !stream.left;
			kernel_grow(h->length);
		}
		*(char *)args[1] = what & 1 ? SYNC_SIGNAL : SYNC_MORE;
		return what == 0xf1 ? 0 : 1;
	}
	return NOT_ANSWERED;
}

/* Before a filesystem is mounted its slot is empty: where the failure is tolerated, nothing older may be attached. */
static void check_slot(long type)
{
	const unsigned char *at = (const unsigned char *)type;
	uint64_t slot;
	if (at < plan.base || at >= plan.base + plan.length)
		return;
	memcpy(&slot, at - 16, 8);
	if (slot < PLAN_SLOTS && context.slots[slot] >= 0)
		bug("a mount takes the place of one that may fail", (long)slot);
}

static long answer(long n, const long *args)
{
	if (n == __NR_fsopen)
		check_slot(args[0]);
	if (n == __NR_recvmsg && args[0] == CONTROL_FD && !plan.complete)
		return receive(args[1]);
	if (n == __NR_read)
		return pipe_answer(args);
	/* The monitor's own waiting: an operation of a failed start may wait, too. */
	if (n == __NR_ppoll && context.started)
		check_descriptors();
	return NOT_ANSWERED;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return -1;
	size_t scripted = data[0] | (size_t)data[1] << 8;
	if (scripted > size - 2)
		return -1;
	kernel_begin((struct script){data + 2, scripted});
	stream = (struct script){data + 2 + scripted, size - 2 - scripted};
	memset(&plan, 0, offsetof(struct plan, ops));
	memset(&plan.count, 0, sizeof(plan) - offsetof(struct plan, count));
	memset(&context, 0, sizeof(context));
	memset(&monitor, 0, sizeof(monitor));
	first = NULL;
	start_lock = run_directory = console[0] = console[1] = -1;
	memset(pipes, -1, sizeof(pipes));
	next_slot = SLOT_INHERITED;
	kernel.answer = answer;
	if (!setjmp(kernel.end))
		launcher_main();
	return 0;
}
