/* Of the process: identity, capabilities, limits, environment, descriptors, namespaces, scheduling. */
#include "fact.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <termios.h>
#include <sys/ioctl.h>
#include <unistd.h>

extern char **environ;

/* Lines of /proc/self/status that say how much of something is used, or what the name says already. */
static int is_use(const char *name)
{
	static const char *const own[] = {"Name",	"State", "Tgid",    "Ngid",  "Pid",	 "FDSize", "NStgid",
					  "NSpid",	"NSpgid", "NSsid",  "Kthread", "HugetlbPages", "CoreDumping",
					  "x86_Thread_features", "x86_Thread_features_locked", "Cpus_allowed",
					  "Mems_allowed", "untag_mask", "SigQ"};
	if (strncmp(name, "Vm", 2) == 0 || strncmp(name, "Rss", 3) == 0 || strstr(name, "ctxt_switches") != NULL)
		return 1;
	for (size_t i = 0; i < sizeof(own) / sizeof(*own); i++)
		if (strcmp(name, own[i]) == 0)
			return 1;
	return 0;
}

static void status_facts(void)
{
	char *text = strdup(text_of("/proc/self/status"));
	for (char *rest = text, *line; (line = strsep(&rest, "\n")) != NULL;) {
		char *value = strchr(line, ':');
		if (value == NULL)
			continue;
		*value++ = '\0';
		value += strspn(value, "\t ");
		if (!is_use(line))
			fact(strncmp(line, "Cap", 3) == 0 ? "capabilities" : "process", line, "%s", value);
	}
	free(text);
}

static void number(const char *key, long value)
{
	if (value < 0)
		fact("process", key, "%s", error_name(errno));
	else
		fact("process", key, "%ld", value);
}

/* The settings that prctl(2) knows, by its numbers: some are newer than the C library. */
static void prctl_facts(void)
{
	int value = -1;
	fact("capabilities", "securebits", "%d", prctl(PR_GET_SECUREBITS));
	fact("capabilities", "keepcaps", "%d", prctl(PR_GET_KEEPCAPS));
	number("dumpable", prctl(PR_GET_DUMPABLE));
	prctl(PR_GET_CHILD_SUBREAPER, &value);
	number("child subreaper", value);
	prctl(PR_GET_PDEATHSIG, &value);
	number("parent death signal", value);
	number("timer slack", prctl(PR_GET_TIMERSLACK));
	number("timestamps", prctl(PR_GET_TSC, &value) == 0 ? value : -1);
	number("memory error policy", prctl(PR_MCE_KILL_GET, 0, 0, 0, 0));
	number("no huge pages", prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0));
	number("io flusher", prctl(58, 0, 0, 0, 0));
	number("memory deny write execute", prctl(66, 0, 0, 0, 0));
	number("memory merge", prctl(68, 0, 0, 0, 0));
	number("store bypass", prctl(PR_GET_SPECULATION_CTRL, 0, 0, 0, 0));
	number("indirect branch", prctl(PR_GET_SPECULATION_CTRL, 1, 0, 0, 0));
}

static void file_of_process(const char *key)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/self/%s", key);
	fact("process", key, "%s", text_of(path));
}

static void link_of_process(const char *key)
{
	char path[64], target[4096];
	snprintf(path, sizeof(path), "/proc/self/%s", key);
	ssize_t length = readlink(path, target, sizeof(target) - 1);
	target[length < 0 ? 0 : length] = '\0';
	fact("process", key, "%s", length < 0 ? error_name(errno) : target);
}

static void scheduling_facts(void)
{
	struct sched_param parameters = {0};
	sched_getparam(0, &parameters);
	fact("process", "scheduling", "%d %d", sched_getscheduler(0), parameters.sched_priority);
	errno = 0;
	fact("process", "nice", "%d", getpriority(PRIO_PROCESS, 0));
	fact("process", "io priority", "%ld", syscall(SYS_ioprio_get, 1, 0));
	fact("process", "personality", "%x", personality(0xffffffff));
	// Its own is one of "only if asked", and no page of the program may be moved.
	int mode = -1;
	fact("process", "memory policy", "%s %d", syscall(SYS_get_mempolicy, &mode, 0, 0, 0, 0) == 0 ? "0" : error_name(errno),
	     mode);
}

