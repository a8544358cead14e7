/*
 * Mounts, by descriptors: a target below the container's root is resolved once, inside that root
 * (openat2), and everything after that works on the descriptor (CVE-2019-19921, CVE-2021-30465).
 */
#include "plan.h"

#define PROC_SUPER_MAGIC 0x9fa0
#define FSCONFIG_STRING 1
#define FSCONFIG_FLAG 0
#define FSCONFIG_CREATE 6
#define MOVE_EMPTY_BOTH (MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH)

static int open_beneath(int root, const char *path, int flags, uint64_t resolve)
{
	struct open_how how = {(uint64_t)(flags | O_CLOEXEC), 0, resolve};
	return (int)SYS(openat2, root, path, &how, sizeof(how));
}

struct walk {
	char path[PATH_MAX];
	int links;
};

/* Replaces what was walked and the link behind it by the link's target; keeps the rest. */
static long follow_dangling(struct walk *w, int parent, size_t start, size_t end)
{
	char name[PATH_MAX], target[PATH_MAX], next[PATH_MAX];
	if (++w->links > 40)
		return -ELOOP;
	memcpy(name, w->path + start, end - start);
	name[end - start] = 0;
	long n = SYS(readlinkat, parent, name, target, sizeof(target) - 1);
	if (n < 0)
		return n == -EINVAL ? -ENOTDIR : n;
	target[n] = 0;
	struct text t = {next, sizeof(next), 0, 0};
	if (target[0] != '/')
		text_add_bytes(&t, w->path, start);
	text_add(&t, target);
	text_add(&t, w->path + end);
	if (t.overflow)
		return -ENAMETOOLONG;
	memcpy(w->path, next, t.length + 1);
	return 0;
}

int open_in_root(int root, const char *path, int kind, uint64_t resolve)
{
	struct walk w = {.links = 0};
	resolve |= RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
	int fd = open_beneath(root, path, O_PATH, resolve);
	if (fd != -ENOENT || kind == KIND_EXISTING)
		return fd;
	if (strlen(path) >= sizeof(w.path))
		return -ENAMETOOLONG;
	memcpy(w.path, path, strlen(path) + 1);
	int parent = open_beneath(root, ".", O_PATH | O_DIRECTORY, resolve);
	size_t at = 0;
	while (parent >= 0) {
		while (w.path[at] == '/')
			at++;
		size_t end = at;
		while (w.path[end] && w.path[end] != '/')
			end++;
		if (end == at)
			return parent;
		size_t rest = end;
		while (w.path[rest] == '/')
			rest++;
		int last = w.path[rest] == 0;
		char saved = w.path[end];
		w.path[end] = 0;
		fd = open_beneath(root, w.path, O_PATH, resolve);
		if (fd == -ENOENT) {
			long e = last && kind == KIND_FILE ? SYS(mknodat, parent, w.path + at, 0100644, 0)
							   : SYS(mkdirat, parent, w.path + at, 0755);
			w.path[end] = saved;
			if (e == -EEXIST) {
				e = follow_dangling(&w, parent, at, end);
				at = 0;
				close_fd(parent);
				parent = e < 0 ? (int)e : open_beneath(root, ".", O_PATH | O_DIRECTORY, resolve);
				continue;
			}
			if (e < 0) {
				close_fd(parent);
				return (int)e;
			}
			continue; /* open what was made, by the same checked way */
		}
		w.path[end] = saved;
		close_fd(parent);
		parent = fd;
		at = end;
	}
	return parent;
}

