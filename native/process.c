/* Processes, waiting, limits and namespaces. */
#include "module.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FUNCTION(name) static napi_value name(napi_env env, napi_callback_info info)

FUNCTION(js_kill)
{
	ENTER(2);
	pid_t pid = (pid_t)take_integer(&call, 0);
	int signal = (int)take_integer(&call, 1);

	RUN(kill(pid, signal));
}

FUNCTION(js_pidfd_open)
{
	ENTER(2);
	pid_t pid = (pid_t)take_integer(&call, 0);
	unsigned int flags = (unsigned int)take_integer(&call, 1);

	RUN(syscall(SYS_pidfd_open, pid, flags));
}

FUNCTION(js_pidfd_send_signal)
{
	ENTER(2);
	int pidfd = (int)take_integer(&call, 0);
	int signal = (int)take_integer(&call, 1);

	RUN(syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0));
}

FUNCTION(js_prctl)
{
	ENTER(5);
	int option = (int)take_integer(&call, 0);
	unsigned long a = (unsigned long)take_integer(&call, 1);
	unsigned long b = (unsigned long)take_integer(&call, 2);
	unsigned long c = (unsigned long)take_integer(&call, 3);
	unsigned long d = (unsigned long)take_integer(&call, 4);

	RUN(prctl(option, a, b, c, d));
}

FUNCTION(js_umask)
{
	ENTER(1);
	mode_t mode = (mode_t)take_integer(&call, 0);

	RUN(umask(mode));
}

static double limit_to_double(rlim_t limit)
{
	return limit == RLIM_INFINITY ? (double)INFINITY : (double)limit;
}

static rlim_t limit_from_double(double limit)
{
	/* What no rlim_t holds must not be converted to one; of nothing is made the least. */
	return isnan(limit) ? 0 : limit < 0 || limit >= 0x1p64 ? RLIM_INFINITY : (rlim_t)limit;
}

static int get_limit(int resource, double *out)
{
	struct rlimit limit;

	if (getrlimit((__rlimit_resource_t)resource, &limit) < 0)
		return -1;
	out[0] = limit_to_double(limit.rlim_cur);
	out[1] = limit_to_double(limit.rlim_max);
	return 0;
}

FUNCTION(js_getrlimit)
{
	ENTER(2);
	int resource = (int)take_integer(&call, 0);
	double *out = take_doubles(&call, 1, 2, NULL);

	RUN(get_limit(resource, out));
}

FUNCTION(js_setrlimit)
{
	ENTER(3);
	int resource = (int)take_integer(&call, 0);
	struct rlimit limit = {
		.rlim_cur = limit_from_double(take_double(&call, 1)),
		.rlim_max = limit_from_double(take_double(&call, 2)),
	};

	RUN(setrlimit((__rlimit_resource_t)resource, &limit));
}

static int poll_once(struct pollfd *polls, size_t count, int64_t timeout)
{
	int ready = poll(polls, count, timeout < 0 ? -1 : (int)timeout);

	return ready < 0 ? -errno : ready;
}

/* The pollfd array of two parallel Int32Arrays, to be freed; NULL when something is wrong. */
static struct pollfd *take_polls(struct call *call, size_t *count)
{
	size_t fd_count, event_count;
	int32_t *fds = take_int32s(call, 0, 0, &fd_count);
	int32_t *events = take_int32s(call, 1, fd_count, &event_count);
	struct pollfd *polls;

	*count = fd_count;
	if (!call_ready(call))
		return NULL;
	polls = calloc(fd_count + 1, sizeof *polls);
	if (polls == NULL) {
		call->error = ENOMEM;
		return NULL;
	}
	for (size_t i = 0; i < fd_count; i++) {
		polls[i].fd = fds[i];
		polls[i].events = (short)events[i];
	}
	return polls;
}

FUNCTION(js_poll)
{
	ENTER(3);
	size_t count;
	int64_t timeout = take_integer(&call, 2);
	struct pollfd *polls = take_polls(&call, &count);
	int ready = -1;

	if (polls != NULL) {
		int32_t *events = take_int32s(&call, 1, count, NULL);

		ready = poll_once(polls, count, timeout);
		for (size_t i = 0; i < count; i++)
			events[i] = polls[i].revents;
		free(polls);
	}
	if (ready < 0)
		errno = -ready;
	RUN(ready);
}

