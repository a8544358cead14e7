/** -v, --mount and --tmpfs, seen by the kernel. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import {
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
import { join } from "node:path";
import { busyboxSandbox, IMAGE, SEED, SEED_OWNER } from "../busybox.ts";
import type { Sandbox } from "../sandbox.ts";
import { mountAt, mountsOf } from "./kernel.ts";
import { script, tryScript, withRunning } from "./running.ts";

let sandbox: Sandbox;
beforeAll(() => {
  sandbox = busyboxSandbox();
});
afterAll(() => sandbox.remove());

function directory(): string {
  return mkdtempSync(join(sandbox.directory, "bind-"));
}

describe("bind mounts", () => {
  test("both sides see the same files", () => {
    const source = directory();
    writeFileSync(join(source, "in"), "from the host\n");
    expect(script(sandbox, ["-v", `${source}:/data`], "cat /data/in; echo from inside > /data/out")).toBe(
      "from the host",
    );
    expect(readFileSync(join(source, "out"), "utf8")).toBe("from inside\n");
  });

  test.each(["-v", "--mount"])("%s: read-only is read-only, what is mounted below it, too", (flag) => {
    const source = directory();
    const below = join(source, "below");
    mkdirSync(below);
    execFileSync("mount", ["-t", "tmpfs", "tmpfs", below]);
    try {
      const words = flag === "-v" ? `${source}:/data:ro` : `type=bind,source=${source},target=/data,readonly`;
      withRunning(sandbox, [flag, words], ({ id, pid }) => {
        for (const target of ["/data", "/data/below"]) {
          expect(mountAt(mountsOf(pid), target)?.options).toContain("ro");
          expect(sandbox.bocker(["exec", id, "touch", `${target}/file`]).stderr).toContain(
            "Read-only file system",
          );
        }
        expect(sandbox.bocker(["exec", id, "mount", "-o", "remount,rw", "/data"]).code).not.toBe(0);
      });
      withRunning(sandbox, ["-v", `${source}:/data`], ({ id }) =>
        sandbox.ok(["exec", id, "touch", "/data/below/file"]),
      );
      expect(existsSync(join(below, "file"))).toBe(true);
    } finally {
      execFileSync("umount", [below]);
    }
  });

  test("what is mounted later on one side does not appear on the other", () => {
    const source = directory();
    mkdirSync(join(source, "later"));
    withRunning(sandbox, ["-v", `${source}:/data`], ({ pid }) => {
      execFileSync("mount", ["-t", "tmpfs", "tmpfs", join(source, "later")]);
      try {
        expect(mountAt(mountsOf(pid), "/data/later")).toBeUndefined();
        expect(mountAt(mountsOf(pid), "/data")?.propagation).toEqual([]);
      } finally {
        execFileSync("umount", [join(source, "later")]);
      }
    });
  });

  test("a file", () => {
    const file = join(directory(), "file");
    writeFileSync(file, "old\n");
    expect(
      script(
        sandbox,
        ["-v", `${file}:/etc/deep/own.conf`],
        "cat /etc/deep/own.conf; echo new > /etc/deep/own.conf",
      ),
    ).toBe("old");
    expect(readFileSync(file, "utf8")).toBe("new\n");
  });

  test("-v makes a source that is missing, under any umask; --mount does not", () => {
    const source = join(directory(), "made/deep");
    const words = [
      sandbox.binary,
      "run",
      "--rm",
      "--network",
      "none",
      "-v",
      `${source}:/data`,
      IMAGE,
      "true",
    ];
    expect(sandbox.execute(["sh", "-c", 'umask 077; exec "$@"', "sh", ...words]).code).toBe(0);
    expect(statSync(source).mode & 0o7777).toBe(0o755);
    const missing = join(directory(), "missing");
    expect(tryScript(sandbox, ["--mount", `type=bind,src=${missing},dst=/data`], "true")).toMatchObject({
      code: 125,
      stderr: expect.stringContaining(`bind source path does not exist: ${missing}`),
    });
    expect(existsSync(missing)).toBe(false);
  });

  test("over one of the engine's own: it is the user's", () => {
    const file = join(directory(), "hosts");
    writeFileSync(file, "10.1.2.3 mine\n");
    expect(script(sandbox, ["-v", `${file}:/etc/hosts`], "cat /etc/hosts")).toBe("10.1.2.3 mine");
    const source = directory();
    expect(script(sandbox, ["-v", `${source}:/dev/shm`], "echo x > /dev/shm/file; ls /dev")).toContain(
      "null",
    );
    expect(readdirSync(source)).toEqual(["file"]);
  });

  test("one in another, whatever their order", () => {
    const [outer, inner] = [directory(), directory()];
    const options = ["-v", `${inner}:/a/b`, "-v", `${outer}:/a`];
    script(sandbox, options, "echo > /a/outer; echo > /a/b/inner");
    expect(readdirSync(outer).sort()).toEqual(["b", "outer"]);
    expect(readdirSync(inner)).toEqual(["inner"]);
  });

  test("a link in the container's path stays inside", () => {
    const source = directory();
    const outside = directory();
    const root = directory();
    mkdirSync(join(root, "bin"));
    execFileSync("cp", ["/bin/busybox", join(root, "bin/sh")]);
    symlinkSync(outside, join(root, "absolute"));
    symlinkSync(`../../../../../../../../..${outside}`, join(root, "relative"));
    symlinkSync("/proc/1/root", join(root, "magic"));
    sandbox.ok(["init", root, "links"]);
    for (const link of ["absolute", "relative"]) {
      const words = ["run", "--rm", "--network", "none", "-v", `${source}:/${link}/deep`, "links"];
      expect(
        sandbox.bocker([...words, "/bin/sh", "-c", `echo ${link} > ${outside}/deep/${link}`]).stderr,
      ).toBe("");
    }
    expect(readdirSync(source).sort()).toEqual(["absolute", "relative"]);
    expect(readdirSync(outside)).toEqual([]);
    const magic = [
      "run",
      "--rm",
      "--network",
      "none",
      "-v",
      `${source}:/magic/escaped`,
      "links",
      "/bin/sh",
      "-c",
      "true",
    ];
    sandbox.bocker(magic);
    expect(existsSync("/escaped")).toBe(false);
    sandbox.ok(["rmi", "links"]);
  });

  test.each([
    ["/proc", "invalid mount"],
    ["/proc/self", "not permitted"],
    ["/proc/sys/kernel", "not permitted"],
    ["/", "destination can't be '/'"],
    ["relative", "must be absolute"],
  ])("over %s it is refused", (target, message) => {
    const { code, stderr } = tryScript(sandbox, ["-v", `${directory()}:${target}`], "true");
    expect(stderr).toContain(message);
    expect(code).toBe(125);
  });

  test("two at one place, an unknown mode or type are refused", () => {
    const source = directory();
    for (const [options, message] of [
      [["-v", `${source}:/a`, "-v", "/a"], "Duplicate mount point: /a"],
      [["-v", `${source}:/a:loud`], "invalid mode: loud"],
      [["--mount", "type=bind,target=/a,colour=red"], "unexpected key 'colour'"],
      [["--mount", "type=bind,source=/etc"], "target is required"],
    ] as const)
      expect(tryScript(sandbox, [...options], "true")).toMatchObject({
        code: 125,
        stderr: expect.stringContaining(message),
      });
  });
});

describe("tmpfs", () => {
  test("--tmpfs: Docker's options, and one's own", () =>
    withRunning(sandbox, ["--tmpfs", "/a", "--tmpfs", "/b:size=2m,mode=0700,exec"], ({ id, pid }) => {
      const [a, b] = ["/a", "/b"].map((target) => mountAt(mountsOf(pid), target));
      expect(a?.type).toBe("tmpfs");
      expect(a?.options).toEqual(expect.arrayContaining(["rw", "nosuid", "nodev", "noexec"]));
      expect(b?.options).not.toContain("noexec");
      expect(b?.superOptions).toContain("size=2048k");
      expect(sandbox.ok(["exec", id, "stat", "-c", "%a", "/a", "/b"])).toBe("1777\n700");
    }));

  test("--mount type=tmpfs", () =>
    withRunning(
      sandbox,
      ["--mount", "type=tmpfs,dst=/a,tmpfs-size=1048576,tmpfs-mode=700"],
      ({ id, pid }) => {
        expect(mountAt(mountsOf(pid), "/a")?.superOptions).toContain("size=1024k");
        expect(sandbox.ok(["exec", id, "stat", "-c", "%a", "/a"])).toBe("700");
      },
    ));

  test("what is written there never reaches the disk or the next start", () => {
    const id = sandbox.ok([
      "create",
      "--network",
      "none",
      "--tmpfs",
      "/a",
      IMAGE,
      "sh",
      "-c",
      "ls /a; echo > /a/file",
    ]);
    expect([sandbox.ok(["start", "-a", id]), sandbox.ok(["start", "-a", id])]).toEqual(["", ""]);
    sandbox.ok(["rm", id]);
  });
});

describe("volumes", () => {
  const place = (name: string) => join(sandbox.data, "volumes", name, "_data");
  const volumes = () =>
    existsSync(join(sandbox.data, "volumes")) ? readdirSync(join(sandbox.data, "volumes")) : [];
  const dataOf = (name: string) =>
    existsSync(place(name)) ? place(name) : join(sandbox.data, "volumes", name);

  test("a named one is kept and shared", () => {
    script(sandbox, ["-v", "kept:/data"], "echo kept > /data/file");
    expect(script(sandbox, ["--mount", "type=volume,source=kept,target=/other"], "cat /other/file")).toBe(
      "kept",
    );
    expect(tryScript(sandbox, ["-v", "kept:/data:ro"], "touch /data/x").stderr).toContain(
      "Read-only file system",
    );
    expect(readFileSync(join(dataOf("kept"), "file"), "utf8")).toBe("kept\n");
  });

  test("a new one is filled from the image, with owner and mode, and only once", () => {
    script(sandbox, ["-v", `seeded:${SEED}`], `echo changed > ${SEED}/file`);
    const { uid, gid, directoryMode, fileMode } = SEED_OWNER;
    const root = statSync(dataOf("seeded"));
    expect([root.uid, root.gid, root.mode & 0o7777]).toEqual([uid, gid, directoryMode]);
    const file = statSync(join(dataOf("seeded"), "file"));
    expect([file.uid, file.gid, file.mode & 0o7777]).toEqual([uid, gid, fileMode]);
    expect(lstatSync(join(dataOf("seeded"), "link")).isSymbolicLink()).toBe(true);
    expect(script(sandbox, ["-v", `seeded:${SEED}`], `cat ${SEED}/file`)).toBe("changed");
  });

  test("one that is not empty is not filled", () => {
    script(sandbox, ["-v", "own:/data"], "echo > /data/own");
    expect(script(sandbox, ["-v", `own:${SEED}`], `ls ${SEED}`)).toBe("own");
  });

  test("of the host image is never filled with bocker's own data, itself included", () => {
    const { stdout } = sandbox.bocker([
      ...["run", "--rm", "--network", "none", "-v", `self:${sandbox.data}`, "host"],
      ...["ls", "-A", sandbox.data],
    ]);
    expect(stdout).toBe("");
  });

  test("an anonymous one goes with --rm and rm -v, not with rm; a named one never does", () => {
    const before = volumes();
    script(sandbox, ["-v", "/data", "-v", "named:/named"], "echo > /data/file");
    expect(volumes().sort()).toEqual([...before, "named"].sort());
    const run = () =>
      sandbox.ok(["run", "-d", "--network", "none", "-v", "/data", "-v", "named:/named", IMAGE, "true"]);
    const [first, second] = [run(), run()];
    sandbox.ok(["wait", first, second]);
    sandbox.ok(["rm", "-v", first]);
    expect(volumes()).toHaveLength(before.length + 2);
    sandbox.ok(["rm", second]);
    expect(volumes()).toHaveLength(before.length + 2);
  });

  test("of a detached --rm container, its monitor sees to it", () => {
    const before = volumes();
    const id = sandbox.ok(["run", "-d", "--rm", "--network", "none", "-v", "/data", IMAGE, "true"]);
    while (sandbox.ok(["ps", "-aq", "--no-trunc"]).includes(id)) Bun.sleepSync(10);
    expect(volumes()).toEqual(before);
  });

  test("two containers that make the same one at once: it is made and filled once", async () => {
    const words = sandbox.inside([
      sandbox.binary,
      "run",
      "--rm",
      "--network",
      "none",
      "-v",
      `raced:${SEED}`,
      IMAGE,
    ]);
    const all = Array.from({ length: 4 }, () =>
      Bun.spawn([...words, "cat", `${SEED}/file`], {
        env: sandbox.environment,
        stdout: "pipe",
        stderr: "pipe",
      }),
    );
    for (const one of all) {
      expect(await new Response(one.stderr).text()).toBe("");
      expect(await new Response(one.stdout).text()).toBe("from the image\n");
    }
  });

  test("a name that is none is refused", () => {
    expect(tryScript(sandbox, ["-v", "no/good:/a"], "true")).toMatchObject({
      code: 125,
      stderr: expect.stringContaining("includes invalid characters for a local volume name"),
    });
  });
});
