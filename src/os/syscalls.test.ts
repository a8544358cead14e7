import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as constants from "./constants.ts";
import { readDirectory } from "./directories.ts";
import * as files from "./files.ts";
import * as metadata from "./metadata.ts";
import { native } from "./native.ts";
import * as processes from "./processes.ts";
import * as sockets from "./sockets.ts";
import { isSystemError, messageOfErrno, SystemError } from "./system-error.ts";

let directory: string;
let root: number;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "bocker-os-"));
  root = files.openat(constants.AT_FDCWD, directory, constants.O_PATH | constants.O_DIRECTORY);
});

afterEach(() => {
  files.close(root);
  rmSync(directory, { recursive: true });
});

test("a failure names the call, the path and the reason", () => {
  const attempt = () => files.openat(root, "missing", constants.O_RDONLY);
  expect(attempt).toThrow("openat missing: no such file or directory");
  try {
    attempt();
  } catch (error) {
    expect(isSystemError(error, "ENOENT")).toBe(true);
    expect((error as SystemError).errno).toBe(2);
  }
  expect(messageOfErrno(1)).toBe("operation not permitted");
  expect(new SystemError(4000, "x").code).toBe("E4000");
});

test("a NUL in a path is refused, not cut", () => {
  writeFileSync(join(directory, "a"), "");
  expect(() => files.openat(root, "a\0b", constants.O_RDONLY)).toThrow("invalid argument");
  expect(() => files.openat(root, Buffer.from("a\0b"), constants.O_RDONLY)).toThrow("invalid argument");
});

test("a wrong argument type throws before any call", () => {
  expect(() => native().close("1" as unknown as number)).toThrow(TypeError);
  expect(() => native().read(0, new Uint8Array(2), 1, 2)).toThrow(TypeError);
});

test("names are bytes", () => {
  const name = Buffer.from([0x63, 0x61, 0x66, 0xe9]);
  const fd = files.openat(root, name, constants.O_CREAT | constants.O_WRONLY, 0o600);
  files.writeAll(fd, Buffer.from("x"));
  files.close(fd);
  files.mkdirat(root, "sub", 0o700);
  const listing = files.withFd(files.openat(root, ".", constants.O_RDONLY), readDirectory);
  expect(listing.map((entry) => entry.name.toString("latin1")).sort()).toEqual(["café", "sub"]);
});

test("a directory of a thousand names is read in full, twice", () => {
  for (let i = 0; i < 1000; i++) writeFileSync(join(directory, `name-${i}`), "");
  const fd = files.openat(root, ".", constants.O_RDONLY);
  expect(readDirectory(fd).length).toBe(1000);
  expect(readDirectory(fd).length).toBe(1000);
  files.close(fd);
});

test("positions and sizes above 4 GiB are exact", () => {
  const fd = files.openat(root, "big", constants.O_CREAT | constants.O_RDWR, 0o600);
  const far = 9 * 2 ** 30 + 1;
  files.pwriteAll(fd, Buffer.from("end"), far);
  const out = Buffer.alloc(3);
  expect(files.pread(fd, out, far)).toBe(3);
  expect(out.toString()).toBe("end");
  expect(metadata.fstat(fd).size).toBe(far + 3);
  expect(files.lseek(fd, 0, constants.SEEK_DATA)).toBeGreaterThan(far - 65536);
  files.close(fd);
});

test("times keep their nanoseconds, also before 1970", () => {
  writeFileSync(join(directory, "f"), "");
  const mtime = { sec: -5, nsec: 123456789 };
  metadata.utimensat(root, "f", { sec: 7, nsec: 8 }, mtime);
  expect(metadata.statat(root, "f").mtime).toEqual(mtime);
  expect(metadata.statat(root, "f").atime).toEqual({ sec: 7, nsec: 8 });
});

test("two names of one file have one identity", () => {
  writeFileSync(join(directory, "a"), "");
  writeFileSync(join(directory, "c"), "");
  files.linkat(root, "a", root, "b");
  expect(metadata.statat(root, "a").identity).toBe(metadata.statat(root, "b").identity);
  expect(metadata.statat(root, "a").identity).not.toBe(metadata.statat(root, "c").identity);
  expect(metadata.statatIfExists(root, "d")).toBeUndefined();
});

test("openat2 keeps a lookup below its root", () => {
  files.symlinkat("/etc/passwd", root, "link");
  const beneath = () => files.openat2(root, "link", constants.O_RDONLY, 0, constants.RESOLVE_BENEATH);
  expect(beneath).toThrow("invalid cross-device link");
  const inside = () => files.openat2(root, "link", constants.O_RDONLY, 0, constants.RESOLVE_IN_ROOT);
  expect(inside).toThrow("no such file or directory");
  expect(files.readlinkat(root, "link").toString()).toBe("/etc/passwd");
});

test("descriptors travel over a socket", () => {
  const [left, right] = sockets.socketpair(constants.AF_UNIX, constants.SOCK_STREAM);
  const pipe = files.pipe();
  sockets.sendFds(left, Buffer.from("!"), [pipe.write]);
  const data = Buffer.alloc(8);
  const received = sockets.receiveFds(right, data, 4);
  expect(received.length).toBe(1);
  expect(received.fds.length).toBe(1);
  files.writeAll(received.fds[0]!, Buffer.from("hello"));
  expect(files.read(pipe.read, data)).toBe(5);
  for (const fd of [left, right, pipe.read, pipe.write, ...received.fds]) files.close(fd);
});

test("a spawned program has exactly the given descriptors, and no blocked signal", () => {
  const shell = files.openat(constants.AT_FDCWD, "/bin/sh", constants.O_PATH);
  const pipe = files.pipe();
  // By a process that nobody forks meanwhile: the shell blocks all signals until its child executes.
  const script = "ls /proc/$$/fd; umask; exec grep -E 'Sig(Blk|Ign)' /proc/self/status";
  // 1 and 2 both name the pipe, 3 swaps with a number below the count.
  const pid = processes.spawn(
    shell,
    ["sh", "-c", script],
    ["PATH=/usr/bin:/bin"],
    [-1, pipe.write, pipe.write],
  );
  files.close(pipe.write);
  const output = files.readAll(pipe.read).toString();
  expect(processes.waitpid(pid)?.status).toEqual({ code: 0, signal: undefined });
  expect(output).toBe("1\n2\n0022\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
  files.close(pipe.read);
  files.close(shell);
});

test("a program that cannot be executed is an error, and leaves no zombie", () => {
  writeFileSync(join(directory, "text"), "no program");
  const fd = files.openat(root, "text", constants.O_PATH);
  expect(() => processes.spawn(fd, ["x"], [], [])).toThrow("permission denied");
  files.close(fd);
  const children = readFileSync(`/proc/self/task/${process.pid}/children`, "utf8");
  expect(children.trim()).toBe("");
});

test("pollAsync leaves the event loop running", async () => {
  const pipe = files.pipe();
  const pending = processes.pollAsync([{ fd: pipe.read, events: constants.POLLIN }], -1);
  await new Promise((resolve) => setTimeout(resolve, 5));
  files.writeAll(pipe.write, Buffer.from("x"));
  expect([...(await pending)]).toEqual([constants.POLLIN]);
  files.close(pipe.read);
  files.close(pipe.write);
});
