/** C. `cp`: the engine reads and writes files of a container that does all it can to lead it elsewhere. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import { chmodNoFollow } from "../../src/os/chmod.ts";
import { AT_FDCWD } from "../../src/os/constants.ts";
import { busyboxSandbox } from "../e2e/busybox.ts";
import type { Sandbox } from "../e2e/sandbox.ts";
import { Canary, compile, hostDirectory, hostileImage, RACER, rounds, shell } from "./hostile.ts";

let sandbox: Sandbox;
let canary: Canary;
let racer: string;
let secret: string;
beforeAll(() => {
  sandbox = busyboxSandbox();
  canary = new Canary(sandbox);
  racer = compile(sandbox, "racer", RACER);
  secret = basename(canary.path);
});
afterAll(() => sandbox.remove());

const directory = (prefix: string) => mkdtempSync(join(sandbox.directory, prefix));

/** A container in which `setUp` ends with what it races. */
function racing(setUp: string, ...options: string[]): string {
  const mount = ["--network", "none", "-v", `${racer}:/racer:ro`, ...options];
  return sandbox.ok(["run", "-d", ...mount, "busybox", "sh", "-c", setUp]);
}

describe("C1 CVE-2018-15664: a path whose links change while it is used", () => {
  // Where the canary is on the host, the container has a file of its own; the link leads to "/": a root that is not its.
  const setUp = (own: string) =>
    `mkdir -p /t${canary.directory} ${canary.directory}; echo ${own} >/t${canary.path}; echo ${own} >${canary.path}; ln -s / /t2; exec /racer /t /t2`;

  test("what comes out is the container's", () => {
    const id = racing(setUp("own"));
    const script = `for i in $(seq ${rounds(1000, 60)}); do "$BOCKER" cp ${id}:/t${canary.path} - 2>&1; done`;
    const { stdout } = shell(sandbox, script);
    expect(stdout).toContain("own");
    canary.expectUntouched(stdout);
    sandbox.ok(["rm", "-f", id]);
  }, 120_000);

  test("what goes in stays in it", () => {
    const id = racing(setUp("own"));
    const from = directory("from-");
    for (let at = 0; at < 50; at++) writeFileSync(join(from, `planted${at}`), "planted");
    writeFileSync(join(from, secret), "overwritten");
    const script = `for i in $(seq ${rounds(1000, 60)}); do "$BOCKER" cp ${from}/. ${id}:/t${canary.directory} 2>&1; done; echo done`;
    expect(shell(sandbox, script).stdout).toContain("done");
    canary.expectUntouched();
    sandbox.ok(["rm", "-f", id]);
  }, 120_000);

  test("nor does a directory that becomes a link under the files that are made in it", () => {
    const id = racing(
      `mkdir -p /d/from /l; ln -s ${canary.directory} /l/from; ln -s /l/from /d2; exec /racer /d/from /d2`,
    );
    const from = join(directory("into-"), "from");
    mkdirSync(from);
    for (let at = 0; at < 200; at++) writeFileSync(join(from, `planted${at}`), "planted");
    execFileSync("mkfifo", [join(from, "pipe")]);
    const script = `for i in $(seq ${rounds(500, 40)}); do "$BOCKER" cp ${from} ${id}:/d 2>&1; done; echo done`;
    expect(shell(sandbox, script).stdout).toContain("done");
    canary.expectUntouched();
    sandbox.ok(["rm", "-f", id]);
  }, 120_000);

  test("whoever else has the volume changes it while it goes into a container that does not run", () => {
    const id = racing(`mkdir /v/a; ln -s ${canary.directory} /v/b; exec /racer /v/a /v/b`, "-v", "raced:/v");
    sandbox.ok(["create", "--name", "idle", "--network", "none", "-v", "raced:/v", "busybox", "true"]);
    const from = directory("volume-");
    for (let at = 0; at < 100; at++) writeFileSync(join(from, `planted${at}`), "planted");
    const script = `for i in $(seq ${rounds(500, 40)}); do "$BOCKER" cp ${from}/. idle:/v/a 2>&1; "$BOCKER" cp idle:/v/a/${secret} - 2>&1; done; echo done`;
    const { stdout } = shell(sandbox, script);
    expect(stdout).toContain("done");
    canary.expectUntouched(stdout);
    sandbox.ok(["rm", "-f", id, "idle"]);
  }, 120_000);

  test("a link out of a directory of the host that was copied before is not gone through", () => {
    const out = directory("out-");
    const container = (script: string) => {
      const id = sandbox.ok(["create", "--network", "none", "busybox", "sh", "-c", script]);
      sandbox.ok(["start", "-a", id]);
      return id;
    };
    const links = container(`mkdir /d; ln -s ${canary.directory} /d/dir; ln -s ${canary.path} /d/file`);
    sandbox.ok(["cp", `${links}:/d/.`, out]);
    const files = container(`mkdir -p /d/dir; echo planted >/d/dir/${secret}; echo planted >/d/file`);
    expect(sandbox.bocker(["cp", `${files}:/d/.`, out])).toMatchObject({
      code: 1,
      stderr: `Error: cannot overwrite non-directory ${JSON.stringify(join(out, "dir"))} with directory "dir"\n`,
    });
    expect(sandbox.bocker(["cp", `${files}:/d/file`, out]).code).toBe(0);
    expect(readFileSync(join(out, "file"), "utf8")).toBe("planted\n");
    expect(lstatSync(join(out, "file")).isSymbolicLink()).toBe(false);
    canary.expectUntouched();
    sandbox.ok(["rm", links, files]);
  });
});

