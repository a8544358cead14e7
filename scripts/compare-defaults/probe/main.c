/*
 * What a container is confined to, seen from the inside: one fact a line. Static, so that it needs nothing of the
 * image it runs in.
 *
 *   probe facts NAMESPACE...   everything; NAMESPACEs are those of the machine: "mnt:[4026531841]"
 *   probe calls                only what the kernel answers to every system call
 *   probe wait                 sleeps, for others to look at
 *   probe filter PID           the seccomp filters of a process as bytes, from outside: its length before each
 */
#include "fact.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

void fact(const char *group, const char *key, const char *format, ...)
{
	char value[65536];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(value, sizeof(value), format, arguments);
	va_end(arguments);
	printf("%s\t%s\t", group, key);
	for (const char *at = value; *at != '\0'; at++) {
		if (*at == '\n')
			printf("\\n");
		else if (*at == '\t')
			putchar(' ');
		else
			putchar(*at);
	}
	putchar('\n');
}

const char *error_name(int error)
{
	return error == 0 ? "0" : strerrorname_np(error);
}

const char *text_of(const char *path)
{
	static char text[65536];
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return error_name(errno);
	size_t length = 0;
	ssize_t got;
	while (length < sizeof(text) - 1 && (got = read(fd, text + length, sizeof(text) - 1 - length)) > 0)
		length += (size_t)got;
	int error = got < 0 ? errno : 0;
	close(fd);
	if (error != 0)
		return error_name(error);
	while (length > 0 && (text[length - 1] == '\n' || text[length - 1] == ' '))
		length--;
	for (size_t at = 0; at < length; at++)
		if (text[at] == '\0')
			text[at] = ' ';
	text[length] = '\0';
	return text;
}

const char *describe(const struct stat *stat)
{
	static char text[128];
	const char *kind = S_ISDIR(stat->st_mode)    ? "dir"
			   : S_ISREG(stat->st_mode)  ? "file"
			   : S_ISLNK(stat->st_mode)  ? "link"
			   : S_ISCHR(stat->st_mode)  ? "chr"
			   : S_ISBLK(stat->st_mode)  ? "blk"
			   : S_ISFIFO(stat->st_mode) ? "fifo"
						     : "socket";
	char device[32] = "";
	if (S_ISCHR(stat->st_mode) || S_ISBLK(stat->st_mode))
		snprintf(device, sizeof(device), " %u:%u", major(stat->st_rdev), minor(stat->st_rdev));
	snprintf(text, sizeof(text), "%s%s %04o %u:%u", kind, device, stat->st_mode & 07777, stat->st_uid,
		 stat->st_gid);
	return text;
}

static int is_shown(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

void each_name(const char *directory, void (*visit)(const char *directory, const char *name))
{
	struct dirent **entries;
	int count = scandir(directory, &entries, is_shown, alphasort);
	for (int i = 0; i < count; i++) {
		visit(directory, entries[i]->d_name);
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
}

/* PTRACE_SECCOMP_GET_FILTER gives the newest first. */
static int print_filters(pid_t pid)
{
	if (ptrace(PTRACE_SEIZE, pid, 0, 0) != 0 || ptrace(PTRACE_INTERRUPT, pid, 0, 0) != 0) {
		perror("ptrace");
		return 1;
	}
	int status;
	waitpid(pid, &status, __WALL);
	for (long index = 0;; index++) {
		long count = ptrace(PTRACE_SECCOMP_GET_FILTER, pid, index, 0);
		if (count < 0) {
			// ENOENT: that was the last. EINVAL: there is none.
			int is_end = errno == ENOENT || errno == EINVAL;
			if (!is_end)
				perror("PTRACE_SECCOMP_GET_FILTER");
			return !is_end;
		}
		struct sock_filter *program = calloc((size_t)count, sizeof(*program));
		ptrace(PTRACE_SECCOMP_GET_FILTER, pid, index, program);
		unsigned int length = (unsigned int)count;
		fwrite(&length, sizeof(length), 1, stdout);
		fwrite(program, sizeof(*program), (size_t)count, stdout);
		free(program);
	}
}

int main(int count, char **words)
{
	const char *what = count > 1 ? words[1] : "";
	if (strcmp(what, "filter") == 0 && count > 2)
		return print_filters(atoi(words[2]));
	if (strcmp(what, "wait") == 0)
		for (;;)
			pause();
	int is_all = strcmp(what, "facts") == 0;
	if (!is_all && strcmp(what, "calls") != 0)
		return 2;
	if (is_all) {
		process_facts(words + 2);
		file_facts();
		kernel_facts();
	}
	call_facts();
	return fflush(stdout) != 0;
}
