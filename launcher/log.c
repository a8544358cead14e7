/* The container's log: one JSON object a line, as Docker's json-file driver writes it. */
#include "monitor.h"

void text_add_time(struct text *t, uint64_t ns)
{
	uint64_t seconds = ns / 1000000000u, day = seconds / 86400, rest = seconds % 86400;
	/* Days to a date of the proleptic Gregorian calendar, by 400-year eras that begin in March. */
	uint64_t z = day + 719468, era = z / 146097, doe = z % 146097;
	uint64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	uint64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
	uint64_t month = mp < 10 ? mp + 3 : mp - 9, year = yoe + era * 400 + (month <= 2);
	text_add_padded(t, year, 4);
	text_add(t, "-");
	text_add_padded(t, month, 2);
	text_add(t, "-");
	text_add_padded(t, doy - (153 * mp + 2) / 5 + 1, 2);
	text_add(t, "T");
	text_add_padded(t, rest / 3600, 2);
	text_add(t, ":");
	text_add_padded(t, rest / 60 % 60, 2);
	text_add(t, ":");
	text_add_padded(t, rest % 60, 2);
	text_add(t, ".");
	text_add_padded(t, ns % 1000000000u, 9);
	text_add(t, "Z");
}

/* The longest: every byte of a line as \uXXXX, and what stands around it. */
#define ENTRY_MAX (LOG_LINE * 6 + 256)
/* Entries wait until there are so many bytes of them, or no more input. */
#define BATCH 65536

static char entries[BATCH + ENTRY_MAX];

/* A full disk costs whole entries, never a part of one that would spoil the next, and never the container. */
static void append(struct log *log, const char *bytes, size_t n)
{
	struct statx st;
	size_t done = 0, whole;
	while (done < n) {
		long e = SYS(write, log->fd, bytes + done, n - done);
		if (e == -EINTR)
			continue;
		if (e < 0)
			break;
		done += (size_t)e;
	}
	/* There is no newline in an entry but at its end. */
	for (whole = done; whole && bytes[whole - 1] != '\n';)
		whole--;
	log->size += whole;
	if (whole < done && sys_statx(log->fd, "", AT_EMPTY_PATH, &st) >= 0 && st.stx_size >= done - whole)
		SYS(ftruncate, log->fd, st.stx_size - (done - whole));
}

static void flush(struct log *log)
{
	if (log->waiting)
		append(log, entries, log->waiting);
	log->waiting = 0;
}

void log_open(struct log *log, const char *path, uint64_t max_size, uint64_t max_files)
{
	struct statx st;
	char last;
	*log = (struct log){-1, path, 0, 0, max_size, max_files};
	if (!path[0])
		return;
	log->fd = open_at(AT_FDCWD, path, O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW, 0640);
	if (log->fd >= 0 && sys_statx(log->fd, "", AT_EMPTY_PATH, &st) >= 0)
		log->size = st.stx_size;
	/* An entry that the end of an earlier monitor has cut off must not spoil the next one. */
	if (log->size && SYS(pread64, log->fd, &last, 1, log->size - 1) == 1 && last != '\n')
		append(log, "\n", 1);
}

static void numbered(struct text *t, const char *path, uint64_t n)
{
	t->length = 0;
	text_add(t, path);
	if (n) {
		text_add(t, ".");
		text_add_number(t, n);
	}
}

