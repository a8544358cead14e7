#include "plan.h"
#include <linux/mman.h>

uint64_t arg_int(struct args *a)
{
	uint64_t v;
	if (a->bad || a->end - a->at < 8) {
		a->bad = 1;
		return 0;
	}
	memcpy(&v, a->at, 8);
	a->at += 8;
	return v;
}

const char *arg_bytes(struct args *a, size_t *length)
{
	uint64_t n = arg_int(a);
	size_t room = (size_t)(a->end - a->at);
	size_t taken;
	if (a->bad || n > room || (taken = (n + 1 + 7) & ~(size_t)7) > room || a->at[n] != 0) {
		a->bad = 1;
		if (length)
			*length = 0;
		return "";
	}
	const char *s = (const char *)a->at;
	a->at += taken;
	if (length)
		*length = n;
	return s;
}

static long plan_index(struct plan *p, size_t size)
{
	size_t at = sizeof(struct plan_header);
	for (uint32_t i = 0; i < p->header->op_count; i++) {
		const struct op *op = (const struct op *)(p->base + at);
		if (size - at < sizeof(*op) || op->size % 8 || op->size > size - at - sizeof(*op))
			return -EINVAL;
		p->ops[i] = op;
		at += sizeof(*op) + op->size;
	}
	p->count = p->header->op_count;
	return p->header->monitor_offset == at ? 0 : -EINVAL;
}

long plan_load(struct plan *p, int fd)
{
	struct statx st;
	long e = sys_statx(fd, "", AT_EMPTY_PATH, &st);
	if (e < 0)
		return e;
	size_t size = st.stx_size;
	if (size < sizeof(struct plan_header) || size > (64u << 20))
		return -EINVAL;
	long at = SYS(mmap, 0, size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (at < 0 && at > -4096)
		return at;
	p->base = (const unsigned char *)at;
	p->header = (const struct plan_header *)at;
	if (p->header->magic != PLAN_MAGIC || p->header->size != size || p->header->op_count > PLAN_MAX_OPS)
		return -EINVAL;
	return plan_index(p, size);
}

struct args plan_args(const struct op *op)
{
	const unsigned char *at = (const unsigned char *)(op + 1);
	return (struct args){at, at + op->size, 0};
}

struct args plan_monitor_args(const struct plan *p)
{
	return (struct args){p->base + p->header->monitor_offset, p->base + p->header->size, 0};
}

int slot_get(struct context *c, uint64_t slot)
{
	return slot < PLAN_SLOTS && c->slots[slot] >= 0 ? c->slots[slot] : -EBADF;
}

long slot_set(struct context *c, uint64_t slot, int fd)
{
	if (fd < 0)
		return fd;
	if (slot >= PLAN_SLOTS) {
		close_fd(fd);
		return -EINVAL;
	}
	close_fd(c->slots[slot]);
	c->slots[slot] = fd;
	return 0;
}

uint64_t now_ns(int clock)
{
	struct __kernel_timespec t = {0, 0};
	SYS(clock_gettime, clock, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

long op_run(struct context *c, const struct op *op)
{
	static long (*const rooms[])(struct context *, int, struct args *) = {
		op_file, op_mount, op_identity, op_network, op_process, op_bpf,
	};
	for (size_t i = 0; i < LENGTH(rooms); i++) {
		struct args a = plan_args(op);
		long e = rooms[i](c, op->code, &a);
		if (e == NOT_MINE)
			continue;
		if (a.bad)
			return -EINVAL;
		if (e < 0 && ((op->flags & OP_OPTIONAL) || -e == op->tolerate))
			return 0;
		return e;
	}
	return -EOPNOTSUPP;
}

long plan_run_phase(struct context *c, enum phase phase, uint32_t *failed)
{
	for (uint32_t i = 0; i < c->plan->count; i++) {
		if (c->plan->ops[i]->phase != phase)
			continue;
		*failed = i;
		long e = op_run(c, c->plan->ops[i]);
		if (c->times)
			c->times[i] = now_ns(1);
		if (e < 0)
			return e;
	}
	return 0;
}

void plan_run_cleanup(struct context *c)
{
	for (uint32_t i = 0; i < c->plan->count; i++)
		if (c->plan->ops[i]->phase == PHASE_CLEANUP)
			op_run(c, c->plan->ops[i]);
}