/* fsopen + fsconfig for each key and value + fsmount: a mount that is attached nowhere yet. */
static long mount_filesystem(struct context *c, struct args *a)
{
	uint64_t slot = arg_int(a);
	const char *type = arg_bytes(a, NULL);
	uint64_t attributes = arg_int(a), count = arg_int(a);
	/* Where the failure is tolerated, nothing of an earlier mount may be attached in its stead. */
	slot_empty(c, slot);
	int fs = (int)SYS(fsopen, type, FSOPEN_CLOEXEC);
	if (fs < 0)
		return fs;
	long e = 0;
	for (uint64_t i = 0; i < count && e >= 0 && !a->bad; i++) {
		const char *key = arg_bytes(a, NULL);
		size_t n;
		const char *value = arg_bytes(a, &n);
		if (a->bad)
			break;
		e = n ? SYS(fsconfig, fs, FSCONFIG_STRING, key, value, 0) : SYS(fsconfig, fs, FSCONFIG_FLAG, key, 0, 0);
	}
	if (e >= 0)
		e = SYS(fsconfig, fs, FSCONFIG_CREATE, 0, 0, 0);
	if (e >= 0)
		e = slot_set(c, slot, (int)SYS(fsmount, fs, FSMOUNT_CLOEXEC, attributes));
	close_fd(fs);
	return e;
}

/* mount(2) with relative layer paths, for kernels whose overlay knows no lowerdir+ (before 6.5). */
static long mount_classic(struct args *a)
{
	const char *directory = arg_bytes(a, NULL), *source = arg_bytes(a, NULL), *target = arg_bytes(a, NULL);
	const char *type = arg_bytes(a, NULL);
	uint64_t flags = arg_int(a);
	const char *data = arg_bytes(a, NULL);
	long e = directory[0] ? SYS(chdir, directory) : 0;
	return e < 0 ? e : SYS(mount, source, target, type, flags, data);
}

static long attach(struct context *c, struct args *a)
{
	int tree = slot_get(c, arg_int(a)), root = slot_get(c, arg_int(a));
	const char *path = arg_bytes(a, NULL);
	int kind = (int)arg_int(a);
	uint64_t resolve = arg_int(a);
	int may_cover_proc = (int)arg_int(a);
	if (tree < 0 || root < 0)
		return -EBADF;
	int target = open_in_root(root, path, kind, resolve);
	if (target < 0)
		return target;
	struct { long type; char rest[256]; } fs = {0, {0}};
	long e = SYS(fstatfs, target, &fs);
	/* Nothing from the user may lie over procfs (CVE-2019-16884). */
	if (e >= 0 && fs.type == PROC_SUPER_MAGIC && !may_cover_proc)
		e = -EPERM;
	if (e >= 0)
		e = SYS(move_mount, tree, "", target, "", MOVE_EMPTY_BOTH);
	close_fd(target);
	return e;
}

static long set_attributes(struct context *c, struct args *a)
{
	int tree = slot_get(c, arg_int(a));
	struct mount_attr attr = {.attr_set = arg_int(a), .attr_clr = arg_int(a), .propagation = arg_int(a)};
	uint64_t recursive = arg_int(a);
	return SYS(mount_setattr, tree, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), &attr, sizeof(attr));
}

static long pivot(int root)
{
	long e = SYS(fchdir, root);
	if (e >= 0)
		e = SYS(pivot_root, ".", ".");
	/* The old root lies over the new one now; detaching it uncovers the new one. */
	if (e >= 0)
		e = SYS(umount2, ".", 2 /* MNT_DETACH */);
	return e < 0 ? e : SYS(chdir, "/");
}

/* A private tmpfs of nothing, made once and bound over every masked directory. */
static long empty_directory(struct context *c)
{
	if (c->tmpfs_mask >= 0)
		return 0;
	int fs = (int)SYS(fsopen, "tmpfs", FSOPEN_CLOEXEC);
	if (fs < 0)
		return fs;
	SYS(fsconfig, fs, FSCONFIG_STRING, "nr_blocks", "1", 0);
	SYS(fsconfig, fs, FSCONFIG_STRING, "nr_inodes", "2", 0);
	SYS(fsconfig, fs, FSCONFIG_FLAG, "ro", 0, 0);
	long e = SYS(fsconfig, fs, FSCONFIG_CREATE, 0, 0, 0);
	if (e >= 0) {
		c->tmpfs_mask = (int)SYS(fsmount, fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_RDONLY);
		e = c->tmpfs_mask;
	}
	close_fd(fs);
	return e;
}

