/* Descriptors and their contents; names in directories. */
#include "module.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#define FUNCTION(name) static napi_value name(napi_env env, napi_callback_info info)

FUNCTION(js_openat)
{
	ENTER(4);
	path_buffer buffer;
	int dirfd = (int)take_integer(&call, 0);
	const char *path = take_path(&call, 1, buffer);
	int flags = (int)take_integer(&call, 2);
	mode_t mode = (mode_t)take_integer(&call, 3);

	RUN(openat(dirfd, path, flags, mode));
}

FUNCTION(js_openat2)
{
	ENTER(5);
	path_buffer buffer;
	int dirfd = (int)take_integer(&call, 0);
	const char *path = take_path(&call, 1, buffer);
	struct open_how how = {
		.flags = (uint64_t)take_integer(&call, 2),
		.mode = (uint64_t)take_integer(&call, 3),
		.resolve = (uint64_t)take_integer(&call, 4),
	};

	RUN(syscall(SYS_openat2, dirfd, path, &how, sizeof how));
}

FUNCTION(js_close)
{
	ENTER(1);
	int fd = (int)take_integer(&call, 0);

	RUN(close(fd));
}

FUNCTION(js_read)
{
	ENTER(4);
	int fd = (int)take_integer(&call, 0);
	struct bytes bytes = take_slice(&call, 1);

	RUN(read(fd, bytes.data, bytes.length));
}

FUNCTION(js_write)
{
	ENTER(4);
	int fd = (int)take_integer(&call, 0);
	struct bytes bytes = take_slice(&call, 1);

	RUN(write(fd, bytes.data, bytes.length));
}

FUNCTION(js_pread)
{
	ENTER(5);
	int fd = (int)take_integer(&call, 0);
	struct bytes bytes = take_slice(&call, 1);
	off_t position = (off_t)take_integer(&call, 4);

	RUN(pread(fd, bytes.data, bytes.length, position));
}

FUNCTION(js_pwrite)
{
	ENTER(5);
	int fd = (int)take_integer(&call, 0);
	struct bytes bytes = take_slice(&call, 1);
	off_t position = (off_t)take_integer(&call, 4);

	RUN(pwrite(fd, bytes.data, bytes.length, position));
}

FUNCTION(js_lseek)
{
	ENTER(3);
	int fd = (int)take_integer(&call, 0);
	off_t position = (off_t)take_integer(&call, 1);
	int whence = (int)take_integer(&call, 2);

	RUN(lseek(fd, position, whence));
}

FUNCTION(js_ftruncate)
{
	ENTER(2);
	int fd = (int)take_integer(&call, 0);
	off_t length = (off_t)take_integer(&call, 1);

	RUN(ftruncate(fd, length));
}

FUNCTION(js_copy_file_range)
{
	ENTER(3);
	int from = (int)take_integer(&call, 0);
	int to = (int)take_integer(&call, 1);
	size_t length = (size_t)take_integer(&call, 2);

	RUN(copy_file_range(from, NULL, to, NULL, length, 0));
}

FUNCTION(js_fsync)
{
	ENTER(1);
	int fd = (int)take_integer(&call, 0);

	RUN(fsync(fd));
}

FUNCTION(js_syncfs)
{
	ENTER(1);
	int fd = (int)take_integer(&call, 0);

	RUN(syncfs(fd));
}

struct sync_work {
	int fd;
	int error;
	napi_deferred deferred;
	napi_async_work work;
};

static void sync_execute(napi_env env, void *data)
{
	struct sync_work *work = data;

	(void)env;
	work->error = syncfs(work->fd) < 0 ? errno : 0;
}

static void sync_complete(napi_env env, napi_status status, void *data)
{
	struct sync_work *work = data;
	napi_value result = NULL;

	napi_create_int32(env, status == napi_ok ? -work->error : -ECANCELED, &result);
	napi_resolve_deferred(env, work->deferred, result);
	napi_delete_async_work(env, work->work);
	free(work);
}

