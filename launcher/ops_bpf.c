/* Device access on cgroup v2 is decided by a program that is attached to the container's directory. */
#include "plan.h"
#include <linux/bpf.h>

/* args: slot of the cgroup's directory (open for reading), the program's instructions */
static long attach_device_program(struct context *c, struct args *a)
{
	static const char license[] = "Apache-2.0";
	int directory = slot_get(c, arg_int(a));
	size_t size;
	const char *program = arg_bytes(a, &size);
	union bpf_attr load, attach;
	if (directory < 0)
		return directory;
	memset(&load, 0, sizeof(load));
	load.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
	load.insn_cnt = (uint32_t)(size / sizeof(struct bpf_insn));
	load.insns = (uint64_t)(uintptr_t)program;
	load.license = (uint64_t)(uintptr_t)license;
	int fd = (int)SYS(bpf, BPF_PROG_LOAD, &load, sizeof(load));
	if (fd < 0)
		return fd;
	memset(&attach, 0, sizeof(attach));
	attach.target_fd = (uint32_t)directory;
	attach.attach_bpf_fd = (uint32_t)fd;
	attach.attach_type = BPF_CGROUP_DEVICE;
	/* Programs of the parent directories still have their say. */
	attach.attach_flags = BPF_F_ALLOW_MULTI;
	long e = SYS(bpf, BPF_PROG_ATTACH, &attach, sizeof(attach));
	close_fd(fd);
	return e;
}

long op_bpf(struct context *c, int code, struct args *a)
{
	return code == OP_BPF_DEVICE ? attach_device_program(c, a) : NOT_MINE;
}
