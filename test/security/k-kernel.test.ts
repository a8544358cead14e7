/** Class K of docs/security.md: what of the kernel a default container cannot even ask for. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { busyboxSandbox } from "../e2e/busybox.ts";
import { script, tryScript } from "../e2e/container/running.ts";
import type { Sandbox } from "../e2e/sandbox.ts";
import { compile } from "./hostile.ts";

/** Prints "NAME ERRNO" for each call: 0 where it is not refused. Arguments are such that nothing happens if it is not. */
const CALLS = `
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#define TRY(name, ...) do { errno = 0; long r = __VA_ARGS__; printf("%s %d\\n", name, r < 0 ? errno : 0); } while (0)
int main(void)
{
	TRY("af_alg", socket(38, 5, 0));
	TRY("af_vsock", socket(40, 1, 0));
	TRY("af_alg_high", syscall(SYS_socket, 0x100000000L | 38, 5, 0));
	TRY("add_key", syscall(248, -1L, -1L, -1L, -1L, -1L));
	TRY("request_key", syscall(249, -1L, -1L, -1L, -1L));
	TRY("keyctl", syscall(250, 0x7fff, 0, 0, 0, 0));
	TRY("mount", syscall(SYS_mount, -1L, -1L, -1L, 0, 0));
	TRY("umount2", syscall(SYS_umount2, -1L, 0));
	TRY("unshare", syscall(SYS_unshare, 0x10000000));
	TRY("setns", syscall(SYS_setns, -1, 0));
	TRY("fsopen", syscall(430, -1L, 0));
	TRY("fsconfig", syscall(431, -1, 0, 0, 0, 0));
	TRY("open_tree", syscall(428, -1, -1L, 0));
	TRY("move_mount", syscall(429, -1, -1L, -1, -1L, 0));
	TRY("mount_setattr", syscall(442, -1, -1L, 0, 0, 0));
	TRY("clone_newuser", syscall(SYS_clone, 0x10000000 | 17, -1L, 0, 0, 0) );
	TRY("clone3", syscall(435, -1L, 0));
	TRY("io_uring_setup", syscall(425, 0, 0));
	TRY("io_uring_enter", syscall(426, -1, 0, 0, 0, 0));
	TRY("io_uring_register", syscall(427, -1, 0, 0, 0));
	TRY("userfaultfd", syscall(323, -1));
	TRY("bpf", syscall(321, -1, 0, 0));
	TRY("perf_event_open", syscall(298, 0, 0, -1, -1, 0));
	TRY("kexec_load", syscall(246, 0, -1, 0, 0));
	TRY("open_by_handle_at", syscall(304, -1, 0, 0));
	TRY("init_module", syscall(175, 0, 0, 0));
	TRY("personality", syscall(SYS_personality, 0x0040000));
	return 0;
}
`;

/** The same by other doors: what 32-bit and x32 programs call. Prints "NAME ERRNO", or dies of SIGSYS. */
const OTHER_DOORS = `
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <sys/syscall.h>
#include <unistd.h>
static long int80(long nr, long a, long b, long c)
{
	long r;
	__asm__ volatile("int $0x80" : "=a"(r) : "a"(nr), "b"(a), "c"(b), "d"(c) : "memory", "r8", "r9", "r10", "r11");
	return r;
}
static void try(const char *name, int i386, long nr, long a, long b, long c)
{
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		long r = i386 ? int80(nr, a, b, c) : syscall(nr, a, b, c);
		printf("%s %ld\\n", name, r >= 0 ? 0 : i386 ? -r : (long)errno);
		fflush(stdout);
		_exit(0);
	}
	int status;
	waitpid(pid, &status, 0);
	if (WIFSIGNALED(status))
		printf("%s signal%d\\n", name, WTERMSIG(status));
}
int main(void)
{
	try("i386 socket(AF_ALG)", 1, 359, 38, 5, 0);
	try("i386 socket(AF_VSOCK)", 1, 359, 40, 1, 0);
	try("i386 socketcall", 1, 102, 1, -1, 0);
	try("i386 mount", 1, 21, -1, -1, -1);
	try("i386 unshare", 1, 310, 0x10000000, 0, 0);
	try("i386 keyctl", 1, 288, 0x7fff, 0, 0);
	try("i386 io_uring_setup", 1, 425, 0, 0, 0);
	try("i386 bpf", 1, 357, -1, 0, 0);
	try("x32 socket(AF_ALG)", 0, 0x40000000 | 41, 38, 5, 0);
	try("x32 mount", 0, 0x40000000 | 165, -1, -1, -1);
	try("x32 unshare", 0, 0x40000000 | 272, 0x10000000, 0, 0);
	try("x32 keyctl", 0, 0x40000000 | 250, 0x7fff, 0, 0);
	return 0;
}
`;

