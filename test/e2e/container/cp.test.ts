/** `cp`: held to what docker 20.10 did with the same command lines, on a container that runs and on one that does not. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { execFileSync, spawn } from "node:child_process";
import {
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { busyboxSandbox } from "../busybox.ts";
import type { Sandbox } from "../sandbox.ts";
import { fromNow, until } from "../wait.ts";

let sandbox: Sandbox;
beforeAll(() => {
  sandbox = busyboxSandbox();
  const setUp =
    "mkdir -p /data/sub /usr/lib; ln -s usr/lib /lib; ln -s /data /abs; ln -s data/file /lf; ln -s nowhere /dangling; echo one >/data/file; echo two >/data/sub/deep; chown 7:8 /data/file; chmod 4755 /data/sub/deep";
  sandbox.ok(["run", "--name", "maker", "--network", "none", "busybox", "sh", "-c", setUp]);
  sandbox.ok(["commit", "maker", "filled"]);
});
afterAll(() => sandbox.remove());

/** A directory of the host with something of everything, and a container of each kind. */
function hostFiles(): string {
  const directory = mkdtempSync(join(sandbox.directory, "cp-"));
  const at = (name: string) => join(directory, name);
  mkdirSync(at("src/sub"), { recursive: true });
  writeFileSync(at("src/a"), "a\n");
  writeFileSync(at("src/sub/b"), "b\n");
  execFileSync("chmod", ["4755", at("src/sub/b")]);
  chownSync(at("src/a"), 100, 200);
  symlinkSync("a", at("src/l"));
  symlinkSync("src", at("sl"));
  writeFileSync(at("f"), "f\n", { mode: 0o600 });
  chownSync(at("f"), 55, 66);
  symlinkSync("f", at("lf"));
  mkdirSync(at("out"));
  writeFileSync(at("outf"), "old\n");
  return directory;
}

const kinds = [
  ["runs", ["run", "-d"]],
  ["does not run", ["create"]],
] as const;

