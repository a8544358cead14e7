/*
 * A kernel for the launcher's own sources: every system call comes here, nothing is carried out. What a call answers
 * is read from the fuzzer's input (the script); what must never happen, whatever is answered, ends the program:
 * a pointer that leads out of its memory, a descriptor closed twice, a signal to a process that is not the launcher's.
 */
#ifndef BOCKER_FUZZ_KERNEL_H
#define BOCKER_FUZZ_KERNEL_H

#include "../../launcher/monitor.h"
#include <setjmp.h>

#define DESCRIPTORS 4096
#define CHILD_PID 4242
#define REAPED_PID 4243

/* Input that is used up byte by byte; an empty one answers 0, which means that all goes well. */
struct script {
	const uint8_t *at;
	size_t left;
};
uint8_t script_byte(struct script *s);
/* Fills `to` as far as there is input, and says how much that is. */
size_t script_bytes(struct script *s, void *to, size_t n);

struct descriptor {
	uint8_t open, blocking, ready; /* ready: the last poll said that reading does not block */
	uint8_t socket;
	int next_byte; /* of a client's output: the byte that has to come; -1: any */
};

struct kernel {
	struct script script;
	struct descriptor descriptors[DESCRIPTORS];
	int swept; /* close_range was called: what is closed after that may be closed already */
	unsigned long calls;
	jmp_buf end; /* where exit, execve and a program that waits for ever lead */
	/* Calls that the target answers itself; NOT_MINE for all others. */
	long (*answer)(long n, const long *args);
};
extern struct kernel kernel;

/* All descriptors closed, nothing mapped; then 0 to 3 open. */
void kernel_begin(struct script script);
int kernel_open(void);
/* "bug: " and these words, then abort: libFuzzer keeps the input. */
__attribute__((noreturn)) void bug(const char *what, long value);
/* Is it one of these, or one that a client of the monitor's has? */
int is_known(int fd, const int *own, size_t count, const struct monitor *m);
/* Every byte may be read by the launcher, or it is a bug. */
void touch(const void *at, size_t n);
/* As the launcher's recvmsg sees it: bytes into the iovecs, descriptors into the control buffer. */
long deliver(long header, const uint8_t *bytes, size_t n, unsigned descriptors, int blocking);
/* The plan's memory may be written and read up to here. */
void kernel_grow(size_t length);
#define NOT_ANSWERED (-200000L)

#endif
