/*
 * Fuzzer of what the launcher reads of the kernel's answers to netlink messages, and of how it puts them together.
 * Input: number of acknowledgements, where a descriptor is put, then the script: datagrams.
 */
#include "kernel.h"
#include <string.h>

static long answer(long n, const long *args)
{
	if (n != __NR_recvfrom)
		return NOT_ANSWERED;
	uint8_t size = script_byte(&kernel.script);
	if (!kernel.script.left)
		return size & 1 ? 0 : -EIO;
	touch((void *)args[1], (size_t)args[2]);
	/* Only what has come may be read. */
	memset((void *)args[1], 0xa5, (size_t)args[2]);
	return (long)script_bytes(&kernel.script, (void *)args[1], size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct context context;
	struct { struct op op; uint64_t protocol, patch, slot, acks, length; char message[24]; } request = {
		.op = {.code = OP_NETLINK, .size = sizeof(request) - sizeof(struct op)}, .length = 16};
	if (size < 2)
		return -1;
	kernel_begin((struct script){data + 2, size - 2});
	request.acks = data[0] & 7;
	request.patch = data[0] & 8 ? UINT64_MAX : data[1];
	request.slot = data[0] >> 4;
	for (int i = 0; i < PLAN_SLOTS; i++)
		context.slots[i] = i < 8 ? 2 : -1;
	kernel.answer = answer;
	if (setjmp(kernel.end))
		return 0;
	op_run(&context, &request.op);
	for (int fd = 4; fd < 16; fd++)
		if (kernel.descriptors[fd].open)
			bug("a socket is left open", fd);
	return 0;
}
