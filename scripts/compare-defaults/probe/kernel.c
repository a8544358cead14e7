/* Of the kernel's settings: cgroups, sysctls, the network. */
#include "fact.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

/* Not limits but counts, lists of processes, and what only the machine as a whole has. */
static int is_count(const char *name)
{
	static const char *const parts[] = {"usage",	"stat",	     "procs",	    "tasks",	"failcnt", "event",   "current",
					    "peak",	"pressure",  "effective", "io_service", "io_serviced", "io_queued",
					    "io_merged", "io_wait", "time_recursive", "sectors", "throttle.io", "force_empty",
					    "threads",	"reclaim",   "kill",	"slabinfo"};
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
		if (strstr(name, parts[i]) != NULL)
			return 1;
	return 0;
}

static void cgroup_file_fact(const char *directory, const char *name)
{
	char path[4096];
	struct stat stat;
	snprintf(path, sizeof(path), "%s/%s", directory, name);
	if (is_count(name) || lstat(path, &stat) != 0 || !S_ISREG(stat.st_mode) || (stat.st_mode & 0444) == 0)
		return;
	fact(strstr(name, "devices.") == name ? "devices" : "cgroup", path + strlen("/sys/fs/cgroup/"), "%s", text_of(path));
}

static void cgroup_fact(const char *directory, const char *name)
{
	char path[4096], procs[8192];
	struct stat stat;
	snprintf(path, sizeof(path), "%s/%s", directory, name);
	if (lstat(path, &stat) != 0)
		return;
	if (!S_ISREG(stat.st_mode))
		fact("cgroup", path, "%s", describe(&stat));
	snprintf(procs, sizeof(procs), "%s/cgroup.procs", path);
	if (!S_ISDIR(stat.st_mode) || access(procs, F_OK) != 0)
		return;
	int fd = open(procs, O_WRONLY | O_CLOEXEC);
	fact("cgroup", procs + strlen("/sys/fs/cgroup/"), "write %s", fd < 0 ? error_name(errno) : "0");
	if (fd >= 0)
		close(fd);
	each_name(path, cgroup_file_fact);
}

static void own_cgroup_facts(void)
{
	char *text = strdup(text_of("/proc/self/cgroup"));
	for (char *rest = text, *line; (line = strsep(&rest, "\n")) != NULL;) {
		char *controllers = strchr(line, ':');
		char *path = controllers == NULL ? NULL : strchr(controllers + 1, ':');
		if (path == NULL)
			continue;
		*path++ = '\0';
		fact("cgroup", controllers[1] == '\0' ? "of v2" : controllers + 1, "%s", path);
	}
	free(text);
}

static void sysctl_fact(const char *directory, const char *name)
{
	char path[4096];
	struct stat stat;
	snprintf(path, sizeof(path), "%s/%s", directory, name);
	if (lstat(path, &stat) != 0)
		return;
	if (S_ISDIR(stat.st_mode))
		each_name(path, sysctl_fact);
	else if (stat.st_mode & 0444)
		fact("sysctls", path + strlen("/proc/sys/"), "%04o %s", stat.st_mode & 07777, text_of(path));
}

static void kernel_sysctl_facts(void)
{
	static const char *const names[] = {"shmmax", "shmall", "shmmni", "shm_rmid_forced", "shm_next_id", "msgmax", "msgmnb",
					    "msgmni", "msg_next_id", "sem", "sem_next_id", "auto_msgmni", "hostname", "domainname",
					    "cap_last_cap", "ngroups_max", "overflowuid", "yama/ptrace_scope", "dmesg_restrict",
					    "unprivileged_bpf_disabled", "keys/maxkeys", "core_pattern", "modprobe"};
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		sysctl_fact("/proc/sys/kernel", names[i]);
}

static void link_file(const char *name, const char *file)
{
	char path[512], key[128];
	snprintf(path, sizeof(path), "/sys/class/net/%s/%s", name, file);
	snprintf(key, sizeof(key), "%s %s", name, file);
	fact("network", key, "%s", text_of(path));
}

static void link_fact(const char *directory, const char *name)
{
	(void)directory;
	static const char *const files[] = {"mtu", "flags", "type", "tx_queue_len", "addr_assign_type", "operstate",
					    "ifalias", "address", "gro_flush_timeout", "group", "carrier_changes"};
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
		link_file(name, files[i]);
}

static void address_facts(void)
{
	struct ifaddrs *all, *each;
	if (getifaddrs(&all) != 0)
		return;
	for (each = all; each != NULL; each = each->ifa_next) {
		char text[INET6_ADDRSTRLEN], key[64];
		int family = each->ifa_addr == NULL ? 0 : each->ifa_addr->sa_family;
		if (family != AF_INET && family != AF_INET6)
			continue;
		const void *address = family == AF_INET
					      ? (const void *)&((struct sockaddr_in *)(void *)each->ifa_addr)->sin_addr
					      : (const void *)&((struct sockaddr_in6 *)(void *)each->ifa_addr)->sin6_addr;
		const unsigned char *mask =
			family == AF_INET ? (const unsigned char *)&((struct sockaddr_in *)(void *)each->ifa_netmask)->sin_addr
					  : (const unsigned char *)&((struct sockaddr_in6 *)(void *)each->ifa_netmask)->sin6_addr;
		int bits = 0;
		for (int i = 0; i < (family == AF_INET ? 4 : 16); i++)
			bits += __builtin_popcount(mask[i]);
		inet_ntop(family, address, text, sizeof(text));
		snprintf(key, sizeof(key), "%s %s", each->ifa_name, family == AF_INET ? "IPv4" : "IPv6");
		fact("network", key, "%s/%d", text, bits);
	}
	freeifaddrs(all);
}

void kernel_facts(void)
{
	struct utsname names;
	uname(&names);
	fact("names", "hostname", "%s", names.nodename);
	fact("names", "domain name", "%s", names.domainname);
	own_cgroup_facts();
	each_name("/sys/fs/cgroup", cgroup_fact);
	sysctl_fact("/proc/sys", "net");
	sysctl_fact("/proc/sys/fs", "mqueue");
	sysctl_fact("/proc/sys", "user");
	kernel_sysctl_facts();
	each_name("/sys/class/net", link_fact);
	address_facts();
	fact("network", "routes", "%s", text_of("/proc/net/route"));
	// Where seccomp lets nobody ask, that is the fact.
	long keyring = syscall(SYS_keyctl, 0, -3, 0, 0, 0);
	char description[256] = "";
	if (keyring >= 0)
		syscall(SYS_keyctl, 6, keyring, description, sizeof(description) - 1, 0);
	fact("keyring", "session", "%s", keyring < 0 ? error_name(errno) : description);
}
