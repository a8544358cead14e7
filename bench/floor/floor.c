/*
 * The kernel's share of a container: the system calls that a start with Docker's defaults cannot do without, in the
 * order that costs least, and nothing else: no command line, no records, no image, no decisions. How far an engine
 * is from this is what the engine itself costs.
 *
 *   floor run none|full DIRECTORY IMAGE CGROUP...   start /bin/true, wait, remove everything
 *   floor exec PID CGROUP...                        run /bin/true where PID is
 *
 * DIRECTORY holds what is written, IMAGE is the lower layer; CGROUPs are directories, one in each hierarchy. "full"
 * adds the bridge floor0, a port in the map ports of the nf_tables table floor, a volume and three limits.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/if_link.h>
#include <linux/mount.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHECK(call)                                                                                                    \
	do {                                                                                                           \
		if ((call) < 0) {                                                                                      \
			fprintf(stderr, "floor: %s: %s\n", #call, strerror(errno));                                    \
			_exit(99);                                                                                     \
		}                                                                                                      \
	} while (0)

static const char *directory;
static const char *image;
static char **cgroups;

static const char *path(const char *format, const char *name)
{
	static char text[4][512];
	static int next;
	char *out = text[next++ % 4];

	snprintf(out, sizeof text[0], format, directory, name);
	return out;
}

static void put(const char *file, const char *content)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	CHECK(fd);
	CHECK(write(fd, content, strlen(content)));
	close(fd);
}

/* ---- netlink ---- */

struct message {
	char bytes[4096];
	int length;
	struct nlmsghdr *header;
};

static void begin(struct message *m, int type, int flags, const void *body, int size)
{
	m->header = (void *)(m->bytes + m->length);
	*m->header = (struct nlmsghdr){.nlmsg_len = NLMSG_LENGTH(size), .nlmsg_type = type, .nlmsg_flags = NLM_F_REQUEST | flags};
	memcpy(NLMSG_DATA(m->header), body, size);
	m->length += NLMSG_ALIGN(m->header->nlmsg_len);
}

static struct rtattr *attribute(struct message *m, int type, const void *data, int size)
{
	struct rtattr *at = (void *)(m->bytes + m->length);

	at->rta_type = type;
	at->rta_len = RTA_LENGTH(size);
	if (size > 0)
		memcpy(RTA_DATA(at), data, size);
	m->length += RTA_ALIGN(at->rta_len);
	m->header->nlmsg_len = m->bytes + m->length - (char *)m->header;
	return at;
}

static void end(struct message *m, struct rtattr *nest)
{
	nest->rta_len = m->bytes + m->length - (char *)nest;
}

static void talk(int family, struct message *m, int answers)
{
	char reply[8192];
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, family);

	CHECK(fd);
	CHECK(send(fd, m->bytes, m->length, 0));
	while (answers > 0) {
		int length = recv(fd, reply, sizeof reply, 0);

		CHECK(length);
		for (struct nlmsghdr *h = (void *)reply; NLMSG_OK(h, length); h = NLMSG_NEXT(h, length)) {
			errno = h->nlmsg_type == NLMSG_ERROR ? -((struct nlmsgerr *)NLMSG_DATA(h))->error : 0;
			CHECK(errno == 0 ? 0 : -1);
			answers--;
		}
	}
	close(fd);
}

