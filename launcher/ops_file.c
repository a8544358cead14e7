/* Operations on files and directories. */
#include "plan.h"

static long write_file(struct args *a)
{
	const char *path = arg_bytes(a, NULL);
	size_t n;
	const char *data = arg_bytes(a, &n);
	int fd = open_at(AT_FDCWD, path, O_WRONLY | O_NOFOLLOW, 0);
	if (fd < 0)
		return fd;
	/* One write: cgroup and sysctl files take a value whole or not at all. */
	long e = SYS(write, fd, data, n);
	close_fd(fd);
	return e < 0 ? e : 0;
}

static long remove_cgroup_directory(const char *path)
{
	struct __kernel_timespec pause = {0, 200000};
	long e = 0;
	/* A cgroup stays busy until the kernel has put away its last task. */
	for (int i = 0; i < 2500; i++) {
		e = SYS(unlinkat, AT_FDCWD, path, 0x200 /* AT_REMOVEDIR */);
		if (e != -EBUSY)
			return e == -ENOENT ? 0 : e;
		SYS(nanosleep, &pause, 0);
	}
	return e;
}

static long make_node(struct context *c, struct args *a)
{
	const char *path = arg_bytes(a, NULL);
	unsigned mode = (unsigned)arg_int(a), major = (unsigned)arg_int(a), minor = (unsigned)arg_int(a);
	unsigned uid = (unsigned)arg_int(a), gid = (unsigned)arg_int(a);
	unsigned device = ((major & 0xfff) << 8) | (minor & 0xff) | ((minor & 0xfff00) << 12);
	(void)c;
	long e = SYS(mknodat, AT_FDCWD, path, mode, device);
	if (e < 0)
		return e;
	return uid || gid ? SYS(fchownat, AT_FDCWD, path, uid, gid, AT_SYMLINK_NOFOLLOW) : 0;
}

long op_file(struct context *c, int code, struct args *a)
{
	const char *path, *other;
	uint64_t slot;
	switch (code) {
	case OP_MKDIR:
		path = arg_bytes(a, NULL);
		return SYS(mkdirat, AT_FDCWD, path, arg_int(a));
	case OP_WRITE:
		return write_file(a);
	case OP_SYMLINK:
		other = arg_bytes(a, NULL);
		path = arg_bytes(a, NULL);
		return SYS(symlinkat, other, AT_FDCWD, path);
	case OP_MKNOD:
		return make_node(c, a);
	case OP_RMDIR:
		return remove_cgroup_directory(arg_bytes(a, NULL));
	case OP_UNLINK:
		return SYS(unlinkat, AT_FDCWD, arg_bytes(a, NULL), 0);
	case OP_OPEN:
		slot = arg_int(a);
		path = arg_bytes(a, NULL);
		return slot_set(c, slot, open_at(AT_FDCWD, path, (int)arg_int(a), 0));
	case OP_CLOSE:
		slot = arg_int(a);
		close_fd(slot_get(c, slot));
		if (slot < PLAN_SLOTS)
			c->slots[slot] = -1;
		return 0;
	}
	return NOT_MINE;
}
