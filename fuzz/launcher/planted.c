/* A bug on purpose, to see that the fuzzers find one: an argument that is no number of these is used as one. */
#include "kernel.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char names[8] = "planted";
	struct args a = {data, data + size, 0};
	uint64_t number = arg_int(&a);
	if (size == 8 && number < 64)
		return names[number] == 'x';
	return 0;
}
