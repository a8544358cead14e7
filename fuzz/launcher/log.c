/*
 * Fuzzer of the log: any bytes of two streams, in any pieces, with rotation and a disk that is full now and then, into
 * files in memory. Every line of every file must be an entry of Docker's json-file, and with nothing lost to rotation or
 * a full disk the entries must be the input again.
 *
 * Input: u16 the size at which the log is rotated, u8 how many files are kept, u8 flags, then pieces: u8 which stream
 * and what happens, u8 the size, bytes.
 */
#include "kernel.h"
#include <string.h>

#define FILE_MAX (1u << 20)
#define FILES 12
#define TEXT_MAX (1u << 18)

static struct file { char name[16]; size_t size; char bytes[FILE_MAX]; } files[FILES];
static int file_of[DESCRIPTORS]; /* descriptor: index of its file */
static struct script pieces;
static unsigned space; /* bytes that the disk still takes; it is full when there are none */
static int full, was_full, rotated;
static char expected[2][TEXT_MAX], decoded[2][TEXT_MAX];
static size_t expected_length[2], decoded_length[2];

static int find(const char *name)
{
	for (int i = 0; i < FILES; i++)
		if (!strcmp(files[i].name, name))
			return i;
	return -1;
}

static long open_file(const char *name, int flags)
{
	int at = find(name);
	if (at < 0 && (!(flags & O_CREAT) || (at = find("")) < 0))
		return -ENOENT;
	if (flags & O_TRUNC)
		files[at].size = 0;
	strncpy(files[at].name, name, sizeof(files[at].name) - 1);
	int fd = kernel_open();
	file_of[fd] = at;
	return fd;
}

static long rename_file(const char *from, const char *to)
{
	int source = find(from), target = find(to);
	if (source < 0)
		return -ENOENT;
	if (target >= 0 && target != source)
		files[target].name[0] = 0;
	strncpy(files[source].name, to, sizeof(files[source].name) - 1);
	rotated = 1;
	return 0;
}

static long append(int fd, const void *bytes, size_t n)
{
	if (fd < 0)
		return -EBADF;
	struct file *f = &files[file_of[fd]];
	touch(bytes, n);
	if (full && space < n) {
		n = space;
		if (!n)
			return -ENOSPC;
	}
	if (f->size + n > FILE_MAX) {
		was_full = 1;
		return -ENOSPC;
	}
	memcpy(f->bytes + f->size, bytes, n);
	f->size += n;
	space -= full ? (unsigned)n : 0;
	return (long)n;
}

static long answer(long n, const long *args)
{
	switch (n) {
	case __NR_openat: return open_file((const char *)args[1], (int)args[2]);
	case __NR_renameat2: return rename_file((const char *)args[1], (const char *)args[3]);
	case __NR_unlinkat: return 0;
	case __NR_write: return append((int)args[0], (void *)args[1], (size_t)args[2]);
	case __NR_ftruncate: files[file_of[args[0]]].size = (size_t)args[1]; return 0;
	case __NR_faccessat: return find((const char *)args[1]) < 0 ? -ENOENT : 0;
	case __NR_statx:
		memset((void *)args[4], 0, sizeof(struct statx));
		((struct statx *)args[4])->stx_size = files[file_of[args[0]]].size;
		return 0;
	}
	return NOT_ANSWERED;
}

static void add_text(char *to, size_t *length, const char *bytes, size_t n)
{
	if (*length + n > TEXT_MAX)
		return;
	memcpy(to + *length, bytes, n);
	*length += n;
}