static void make_veth(const char *name, int netns)
{
	struct message m = {0};
	struct ifinfomsg up = {.ifi_flags = IFF_UP, .ifi_change = IFF_UP}, peer = {0};
	int bridge = if_nametoindex("floor0");

	begin(&m, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK, &up, sizeof up);
	attribute(&m, IFLA_IFNAME, name, strlen(name) + 1);
	attribute(&m, IFLA_MASTER, &bridge, sizeof bridge);
	struct rtattr *info = attribute(&m, IFLA_LINKINFO, NULL, 0);
	attribute(&m, IFLA_INFO_KIND, "veth", 5);
	struct rtattr *data = attribute(&m, IFLA_INFO_DATA, NULL, 0);
	struct rtattr *other = attribute(&m, VETH_INFO_PEER, NULL, 0);
	memcpy(m.bytes + m.length, &peer, sizeof peer);
	m.length += NLMSG_ALIGN(sizeof peer);
	attribute(&m, IFLA_IFNAME, "eth0", 5);
	attribute(&m, IFLA_NET_NS_FD, &netns, sizeof netns);
	end(&m, other);
	end(&m, data);
	end(&m, info);
	talk(NETLINK_ROUTE, &m, 1);
}

static void set_up_inside(void)
{
	struct message m = {0};
	struct in_addr own, gateway;
	int eth0 = if_nametoindex("eth0");

	inet_aton("10.199.0.2", &own);
	inet_aton("10.199.0.1", &gateway);
	for (int index = 1;; index = eth0) {
		struct ifinfomsg up = {.ifi_index = index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};

		begin(&m, RTM_NEWLINK, 0, &up, sizeof up);
		if (index == eth0)
			break;
	}
	struct ifaddrmsg address = {.ifa_family = AF_INET, .ifa_prefixlen = 16, .ifa_index = eth0};
	begin(&m, RTM_NEWADDR, NLM_F_CREATE, &address, sizeof address);
	attribute(&m, IFA_LOCAL, &own, 4);
	attribute(&m, IFA_ADDRESS, &own, 4);
	struct rtmsg route = {.rtm_family = AF_INET, .rtm_table = RT_TABLE_MAIN, .rtm_protocol = RTPROT_BOOT, .rtm_type = RTN_UNICAST};
	begin(&m, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_ACK, &route, sizeof route);
	attribute(&m, RTA_GATEWAY, &gateway, 4);
	talk(NETLINK_ROUTE, &m, 1);
}

static void port_element(int type, uint16_t port)
{
	struct message m = {0};
	struct nfgenmsg batch = {.res_id = htons(NFNL_SUBSYS_NFTABLES)}, body = {.nfgen_family = AF_INET};
	uint16_t key = htons(port);
	struct {
		struct in_addr address;
		uint16_t port, padding;
	} target = {.port = htons(80)};

	inet_aton("10.199.0.2", &target.address);
	begin(&m, NFNL_MSG_BATCH_BEGIN, 0, &batch, sizeof batch);
	begin(&m, NFNL_SUBSYS_NFTABLES << 8 | type, NLM_F_ACK | (type == NFT_MSG_NEWSETELEM ? NLM_F_CREATE : 0), &body, sizeof body);
	attribute(&m, NFTA_SET_ELEM_LIST_TABLE, "floor", 6);
	attribute(&m, NFTA_SET_ELEM_LIST_SET, "ports", 6);
	struct rtattr *list = attribute(&m, NFTA_SET_ELEM_LIST_ELEMENTS | NLA_F_NESTED, NULL, 0);
	struct rtattr *element = attribute(&m, 1 | NLA_F_NESTED, NULL, 0);
	struct rtattr *nest = attribute(&m, NFTA_SET_ELEM_KEY | NLA_F_NESTED, NULL, 0);
	attribute(&m, NFTA_DATA_VALUE, &key, sizeof key);
	end(&m, nest);
	if (type == NFT_MSG_NEWSETELEM) {
		nest = attribute(&m, NFTA_SET_ELEM_DATA | NLA_F_NESTED, NULL, 0);
		attribute(&m, NFTA_DATA_VALUE, &target, sizeof target);
		end(&m, nest);
	}
	end(&m, element);
	end(&m, list);
	begin(&m, NFNL_MSG_BATCH_END, 0, &batch, sizeof batch);
	talk(NETLINK_NETFILTER, &m, 1);
}

/* ---- the container's side ---- */