describe.each(kinds)("a container that %s", (_, start) => {
  let name: string;
  let host: string;
  beforeAll(() => {
    name = start[0] === "run" ? "running" : "stopped";
    sandbox.ok([
      ...start,
      "--name",
      name,
      "--network",
      "none",
      "-v",
      `v-${name}:/vol`,
      "filled",
      "sleep",
      "1000",
    ]);
    host = hostFiles();
  });
  afterAll(() => sandbox.ok(["rm", "-f", name]));

  /** In the host's directory; "C" at a word's beginning is the container. */
  const cp = (...words: string[]) => {
    const named = words.map((word) => word.replace(/^C:/, `${name}:`));
    return sandbox.execute([
      "sh",
      "-c",
      'cd "$1"; shift; exec "$@"',
      "sh",
      host,
      sandbox.binary,
      "cp",
      ...named,
    ]);
  };
  const fine = (...words: string[]) =>
    expect([words, cp(...words)]).toEqual([words, { code: 0, stdout: "", stderr: "" }]);
  const refused = (message: string, ...words: string[]) =>
    expect([words, cp(...words)]).toEqual([
      words,
      {
        code: 1,
        stdout: "",
        stderr: `Error: ${message.replaceAll("C:", `${name}:`).replaceAll("HOST", host)}\n`,
      },
    ]);
  /** What is at a path in the container: mode, owner and name of each, as tar lists them. */
  const inside = (path: string) => {
    const list = '"$@" | tar --numeric-owner -tv';
    const { stdout } = sandbox.execute([
      "sh",
      "-c",
      list,
      "sh",
      sandbox.binary,
      "cp",
      `${name}:${path}`,
      "-",
    ]);
    return stdout
      .trim()
      .split("\n")
      .map((line) => line.replace(/ +[\d,]+ \d{4}-\d\d-\d\d \d\d:\d\d/, ""));
  };

  test("a file goes to a new name, over a file, into a directory; owner and mode stay", () => {
    fine("f", "C:/");
    expect(inside("/f")).toEqual(["-rw------- 55/66 f"]);
    fine("f", "C:/g");
    fine("f", "C:noslash");
    fine("f", "C:/data");
    fine("f", "C:/data/file");
    expect(inside("/data")).toEqual([
      "drwxr-xr-x 0/0 data/",
      "-rw------- 55/66 data/f",
      "-rw------- 55/66 data/file",
      "drwxr-xr-x 0/0 data/sub/",
      "-rwsr-xr-x 0/0 data/sub/deep",
    ]);
    expect(inside("noslash")).toEqual(["-rw------- 55/66 noslash"]);
    fine("f", "C:/data/sub/..");
    fine("f", "C:/lib/../f2");
    expect(inside("/f2")).toEqual(["-rw------- 55/66 f2"]);
  });

  test("a directory becomes a new one, goes into one, or only what is in it does", () => {
    const all = (at: string) => [
      `drwxr-xr-x 0/0 ${at}/`,
      `-rw-r--r-- 100/200 ${at}/a`,
      `lrwxrwxrwx 0/0 ${at}/l -> a`,
      `drwxr-xr-x 0/0 ${at}/sub/`,
      `-rwsr-xr-x 0/0 ${at}/sub/b`,
    ];
    fine("src", "C:/new");
    expect(inside("/new")).toEqual(all("new"));
    fine("src", "C:/new");
    expect(inside("/new/src")).toEqual(all("src"));
    fine("src/.", "C:/contents");
    fine("src/.", "C:/contents");
    expect(inside("/contents")).toEqual(all("contents"));
    fine("src/.", "C:/vol");
    expect(inside("/vol/.").slice(1)).toEqual(all(".").slice(1));
  });

  test("a link is itself, or with -L and behind a slash what it leads to", () => {
    fine("lf", "C:/link");
    expect(inside("/link")).toEqual(["lrwxrwxrwx 0/0 link -> f"]);
    fine("-L", "lf", "C:/followed");
    expect(inside("/followed")).toEqual(["-rw------- 55/66 followed"]);
    fine("sl/.", "C:/by-link");
    expect(inside("/by-link")).toHaveLength(5);
    fine("lf", "C:/abs");
    expect(inside("/data/lf")).toEqual(["lrwxrwxrwx 0/0 lf -> f"]);
    fine("f", "C:/dangling");
    expect(inside("/nowhere")).toEqual(["-rw------- 55/66 nowhere"]);
    expect(inside("/abs")).toEqual(["lrwxrwxrwx 0/0 abs -> /data"]);
    expect(inside("/abs/")[0]).toBe("drwxr-xr-x 0/0 abs/");
  });

  test("what cannot be is said in Docker's words, and nothing changes", () => {
    refused(`Could not find the file /nodir in container ${name}`, "f", "C:/nodir/x");
    refused("no such directory", "f", "C:/nodir/");
    refused("cannot copy directory", "src", "C:/etc/passwd");
    refused("lstat HOST/nope: no such file or directory", "nope", "C:/");
    refused("lstat HOST/f/: not a directory", "f/", "C:/");
    refused(`Could not find the file /nope in container ${name}`, "C:/nope", ".");
    refused(`Could not find the file /nope in container ${name}`, "C:/nope", "-");
    refused(`Could not find the file /etc/passwd/x in container ${name}`, "C:/etc/passwd/x", ".");
    refused('invalid output path: directory "HOST/none" does not exist', "C:/etc/passwd", "none/x");
    refused("no such directory", "C:/etc/passwd", "none/");
    refused("cannot copy directory", "C:/etc", "outf");
    refused('destination "C:/etc/passwd" must be a directory', "-", "C:/etc/passwd");
    refused('destination "C:/none" must be a directory', "-", "C:/none");
    refused("copying between containers is not supported", "C:/etc/passwd", "C:/x");
    refused("must specify at least one container source", "f", "out");
    refused("No such container: none", "f", "none:/");
    refused("source can not be empty", "", "C:/");
    refused("destination can not be empty", "f", "");
    refused(`no path in container ${name} is given`, "f", "C:");
    expect(cp("f").code).toBe(1);
    expect(readFileSync(join(host, "outf"), "utf8")).toBe("old\n");
  });

  test("a directory takes the place of no file, and a file of no directory", () => {
    fine("f", "C:/data/src");
    refused('cannot overwrite non-directory "/data/src" with directory "src"', "src", "C:/data/");
    mkdirSync(join(host, "in-the-way/file"), { recursive: true });
    refused(
      'cannot overwrite directory "HOST/in-the-way/file" with non-directory "file"',
      "C:/data/file",
      "in-the-way",
    );
    // A link to a directory is not gone through, as in Docker.
    mkdirSync(join(host, "x/lib"), { recursive: true });
    refused('cannot overwrite non-directory "/lib" with directory "lib"', "x/lib", "C:/");
  });

  test("archives go in by standard input, through links, plain or compressed, and come out by standard output", () => {
    const archive = (...words: string[]) => execFileSync("tar", ["-C", host, ...words]);
    const from = (input: Uint8Array, to: string) => sandbox.bocker(["cp", "-", `${name}:${to}`], input);
    mkdirSync(join(host, "t/lib"), { recursive: true });
    writeFileSync(join(host, "t/lib/q"), "q");
    expect(from(archive("-cz", "src"), "/data/sub")).toEqual({ code: 0, stdout: "", stderr: "" });
    expect(inside("/data/sub/src")).toHaveLength(5);
    // Of what lies below a link in the container only the entry's name says so: it goes where the link leads.
    expect(from(archive("-c", "-C", "t", "lib/q"), "/").code).toBe(0);
    expect(inside("/usr/lib/q")).toEqual([expect.stringMatching(/ q$/)]);
    expect(from(archive("-cj", "src"), "/data").stderr).toBe(
      "Error: the archive is compressed by bzip2, which bocker does not read: decompress it first (bzip2 -d)\n",
    );
    expect(from(Buffer.from("no archive"), "/data")).toMatchObject({
      code: 1,
      stderr: "Error: invalid tar archive: unexpected end\n",
    });
    expect(from(Buffer.alloc(0), "/data").code).toBe(0);
  });

  test("to the host: the caller's own, without set-uid bits; with -a as in the container", () => {
    fine("C:/data", "out");
    fine("C:/data", "out/new");
    fine("C:/data/.", "out");
    fine("C:/data/sub/deep", "out/deep2");
    fine("C:/data/sub/deep", "outf");
    fine("-a", "C:/data", "out/kept");
    const [plain, kept] = ["out/data/sub/deep", "out/kept/sub/deep"].map((path) =>
      statSync(join(host, path)),
    );
    expect([plain!.mode & 0o7777, kept!.mode & 0o7777]).toEqual([0o755, 0o4755]);
    const owner = (path: string) => {
      const { uid, gid } = statSync(join(host, path));
      return [uid, gid];
    };
    expect([owner("out/data/f"), owner("out/kept/f")]).toEqual([
      [process.getuid!(), process.getgid!()],
      [55, 66],
    ]);
    expect(readFileSync(join(host, "outf"), "utf8")).toBe("two\n");
    for (const path of ["out/new/sub/deep", "out/sub/deep", "out/deep2"])
      expect(readFileSync(join(host, path), "utf8")).toBe("two\n");
    fine("C:/abs", "out");
    expect(readlinkSync(join(host, "out/abs"))).toBe("/data");
    fine("-L", "C:/abs", "out/followed");
    expect(readdirSync(join(host, "out/followed"))).toContain("sub");
    // A link of the caller's own is followed: it says where the file is to be.
    symlinkSync("not-yet", join(host, "to"));
    fine("C:/data/file", "to");
    expect(lstatSync(join(host, "to")).isSymbolicLink()).toBe(true);
    expect(existsSync(join(host, "not-yet"))).toBe(true);
  });

  test("devices are left out, and it is said; with -a they are made", () => {
    execFileSync("mknod", [join(host, "null"), "c", "1", "3"]);
    fine("null", "C:/data/null");
    expect(inside("/data/null")).toEqual(["crw-r--r-- 0/0 null"]);
    expect(cp("C:/data/null", "out")).toEqual({
      code: 1,
      stdout: "",
      stderr: "left out: a device, which --archive makes on this machine\n",
    });
    expect(existsSync(join(host, "out/null"))).toBe(false);
    fine("-a", "C:/data/null", "out");
    expect(statSync(join(host, "out/null")).isCharacterDevice()).toBe(true);
  });

  test("events tell of it", () => {
    const since = fromNow();
    fine("f", "C:/e");
    fine("C:/e", "out");
    const told = sandbox.ok(["events", "--since", since, "--until", "0s", "--format", "{{.Action}}"]);
    expect(told.split("\n")).toEqual(["extract-to-dir", "archive-path"]);
  });

  test("nothing is left: no process, no mount", async () => {
    fine("f", "C:/z");
    await until(() => !sandbox.execute(["ps", "-eo", "args"]).stdout.includes("bocker-files"));
    expect(readFileSync("/proc/self/mountinfo", "utf8")).not.toContain(sandbox.data);
    expect(sandbox.bocker(["system", "check"])).toEqual({ code: 0, stdout: "Nothing found.\n", stderr: "" });
  });
});