static size_t sequence(const uint8_t *s, size_t n)
{
	static const struct { uint8_t first, last, low, high, length; } RANGES[] = {
		{0x00, 0x7f, 0, 0, 1}, {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3},
		{0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4},
		{0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
	};
	for (size_t r = 0; r < LENGTH(RANGES); r++) {
		if (s[0] < RANGES[r].first || s[0] > RANGES[r].last || RANGES[r].length > n)
			continue;
		if (RANGES[r].length > 1 && (s[1] < RANGES[r].low || s[1] > RANGES[r].high))
			return 0;
		for (size_t i = 2; i < RANGES[r].length; i++)
			if ((s[i] & 0xc0) != 0x80)
				return 0;
		return RANGES[r].length;
	}
	return 0;
}

/* What Go's json package makes of bytes: those that are no UTF-8 become U+FFFD, one for each. */
static void make_valid(char *to, size_t *to_length, const char *from, size_t n)
{
	for (size_t i = 0; i < n;) {
		size_t length = sequence((const uint8_t *)from + i, n - i);
		add_text(to, to_length, length ? from + i : "\xef\xbf\xbd", length ? length : 3);
		i += length ? length : 1;
	}
}

static unsigned hex4(const char *s)
{
	unsigned value = 0;
	for (int i = 0; i < 4; i++) {
		const char *digit = memchr("0123456789abcdef", s[i], 16);
		if (!digit)
			bug("a \\u escape that is none", s[i]);
		value = value << 4 | (unsigned)(digit - "0123456789abcdef");
	}
	return value;
}

static const char *unescape(const char *s, char *to, size_t *length)
{
	static const char NAMES[] = "nrtbf\"\\", VALUES[] = "\n\r\t\b\f\"\\";
	const char *named = strchr(NAMES, *s);
	if (*s == 'u') {
		unsigned code = hex4(s + 1);
		char bytes[3] = {(char)(0xe0 | code >> 12), (char)(0x80 | (code >> 6 & 63)), (char)(0x80 | (code & 63))};
		if (code < 0x80)
			bytes[0] = (char)code;
		add_text(to, length, bytes, code < 0x80 ? 1 : 3);
		return s + 5;
	}
	if (!named || !*s)
		bug("an escape that JSON does not know", *s);
	add_text(to, length, VALUES + (named - NAMES), 1);
	return s + 1;
}

static const char *literal(const char *s, const char *text)
{
	if (strncmp(s, text, strlen(text)))
		bug("a line of the log is no entry", *s);
	return s + strlen(text);
}

static void read_entry(const char *line, const char *end)
{
	static char text[TEXT_MAX];
	size_t length = 0;
	const char *s = literal(line, "{\"log\":\"");
	while (*s != '"') {
		if ((unsigned char)*s < 0x20)
			bug("a control character in the log", *s);
		size_t n = sequence((const uint8_t *)s, (size_t)(end - s));
		if (!n)
			bug("the log is no UTF-8", *s);
		if (*s == '\\')
			s = unescape(s + 1, text, &length);
		else {
			add_text(text, &length, s, n);
			s += n;
		}
	}
	s = literal(s, "\",\"stream\":\"std");
	int stream = *s == 'e';
	s = literal(s, stream ? "err\",\"time\":\"" : "out\",\"time\":\"");
	if (strlen(s) != 33 || s[10] != 'T' || strcmp(s + 29, "Z\"}\n"))
		bug("a time that is none", (long)strlen(s));
	add_text(decoded[stream], &decoded_length[stream], text, length);
}

static void check_file(const char *name)
{
	static char line[LOG_LINE * 6 + 512];
	int at = find(name);
	if (at < 0)
		return;
	const char *s = files[at].bytes, *end = s + files[at].size;
	while (s < end) {
		const char *newline = memchr(s, '\n', (size_t)(end - s));
		if (!newline || (size_t)(newline - s) > sizeof(line) - 2)
			bug("a line of the log is cut off", end - s);
		memcpy(line, s, (size_t)(newline - s) + 1);
		line[newline - s + 1] = 0;
		if (memchr(line, 0, (size_t)(newline - s)))
			bug("a NUL byte in the log", newline - s);
		read_entry(line, line + (newline - s) + 1);
		s = newline + 1;
	}
}

static void feed(struct log *log, struct log_line lines[2])
{
	static char raw[2][TEXT_MAX];
	static const char *const NAMES[] = {"stdout", "stderr"};
	size_t raw_length[2] = {0, 0};
	while (pieces.left && raw_length[0] + raw_length[1] < TEXT_MAX / 6) {
		static uint8_t bytes[32768];
		uint8_t how = script_byte(&pieces);
		size_t size = script_byte(&pieces), n = script_bytes(&pieces, bytes, how & 2 ? 4 : size);
		if (how & 2) { /* the same few bytes again and again: long lines */
			size = size * 65u + (how >> 3);
			for (size_t i = n; n && i < size; i++)
				bytes[i] = bytes[i - n];
			n = n && size > n ? size : n;
		}
		full = (how & 0xc4) == 0xc4;
		was_full |= full;
		space = (how & 0x38) * 8u;
		kernel.calls = 0; /* each line of a piece may rotate all files */
		log_add(log, &lines[how & 1], NAMES[how & 1], bytes, n);
		add_text(raw[how & 1], &raw_length[how & 1], (char *)bytes, n);
	}
	for (int s = 0; s < 2; s++) {
		log_finish(log, &lines[s], NAMES[s]);
		make_valid(expected[s], &expected_length[s], raw[s], raw_length[s]);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct log_line lines[2];
	struct log log;
	if (size < 4)
		return -1;
	kernel_begin((struct script){NULL, 0});
	kernel.answer = answer;
	for (int i = 0; i < FILES; i++)
		files[i].name[0] = files[i].size = 0;
	pieces = (struct script){data + 4, size - 4};
	rotated = full = was_full = 0;
	lines[0].length = lines[1].length = 0;
	for (int s = 0; s < 2; s++)
		expected_length[s] = decoded_length[s] = 0;
	uint64_t max_size = data[0] | data[1] << 8, max_files = data[2] == 255 ? UINT64_MAX : data[2] % 8;
	log_open(&log, "log", max_size, max_files);
	feed(&log, lines);
	static const char *const NAMES[] = {"log.7", "log.6", "log.5", "log.4", "log.3", "log.2", "log.1", "log"};
	for (size_t i = 0; i < LENGTH(NAMES); i++) {
		if (max_files != UINT64_MAX && i + 1 < LENGTH(NAMES) && NAMES[i][4] >= '0' + (int)max_files && find(NAMES[i]) >= 0)
			bug("more files than are to be kept", NAMES[i][4]);
		check_file(NAMES[i]);
	}
	for (int s = 0; s < 2 && !was_full && (!max_size || max_files > 7); s++)
		if (!rotated && (decoded_length[s] != expected_length[s] || memcmp(decoded[s], expected[s], decoded_length[s])))
			bug("the log does not say what was written", s);
	return 0;
}
