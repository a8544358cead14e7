/*
 * System calls and the few string functions that a freestanding program needs.
 * No libc: glibc's static start-up costs half a millisecond in a VM, and a small
 * program without one can be read whole. Calls return >= 0 or -errno.
 */
#ifndef BOCKER_SYS_H
#define BOCKER_SYS_H

#include <asm/unistd.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/limits.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/poll.h>
#include <linux/sched.h>
#include <linux/signal.h>
#include <linux/stat.h>
#include <linux/time.h>
#include <linux/types.h>
#include <linux/uio.h>
#include <stddef.h>
#include <stdint.h>

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

#if defined(SYSTEM_CALLS_ELSEWHERE) /* the fuzzers bring a kernel of their own, and a libc (fuzz/launcher/kernel.c) */
long sys6(long n, long a, long b, long c, long d, long e, long f);
#elif defined(__x86_64__)
static inline long sys6(long n, long a, long b, long c, long d, long e, long f)
{
	long ret;
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	__asm__ volatile("syscall" : "=a"(ret) : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}
#elif defined(__aarch64__)
static inline long sys6(long n, long a, long b, long c, long d, long e, long f)
{
	register long x8 __asm__("x8") = n;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;
	__asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
	return x0;
}
#else
#error "bocker's launcher knows x86-64 and arm64"
#endif

#define SYS_PICK(_0, _1, _2, _3, _4, _5, _6, name, ...) name
#define SYS0(n) sys6(n, 0, 0, 0, 0, 0, 0)
#define SYS1(n, a) sys6(n, (long)(a), 0, 0, 0, 0, 0)
#define SYS2(n, a, b) sys6(n, (long)(a), (long)(b), 0, 0, 0, 0)
#define SYS3(n, a, b, c) sys6(n, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define SYS4(n, a, b, c, d) sys6(n, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)
#define SYS5(n, a, b, c, d, e) sys6(n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0)
#define SYS6(n, a, b, c, d, e, f) sys6(n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
/* SYS(name, args…): the raw call, its arguments as longs. */
#define SYS(name, ...) SYS_PICK(0, ##__VA_ARGS__, SYS6, SYS5, SYS4, SYS3, SYS2, SYS1, SYS0)(__NR_##name, ##__VA_ARGS__)

/* The kernel's struct stat, through statx, so that one layout serves both architectures. */
static inline long sys_statx(int dir, const char *path, int flags, struct statx *st)
{
	return SYS(statx, dir, path, flags, STATX_BASIC_STATS, st);
}

static inline int open_at(int dir, const char *path, int flags, int mode)
{
	return (int)SYS(openat, dir, path, flags | O_CLOEXEC, mode);
}

static inline void close_fd(int fd)
{
	if (fd >= 0)
		SYS(close, fd);
}

static inline __attribute__((noreturn)) void exit_now(int code)
{
	for (;;)
		SYS(exit_group, code);
}

void *memcpy(void *to, const void *from, size_t n);
void *memset(void *to, int byte, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);

/* Text built in a fixed buffer; too long is remembered in `overflow`, never written. */
struct text {
	char *at;
	size_t size, length;
	int overflow;
};
void text_add(struct text *t, const char *s);
void text_add_bytes(struct text *t, const void *bytes, size_t n);
void text_add_number(struct text *t, unsigned long value);
/* Zero-padded to `width` digits. */
void text_add_padded(struct text *t, unsigned long value, int width);

/* Reads a whole small file into `buffer` (NUL-terminated); the length or -errno. */
long read_small_file(const char *path, char *buffer, size_t size);
/* Writes all bytes, through short writes and EINTR; 0 or -errno. */
long write_all(int fd, const void *bytes, size_t n);

#endif