/* path.(n-1) becomes path.n …, path becomes path.1; the oldest is replaced. */
static void rotate(struct log *log)
{
	char from[PATH_MAX], to[PATH_MAX];
	struct text f = {from, sizeof(from), 0, 0}, t = {to, sizeof(to), 0, 0};
	uint64_t last = 0; /* the number that nothing has yet, or the oldest: so many files are kept as are wanted or there */
	close_fd(log->fd);
	while (last + 1 < log->max_files) {
		numbered(&f, log->path, ++last);
		if (SYS(faccessat, AT_FDCWD, from, 0) < 0)
			break;
	}
	for (uint64_t i = last; i >= 1; i--) {
		numbered(&f, log->path, i - 1);
		numbered(&t, log->path, i);
		SYS(renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
	}
	log->fd = open_at(AT_FDCWD, log->path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_NOFOLLOW, 0640);
	log->size = 0;
}

/* The length of a valid UTF-8 sequence at `s`, or 0. */
static size_t utf8_length(const unsigned char *s, size_t n)
{
	size_t need = s[0] < 0x80 ? 1 : s[0] >= 0xc2 && s[0] < 0xe0 ? 2 : s[0] >= 0xe0 && s[0] < 0xf0 ? 3
		    : s[0] >= 0xf0 && s[0] < 0xf5 ? 4 : 0;
	if (!need || need > n)
		return 0;
	for (size_t i = 1; i < need; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	/* overlong forms, surrogates, beyond U+10FFFF */
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf0 && s[1] < 0x90) ||
	    (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return need;
}

/* One character as Go's encoding/json writes it; the number of input bytes taken. */
static size_t encode_character(struct text *t, const unsigned char *s, size_t n)
{
	static const char hex[] = "0123456789abcdef";
	size_t length = utf8_length(s, n);
	if (!length) {
		text_add(t, "\\ufffd");
		return 1;
	}
	if (length == 3 && s[0] == 0xe2 && s[1] == 0x80 && (s[2] & 0xfe) == 0xa8) {
		text_add(t, s[2] & 1 ? "\\u2029" : "\\u2028");
		return 3;
	}
	if (*s == '"' || *s == '\\') {
		text_add(t, "\\");
	} else if (*s < 0x20 || *s == '<' || *s == '>' || *s == '&') {
		const char *named = *s == '\n' ? "\\n" : *s == '\r' ? "\\r" : *s == '\t' ? "\\t" : *s == '\b' ? "\\b"
				  : *s == '\f' ? "\\f" : NULL;
		char code[7] = {'\\', 'u', '0', '0', hex[*s >> 4], hex[*s & 15], 0};
		text_add(t, named ? named : code);
		return 1;
	}
	text_add_bytes(t, s, length);
	return length;
}

static int plain(unsigned char c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\' && c != '<' && c != '>' && c != '&';
}

static void add_entry(struct log *log, const unsigned char *bytes, size_t n, const char *stream, uint64_t now)
{
	if (log->fd < 0)
		return;
	if (log->waiting >= BATCH)
		flush(log);
	struct text t = {entries + log->waiting, ENTRY_MAX, 0, 0};
	text_add(&t, "{\"log\":\"");
	for (size_t i = 0; i < n;) {
		size_t run = i;
		while (run < n && plain(bytes[run]))
			run++;
		if (run > i) {
			text_add_bytes(&t, bytes + i, run - i);
			i = run;
		} else {
			i += encode_character(&t, bytes + i, n - i);
		}
	}
	text_add(&t, "\",\"stream\":\"");
	text_add(&t, stream);
	text_add(&t, "\",\"time\":\"");
	text_add_time(&t, now);
	text_add(&t, "\"}\n");
	uint64_t size = log->size + log->waiting;
	if (log->max_size && size && size + t.length > log->max_size) {
		const char *entry = entries + log->waiting;
		flush(log);
		rotate(log);
		append(log, entry, t.length);
	} else {
		log->waiting += t.length;
	}
}

/* A cut at LOG_LINE bytes must not split a character: how many bytes to hold back. */
static size_t unfinished_tail(const unsigned char *bytes, size_t n)
{
	for (size_t back = 1; back <= 3 && back < n; back++) {
		unsigned char c = bytes[n - back];
		if ((c & 0xc0) == 0x80)
			continue;
		size_t need = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;
		return need > back ? back : 0;
	}
	return 0;
}

void log_add(struct log *log, struct log_line *line, const char *stream, const unsigned char *bytes, size_t n)
{
	uint64_t now = now_ns(0); /* a nanosecond later for each, so that a time stands for one entry, as in Docker */
	for (size_t i = 0; i < n;) {
		size_t room = LOG_LINE - line->length, take = 0;
		while (take < n - i && take < room && bytes[i + take] != '\n')
			take++;
		int newline = take < n - i && take < room && bytes[i + take] == '\n';
		memcpy(line->bytes + line->length, bytes + i, take + (size_t)newline);
		line->length += take + (size_t)newline;
		i += take + (size_t)newline;
		if (newline) {
			add_entry(log, line->bytes, line->length, stream, now++);
			line->length = 0;
		} else if (line->length == LOG_LINE) {
			size_t held = unfinished_tail(line->bytes, LOG_LINE);
			add_entry(log, line->bytes, LOG_LINE - held, stream, now++);
			memcpy(line->bytes, line->bytes + LOG_LINE - held, held);
			line->length = held;
		}
	}
	flush(log);
}

void log_finish(struct log *log, struct log_line *line, const char *stream)
{
	if (line->length)
		add_entry(log, line->bytes, line->length, stream, now_ns(0));
	line->length = 0;
	flush(log);
}
