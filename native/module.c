/* Registration and argument conversion. */
#include "module.h"

#include <errno.h>
#include <math.h>
#include <string.h>

void call_begin(struct call *call, napi_env env, napi_callback_info info, size_t count)
{
	size_t given = count;

	call->env = env;
	call->thrown = false;
	call->error = 0;
	/* Missing arguments are filled with undefined, which every take_ function refuses. */
	napi_get_cb_info(env, info, &given, call->argv, NULL, NULL);
}

bool call_ready(const struct call *call)
{
	return !call->thrown && call->error == 0;
}

napi_value call_end(struct call *call, int64_t value)
{
	napi_value result = NULL;

	if (call->thrown)
		return NULL;
	if (call->error != 0)
		value = -(int64_t)call->error;
	else if (value < 0)
		value = -(int64_t)errno;
	napi_create_int64(call->env, value, &result);
	return result;
}

void throw_type(struct call *call, const char *message)
{
	if (call->thrown)
		return;
	call->thrown = true;
	napi_throw_type_error(call->env, "ERR_INVALID_ARG_TYPE", message);
}

int64_t take_integer(struct call *call, int index)
{
	int64_t value = 0;

	if (!call->thrown && napi_get_value_int64(call->env, call->argv[index], &value) != napi_ok)
		throw_type(call, "a number was expected");
	return value;
}

double take_double(struct call *call, int index)
{
	double value = 0;

	if (!call->thrown && napi_get_value_double(call->env, call->argv[index], &value) != napi_ok)
		throw_type(call, "a number was expected");
	return value;
}

bool take_boolean(struct call *call, int index)
{
	bool value = false;

	if (!call->thrown && napi_get_value_bool(call->env, call->argv[index], &value) != napi_ok)
		throw_type(call, "a boolean was expected");
	return value;
}

static void *take_array(struct call *call, int index, napi_typedarray_type wanted, size_t *length)
{
	napi_typedarray_type type;
	bool is_array = false;
	void *data = NULL;

	*length = 0;
	if (call->thrown)
		return NULL;
	napi_is_typedarray(call->env, call->argv[index], &is_array);
	if (!is_array || napi_get_typedarray_info(call->env, call->argv[index], &type, length, &data, NULL,
						  NULL) != napi_ok ||
	    type != wanted) {
		*length = 0;
		throw_type(call, "a typed array of another kind was expected");
		return NULL;
	}
	return data;
}

struct bytes take_bytes(struct call *call, int index)
{
	struct bytes bytes;

	bytes.data = take_array(call, index, napi_uint8_array, &bytes.length);
	return bytes;
}

struct bytes take_slice(struct call *call, int index)
{
	struct bytes bytes = take_bytes(call, index);
	int64_t offset = take_integer(call, index + 1);
	int64_t length = take_integer(call, index + 2);

	if (call->thrown)
		return bytes;
	if (offset < 0 || length < 0 || (uint64_t)offset > bytes.length ||
	    (uint64_t)length > bytes.length - (uint64_t)offset) {
		throw_type(call, "offset and length reach outside the buffer");
		return bytes;
	}
	bytes.data += offset;
	bytes.length = (size_t)length;
	return bytes;
}

int32_t *take_int32s(struct call *call, int index, size_t least, size_t *length)
{
	size_t count;
	int32_t *data = take_array(call, index, napi_int32_array, &count);

	if (!call->thrown && count < least)
		throw_type(call, "the Int32Array is too short");
	if (length != NULL)
		*length = count;
	return data;
}

double *take_doubles(struct call *call, int index, size_t least, size_t *length)
{
	size_t count;
	double *data = take_array(call, index, napi_float64_array, &count);

	if (!call->thrown && count < least)
		throw_type(call, "the Float64Array is too short");
	if (length != NULL)
		*length = count;
	return data;
}

const char *take_path(struct call *call, int index, path_buffer buffer)
{
	napi_valuetype type = napi_undefined;
	size_t length = 0;

	buffer[0] = '\0';
	if (call->thrown)
		return buffer;
	napi_typeof(call->env, call->argv[index], &type);
	if (type == napi_string) {
		napi_get_value_string_utf8(call->env, call->argv[index], buffer, sizeof(path_buffer), &length);
	} else {
		struct bytes bytes = take_bytes(call, index);

		if (call->thrown)
			return buffer;
		length = bytes.length < PATH_MAX ? bytes.length : PATH_MAX;
		if (length > 0)
			memcpy(buffer, bytes.data, length);
		buffer[length] = '\0';
	}
	if (length >= PATH_MAX)
		call->error = ENAMETOOLONG;
	else if (memchr(buffer, '\0', length) != NULL)
		call->error = EINVAL;
	return buffer;
}

static napi_status register_functions(napi_env env, napi_value exports, const struct function *functions)
{
	for (; functions->name != NULL; functions++) {
		napi_value value;
		napi_status status = napi_create_function(env, functions->name, NAPI_AUTO_LENGTH,
							  functions->callback, NULL, &value);

		if (status == napi_ok)
			status = napi_set_named_property(env, exports, functions->name, value);
		if (status != napi_ok)
			return status;
	}
	return napi_ok;
}

__attribute__((visibility("default"))) napi_value napi_register_module_v1(napi_env env, napi_value exports);

napi_value napi_register_module_v1(napi_env env, napi_value exports)
{
	const struct function *tables[] = {file_functions,   metadata_functions, new_file_functions,
					   socket_functions, process_functions,  spawn_functions};

	for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
		if (register_functions(env, exports, tables[i]) != napi_ok) {
			napi_throw_error(env, NULL, "cannot register the system calls");
			return NULL;
		}
	}
	return exports;
}

__attribute__((visibility("default"))) int32_t node_api_module_get_api_version_v1(void);

int32_t node_api_module_get_api_version_v1(void)
{
	return 8;
}