describe("what a container has mounted", () => {
  let host: string;
  beforeAll(() => {
    host = hostFiles();
    const mounts = [
      "-v",
      "shared:/vol",
      "-v",
      "shared:/vol-ro:ro",
      "-v",
      `${host}/outf:/file`,
      "--tmpfs",
      "/memory",
    ];
    sandbox.ok([
      "create",
      "--name",
      "read-only",
      "--network",
      "none",
      "--read-only",
      ...mounts,
      "filled",
      "sleep",
      "1000",
    ]);
    sandbox.ok(["create", "--name", "writable", "--network", "none", ...mounts, "filled", "sleep", "1000"]);
  });
  afterAll(() => sandbox.ok(["rm", "-f", "read-only", "writable"]));
  const to = (target: string) => sandbox.bocker(["cp", join(host, "f"), target]);

  const look = () => {
    expect(to("read-only:/")).toEqual({
      code: 1,
      stdout: "",
      stderr: "Error: container rootfs is marked read-only\n",
    });
    for (const path of ["/vol-ro", "/vol-ro/f", "/vol-ro/sub/../x"])
      expect(to(`read-only:${path}`)).toMatchObject({
        code: 1,
        stderr: "Error: mounted volume is marked read-only\n",
      });
    expect(to("read-only:/vol/").code).toBe(0);
    expect(sandbox.bocker(["cp", "writable:/vol-ro/f", "-"]).code).toBe(0);
    // A file that is mounted is written to: without its name it would be mounted no more.
    expect(to("writable:/file").code).toBe(0);
    expect(readFileSync(join(host, "outf"), "utf8")).toBe("f\n");
    expect(statSync(join(host, "outf")).uid).toBe(0);
    expect(sandbox.bocker(["cp", join(host, "src"), "writable:/file"]).stderr).toBe(
      "Error: cannot copy directory\n",
    );
    expect(sandbox.bocker(["cp", join(host, "lf"), "writable:/file"]).stderr).toBe(
      'Error: archive entry "file": unlinkat file: device or resource busy\n',
    );
    writeFileSync(join(host, "outf"), "old\n");
  };

  test("is there in one that does not run", () => {
    look();
    expect(to("writable:/memory/x")).toEqual({
      code: 1,
      stdout: "",
      stderr:
        "Error: /memory is a tmpfs of container writable: there is nothing in it while the container does not run\n",
    });
  });

  test("and in one that runs, with what it has in memory; the kernel's own is no file", () => {
    sandbox.ok(["start", "read-only", "writable"]);
    look();
    expect(to("writable:/memory/x").code).toBe(0);
    expect(sandbox.ok(["exec", "writable", "cat", "/memory/x"])).toBe("f");
    expect(to("writable:/etc/hosts").code).toBe(0);
    expect(sandbox.ok(["exec", "writable", "cat", "/etc/hosts"])).toBe("f");
    expect(sandbox.ok(["exec", "writable", "grep", "-c", " /etc/hosts ", "/proc/mounts"])).toBe("1");
    expect(to("writable:/proc").stderr).toBe("Error: /proc is the kernel's: no files can be made in it\n");
    expect(sandbox.bocker(["cp", "writable:/proc/cpuinfo", "-"]).stderr).toBe(
      "Error: /proc/cpuinfo is the kernel's, and no file that could be copied\n",
    );
    const list = '"$0" cp writable:/ - | tar -t';
    const all = sandbox.execute(["sh", "-c", list, sandbox.binary]).stdout.split("\n");
    expect(all.filter((path) => /^\.\/(proc|sys)(\/|$)/.test(path))).toEqual(["./proc/", "./sys/"]);
    expect(all).toContain("./memory/x");
    sandbox.ok(["pause", "writable"]);
    expect(to("writable:/paused").code).toBe(0);
    sandbox.ok(["unpause", "writable"]);
  });
});