test("C2 CVE-2019-14271: what mounts a container's files is a static program, and nothing of the container is loaded", () => {
  expect(() => execFileSync("ldd", [join(sandbox.binary, "../bocker-launcher")], { stdio: "pipe" })).toThrow(
    /not a dynamic executable/,
  );
  const image = hostileImage(sandbox, "preload", (root) => {
    mkdirSync(join(root, "lib"));
    writeFileSync(join(root, "etc/ld.so.preload"), "/lib/evil.so\n");
    writeFileSync(join(root, "lib/evil.so"), "no library: loading it would be an error\n");
  });
  sandbox.ok(["create", "--name", "preloaded", "--network", "none", image, "true"]);
  const trace = join(sandbox.directory, "trace");
  const file = join(directory("file-"), "f");
  writeFileSync(file, "f");
  const strace = ["strace", "-f", "-o", trace, "-e", "trace=execve,execveat", sandbox.binary];
  for (const words of [
    ["cp", file, "preloaded:/"],
    ["cp", "preloaded:/etc/passwd", "-"],
  ]) {
    expect(sandbox.execute([...strace, ...words]).code).toBe(0);
    const executed = readFileSync(trace, "utf8").match(/exec\w+\(.*= 0$/gm) ?? [];
    // bocker itself, and the sealed copy of its launcher.
    expect(executed.map((line) => line.replace(/^(\w+).*/, "$1"))).toEqual(["execve", "execveat"]);
  }
  sandbox.ok(["rm", "preloaded"]);
});

test("C3 CVE-2021-41089: a link in the place of what is copied is replaced, and what it leads to keeps its mode", () => {
  const setUp = `mkdir /dst; ln -s ${canary.path} /dst/f; ln -s ${canary.path} /dst/pipe; ln -s ${canary.directory} /dst/d; exec sleep 1000`;
  const id = racing(setUp);
  const from = directory("modes-");
  writeFileSync(join(from, "f"), "new");
  execFileSync("mkfifo", [join(from, "pipe")]);
  for (const name of ["f", "pipe"]) chmodSync(join(from, name), 0o777);
  expect(sandbox.bocker(["cp", `${from}/.`, `${id}:/dst`]).code).toBe(0);
  expect(sandbox.ok(["exec", id, "stat", "-c", "%A", "/dst/f", "/dst/pipe"])).toBe("-rwxrwxrwx\nprwxrwxrwx");
  mkdirSync(join(from, "d"));
  chmodSync(join(from, "d"), 0o777);
  expect(sandbox.bocker(["cp", join(from, "d"), `${id}:/dst`]).code).toBe(1);
  canary.expectUntouched();
  expect(statSync(canary.path).mode & 0o777).toBe(0o600);
  sandbox.ok(["rm", "-f", id]);
});

test("C3: a mode is never set through a link that has come into a file's place", () => {
  const at = directory("chmod-");
  writeFileSync(join(at, "file"), "");
  chmodSync(join(at, "file"), 0o600);
  symlinkSync("file", join(at, "link"));
  expect(() => chmodNoFollow(AT_FDCWD, join(at, "link"), 0o777)).toThrow(/ELOOP|symbolic links/);
  expect(statSync(join(at, "file")).mode & 0o777).toBe(0o600);
  chmodNoFollow(AT_FDCWD, join(at, "file"), 0o640);
  expect(statSync(join(at, "file")).mode & 0o777).toBe(0o640);
});

test("C4 CVE-2026-41567: archives are decompressed by bocker, and by no program of the container's", () => {
  const programs = ["xz", "unxz", "unpigz", "pigz", "gzip", "gunzip", "zstd", "bzip2", "tar", "sh"];
  const image = hostileImage(sandbox, "decompressors", (root) => {
    for (const place of ["usr/bin", "usr/local/bin", "bin"]) {
      mkdirSync(join(root, place), { recursive: true });
      for (const program of programs) {
        if (place === "bin" && program === "sh") continue;
        execFileSync("rm", ["-f", join(root, place, program)]);
        writeFileSync(
          join(root, place, program),
          `#!/bin/busybox sh\n/bin/busybox touch /PWNED-${program} ${canary.directory}/PWNED\n`,
          { mode: 0o755 },
        );
      }
    }
  });
  for (const [name, start] of [
    ["running", ["run", "-d"]],
    ["idle", ["create"]],
  ] as const) {
    sandbox.ok([...start, "--name", name, "--network", "none", image, "/bin/busybox", "sleep", "1000"]);
    const from = directory("archive-");
    writeFileSync(join(from, "inside"), "inside");
    for (const [option, code] of [
      ["-cz", 0],
      ["-c", 0],
      ["-cj", 125],
      ["-cJ", 125],
    ] as const) {
      const archive = execFileSync("tar", ["-C", from, option, "inside"]);
      expect([option, sandbox.bocker(["cp", "-", `${name}:/tmp`], archive).code]).toEqual([option, code]);
    }
    expect(
      sandbox.execute(["sh", "-c", `"$0" cp ${name}:/ - | tar -t | grep PWNED`, sandbox.binary]).stdout,
    ).toBe("");
    expect(
      sandbox.execute(["sh", "-c", `"$0" cp ${name}:/tmp/inside - | tar -xO`, sandbox.binary]).stdout,
    ).toBe("inside");
    sandbox.ok(["rm", "-f", name]);
  }
  canary.expectUntouched();
});

test("C5 CVE-2026-41568 CVE-2026-42306: mount points behind links lead nowhere on the host, and the host's mounts stay", () => {
  const kept = hostDirectory(sandbox, "kept");
  writeFileSync(join(kept, "file"), "kept\n");
  const image = hostileImage(sandbox, "mount-links", (root) => {
    symlinkSync(canary.directory, join(root, "a"));
    mkdirSync(join(root, "x/b/c"), { recursive: true });
  });
  // Other tests have mounts of their own.
  const mounts = () =>
    readFileSync("/proc/self/mountinfo", "utf8")
      .split("\n")
      .filter((line) => !line.includes("/run/netns/"));
  const before = mounts();
  const file = join(directory("plant-"), "planted");
  writeFileSync(file, "planted");
  // One whose mount point is behind a link to the canary's place, and one that exchanges its mount point's parent.
  sandbox.ok(["create", "--name", "linked", "--network", "none", "-v", `${kept}:/a/b/c:ro`, image, "true"]);
  const id = racing("exec /racer /x /y", "-v", `${kept}:/x/b/c:ro`);
  const script = `for i in $(seq ${rounds(500, 20)}); do for c in linked:/a linked:/a/b/c ${id}:/x ${id}:/x/b/c; do "$BOCKER" cp ${file} $c 2>&1; "$BOCKER" cp $c/. - 2>&1 >/dev/null; done; done; echo done`;
  const { stdout } = shell(sandbox, script);
  expect(stdout).toContain("done");
  expect(stdout).toContain("mounted volume is marked read-only");
  expect(readdirSync(kept)).toEqual(["file"]);
  canary.expectUntouched(stdout);
  expect(mounts()).toEqual(before);
  sandbox.ok(["rm", "-f", id, "linked"]);
}, 120_000);

test("C7 CVE-2019-18466: names are names, whatever a shell would make of them", () => {
  const names = [
    "*",
    "$(id)",
    "-rf",
    "a\nb",
    "..x",
    "...",
    " ",
    "\\",
    "\u001b[31m",
    "ü",
    "~",
    "a:b",
    "{x,y}",
  ];
  const image = hostileImage(sandbox, "odd-names", (root) => {
    mkdirSync(join(root, "d"));
    for (const name of names) writeFileSync(join(root, "d", name), name);
  });
  sandbox.ok(["create", "--name", "odd", "--network", "none", image, "true"]);
  const out = directory("names-");
  sandbox.ok(["cp", "odd:/d", join(out, "all")]);
  expect(readdirSync(join(out, "all")).sort()).toEqual([...names].sort());
  for (const name of names) {
    expect(readFileSync(join(out, "all", name), "utf8")).toBe(name);
    // One alone, and back.
    sandbox.ok(["cp", `odd:/d/${name}`, join(out, "one")]);
    expect(readFileSync(join(out, "one"), "utf8")).toBe(name);
    sandbox.ok(["cp", join(out, "all", name), "odd:/home/"]);
  }
  sandbox.ok(["cp", "odd:/home/.", join(out, "back")]);
  expect(
    readdirSync(join(out, "back"))
      .filter((name) => name !== "ada")
      .sort(),
  ).toEqual([...names].sort());
  expect(sandbox.bocker(["cp", "odd:/d/\u001b[31mnone", "-"]).stderr).not.toContain("\u001b");
  expect(existsSync(join(out, "id"))).toBe(false);
  sandbox.ok(["rm", "odd"]);
});
