/*
 * What the kernel answers to every system call: each in a child of its own, with arguments that are
 * nothing: -1 is no descriptor, no address, no process and no set of flags.
 */
#include "fact.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* The newest call of linux 6.18 is 469; 335 to 423 have no name. */
#define LAST 511

/*
 * Not tried: vhangup takes the terminal away from whoever has it, where it is allowed at all, and sync makes the
 * whole machine wait for its disks. The filter says what there is to know of them.
 */
static int is_harmful(long number)
{
	return number == SYS_vhangup || number == SYS_sync;
}

__attribute__((always_inline)) static inline long raw(long number, long all)
{
#if defined(__x86_64__)
	long result;
	register long r10 __asm__("r10") = all, r8 __asm__("r8") = all, r9 __asm__("r9") = all;
	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(all), "S"(all), "d"(all), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
#elif defined(__aarch64__)
	register long x8 __asm__("x8") = number, x0 __asm__("x0") = all, x1 __asm__("x1") = all, x2 __asm__("x2") = all;
	register long x3 __asm__("x3") = all, x4 __asm__("x4") = all, x5 __asm__("x5") = all;
	__asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
	return x0;
#else
#error "the probe knows x86-64 and arm64"
#endif
}

/* Whether there is nothing to try: what is left out of arm64's numbers, which begin again at 424. */
static int is_gap(long number)
{
#if defined(__aarch64__)
	return number >= 295 && number < 424;
#else
	(void)number;
	return 0;
#endif
}

/* pause(2), which arm64 does not have, is the only call that waits; any other has the time of a busy machine. */
static int patience(long number)
{
#if defined(SYS_pause)
	if (number == SYS_pause)
		return 100;
#else
	(void)number;
#endif
	return 20000;
}

/* Inlined, because a child of vfork runs on the same stack. */
__attribute__((noinline)) static void child(long number, int report)
{
	pid_t own = getpid();
	long result = raw(number, -1);
	if (getpid() != own)
		_exit(0);
	int answer = result < 0 && result > -4096 ? (int)-result : 0;
	if (write(report, &answer, sizeof(answer)) < 0)
		_exit(1);
	_exit(0);
}

static void call_fact(long number)
{
	char key[32];
	int report[2], answer, status;
	snprintf(key, sizeof(key), "%ld", number);
	if (is_harmful(number)) {
		fact("calls", key, "not tried");
		return;
	}
	if (pipe2(report, O_CLOEXEC) != 0)
		return;
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		// A signal of a call's own must not reach who asks.
		setsid();
		child(number, report[1]);
	}
	close(report[1]);
	struct pollfd ready = {.fd = report[0], .events = POLLIN};
	int is_late = poll(&ready, 1, patience(number)) == 0;
	if (is_late)
		kill(pid, SIGKILL);
	ssize_t got = is_late ? 0 : read(report[0], &answer, sizeof(answer));
	close(report[0]);
	waitpid(pid, &status, 0);
	if (is_late)
		fact("calls", key, "waits");
	else if (got == (ssize_t)sizeof(answer))
		fact("calls", key, "%s", error_name(answer));
	else if (WIFSIGNALED(status))
		fact("calls", key, "SIG%s", sigabbrev_np(WTERMSIG(status)));
	else
		fact("calls", key, "exits");
}

void call_facts(void)
{
	for (long number = 0; number <= LAST; number++)
		if (!is_gap(number))
			call_fact(number);
}