/** A command in the background: its input, its end, and what it has said by then. */
function begin(stdin: "pipe" | "ignore", ...command: string[]) {
  const [program, ...words] = sandbox.inside([sandbox.binary, ...command]);
  const child = spawn(program, words, { env: sandbox.environment, stdio: [stdin, "pipe", "pipe"] });
  let text = "";
  for (const stream of [child.stdout, child.stderr])
    stream?.on("data", (chunk: Buffer) => {
      text += chunk.toString();
    });
  const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
  return { stdin: child.stdin, ended, said: () => text };
}

test("a container that ends while something is copied to it: the copy ends, too, and says so", async () => {
  sandbox.ok(["run", "-d", "--name", "ends", "--network", "none", "busybox", "sleep", "1000"]);
  const copy = begin("pipe", "cp", "-", "ends:/");
  // It has begun, and waits for more.
  copy.stdin?.write(
    execFileSync("tar", ["-C", sandbox.directory, "-c", "--files-from", "/dev/null"]).subarray(0, 512),
  );
  await until(() => sandbox.ok(["events", "--since", "10s", "--until", "0s"]).includes("extract-to-dir"));
  // Long enough for it to have read that: nothing more comes, and its input stays open.
  await Bun.sleep(500);
  sandbox.ok(["rm", "-f", "ends"]);
  expect(await copy.ended).toBe(1);
  expect(copy.said()).toBe("Error: container ends has ended while files were copied to it\n");
});

