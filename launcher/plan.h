/*
 * The plan: what TypeScript decided, as a list of operations. The byte layout is in PROTOCOL.md;
 * src/runtime/plan/encode.ts writes it, plan.c reads it. Every read is checked against the bounds.
 */
#ifndef BOCKER_PLAN_H
#define BOCKER_PLAN_H

#include "sys.h"

#define PLAN_MAGIC 0x324b4342u /* "BCK2" */
#define PLAN_SLOTS 64
#define HELD_MAX 16384 /* as many host ports as one container can have, and some */
#define CONTROL_FD 3 /* the socket to the engine that has started this; the container's process has it no more */
#define SLOT_INHERITED 32 /* the first descriptor that came with the plan; others follow */
#define PLAN_MAX_OPS 4096
#define PLAN_MAX_BYTES (64u << 20)

/* When an operation runs, and in which process. */
enum phase {
	PHASE_HOST = 0,      /* the monitor, before clone */
	PHASE_HOST_AFTER = 1, /* the monitor, after clone, while the container's init waits */
	PHASE_CONTAINER = 2, /* the container's init */
	PHASE_CLEANUP = 3,   /* the monitor, after the container's end or a failed start */
	PHASE_STARTED = 4,   /* the monitor, once the container's program runs */
	PHASE_ENDED = 5,     /* the monitor, when the end is recorded, before anybody is told */
};

enum op_code {
	OP_MKDIR = 1,
	OP_WRITE = 2,
	OP_SYMLINK = 3,
	OP_MKNOD = 4,
	OP_RMDIR = 5,
	OP_UNLINK = 6,
	OP_OPEN = 7,
	OP_CLOSE = 8,
	OP_MOUNT = 10,
	OP_FSMOUNT = 11,
	OP_OPEN_TREE = 12,
	OP_MOUNT_SETATTR = 13,
	OP_MOVE_MOUNT = 14,
	OP_PROPAGATION = 15,
	OP_PIVOT_ROOT = 16,
	OP_MASK = 17,
	OP_READONLY = 18,
	OP_OPEN_ROOT = 19,
	OP_SETHOSTNAME = 20,
	OP_RLIMIT = 21,
	OP_CAP_BOUND = 22,
	OP_IDENTITY = 23,
	OP_CAPSET = 24,
	OP_NO_NEW_PRIVS = 25,
	OP_SECCOMP = 26,
	OP_CHDIR = 27,
	OP_EXEC = 28,
	OP_UMASK = 29,
	OP_KEYRING = 30,
	OP_UNSHARE = 31,
	OP_SETNS = 32,
	OP_NETLINK = 33,
	OP_WAIT = 34,
	OP_SIGNAL = 35,
	OP_STDIO = 36,
	OP_CLONE = 37,
	OP_DEATHSIG = 38,
	OP_REAPER = 39,
	OP_CLOSE_REST = 40,
	OP_DUMPABLE = 41,
	OP_MKDIR_IN_ROOT = 42,
	OP_SETDOMAINNAME = 43,
	OP_BPF_DEVICE = 44,
	OP_OPEN_NS = 45,
	OP_SUCCEED = 47,
	OP_AWAIT_LINK = 48,
	OP_EVENTS = 49,
	OP_HAND_OVER = 50,
};

#define OP_OPTIONAL 1 /* any error is ignored */

struct op {
	uint16_t code;
	uint8_t phase;
	uint8_t flags;
	uint16_t tolerate; /* this errno counts as success; 0: none */
	uint16_t reserved;
	uint32_t size; /* of the arguments, a multiple of 8 */
	uint32_t reserved2;
};

struct plan_header {
	uint32_t magic;
	uint32_t flags;
	uint32_t monitor_size; /* of the monitor's arguments behind this, a multiple of 8; see monitor.h */
	uint32_t reserved;
};

#define PLAN_TIMINGS 1

/* A cursor over an operation's arguments. `bad` is set by a read past the end and stays. */
struct args {
	const unsigned char *at, *end;
	int bad;
};

uint64_t arg_int(struct args *a);
/* Bytes with a NUL behind them; *length may be NULL. */
const char *arg_bytes(struct args *a, size_t *length);

/*
 * How the monitor gives the container's init what comes of the plan after its birth. The monitor only ever
 * writes here and never reads it: its own plan is memory that no process of a container shares with it.
 */
struct handover {
	uint64_t length; /* of the plan, as far as it is in `bytes` */
	uint32_t complete, reserved;
	unsigned char bytes[]; /* the plan from `from` on */
};

