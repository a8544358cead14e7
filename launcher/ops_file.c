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

#define AT_REMOVEDIR 0x200
#define DT_DIR 4

struct entry {
	uint64_t inode;
	int64_t offset;
	uint16_t length;
	uint8_t type;
	char name[];
};

/* The name of a directory in `directory`, into `name` of NAME_MAX + 1 bytes; 0 when there is none. */
static int child_directory(int directory, char *name)
{
	static union { char bytes[4096]; struct entry first; } buffer;
	long n;
	while ((n = SYS(getdents64, directory, buffer.bytes, sizeof(buffer))) > 0)
		for (long at = 0; at < n;) {
			const struct entry *entry = (const struct entry *)(buffer.bytes + at);
			const char *s = entry->name;
			size_t length = strlen(s);
			at += entry->length;
			if (entry->type != DT_DIR || length > NAME_MAX || (s[0] == '.' && (!s[1] || (s[1] == '.' && !s[2]))))
				continue;
			memcpy(name, s, length + 1);
			return 1;
		}
	return 0;
}

/*
 * Removes one of the innermost cgroups below `path`, which a container with the right to has made. There are no links
 * in this filesystem, and every name is looked up in the directory it was read from. 1: one is gone.
 */
static int remove_innermost(const char *path)
{
	char name[NAME_MAX + 1], next[NAME_MAX + 1];
	int directory = open_at(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0), removed = 0;
	if (directory < 0)
		return 0;
	if (child_directory(directory, name)) {
		for (;;) {
			int child = open_at(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
			if (child < 0)
				break;
			if (!child_directory(child, next)) {
				close_fd(child);
				removed = SYS(unlinkat, directory, name, AT_REMOVEDIR) >= 0;
				break;
			}
			close_fd(directory);
			directory = child;
			memcpy(name, next, sizeof(name));
		}
	}
	close_fd(directory);
	return removed;
}

static long remove_cgroup_directory(const char *path)
{
	struct __kernel_timespec pause = {0, 200000};
	long e = 0;
	/* A cgroup stays busy until the kernel has put away its last task, and as long as there are others below it. */
	for (int waits = 0; waits < 2500;) {
		e = SYS(unlinkat, AT_FDCWD, path, AT_REMOVEDIR);
		if (e != -EBUSY)
			return e == -ENOENT ? 0 : e;
		if (remove_innermost(path))
			continue;
		waits++;
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
		slot_empty(c, arg_int(a));
		return 0;
	}
	return NOT_MINE;
}