test("a start waits until a copy into its container is there", async () => {
  sandbox.ok(["create", "--name", "later", "--network", "none", "busybox", "cat", "/late"]);
  const copy = begin("pipe", "cp", "-", "later:/");
  const late = join(mkdtempSync(join(sandbox.directory, "late-")), "late");
  writeFileSync(late, "there\n");
  const archive = execFileSync("tar", ["-C", join(late, ".."), "-c", "late"]);
  copy.stdin?.write(archive.subarray(0, 100));
  await until(() => sandbox.execute(["ps", "-eo", "args"]).stdout.includes("bocker-files"));
  const start = begin("ignore", "start", "-a", "later");
  copy.stdin?.end(archive.subarray(100));
  expect([await copy.ended, await start.ended, start.said()]).toEqual([0, 0, "there\n"]);
});

test("what was mounted for a copy is mounted no more before the lock is free", () => {
  sandbox.ok(["create", "--name", "traced", "--network", "none", "busybox", "true"]);
  const trace = join(sandbox.directory, "trace");
  const strace = ["strace", "-f", "-o", trace, "-e", "trace=unshare,setns", sandbox.binary];
  expect(sandbox.execute([...strace, "cp", "/etc/passwd", "traced:/"]).code).toBe(0);
  const launcher = /^(\d+) +unshare\(CLONE_NEWNS\)/m.exec(readFileSync(trace, "utf8"))?.[1];
  const calls = readFileSync(trace, "utf8")
    .split("\n")
    .filter((line) => line.startsWith(`${launcher} `))
    .join("\n");
  // By setns it leaves its namespace, which ends then, with all that is mounted there: the end of the process would come after
  // that of its descriptors, of which the lock is one.
  expect(calls).toMatch(
    /^\d+ +unshare\(CLONE_NEWNS\) += 0\n\d+ +setns\(\d+, CLONE_NEWNS[\s\S]* = 0\n\d+ +\+\+\+ exited/,
  );
});
