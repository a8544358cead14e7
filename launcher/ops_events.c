/* What others are told of: lines of the journal of events (src/state/events.ts has its form). */
#include "plan.h"

#define LOCK_EX_NB (2 | 4)
#define ATTEMPTS 4
#define TAIL 256 /* at least what a line has behind its head */

/* How the container, or the exec, has ended. */
enum { EVENT_CODE = 1, EVENT_DURATION = 2, EVENT_OOM = 4 };

/* `path` becomes `path`.1, unless somebody else has seen to it: whoever holds the lock of the file that has the name may. */
static void rotate(int fd, const char *path, const struct statx *own)
{
	char old[PATH_MAX];
	struct text t = {old, sizeof(old), 0, 0};
	struct statx named;
	text_add(&t, path);
	text_add(&t, ".1");
	if (t.overflow || SYS(flock, fd, LOCK_EX_NB) < 0)
		return;
	if (sys_statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, &named) >= 0 && named.stx_ino == own->stx_ino)
		SYS(renameat2, AT_FDCWD, path, AT_FDCWD, old, 0);
}

/* One write: the kernel puts it behind those of others as a whole. 0 or -errno. */
static long append(const char *path, uint64_t limit, const struct text *lines)
{
	long e = -ESTALE;
	for (int attempt = 0; e == -ESTALE && attempt < ATTEMPTS; attempt++) {
		struct statx st;
		int fd = open_at(AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0600);
		if (fd < 0)
			return fd;
		e = SYS(write, fd, lines->at, lines->length);
		if (e >= 0 && sys_statx(fd, "", AT_EMPTY_PATH, &st) >= 0) {
			/* Since it was opened it has been rotated away twice: nobody reads it any more. */
			if (st.stx_nlink == 0)
				e = -ESTALE;
			else if (st.stx_size > limit)
				rotate(fd, path, &st);
		}
		close_fd(fd);
	}
	return e;
}

static void add_line(struct text *t, struct context *c, unsigned kind, const char *head, size_t n)
{
	uint64_t now = now_ns(0);
	text_add_bytes(t, head, n);
	if (kind & EVENT_DURATION) {
		text_add(t, ",\"execDuration\":\"");
		text_add_number(t, (unsigned long)((now_ns(1) - c->started) / 1000000000u));
		text_add(t, "\"");
	}
	if (kind & EVENT_CODE) {
		text_add(t, ",\"exitCode\":\"");
		text_add_number(t, (unsigned long)c->exit_code);
		text_add(t, "\"");
	}
	text_add(t, "}},\"scope\":\"local\",\"time\":");
	text_add_number(t, (unsigned long)(now / 1000000000u));
	text_add(t, ",\"timeNano\":");
	text_add_number(t, (unsigned long)now);
	text_add(t, "}\n");
}

static size_t line_length(const char *s, size_t left)
{
	size_t n = 0;
	while (n < left && s[n] != '\n')
		n++;
	return n;
}

/* args: path, limit, and lines: of each the digit of what is added to its head, and the head. */
static long write_events(struct context *c, struct args *a)
{
	static char buffer[1 << 16]; /* zeroed, not in the binary */
	struct text t = {buffer, sizeof(buffer), 0, 0};
	const char *path = arg_bytes(a, NULL);
	uint64_t limit = arg_int(a);
	size_t left;
	const char *line = arg_bytes(a, &left);
	long e = a->bad ? -EINVAL : 0;
	for (size_t n; left && !a->bad; line += n, left -= n) {
		n = line_length(line, left);
		unsigned added = n ? (unsigned)(line[0] - '0') : EVENT_OOM;
		if (!(added & EVENT_OOM && !c->oom) && n + TAIL <= sizeof(buffer)) {
			if (n + TAIL > sizeof(buffer) - t.length) {
				e = append(path, limit, &t);
				t.length = 0;
			}
			add_line(&t, c, added, line + 1, n - 1);
		}
		n += n < left; /* its end */
	}
	return t.length ? append(path, limit, &t) : e;
}

long op_events(struct context *c, int code, struct args *a)
{
	return code == OP_EVENTS ? write_events(c, a) : NOT_MINE;
}
