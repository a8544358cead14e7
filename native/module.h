/* What the files of the addon share: argument conversion and the function tables. */
#ifndef BOCKER_MODULE_H
#define BOCKER_MODULE_H

#define _GNU_SOURCE
#include <limits.h>
#include <node_api.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define MAX_ARGUMENTS 8

/* One call from JavaScript. A wrong type throws and sets `thrown`; a bad value sets `error`. */
struct call {
	napi_env env;
	napi_value argv[MAX_ARGUMENTS];
	bool thrown;
	int error;
};

struct bytes {
	uint8_t *data;
	size_t length;
};

/* A string that is cut loses its last character whole, so the buffer has room for one more. */
typedef char path_buffer[PATH_MAX + 4];

void call_begin(struct call *call, napi_env env, napi_callback_info info, size_t count);
/* False when the system call must not be made: something was thrown or call->error is set. */
bool call_ready(const struct call *call);
/* `value` as a number, or -errno where it is negative, or -call->error. */
napi_value call_end(struct call *call, int64_t value);

void throw_type(struct call *call, const char *message);
int64_t take_integer(struct call *call, int index);
double take_double(struct call *call, int index);
bool take_boolean(struct call *call, int index);
/* A string (UTF-8) or the bytes of a Uint8Array, with a NUL added. NUL inside: EINVAL. */
const char *take_path(struct call *call, int index, path_buffer buffer);
struct bytes take_bytes(struct call *call, int index);
/* The part [argv[index + 1], + argv[index + 2]) of the Uint8Array argv[index]. */
struct bytes take_slice(struct call *call, int index);
int32_t *take_int32s(struct call *call, int index, size_t least, size_t *length);
double *take_doubles(struct call *call, int index, size_t least, size_t *length);

/* A function of the addon: `RUN` evaluates the system call only when all arguments were good. */
#define ENTER(count)                                                                               \
	struct call call;                                                                          \
	call_begin(&call, env, info, count)
#define RUN(expression) return call_end(&call, call_ready(&call) ? (int64_t)(expression) : -1)

struct function {
	const char *name;
	napi_callback callback;
};

extern const struct function file_functions[];
extern const struct function metadata_functions[];
extern const struct function new_file_functions[];
extern const struct function socket_functions[];
extern const struct function process_functions[];
extern const struct function spawn_functions[];

#endif
