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

static long map_memory(size_t size, int flags)
{
	return SYS(mmap, 0, size, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}

static int is_error(long address)
{
	return address < 0 && address > -4096;
}

long plan_begin(struct plan *p)
{
	long at = map_memory(PLAN_MAX_BYTES, MAP_PRIVATE);
	if (is_error(at))
		return at;
	p->base = (unsigned char *)at;
	return 0;
}

const struct plan_header *plan_header(const struct plan *p)
{
	return (const struct plan_header *)p->base;
}

static long check_header(struct plan *p)
{
	const struct plan_header *h = plan_header(p);
	if (p->length < sizeof(*h) || h->magic != PLAN_MAGIC || h->monitor_size % 8 ||
	    h->monitor_size > p->length - sizeof(*h))
		return -EINVAL;
	p->indexed = sizeof(*h) + h->monitor_size;
	return 0;
}

long plan_index(struct plan *p)
{
	long e = p->indexed ? 0 : check_header(p);
	while (e >= 0 && p->indexed < p->length) {
		const struct op *op = (const struct op *)(p->base + p->indexed);
		size_t left = p->length - p->indexed;
		if (left < sizeof(*op) || op->size > left - sizeof(*op)) /* the rest is on its way */
			return p->complete ? -EINVAL : 0;
		if (op->size % 8 || p->count == PLAN_MAX_OPS)
			return -EINVAL;
		p->ops[p->count++] = op;
		p->indexed += sizeof(*op) + op->size;
	}
	return e;
}

long plan_share(struct plan *p)
{
	long at = map_memory(sizeof(struct handover) + PLAN_MAX_BYTES, MAP_SHARED);
	if (is_error(at))
		return at;
	p->handover = (struct handover *)at;
	p->handover->length = p->from = p->length;
	return 0;
}

void plan_give(struct plan *p)
{
	struct handover *h = p->handover;
	size_t given = h->length;
	memcpy(h->bytes + (given - p->from), p->base + given, p->length - given);
	/* The child looks in the opposite order: when it sees "complete", the length is the last one. */
	__atomic_store_n(&h->length, p->length, __ATOMIC_RELEASE);
	__atomic_store_n(&h->complete, (uint32_t)p->complete, __ATOMIC_RELEASE);
}

long plan_take(struct plan *p)
{
	const struct handover *h = p->handover;
	p->complete = (int)__atomic_load_n(&h->complete, __ATOMIC_ACQUIRE);
	uint64_t length = __atomic_load_n(&h->length, __ATOMIC_ACQUIRE);
	memcpy(p->base + p->length, h->bytes + (p->length - p->from), length - p->length);
	p->length = length;
	return plan_index(p);
}

void plan_unshare(struct plan *p)
{
	if (p->handover)
		SYS(munmap, p->handover, sizeof(struct handover) + PLAN_MAX_BYTES);
	p->handover = NULL;
}

struct args plan_args(const struct op *op)
{
	const unsigned char *at = (const unsigned char *)(op + 1);
	return (struct args){at, at + op->size, 0};
}

struct args plan_monitor_args(const struct plan *p)
{
	const unsigned char *at = p->base + sizeof(struct plan_header);
	return (struct args){at, at + plan_header(p)->monitor_size, 0};
}

int slot_get(struct context *c, uint64_t slot)
{
	return slot < PLAN_SLOTS && c->slots[slot] >= 0 ? c->slots[slot] : -EBADF;
}

void slot_empty(struct context *c, uint64_t slot)
{
	if (slot >= PLAN_SLOTS)
		return;
	close_fd(c->slots[slot]);
	c->slots[slot] = -1;
}

long slot_set(struct context *c, uint64_t slot, int fd)
{
	if (fd < 0)
		return fd;
	if (slot >= PLAN_SLOTS) {
		close_fd(fd);
		return -EINVAL;
	}
	slot_empty(c, slot);
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
		op_file, op_mount, op_identity, op_network, op_process, op_bpf, op_events,
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

long plan_run(struct context *c, uint32_t index)
{
	long e = op_run(c, c->plan->ops[index]);
	if (c->times)
		c->times[index] = now_ns(1);
	return e;
}

void plan_run_phase(struct context *c, enum phase phase)
{
	for (uint32_t i = 0; i < c->plan->count; i++)
		if (c->plan->ops[i]->phase == phase)
			op_run(c, c->plan->ops[i]);
}