/* The plan comes in parts, and its operations are run as they come. */
struct plan {
	unsigned char *base; /* private memory for PLAN_MAX_BYTES */
	size_t length, indexed;
	int complete; /* nothing more will come */
	const struct op *ops[PLAN_MAX_OPS];
	uint32_t count; /* operations that are here whole */
	struct handover *handover;
	size_t from;
};

/* Makes room. 0 or -errno. */
long plan_begin(struct plan *plan);
const struct plan_header *plan_header(const struct plan *plan);
/* Finds the operations among the bytes that have come. 0, or -EINVAL for a plan that is none. */
long plan_index(struct plan *plan);
/* Before clone, for a plan that is not complete yet: the memory through which the child gets the rest. */
long plan_share(struct plan *plan);
/* The monitor gives the child what has come since; the child takes it. */
void plan_give(struct plan *plan);
long plan_take(struct plan *plan);
void plan_unshare(struct plan *plan);
struct args plan_args(const struct op *op);
struct args plan_monitor_args(const struct plan *plan);

/*
 * What the container's process says of itself: which operation failed, and why; or, with no error, that it got so far;
 * or, with FAILURE_SUCCEEDED, that the process whose id is in `index` has taken its place.
 */
struct __attribute__((packed)) failure {
	uint32_t index;
	int32_t error;
};
#define FAILURE_NONE {UINT32_MAX, 0}
#define FAILURE_SUCCEEDED INT32_MIN

/* What the operations of one process share. */
struct context {
	struct plan *plan;
	int slots[PLAN_SLOTS]; /* descriptors that operations make and use; -1: empty */
	int held[HELD_MAX]; /* what came with the plan and stays open as long as the monitor is there, but for the lock */
	size_t held_count;
	int sync_read, sync_write; /* from the monitor to the container's init: SYNC_* bytes */
	int signalled;		   /* how many SYNC_SIGNAL came and were not waited for */
	int error_write;	/* where the container's init reports a failed operation */
	int console_socket;	/* where the container's init hands the pty's master to the monitor */
	int stdio[3];		/* the container's ends of its stdio; -1: /dev/null or pty */
	uint32_t uid;		/* of the process, for the ownership of its stdio */
	int tmpfs_mask;		/* one read-only tmpfs shared by all masked directories */
	int reaper_pid;		/* set in the reaper's child */
	uint64_t *times;	/* nanoseconds after each operation, shared memory; NULL without timings */
	long result;		/* of OP_CLONE: the pid */
	int pidfd;
	uint64_t started; /* CLOCK_MONOTONIC nanoseconds, when the program ran */
	int32_t exit_code; /* of the container, once it has ended */
	int oom;
};

/* Runs one operation; >= 0 or -errno. */
long op_run(struct context *c, const struct op *op);
enum { SYNC_SIGNAL = 1, SYNC_MORE = 2 };

/* Runs the operation with this index, and notes when it was done. */
long plan_run(struct context *c, uint32_t index);
/* Waits for a byte of the monitor's; -EPIPE when it is gone. */
long sync_next(struct context *c);
/* All of one of the monitor's phases that go on past errors: cleanup, started, ended. */
void plan_run_phase(struct context *c, enum phase phase);

long op_file(struct context *c, int code, struct args *a);
long op_mount(struct context *c, int code, struct args *a);
long op_identity(struct context *c, int code, struct args *a);
long op_network(struct context *c, int code, struct args *a);
long op_bpf(struct context *c, int code, struct args *a);
long op_process(struct context *c, int code, struct args *a);
long op_events(struct context *c, int code, struct args *a);
#define NOT_MINE (-100000L)

/* A slot's descriptor, or -EBADF. */
int slot_get(struct context *c, uint64_t slot);
long slot_set(struct context *c, uint64_t slot, int fd);
/* Closes what is in a slot, if there is one and anything in it. */
void slot_empty(struct context *c, uint64_t slot);

/*
 * Opens `path` below `root`, symlinks resolved inside it. With kind 1 (directory) or 2 (file) what is
 * missing is made, component by component, never through a link that leads outside (CVE-2024-45310).
 */
enum { KIND_EXISTING = 0, KIND_DIRECTORY = 1, KIND_FILE = 2 };
int open_in_root(int root, const char *path, int kind, uint64_t resolve);

uint64_t now_ns(int clock);
/* The reaper of --init: pid 1 of the container. Does not return. */
__attribute__((noreturn)) void reaper_run(int child);

#endif