/* /dev/null, and it is: a container's own could be anything (CVE-2025-31133). */
static int open_null(void)
{
	int fd = open_at(AT_FDCWD, "/dev/null", O_PATH | O_NOFOLLOW, 0);
	struct statx st;
	if (fd < 0)
		return fd;
	if (sys_statx(fd, "", AT_EMPTY_PATH, &st) < 0 || (st.stx_mode & 0170000) != 0020000 || st.stx_rdev_major != 1 ||
	    st.stx_rdev_minor != 3) {
		close_fd(fd);
		return -ENODEV;
	}
	return fd;
}

static long mask(struct context *c, const char *path)
{
	struct statx st;
	int target = open_at(AT_FDCWD, path, O_PATH | O_NOFOLLOW, 0);
	if (target < 0)
		return target == -ENOENT || target == -ENOTDIR ? 0 : target;
	long e = sys_statx(target, "", AT_EMPTY_PATH, &st);
	int directory = (st.stx_mode & 0170000) == 0040000, null = -1, tree;
	if (e >= 0)
		e = directory ? empty_directory(c) : (null = open_null());
	if (e >= 0) {
		tree = (int)SYS(open_tree, directory ? c->tmpfs_mask : null, "",
				OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
		/* The first use of the tmpfs cannot clone it: a detached mount is moved where it is. */
		if (tree == -EINVAL && directory) {
			tree = c->tmpfs_mask;
			c->tmpfs_mask = open_at(AT_FDCWD, path, O_PATH | O_NOFOLLOW, 0);
			close_fd(c->tmpfs_mask);
			c->tmpfs_mask = -1;
		}
		e = tree < 0 ? tree : SYS(move_mount, tree, "", target, "", MOVE_EMPTY_BOTH);
		if (e >= 0 && directory && c->tmpfs_mask < 0)
			c->tmpfs_mask = open_at(AT_FDCWD, path, O_PATH | O_NOFOLLOW, 0);
		close_fd(tree);
	}
	close_fd(null);
	close_fd(target);
	return e;
}

static long make_readonly(const char *path)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY};
	int tree = (int)SYS(open_tree, AT_FDCWD, path,
			    OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE | AT_SYMLINK_NOFOLLOW);
	if (tree < 0)
		return tree == -ENOENT ? 0 : tree;
	long e = SYS(mount_setattr, tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr));
	if (e >= 0)
		e = SYS(move_mount, tree, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH);
	close_fd(tree);
	return e;
}

long op_mount(struct context *c, int code, struct args *a)
{
	const char *path;
	uint64_t slot;
	int root, fd;
	switch (code) {
	case OP_MOUNT:
		return mount_classic(a);
	case OP_FSMOUNT:
		return mount_filesystem(c, a);
	case OP_OPEN_TREE:
		slot = arg_int(a);
		path = arg_bytes(a, NULL);
		return slot_set(c, slot, (int)SYS(open_tree, AT_FDCWD, path, arg_int(a)));
	case OP_MOUNT_SETATTR:
		return set_attributes(c, a);
	case OP_MOVE_MOUNT:
		return attach(c, a);
	case OP_PROPAGATION:
		path = arg_bytes(a, NULL);
		return SYS(mount, 0, path, 0, arg_int(a), 0);
	case OP_PIVOT_ROOT:
		return pivot(slot_get(c, arg_int(a)));
	case OP_MASK:
		return mask(c, arg_bytes(a, NULL));
	case OP_READONLY:
		return make_readonly(arg_bytes(a, NULL));
	case OP_OPEN_ROOT: /* the descriptor below which everything of the container is resolved */
		slot = arg_int(a);
		path = arg_bytes(a, NULL);
		return slot_set(c, slot, open_at(AT_FDCWD, path, O_PATH | O_DIRECTORY, 0));
	case OP_MKDIR_IN_ROOT:
		root = slot_get(c, arg_int(a));
		fd = open_in_root(root, arg_bytes(a, NULL), KIND_DIRECTORY, 0);
		close_fd(fd);
		return fd < 0 ? fd : 0;
	}
	return NOT_MINE;
}