FUNCTION(js_syncfs_async)
{
	ENTER(1);
	int fd = (int)take_integer(&call, 0);
	struct sync_work *work = call_ready(&call) ? calloc(1, sizeof *work) : NULL;
	napi_value promise = NULL, name = NULL;

	if (work == NULL) {
		call.error = ENOMEM;
		return call_end(&call, -1);
	}
	work->fd = fd;
	napi_create_promise(env, &work->deferred, &promise);
	napi_create_string_utf8(env, "syncfs", NAPI_AUTO_LENGTH, &name);
	napi_create_async_work(env, NULL, name, sync_execute, sync_complete, work, &work->work);
	napi_queue_async_work(env, work->work);
	return promise;
}

FUNCTION(js_flock)
{
	ENTER(2);
	int fd = (int)take_integer(&call, 0);
	int operation = (int)take_integer(&call, 1);

	RUN(flock(fd, operation));
}

FUNCTION(js_readlinkat)
{
	ENTER(3);
	path_buffer buffer;
	int dirfd = (int)take_integer(&call, 0);
	const char *path = take_path(&call, 1, buffer);
	struct bytes out = take_bytes(&call, 2);

	RUN(readlinkat(dirfd, path, (char *)out.data, out.length));
}

FUNCTION(js_getdents)
{
	ENTER(2);
	int fd = (int)take_integer(&call, 0);
	struct bytes out = take_bytes(&call, 1);

	RUN(syscall(SYS_getdents64, fd, out.data, out.length));
}

FUNCTION(js_mkdirat)
{
	ENTER(3);
	path_buffer buffer;
	int dirfd = (int)take_integer(&call, 0);
	const char *path = take_path(&call, 1, buffer);
	mode_t mode = (mode_t)take_integer(&call, 2);

	RUN(mkdirat(dirfd, path, mode));
}

FUNCTION(js_mknodat)
{
	ENTER(5);
	path_buffer buffer;
	int dirfd = (int)take_integer(&call, 0);
	const char *path = take_path(&call, 1, buffer);
	mode_t mode = (mode_t)take_integer(&call, 2);
	unsigned int major = (unsigned int)take_integer(&call, 3);
	unsigned int minor = (unsigned int)take_integer(&call, 4);

	RUN(mknodat(dirfd, path, mode, makedev(major, minor)));
}

FUNCTION(js_symlinkat)
{
	ENTER(3);
	path_buffer target_buffer, buffer;
	const char *target = take_path(&call, 0, target_buffer);
	int dirfd = (int)take_integer(&call, 1);
	const char *path = take_path(&call, 2, buffer);

	RUN(symlinkat(target, dirfd, path));
}

FUNCTION(js_linkat)
{
	ENTER(5);
	path_buffer old_buffer, new_buffer;
	int old_dirfd = (int)take_integer(&call, 0);
	const char *old_path = take_path(&call, 1, old_buffer);
	int new_dirfd = (int)take_integer(&call, 2);
	const char *new_path = take_path(&call, 3, new_buffer);
	int flags = (int)take_integer(&call, 4);

	RUN(linkat(old_dirfd, old_path, new_dirfd, new_path, flags));
}

FUNCTION(js_unlinkat)
{
	ENTER(3);
	path_buffer buffer;
	int dirfd = (int)take_integer(&call, 0);
	const char *path = take_path(&call, 1, buffer);
	int flags = (int)take_integer(&call, 2);

	RUN(unlinkat(dirfd, path, flags));
}

FUNCTION(js_renameat2)
{
	ENTER(5);
	path_buffer old_buffer, new_buffer;
	int old_dirfd = (int)take_integer(&call, 0);
	const char *old_path = take_path(&call, 1, old_buffer);
	int new_dirfd = (int)take_integer(&call, 2);
	const char *new_path = take_path(&call, 3, new_buffer);
	unsigned int flags = (unsigned int)take_integer(&call, 4);

	RUN(syscall(SYS_renameat2, old_dirfd, old_path, new_dirfd, new_path, flags));
}

