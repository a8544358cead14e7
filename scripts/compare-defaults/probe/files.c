/* Of the file systems: mounts, the root, /dev, /proc and /sys, and what of them can be opened. */
#include "fact.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* mountinfo(5): ID PARENT DEVICE ROOT TARGET OPTIONS PROPAGATION... - TYPE SOURCE SUPER. */
static void mount_facts(void)
{
	char *text = strdup(text_of("/proc/self/mountinfo"));
	for (char *rest = text, *line; (line = strsep(&rest, "\n")) != NULL;) {
		char root[4096], target[4096], options[4096], type[256], source[4096], super[4096];
		int before = 0;
		sscanf(line, "%*s %*s %*s %4095s %4095s %4095s%n", root, target, options, &before);
		char *after = strstr(line, " - ");
		sscanf(after, " - %255s %4095s %4095s", type, source, super);
		*after = '\0';
		const char *propagation = line + before + strspn(line + before, " ");
		char key[8192];
#define PART(name, value)                                                                                              \
	do {                                                                                                           \
		snprintf(key, sizeof(key), "%s %s", target, name);                                                     \
		fact("mounts", key, "%s", value);                                                                      \
	} while (0)
		PART("type", type);
		PART("options", options);
		PART("propagation", *propagation == '\0' ? "private" : propagation);
		PART("super options", super);
		PART("source", source);
		PART("root", root);
	}
	free(text);
}

static void join(char *path, size_t size, const char *directory, const char *name)
{
	snprintf(path, size, "%s/%s", strcmp(directory, "/") == 0 ? "" : directory, name);
}

static void entry_fact(const char *group, const char *path, const struct stat *stat)
{
	char target[4096] = "";
	if (S_ISLNK(stat->st_mode)) {
		memcpy(target, " -> ", 4);
		ssize_t length = readlink(path, target + 4, sizeof(target) - 5);
		target[length < 0 ? 4 : 4 + length] = '\0';
	}
	fact(group, path, "%s%s", describe(stat), target);
}

static const char *tree_group;
static dev_t tree_device;

/* Every file of a tree that is on the device `tree_device`, or on any if that is 0. */
static void tree_fact(const char *directory, const char *name)
{
	char path[4096];
	struct stat stat;
	join(path, sizeof(path), directory, name);
	if (lstat(path, &stat) != 0)
		return;
	int is_elsewhere = tree_device != 0 && stat.st_dev != tree_device;
	entry_fact(tree_group, path, &stat);
	if (S_ISDIR(stat.st_mode) && !is_elsewhere)
		each_name(path, tree_fact);
}

/* Opened, not read and not written: what the kernel says to a reader and to a writer. */
static void openness(const char *group, const char *path, const struct stat *stat)
{
	int reader = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	int read_error = reader < 0 ? errno : 0;
	char byte;
	// Some say it only to who reads.
	if (reader >= 0 && S_ISREG(stat->st_mode) && read(reader, &byte, 1) < 0)
		read_error = errno;
	if (reader >= 0)
		close(reader);
	int writer = S_ISDIR(stat->st_mode) ? -1 : open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	int write_error = writer < 0 ? errno : 0;
	if (writer >= 0)
		close(writer);
	if (S_ISDIR(stat->st_mode))
		write_error = access(path, W_OK) == 0 ? 0 : errno;
	fact(group, path, "%s read %s write %s", describe(stat), error_name(read_error), error_name(write_error));
}

static void proc_fact(const char *directory, const char *name)
{
	char path[4096];
	struct stat stat;
	join(path, sizeof(path), directory, name);
	if ((*name >= '0' && *name <= '9') || lstat(path, &stat) != 0)
		return;
	if (S_ISLNK(stat.st_mode))
		entry_fact("proc", path, &stat);
	else
		openness("proc", path, &stat);
}

static void count_name(const char *directory, const char *name);
static int counted;
static void count_name(const char *directory, const char *name)
{
	(void)directory;
	(void)name;
	counted++;
}

static void emptiness(const char *path)
{
	char key[4096];
	struct stat stat;
	if (lstat(path, &stat) != 0 || !S_ISDIR(stat.st_mode))
		return;
	counted = 0;
	each_name(path, count_name);
	snprintf(key, sizeof(key), "%s/*", path);
	fact("proc", key, "%s", counted == 0 ? "empty" : "has files");
}

static void thermal_fact(const char *directory, const char *name)
{
	char path[4096];
	if (strncmp(name, "cpu", 3) != 0)
		return;
	snprintf(path, sizeof(path), "%s/%s/thermal_throttle", directory, name);
	emptiness(path);
}

/* Files by which a container has left itself or told of its neighbours. */
static void sys_facts(void)
{
	static const char *const paths[] = {"/sys/kernel/uevent_helper", "/sys/power/state", "/sys/kernel/mm/ksm/run",
					    "/sys/fs/cgroup", "/sys/kernel/security", "/sys/kernel/debug",
					    "/sys/kernel/tracing", "/sys/fs/bpf", "/sys/module", "/sys/block",
					    "/sys/class/net", "/sys/fs/selinux", "/sys/fs/pstore"};
	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		struct stat stat;
		if (lstat(paths[i], &stat) == 0)
			openness("sys", paths[i], &stat);
		if (lstat(paths[i], &stat) == 0 && S_ISDIR(stat.st_mode))
			emptiness(paths[i]);
	}
}

void file_facts(void)
{
	struct stat root;
	mount_facts();
	stat("/", &root);
	tree_group = "root";
	tree_device = root.st_dev;
	entry_fact("root", "/", &root);
	each_name("/", tree_fact);
	tree_group = "dev";
	tree_device = 0;
	each_name("/dev", tree_fact);
	each_name("/proc", proc_fact);
	static const char *const covered[] = {"/proc/acpi", "/proc/asound", "/proc/scsi", "/proc/bus", "/proc/fs",
					      "/proc/irq", "/sys/firmware", "/sys/devices/virtual/powercap"};
	for (size_t i = 0; i < sizeof(covered) / sizeof(*covered); i++)
		emptiness(covered[i]);
	each_name("/sys/devices/system/cpu", thermal_fact);
	sys_facts();
	static const char *const etc[] = {"/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/etc/mtab"};
	for (size_t i = 0; i < sizeof(etc) / sizeof(*etc); i++) {
		struct stat stat;
		char key[64];
		if (lstat(etc[i], &stat) != 0)
			continue;
		fact("etc", etc[i], "%s", describe(&stat));
		if (!S_ISREG(stat.st_mode))
			continue;
		snprintf(key, sizeof(key), "%s text", etc[i]);
		fact("etc", key, "%s", text_of(etc[i]));
	}
}