static void fs_option(int fd, unsigned command, const char *key, const char *value)
{
	CHECK(syscall(SYS_fsconfig, fd, command, key, value, 0));
}

static void bind_tree(const char *source, const char *target, int read_only)
{
	int tree = syscall(SYS_open_tree, AT_FDCWD, source, OPEN_TREE_CLONE | O_CLOEXEC);
	struct mount_attr attributes = {.attr_set = MOUNT_ATTR_RDONLY};

	if (tree < 0 && errno == ENOENT)
		return;
	CHECK(tree);
	if (read_only)
		CHECK(syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attributes, sizeof attributes));
	CHECK(syscall(SYS_move_mount, tree, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH));
	close(tree);
}

static void make_root(int full)
{
	int fs = syscall(SYS_fsopen, "overlay", FSOPEN_CLOEXEC);

	CHECK(fs);
	fs_option(fs, FSCONFIG_SET_STRING, "lowerdir+", image);
	fs_option(fs, FSCONFIG_SET_STRING, "upperdir", path("%s/c/%s", "upper"));
	fs_option(fs, FSCONFIG_SET_STRING, "workdir", path("%s/c/%s", "work"));
	fs_option(fs, FSCONFIG_SET_FLAG, "volatile", NULL);
	fs_option(fs, FSCONFIG_CMD_CREATE, NULL, NULL);
	int root = syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, 0);
	CHECK(root);
	CHECK(syscall(SYS_move_mount, root, "", AT_FDCWD, path("%s/%s", "root"), MOVE_MOUNT_F_EMPTY_PATH));
	CHECK(chdir(path("%s/%s", "root")));
	for (const char **name = (const char *[]){"proc", "dev", "sys", "etc", NULL}; *name; name++)
		if (mkdir(*name, 0755) < 0 && errno != EEXIST)
			CHECK(-1);
	CHECK(mount("proc", "proc", "proc", MS_NOSUID | MS_NOEXEC | MS_NODEV, NULL));
	CHECK(mount("tmpfs", "dev", "tmpfs", MS_NOSUID | MS_STRICTATIME, "mode=755,size=65536k"));
	CHECK(mkdir("dev/pts", 0755));
	CHECK(mkdir("dev/shm", 0755));
	CHECK(mkdir("dev/mqueue", 0755));
	CHECK(mount("devpts", "dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620,gid=5"));
	CHECK(mount("shm", "dev/shm", "tmpfs", MS_NOSUID | MS_NOEXEC | MS_NODEV, "mode=1777,size=65536k"));
	CHECK(mount("mqueue", "dev/mqueue", "mqueue", MS_NOSUID | MS_NOEXEC | MS_NODEV, NULL));
	CHECK(mount("sysfs", "sys", "sysfs", MS_NOSUID | MS_NOEXEC | MS_NODEV | MS_RDONLY, NULL));
	for (const char **name = (const char *[]){"resolv.conf", "hosts", "hostname", NULL}; *name; name++) {
		char target[64];

		snprintf(target, sizeof target, "etc/%s", *name);
		if (mknod(target, S_IFREG | 0644, 0) < 0 && errno != EEXIST)
			CHECK(-1);
		bind_tree(path("%s/c/%s", *name), target, 0);
	}
	if (full) {
		mkdir("data", 0755);
		bind_tree(path("%s/%s", "volume"), "data", 0);
	}
}