FUNCTION(js_mount)
{
	ENTER(5);
	path_buffer source_buffer, target_buffer, type_buffer, data_buffer;
	const char *source = take_path(&call, 0, source_buffer);
	const char *target = take_path(&call, 1, target_buffer);
	const char *type = take_path(&call, 2, type_buffer);
	unsigned long flags = (unsigned long)take_integer(&call, 3);
	const char *data = take_path(&call, 4, data_buffer);

	RUN(mount(source, target, type[0] != '\0' ? type : NULL, flags, data[0] != '\0' ? data : NULL));
}

FUNCTION(js_umount2)
{
	ENTER(2);
	path_buffer buffer;
	const char *target = take_path(&call, 0, buffer);
	int flags = (int)take_integer(&call, 1);

	RUN(umount2(target, flags));
}

FUNCTION(js_inotify_init)
{
	ENTER(1);
	int flags = (int)take_integer(&call, 0);

	RUN(inotify_init1(flags));
}

FUNCTION(js_inotify_add_watch)
{
	ENTER(3);
	path_buffer buffer;
	int fd = (int)take_integer(&call, 0);
	const char *path = take_path(&call, 1, buffer);
	uint32_t mask = (uint32_t)take_integer(&call, 2);

	RUN(inotify_add_watch(fd, path, mask));
}

FUNCTION(js_memfd_create)
{
	ENTER(2);
	path_buffer buffer;
	const char *name = take_path(&call, 0, buffer);
	unsigned int flags = (unsigned int)take_integer(&call, 1);

	RUN(memfd_create(name, flags));
}

FUNCTION(js_fcntl)
{
	ENTER(3);
	int fd = (int)take_integer(&call, 0);
	int command = (int)take_integer(&call, 1);
	long argument = (long)take_integer(&call, 2);

	RUN(fcntl(fd, command, argument));
}

FUNCTION(js_ioctl)
{
	ENTER(3);
	int fd = (int)take_integer(&call, 0);
	unsigned long request = (unsigned long)take_integer(&call, 1);
	long argument = (long)take_integer(&call, 2);

	RUN(ioctl(fd, request, argument));
}

FUNCTION(js_ioctl_buffer)
{
	ENTER(3);
	int fd = (int)take_integer(&call, 0);
	unsigned long request = (unsigned long)take_integer(&call, 1);
	struct bytes bytes = take_bytes(&call, 2);

	RUN(ioctl(fd, request, bytes.data));
}

FUNCTION(js_pipe2)
{
	ENTER(2);
	int flags = (int)take_integer(&call, 0);
	int32_t *out = take_int32s(&call, 1, 2, NULL);

	RUN(pipe2(out, flags));
}

const struct function file_functions[] = {
	{"openat", js_openat},
	{"openat2", js_openat2},
	{"close", js_close},
	{"read", js_read},
	{"write", js_write},
	{"pread", js_pread},
	{"pwrite", js_pwrite},
	{"lseek", js_lseek},
	{"ftruncate", js_ftruncate},
	{"copyFileRange", js_copy_file_range},
	{"fsync", js_fsync},
	{"syncfs", js_syncfs},
	{"syncfsAsync", js_syncfs_async},
	{"flock", js_flock},
	{"readlinkat", js_readlinkat},
	{"getdents", js_getdents},
	{"mkdirat", js_mkdirat},
	{"mknodat", js_mknodat},
	{"symlinkat", js_symlinkat},
	{"linkat", js_linkat},
	{"unlinkat", js_unlinkat},
	{"renameat2", js_renameat2},
	{"mount", js_mount},
	{"umount2", js_umount2},
	{"memfdCreate", js_memfd_create},
	{"inotifyInit", js_inotify_init},
	{"inotifyAddWatch", js_inotify_add_watch},
	{"fcntl", js_fcntl},
	{"ioctl", js_ioctl},
	{"ioctlBuffer", js_ioctl_buffer},
	{"pipe2", js_pipe2},
	{NULL, NULL},
};