static void limit_facts(void)
{
	static const char *const names[] = {"cpu",     "fsize", "data",	 "stack",    "core",	   "rss",  "nproc",  "nofile",
					    "memlock", "as",	"locks", "sigpending", "msgqueue", "nice", "rtprio", "rttime"};
	for (int i = 0; i < 16; i++) {
		struct rlimit limit;
		if (getrlimit(i, &limit) != 0)
			continue;
		char soft[32] = "unlimited", hard[32] = "unlimited";
		if (limit.rlim_cur != RLIM_INFINITY)
			snprintf(soft, sizeof(soft), "%lu", limit.rlim_cur);
		if (limit.rlim_max != RLIM_INFINITY)
			snprintf(hard, sizeof(hard), "%lu", limit.rlim_max);
		fact("limits", names[i], "%s %s", soft, hard);
	}
}

static void descriptor_fact(const char *directory, const char *name)
{
	(void)directory;
	char path[64], target[4096];
	snprintf(path, sizeof(path), "/proc/self/fd/%s", name);
	ssize_t length = readlink(path, target, sizeof(target) - 1);
	struct stat stat;
	// What scandir had open is gone.
	if (length < 0 || fstat(atoi(name), &stat) != 0)
		return;
	target[length] = '\0';
	fact("descriptors", name, "%s %s flags %o%s", target, describe(&stat), fcntl(atoi(name), F_GETFL),
	     fcntl(atoi(name), F_GETFD) & FD_CLOEXEC ? " cloexec" : "");
}

static void namespace_facts(char **host)
{
	static const char *const names[] = {"cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"};
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		char path[64], own[64];
		snprintf(path, sizeof(path), "/proc/self/ns/%s", names[i]);
		ssize_t length = readlink(path, own, sizeof(own) - 1);
		own[length < 0 ? 0 : length] = '\0';
		const char *whose = length < 0 ? "none" : "its own";
		for (char **each = host; *each != NULL; each++)
			if (strcmp(*each, own) == 0)
				whose = "the machine's";
		fact("namespaces", names[i], "%s", whose);
	}
}

static void terminal_facts(void)
{
	struct termios settings;
	struct winsize size;
	fact("terminal", "of stdin", "%s", isatty(0) ? "yes" : "no");
	fact("terminal", "of stdout", "%s", isatty(1) ? "yes" : "no");
	int tty = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
	fact("terminal", "/dev/tty", "%s", tty < 0 ? error_name(errno) : "opens");
	if (tty >= 0)
		close(tty);
	if (!isatty(1) || tcgetattr(1, &settings) != 0 || ioctl(1, TIOCGWINSZ, &size) != 0)
		return;
	fact("terminal", "name", "%s", ttyname(1));
	fact("terminal", "size", "%d %d", size.ws_row, size.ws_col);
	fact("terminal", "input", "%x", settings.c_iflag);
	fact("terminal", "output", "%x", settings.c_oflag);
	fact("terminal", "control", "%x", settings.c_cflag);
	fact("terminal", "local", "%x", settings.c_lflag);
	fact("terminal", "foreground", "%s", tcgetpgrp(1) == getpgrp() ? "yes" : "no");
}

void process_facts(char **host_namespaces)
{
	status_facts();
	prctl_facts();
	scheduling_facts();
	fact("process", "is process 1", "%s", getpid() == 1 ? "yes" : "no");
	fact("process", "leads its session", "%s", getsid(0) == getpid() ? "yes" : "no");
	fact("process", "leads its group", "%s", getpgrp() == getpid() ? "yes" : "no");
	static const char *const files[] = {"cmdline", "comm", "oom_score_adj", "coredump_filter", "loginuid", "sessionid",
					    "uid_map", "gid_map", "setgroups", "projid_map", "attr/current", "timens_offsets",
					    "autogroup", "timerslack_ns"};
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
		file_of_process(files[i]);
	link_of_process("cwd");
	link_of_process("exe");
	link_of_process("root");
	limit_facts();
	for (char **variable = environ; *variable != NULL; variable++) {
		char *name = strndup(*variable, strcspn(*variable, "="));
		fact("environment", name, "%s", *variable + strcspn(*variable, "=") + 1);
		free(name);
	}
	each_name("/proc/self/fd", descriptor_fact);
	namespace_facts(host_namespaces);
	terminal_facts();
}
