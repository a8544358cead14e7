/* What a file carries besides its contents: status, owner, mode, times, extended attributes. */
#include "module.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#define FUNCTION(name) static napi_value name(napi_env env, napi_callback_info info)
#define STAT_FIELDS 16

static int stat_into(int dirfd, const char *path, int flags, double *out, size_t length)
{
	struct stat st;

	if (fstatat(dirfd, path, &st, flags) < 0)
		return -1;
	out[0] = st.st_mode;
	out[1] = st.st_uid;
	out[2] = st.st_gid;
	out[3] = (double)st.st_size;
	out[4] = (double)st.st_nlink;
	out[5] = (double)st.st_ino;
	out[6] = (double)st.st_dev;
	out[7] = major(st.st_rdev);
	out[8] = minor(st.st_rdev);
	out[9] = (double)st.st_atim.tv_sec;
	out[10] = (double)st.st_atim.tv_nsec;
	out[11] = (double)st.st_mtim.tv_sec;
	out[12] = (double)st.st_mtim.tv_nsec;
	out[13] = (double)st.st_ctim.tv_sec;
	out[14] = (double)st.st_ctim.tv_nsec;
	out[15] = (double)st.st_blocks;
	/* Inode numbers of overlayfs (xino) use the top bits, which a double would round away:
	 * whoever compares them asks for the two halves as well. */
	if (length >= STAT_FIELDS + 2) {
		out[16] = (double)((uint64_t)st.st_ino >> 32);
		out[17] = (double)((uint64_t)st.st_ino & 0xffffffff);
	}
	return 0;
}

FUNCTION(js_fstatat)
{
	ENTER(4);
	path_buffer buffer;
	size_t length;
	int dirfd = (int)take_integer(&call, 0);
	const char *path = take_path(&call, 1, buffer);
	int flags = (int)take_integer(&call, 2);
	double *out = take_doubles(&call, 3, STAT_FIELDS, &length);

	RUN(stat_into(dirfd, path, flags, out, length));
}

static int64_t filesystem_type(int fd)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0)
		return -1;
	/* f_type is signed on some machines; the magic numbers are unsigned 32-bit values. */
	return (int64_t)(uint32_t)fs.f_type;
}

FUNCTION(js_fstatfs_type)
{
	ENTER(1);
	int fd = (int)take_integer(&call, 0);

	RUN(filesystem_type(fd));
}

FUNCTION(js_fchownat)
{
	ENTER(5);
	path_buffer buffer;
	int dirfd = (int)take_integer(&call, 0);
	const char *path = take_path(&call, 1, buffer);
	uid_t uid = (uid_t)take_integer(&call, 2);
	gid_t gid = (gid_t)take_integer(&call, 3);
	int flags = (int)take_integer(&call, 4);

	RUN(fchownat(dirfd, path, uid, gid, flags));
}

FUNCTION(js_fchmodat)
{
	ENTER(3);
	path_buffer buffer;
	int dirfd = (int)take_integer(&call, 0);
	const char *path = take_path(&call, 1, buffer);
	mode_t mode = (mode_t)take_integer(&call, 2);

	RUN(fchmodat(dirfd, path, mode, 0));
}

FUNCTION(js_fchmod)
{
	ENTER(2);
	int fd = (int)take_integer(&call, 0);
	mode_t mode = (mode_t)take_integer(&call, 1);

	RUN(fchmod(fd, mode));
}

FUNCTION(js_utimensat)
{
	ENTER(7);
	path_buffer buffer;
	int dirfd = (int)take_integer(&call, 0);
	const char *path = take_path(&call, 1, buffer);
	struct timespec times[2] = {
		{.tv_sec = (time_t)take_integer(&call, 2), .tv_nsec = (long)take_integer(&call, 3)},
		{.tv_sec = (time_t)take_integer(&call, 4), .tv_nsec = (long)take_integer(&call, 5)},
	};
	int flags = (int)take_integer(&call, 6);

	RUN(utimensat(dirfd, path, times, flags));
}

FUNCTION(js_lsetxattr)
{
	ENTER(4);
	path_buffer buffer, name_buffer;
	const char *path = take_path(&call, 0, buffer);
	const char *name = take_path(&call, 1, name_buffer);
	struct bytes value = take_bytes(&call, 2);
	int flags = (int)take_integer(&call, 3);

	RUN(lsetxattr(path, name, value.data, value.length, flags));
}

FUNCTION(js_lremovexattr)
{
	ENTER(2);
	path_buffer buffer, name_buffer;
	const char *path = take_path(&call, 0, buffer);
	const char *name = take_path(&call, 1, name_buffer);

	RUN(lremovexattr(path, name));
}

FUNCTION(js_lgetxattr)
{
	ENTER(3);
	path_buffer buffer, name_buffer;
	const char *path = take_path(&call, 0, buffer);
	const char *name = take_path(&call, 1, name_buffer);
	struct bytes out = take_bytes(&call, 2);

	RUN(lgetxattr(path, name, out.data, out.length));
}

FUNCTION(js_llistxattr)
{
	ENTER(2);
	path_buffer buffer;
	const char *path = take_path(&call, 0, buffer);
	struct bytes out = take_bytes(&call, 1);

	RUN(llistxattr(path, (char *)out.data, out.length));
}

FUNCTION(js_fsetxattr)
{
	ENTER(4);
	path_buffer name_buffer;
	int fd = (int)take_integer(&call, 0);
	const char *name = take_path(&call, 1, name_buffer);
	struct bytes value = take_bytes(&call, 2);
	int flags = (int)take_integer(&call, 3);

	RUN(fsetxattr(fd, name, value.data, value.length, flags));
}

FUNCTION(js_fgetxattr)
{
	ENTER(3);
	path_buffer name_buffer;
	int fd = (int)take_integer(&call, 0);
	const char *name = take_path(&call, 1, name_buffer);
	struct bytes out = take_bytes(&call, 2);

	RUN(fgetxattr(fd, name, out.data, out.length));
}

FUNCTION(js_flistxattr)
{
	ENTER(2);
	int fd = (int)take_integer(&call, 0);
	struct bytes out = take_bytes(&call, 1);

	RUN(flistxattr(fd, (char *)out.data, out.length));
}

const struct function metadata_functions[] = {
	{"fstatat", js_fstatat},
	{"fstatfsType", js_fstatfs_type},
	{"fchownat", js_fchownat},
	{"fchmodat", js_fchmodat},
	{"fchmod", js_fchmod},
	{"utimensat", js_utimensat},
	{"lsetxattr", js_lsetxattr},
	{"lremovexattr", js_lremovexattr},
	{"lgetxattr", js_lgetxattr},
	{"llistxattr", js_llistxattr},
	{"fsetxattr", js_fsetxattr},
	{"fgetxattr", js_fgetxattr},
	{"flistxattr", js_flistxattr},
	{NULL, NULL},
};
