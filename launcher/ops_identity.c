/* Operations on what a process is and may: ids, capabilities, limits, seccomp, keyring. */
#include "plan.h"
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>

static long set_limit(struct args *a)
{
	uint64_t resource = arg_int(a);
	struct { uint64_t soft, hard; } limit = {arg_int(a), arg_int(a)};
	return SYS(prlimit64, 0, resource, &limit, 0);
}

static long bound_capabilities(uint64_t keep)
{
	for (int cap = 0; cap < 64; cap++) {
		if (keep >> cap & 1)
			continue;
		long e = SYS(prctl, PR_CAPBSET_DROP, cap, 0, 0, 0);
		if (e == -EINVAL) /* past the kernel's last capability */
			return 0;
		if (e < 0)
			return e;
	}
	return 0;
}

/* Groups before gid before uid; capabilities kept across the change, set exactly by OP_CAPSET. */
static long become(struct context *c, struct args *a)
{
	uint32_t uid = (uint32_t)arg_int(a), gid = (uint32_t)arg_int(a), groups[65536 / 64];
	uint64_t count = arg_int(a);
	if (count > LENGTH(groups))
		return -EINVAL;
	for (uint64_t i = 0; i < count; i++)
		groups[i] = (uint32_t)arg_int(a);
	if (a->bad)
		return -EINVAL;
	long e = SYS(prctl, PR_SET_KEEPCAPS, 1, 0, 0, 0);
	if (e >= 0)
		e = SYS(setgroups, count, groups);
	if (e >= 0)
		e = SYS(setresgid, gid, gid, gid);
	if (e >= 0)
		e = SYS(setresuid, uid, uid, uid);
	if (e >= 0)
		e = SYS(prctl, PR_SET_KEEPCAPS, 0, 0, 0, 0);
	c->uid = uid;
	return e;
}

static long set_capabilities(struct args *a)
{
	uint64_t effective = arg_int(a), permitted = arg_int(a), inheritable = arg_int(a), ambient = arg_int(a);
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct data[2] = {
		{(uint32_t)effective, (uint32_t)permitted, (uint32_t)inheritable},
		{(uint32_t)(effective >> 32), (uint32_t)(permitted >> 32), (uint32_t)(inheritable >> 32)},
	};
	SYS(prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	long e = SYS(capset, &header, data);
	for (int cap = 0; e >= 0 && cap < 64; cap++)
		if (ambient >> cap & 1)
			e = SYS(prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0);
	return e;
}

static long load_filter(struct args *a)
{
	uint64_t flags = arg_int(a);
	size_t n;
	const char *bytes = arg_bytes(a, &n);
	struct sock_fprog program = {(unsigned short)(n / sizeof(struct sock_filter)), (struct sock_filter *)bytes};
	if (n % sizeof(struct sock_filter) || n / sizeof(struct sock_filter) > BPF_MAXINSNS)
		return -EINVAL;
	return SYS(seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}

/* A working directory outside the root shows as "(unreachable)…" (CVE-2024-21626). */
static long change_directory(const char *path)
{
	char where[PATH_MAX];
	long e = SYS(chdir, path);
	if (e < 0)
		return e;
	e = SYS(getcwd, where, sizeof(where));
	return e < 0 ? e : where[0] == '/' ? 0 : -ENOENT;
}

long op_identity(struct context *c, int code, struct args *a)
{
	const char *name;
	size_t n;
	switch (code) {
	case OP_SETHOSTNAME:
		name = arg_bytes(a, &n);
		return SYS(sethostname, name, n);
	case OP_SETDOMAINNAME:
		name = arg_bytes(a, &n);
		return SYS(setdomainname, name, n);
	case OP_RLIMIT:
		return set_limit(a);
	case OP_CAP_BOUND:
		return bound_capabilities(arg_int(a));
	case OP_IDENTITY:
		return become(c, a);
	case OP_CAPSET:
		return set_capabilities(a);
	case OP_NO_NEW_PRIVS:
		return SYS(prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	case OP_SECCOMP:
		return load_filter(a);
	case OP_CHDIR:
		return change_directory(arg_bytes(a, NULL));
	case OP_UMASK:
		SYS(umask, arg_int(a));
		return 0;
	case OP_KEYRING:
		return SYS(keyctl, 1 /* KEYCTL_JOIN_SESSION_KEYRING */, arg_bytes(a, NULL), 0, 0, 0);
	case OP_DUMPABLE:
		return SYS(prctl, PR_SET_DUMPABLE, arg_int(a), 0, 0, 0);
	}
	return NOT_MINE;
}
