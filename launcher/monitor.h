/*
 * The monitor: what stays of the engine while a container runs. It holds the container's stdio,
 * writes the log, serves attached clients, records the exit status, and cleans up.
 */
#ifndef BOCKER_MONITOR_H
#define BOCKER_MONITOR_H

#include "plan.h"

#define MAX_CLIENTS 16
#define LOG_LINE 16384 /* Docker's copier splits longer lines into partial entries */

enum monitor_flags {
	MONITOR_TTY = 1,
	MONITOR_STDIN = 2,	/* the container's stdin is open */
	MONITOR_STDIN_ONCE = 4, /* … and closed when the first attached client's ends */
	MONITOR_DURABLE = 8,	/* the exit record is fsynced */
	MONITOR_SESSION = 16,	/* an exec session: no state file, no listening socket */
	MONITOR_LOCKED = 32,	/* the first descriptor of the plan is the container's lock */
};

struct monitor_config {
	uint64_t flags;
	const char *log_path;
	uint64_t log_max_size, log_max_files;
	const char *exit_path, *run_directory, *oom_path;
	const char *detach_keys;
	size_t detach_length;
	const char *discard_path; /* where a client that removes the container leaves its files; "": nowhere */
	const char *call_argv[16], *call_envp[32]; /* how the engine is called */
};
long monitor_config_read(struct monitor_config *m, const struct plan *plan);

/* ---- log.c: Docker's json-file format ---- */
struct log_line {
	unsigned char bytes[LOG_LINE];
	size_t length;
};
struct log {
	int fd;
	const char *path;
	size_t waiting; /* bytes of entries that are not in the file yet */
	uint64_t size, max_size, max_files;
};
void log_open(struct log *log, const char *path, uint64_t max_size, uint64_t max_files);
/* Adds bytes of one stream: whole lines, and pieces of LOG_LINE bytes, become entries, of the time of now. */
void log_add(struct log *log, struct log_line *line, const char *stream, const unsigned char *bytes, size_t n);
/* Writes what is left of an unfinished line. */
void log_finish(struct log *log, struct log_line *line, const char *stream);
/* RFC 3339 with nanoseconds, UTC. */
void text_add_time(struct text *t, uint64_t realtime_ns);

/* ---- client.c: who is attached ---- */
struct client {
	int socket;	  /* -1: free */
	int in, out[2];	  /* its descriptors: stdin, stdout, stderr; -1: not attached */
	size_t done[2];	  /* bytes of the stream's current chunk that it has */
	int attached;	  /* message A has come */
	int no_detach;
	int waits;	  /* was attached from the start: it removes what is to be removed */
	size_t matched;	  /* bytes of the detach sequence seen */
};
struct stream {
	int fd; /* the container's stdout, stderr or pty; -1: ended */
	unsigned char chunk[32768];
	size_t length;
	struct log_line line;
};
struct monitor {
	struct monitor_config config;
	struct context *context;
	struct client clients[MAX_CLIENTS];
	struct stream streams[2];
	struct log log;
	unsigned char input[4096]; /* on its way to the container's stdin */
	size_t input_at, input_length;
	int stdin_fd; /* write end, or the pty; -1: closed */
	int listener;
	int ended;
	int hurried; /* message G */
	int32_t exit_code;
	int oom;
	uint64_t call_at; /* when the engine is to be called, of the monotonic clock; 0: not now */
	long call_pid;
	int call_pidfd; /* the engine that was called and is at work; -1: none */
};
struct client *client_add(struct monitor *m, int socket);
void client_drop(struct monitor *m, struct client *client);
/* Reads and serves one message of a client. */
void client_message(struct monitor *m, struct client *client);
/* The client's descriptors are `fds`, by the bits of `wanted` (message A); only the first time. */
void client_attach(struct client *client, unsigned wanted, const int *fds, size_t count);
/* Bytes a client typed or piped, towards the container; the detach sequence is taken out. */
void client_input(struct monitor *m, struct client *client, const unsigned char *bytes, size_t n);
void client_input_end(struct monitor *m, struct client *client);
/* The program takes no more input; what was on its way is nobody's. */
void input_close(struct monitor *m);
/* Tells one client; a client that does not take it is dropped. */
void client_tell(struct monitor *m, struct client *client, const void *message, size_t n);
/* Gives the client what it has not had of a stream's chunk; 1: all delivered. */
int client_feed(struct monitor *m, struct client *client, int stream);

/* ---- state.c ---- */
/* Writes who is about to run, by pid and start time; published, it says that it runs. */
void state_prepare(int directory, long pid);
void state_publish(int directory);
/* Makes the socket; its descriptor or -errno. */
int state_listen(int directory);

/* ---- calls.c: while the container runs, by the file `check`, and at its end, by the file `restart` ---- */
/* When the next call is due, as the engine has left it: milliseconds from now. */
void calls_plan(struct monitor *m);
/* How long until then, in `limit`; NULL: for ever. */
struct __kernel_timespec *calls_wait(struct monitor *m, struct __kernel_timespec *limit);
/* Calls, if it is time. */
void calls_due(struct monitor *m);
/* The engine that was called has ended: the next is planned. */
void calls_ended(struct monitor *m);
/* The container has ended: what is at work is killed, nothing more is planned. */
void calls_stop(struct monitor *m);
/* At the very end, in a process of its own: as long as this one is there the container has not ended. */
void calls_last(struct monitor *m);

/* ---- tree.c ---- */
/* Removes a directory and all that is in it. 0 or -errno, -ENOENT where there is none. */
long remove_tree(const char *path);

__attribute__((noreturn)) void monitor_run(struct monitor *m);

#endif
