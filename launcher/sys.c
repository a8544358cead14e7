#include "sys.h"

#ifndef SYSTEM_CALLS_ELSEWHERE
void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
	unsigned char *t = to;
	const unsigned char *f = from;
#if defined(__x86_64__)
	__asm__ volatile("rep movsb" : "+D"(t), "+S"(f), "+c"(n) : : "memory");
#else
	while (n--)
		*t++ = *f++;
#endif
	return to;
}

void *memset(void *to, int byte, size_t n)
{
	unsigned char *t = to;
#if defined(__x86_64__)
	__asm__ volatile("rep stosb" : "+D"(t), "+c"(n) : "a"(byte) : "memory");
#else
	while (n--)
		*t++ = (unsigned char)byte;
#endif
	return to;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const unsigned char *x = a, *y = b;
	for (; n; n--, x++, y++)
		if (*x != *y)
			return *x - *y;
	return 0;
}

size_t strlen(const char *s)
{
	size_t n = 0;
	while (s[n])
		n++;
	return n;
}
#endif

void text_add_bytes(struct text *t, const void *bytes, size_t n)
{
	if (t->overflow || n >= t->size - t->length) {
		t->overflow = 1;
		return;
	}
	memcpy(t->at + t->length, bytes, n);
	t->length += n;
	t->at[t->length] = 0;
}

void text_add(struct text *t, const char *s)
{
	text_add_bytes(t, s, strlen(s));
}

void text_add_padded(struct text *t, unsigned long value, int width)
{
	char digits[24];
	int i = sizeof(digits);
	do {
		digits[--i] = (char)('0' + value % 10);
		value /= 10;
	} while ((value || (int)sizeof(digits) - i < width) && i > 0);
	text_add_bytes(t, digits + i, sizeof(digits) - (size_t)i);
}

void text_add_number(struct text *t, unsigned long value)
{
	text_add_padded(t, value, 1);
}

long read_small_file(const char *path, char *buffer, size_t size)
{
	int fd = open_at(AT_FDCWD, path, O_RDONLY, 0);
	if (fd < 0)
		return fd;
	size_t length = 0;
	long n = 0;
	while (length < size - 1) {
		n = SYS(read, fd, buffer + length, size - 1 - length);
		if (n == -EINTR)
			continue;
		if (n <= 0)
			break;
		length += (size_t)n;
	}
	close_fd(fd);
	buffer[length] = 0;
	return n < 0 ? n : (long)length;
}

long write_all(int fd, const void *bytes, size_t n)
{
	const char *at = bytes;
	while (n) {
		long done = SYS(write, fd, at, n);
		if (done == -EINTR)
			continue;
		if (done < 0)
			return done;
		at += done;
		n -= (size_t)done;
	}
	return 0;
}
