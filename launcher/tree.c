/*
 * Removing a container's files. Whoever was root in the container has chosen their names and how deep they
 * lie, so nothing is followed and nothing recurses: a directory in a directory is moved up to the top, and has its
 * turn there.
 */
#include "monitor.h"

#define AT_REMOVEDIR 0x200
#define BTRFS_IOC_SNAP_DESTROY 0x5000940f /* linux/btrfs.h: _IOW(0x94, 15, struct btrfs_ioctl_vol_args) */
#define RENAME_NOREPLACE 1

struct entry {
	uint64_t inode;
	int64_t offset;
	uint16_t length;
	uint8_t type;
	char name[];
};

struct removal {
	int top;
	uint64_t moved; /* for names that nobody else has */
	uint64_t done;
	long error; /* the first */
};

static long clear(struct removal *r, int directory);

static long move_up(struct removal *r, int from, const char *name)
{
	char unique[32];
	long e;
	do {
		struct text t = {unique, sizeof(unique), 0, 0};
		text_add(&t, ".bocker-");
		text_add_number(&t, ++r->moved);
		e = SYS(renameat2, from, name, r->top, unique, RENAME_NOREPLACE);
	} while (e == -EEXIST);
	return e;
}

/* A subvolume of btrfs goes at once, with all that is in it. With another in it it stays, for the engine to take apart. */
static long remove_subvolume(int from, const char *name)
{
	struct { int64_t fd; char name[4088]; } arguments = {0};
	struct text t = {arguments.name, sizeof(arguments.name), 0, 0};
	text_add(&t, name);
	return SYS(ioctl, from, BTRFS_IOC_SNAP_DESTROY, &arguments);
}

static long remove_entry(struct removal *r, int from, const char *name)
{
	long e = SYS(unlinkat, from, name, 0);
	if (e == -EISDIR)
		e = SYS(unlinkat, from, name, AT_REMOVEDIR);
	if (e != -ENOTEMPTY)
		return e;
	if (remove_subvolume(from, name) >= 0)
		return 0;
	if (from != r->top)
		return move_up(r, from, name);
	int directory = open_at(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	if (directory < 0)
		return directory;
	e = clear(r, directory);
	close_fd(directory);
	return e < 0 ? e : SYS(unlinkat, from, name, AT_REMOVEDIR);
}

/* Takes everything out of a directory. One at the top goes down by one level, no further. */
static long clear(struct removal *r, int directory)
{
	char buffer[4096] __attribute__((aligned(8)));
	long n;
	while ((n = SYS(getdents64, directory, buffer, sizeof(buffer))) > 0)
		for (long at = 0; at < n;) {
			const struct entry *entry = (const struct entry *)(buffer + at);
			const char *name = entry->name;
			at += entry->length;
			if (name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2])))
				continue;
			long e = remove_entry(r, directory, name);
			if (e >= 0)
				r->done++;
			else if (!r->error)
				r->error = e;
		}
	return n;
}

long remove_tree(const char *path)
{
	struct removal r = {.top = open_at(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0)};
	if (r.top < 0)
		return r.top;
	long e;
	do { /* again while something moved up or went: what moved up has not been seen */
		r.done = 0;
		r.error = 0;
		SYS(lseek, r.top, 0, 0);
		e = clear(&r, r.top);
		if (e >= 0)
			e = SYS(unlinkat, AT_FDCWD, path, AT_REMOVEDIR);
	} while (e == -ENOTEMPTY && r.done);
	close_fd(r.top);
	return e < 0 && r.error ? r.error : e;
}