struct poll_work {
	struct pollfd *polls;
	size_t count;
	int64_t timeout;
	int ready;
	napi_ref events;
	napi_deferred deferred;
	napi_async_work work;
};

static void poll_execute(napi_env env, void *data)
{
	struct poll_work *work = data;

	(void)env;
	work->ready = poll_once(work->polls, work->count, work->timeout);
}

static void poll_complete(napi_env env, napi_status status, void *data)
{
	struct poll_work *work = data;
	napi_value events = NULL, result = NULL;
	napi_typedarray_type type;
	size_t length = 0;
	void *out = NULL;

	napi_get_reference_value(env, work->events, &events);
	if (events != NULL && napi_get_typedarray_info(env, events, &type, &length, &out, NULL, NULL) == napi_ok) {
		for (size_t i = 0; i < work->count && i < length; i++)
			((int32_t *)out)[i] = work->polls[i].revents;
	}
	napi_create_int32(env, status == napi_ok ? work->ready : -ECANCELED, &result);
	napi_resolve_deferred(env, work->deferred, result);
	napi_delete_reference(env, work->events);
	napi_delete_async_work(env, work->work);
	free(work->polls);
	free(work);
}

FUNCTION(js_poll_async)
{
	ENTER(3);
	size_t count;
	int64_t timeout = take_integer(&call, 2);
	struct pollfd *polls = take_polls(&call, &count);
	struct poll_work *work;
	napi_value promise = NULL, name = NULL;

	if (polls == NULL)
		return call_end(&call, -1);
	work = calloc(1, sizeof *work);
	if (work == NULL) {
		free(polls);
		call.error = ENOMEM;
		return call_end(&call, -1);
	}
	work->polls = polls;
	work->count = count;
	work->timeout = timeout;
	napi_create_promise(env, &work->deferred, &promise);
	napi_create_string_utf8(env, "poll", NAPI_AUTO_LENGTH, &name);
	napi_create_reference(env, call.argv[1], 1, &work->events);
	napi_create_async_work(env, NULL, name, poll_execute, poll_complete, work, &work->work);
	napi_queue_async_work(env, work->work);
	return promise;
}

FUNCTION(js_waitpid)
{
	ENTER(3);
	pid_t pid = (pid_t)take_integer(&call, 0);
	int flags = (int)take_integer(&call, 1);
	int32_t *status = take_int32s(&call, 2, 1, NULL);

	RUN(waitpid(pid, status, flags));
}

static int read_clock(clockid_t clock, double *out)
{
	struct timespec now;

	if (clock_gettime(clock, &now) < 0)
		return -1;
	out[0] = (double)now.tv_sec;
	out[1] = (double)now.tv_nsec;
	return 0;
}

FUNCTION(js_clock_gettime)
{
	ENTER(2);
	clockid_t clock = (clockid_t)take_integer(&call, 0);
	double *out = take_doubles(&call, 1, 2, NULL);

	RUN(read_clock(clock, out));
}

FUNCTION(js_setns)
{
	ENTER(2);
	int fd = (int)take_integer(&call, 0);
	int type = (int)take_integer(&call, 1);

	RUN(setns(fd, type));
}

FUNCTION(js_unshare)
{
	ENTER(1);
	int flags = (int)take_integer(&call, 0);

	RUN(unshare(flags));
}

FUNCTION(js_exit)
{
	ENTER(1);
	int status = (int)take_integer(&call, 0);

	if (call_ready(&call))
		_exit(status);
	return call_end(&call, -1);
}

const struct function process_functions[] = {
	{"exit", js_exit},
	{"kill", js_kill},
	{"pidfdOpen", js_pidfd_open},
	{"pidfdSendSignal", js_pidfd_send_signal},
	{"prctl", js_prctl},
	{"umask", js_umask},
	{"getrlimit", js_getrlimit},
	{"setrlimit", js_setrlimit},
	{"poll", js_poll},
	{"pollAsync", js_poll_async},
	{"waitpid", js_waitpid},
	{"clockGettime", js_clock_gettime},
	{"setns", js_setns},
	{"unshare", js_unshare},
	{NULL, NULL},
};