let sandbox: Sandbox;
let calls: string;
beforeAll(() => {
  sandbox = busyboxSandbox();
  calls = compile(sandbox, "calls", CALLS);
});
afterAll(() => sandbox.remove());

const EPERM = "1";
const ENOSYS = "38";

function verdicts(program: string, options: string[]): Map<string, string> {
  const text = script(sandbox, ["-v", `${program}:/calls:ro`, ...options], "/calls");
  return new Map(
    text
      .split("\n")
      .map((line) => [line.slice(0, line.lastIndexOf(" ")), line.slice(line.lastIndexOf(" ") + 1)]),
  );
}

function expectRefused(
  program: string,
  names: (name: string) => boolean,
  allowed: string[] = [EPERM, ENOSYS],
): void {
  for (const options of [[], ["-u", "1000"]]) {
    const mine = [...verdicts(program, options)].filter(([name]) => names(name));
    expect(mine.length).toBeGreaterThan(0);
    expect(mine.filter(([, verdict]) => !allowed.includes(verdict))).toEqual([]);
  }
}

test("K1 CVE-2022-0492: no cgroup filesystem can be mounted, by no new namespace either", () => {
  for (const command of [
    "mount -t cgroup -o rdma c /tmp",
    "mount -t cgroup2 c /tmp",
    "unshare -Urm sh -c 'mount -t cgroup -o rdma c /tmp'",
    "unshare -r true",
  ])
    expect(tryScript(sandbox, [], command).stderr.toLowerCase()).toMatch(/not permitted|permission denied/);
  // release_agent is where it was written to.
  const { stderr } = tryScript(
    sandbox,
    [],
    "for f in $(find /sys/fs/cgroup -name 'release_agent' -o -name notify_on_release); do echo 1 > $f; done; true",
  );
  for (const line of stderr.trim().split("\n").filter(Boolean))
    expect(line).toContain("Read-only file system");
});

test("K2 CVE-2022-0185: the calls that make filesystems are refused", () =>
  expectRefused(calls, (name) =>
    /^(fsopen|fsconfig|open_tree|move_mount|mount|mount_setattr|umount2)$/.test(name),
  ));

test("K3 CVE-2026-31431: AF_ALG and AF_VSOCK sockets are refused, as any user", () =>
  expectRefused(calls, (name) => name.startsWith("af_"), [EPERM]));

test("K4 keyring: no call reaches it, and /proc/keys is covered", () => {
  expectRefused(calls, (name) => /key/.test(name));
  expect(script(sandbox, [], "cat /proc/keys | wc -c")).toBe("0");
});

test("K5 namespaces, io_uring, userfaultfd, bpf, perf, kexec, modules, handles: every one is refused", () =>
  expectRefused(calls, () => true));

test.skipIf(process.arch !== "x64")("K6 CVE-2026-31431: nor by the doors of 32-bit and x32 programs", () => {
  const program = compile(sandbox, "doors", OTHER_DOORS);
  // 31: a filter that does not know the architecture kills. Where the kernel has no such door, there is nothing to refuse.
  expectRefused(program, () => true, [EPERM, ENOSYS, "signal31", "signal11"]);
});

test("K7 power and thermal meters, interrupts: covered", () => {
  for (const path of ["/proc/interrupts", "/proc/timer_list", "/proc/kcore", "/proc/sched_debug"])
    if (existsSync(path)) expect(script(sandbox, [], `cat ${path} | wc -c`)).toBe("0");
  for (const path of ["/sys/devices/virtual/powercap", "/sys/firmware"])
    if (existsSync(path)) expect(script(sandbox, [], `ls -A ${path}`)).toBe("");
  for (const cpu of readdirSync("/sys/devices/system/cpu").filter((name) => /^cpu\d+$/.test(name))) {
    const path = `/sys/devices/system/cpu/${cpu}/thermal_throttle`;
    if (existsSync(path)) expect(script(sandbox, [], `ls -A ${path}`)).toBe("");
  }
});