static void make_devices(void)
{
	static const struct {
		const char *name;
		int major, minor;
	} nodes[] = {{"null", 1, 3}, {"zero", 1, 5}, {"full", 1, 7}, {"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0}};
	static const char *const links[][2] = {{"/proc/self/fd", "fd"}, {"/proc/self/fd/0", "stdin"}, {"/proc/self/fd/1", "stdout"}, {"/proc/self/fd/2", "stderr"}, {"pts/ptmx", "ptmx"}};

	umask(0);
	CHECK(chdir("dev"));
	for (unsigned i = 0; i < sizeof nodes / sizeof *nodes; i++)
		CHECK(mknod(nodes[i].name, S_IFCHR | 0666, makedev(nodes[i].major, nodes[i].minor)));
	for (unsigned i = 0; i < sizeof links / sizeof *links; i++)
		CHECK(symlink(links[i][0], links[i][1]));
	CHECK(chdir(".."));
	umask(022);
}

static void mask(void)
{
	static const char *const read_only[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"};
	static const char *const hidden[] = {"/proc/asound", "/proc/acpi", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware", "/sys/devices/virtual/powercap"};

	for (unsigned i = 0; i < sizeof read_only / sizeof *read_only; i++)
		bind_tree(read_only[i], read_only[i], 1);
	for (unsigned i = 0; i < sizeof hidden / sizeof *hidden; i++) {
		struct stat found;

		if (stat(hidden[i], &found) < 0)
			continue;
		if (S_ISDIR(found.st_mode))
			CHECK(mount("tmpfs", hidden[i], "tmpfs", MS_RDONLY, "size=0"));
		else
			CHECK(mount("/dev/null", hidden[i], NULL, MS_BIND, NULL));
	}
}

/* As long as Docker's profile becomes, and allowing everything. */
static void filter_calls(void)
{
	static struct sock_filter filter[256];
	int last = sizeof filter / sizeof *filter - 1;

	filter[0] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0);
	for (int i = 1; i < last; i++)
		filter[i] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 100000 + i, 0, 0);
	filter[last] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	CHECK(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &(struct sock_fprog){last + 1, filter}));
}

static void become_and_execute(void)
{
	struct {
		uint32_t version;
		int pid;
	} header = {0x20080522, 0};
	uint32_t sets[6] = {0xa80425fb, 0xa80425fb, 0, 0, 0, 0};

	for (int capability = 0; capability < 41; capability++)
		if (capability > 31 || !(0xa80425fbu >> capability & 1))
			prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
	CHECK(syscall(SYS_setgroups, 0, NULL));
	CHECK(syscall(SYS_setresgid, 0, 0, 0));
	CHECK(syscall(SYS_setresuid, 0, 0, 0));
	/* Before the capability to set it is gone. */
	filter_calls();
	CHECK(syscall(SYS_capset, &header, sets));
	execve("/bin/true", (char *[]){"true", NULL}, (char *[]){"PATH=/bin", NULL});
	CHECK(-1);
}

static void join_cgroups(const char *leaf)
{
	for (char **cgroup = cgroups; *cgroup; cgroup++) {
		char file[512];

		/* v1's tasks takes one thread without stopping all others of the machine for it, as cgroup.procs does. */
		snprintf(file, sizeof file, "%s/%s/tasks", *cgroup, leaf);
		if (access(file, W_OK) < 0)
			snprintf(file, sizeof file, "%s/%s/cgroup.procs", *cgroup, leaf);
		put(file, "0");
	}
}

static void container(int full, int network_ready)
{
	uint64_t count;

	join_cgroups("c");
	CHECK(unshare(CLONE_NEWCGROUP));
	CHECK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	make_root(full);
	make_devices();
	CHECK(syscall(SYS_pivot_root, ".", "."));
	CHECK(umount2(".", MNT_DETACH));
	CHECK(chdir("/"));
	mask();
	CHECK(sethostname("floor", 5));
	if (full) {
		CHECK(read(network_ready, &count, sizeof count));
		set_up_inside();
	}
	become_and_execute();
}

/* ---- the host's side ---- */

static int remove_entry(const char *name, const struct stat *status, int type, struct FTW *walk)
{
	(void)status, (void)type, (void)walk;
	return remove(name);
}

static void limit(const char *cgroup)
{
	static const char *const limits[][2] = {{"memory.limit_in_bytes", "67108864"}, {"memory.max", "67108864"}, {"pids.max", "100"}, {"cpu.cfs_quota_us", "100000"}, {"cpu.max", "100000 100000"}};

	for (unsigned i = 0; i < sizeof limits / sizeof *limits; i++) {
		char file[512];

		snprintf(file, sizeof file, "%s/c/%s", cgroup, limits[i][0]);
		if (access(file, W_OK) == 0)
			put(file, limits[i][1]);
	}
}

static void make_files(void)
{
	static const char *const files[] = {"resolv.conf", "hosts", "hostname", "state", "log"};

	CHECK(mkdir(path("%s/%s", "c"), 0755));
	CHECK(mkdir(path("%s/c/%s", "upper"), 0755));
	CHECK(mkdir(path("%s/c/%s", "work"), 0755));
	for (unsigned i = 0; i < sizeof files / sizeof *files; i++)
		put(path("%s/c/%s", files[i]), "about as much as such a file has in it\n");
}

static int run(int full)
{
	int ready = eventfd(0, EFD_CLOEXEC);
	int port = 20000 + getpid() % 10000;
	int status;
	uint64_t one = 1;
	struct clone_args args = {
		.flags = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET,
		.exit_signal = SIGCHLD,
	};
	char file[64];

	make_files();
	for (char **cgroup = cgroups; *cgroup; cgroup++) {
		snprintf(file, sizeof file, "%s/c", *cgroup);
		CHECK(mkdir(file, 0755));
		if (full)
			limit(*cgroup);
	}
	pid_t child = syscall(SYS_clone3, &args, sizeof args);
	CHECK(child);
	if (child == 0)
		container(full, ready);
	if (full) {
		snprintf(file, sizeof file, "/proc/%d/ns/net", child);
		int netns = open(file, O_RDONLY | O_CLOEXEC);

		CHECK(netns);
		/* The last one's may still be on its way out. */
		snprintf(file, sizeof file, "fl%d", getpid());
		make_veth(file, netns);
		CHECK(write(ready, &one, sizeof one));
		close(netns);
		port_element(NFT_MSG_NEWSETELEM, port);
	}
	CHECK(waitpid(child, &status, 0));
	/* Closing the socket after it takes 8 ms, for which nobody has to wait. */
	if (full && fork() == 0) {
		port_element(NFT_MSG_DELSETELEM, port);
		_exit(0);
	}
	for (char **cgroup = cgroups; *cgroup; cgroup++) {
		snprintf(file, sizeof file, "%s/c", *cgroup);
		while (rmdir(file) < 0 && errno == EBUSY)
			usleep(100);
	}
	CHECK(nftw(path("%s/%s", "c"), remove_entry, 16, FTW_DEPTH | FTW_PHYS));
	return WIFEXITED(status) ? WEXITSTATUS(status) : 98;
}

static int execute(const char *pid)
{
	int status;
	char file[64];

	snprintf(file, sizeof file, "/proc/%s", pid);
	int process = syscall(SYS_pidfd_open, atoi(pid), 0);
	CHECK(process);
	CHECK(setns(process, CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWCGROUP));
	pid_t child = fork();
	CHECK(child);
	if (child == 0)
		become_and_execute();
	CHECK(waitpid(child, &status, 0));
	return WIFEXITED(status) ? WEXITSTATUS(status) : 98;
}

int main(int count, char **words)
{
	if (count > 4 && strcmp(words[1], "run") == 0) {
		directory = words[3];
		image = words[4];
		cgroups = words + 5;
		return run(strcmp(words[2], "full") == 0);
	}
	if (count > 2 && strcmp(words[1], "exec") == 0) {
		cgroups = words + 3;
		join_cgroups("");
		return execute(words[2]);
	}
	fprintf(stderr, "usage: floor run none|full DIRECTORY IMAGE CGROUP... | floor exec PID CGROUP...\n");
	return 97;
}
