/** `volume clone`, `snapshot`, `rollback`, `rename`: on an overlay, where all is copied, and on btrfs, where it is shared. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DRIVERS, driverSandbox } from "../drivers.ts";
import type { Sandbox } from "../sandbox.ts";
import { untilSync } from "../wait.ts";

/** How many times fewer kills are tried than with BOCKER_LONG=1. */
const SPARSE = process.env["BOCKER_LONG"] === "1" ? 1 : 3;
const FILES = `set -e; cd /v; echo 1 >file; ln file linked; chmod 6751 file; chown 12:34 file; mkdir -p a/b; echo x >a/b/c
  ln -s file link; mkfifo pipe; mknod device c 1 3; truncate -s 2M sparse; echo end >>sparse; chown 7:8 /v; chmod 1770 /v`;

describe.each(DRIVERS.filter(([driver]) => driver !== "vfs"))("%s", (driver, filesystem) => {
  let sandbox: Sandbox;
  let remove: () => void;
  beforeAll(() => {
    ({ sandbox, remove } = driverSandbox(driver, filesystem));
  });
  afterEach(() => {
    const all = sandbox.ok(["ps", "-aq"]).split("\n").filter(Boolean);
    if (all.length > 0) sandbox.ok(["rm", "-f", "-v", ...all]);
    expect(sandbox.bocker(["system", "check"]).stdout).toBe("Nothing found.\n");
    const volumes = listed();
    expect(readdirSync(join(sandbox.data, "volumes")).sort()).toEqual(volumes);
    if (volumes.length > 0) sandbox.ok(["volume", "rm", ...volumes]);
  });
  afterAll(() => remove());

  const listed = (...filters: string[]) =>
    sandbox
      .ok(["volume", "ls", "-q", ...filters.flatMap((filter) => ["-f", filter])])
      .split("\n")
      .filter(Boolean);
  const inVolume = (volume: string, script: string) =>
    sandbox.ok(["run", "--rm", "--network", "none", "-v", `${volume}:/v`, "busybox", "sh", "-c", script]);
  const directory = (volume: string) => join(sandbox.data, "volumes", volume, "_data");
  /** All that can be seen of its files but for their inodes. */
  const seen = (volume: string) =>
    execFileSync(
      "sh",
      ["-c", "find . -printf '%p %y %m %U:%G %n %s %t %l\\n' | sort; cat file sparse | md5sum"],
      {
        cwd: directory(volume),
        encoding: "utf8",
      },
    );
  const refused = (...words: string[]) => {
    const { code, stdout, stderr } = sandbox.bocker(["volume", ...words]);
    expect(stdout).toBe("");
    return `${code} ${stderr}`;
  };

  test("a clone has everything, its own, and the labels", () => {
    sandbox.ok(["volume", "create", "--label", "colour=red", "one"]);
    inVolume("one", FILES);
    expect(sandbox.ok(["volume", "clone", "one", "two"])).toBe("two");
    expect(seen("two")).toBe(seen("one"));
    expect(statSync(join(directory("two"), "sparse")).blocks).toBeLessThan(1000);
    inVolume("two", "echo 2 >/v/file; rm /v/link");
    expect(inVolume("one", "cat /v/file; ls /v")).toStartWith("1\na\n");
    expect(JSON.parse(sandbox.ok(["volume", "inspect", "two"]))[0].Labels).toEqual({ colour: "red" });
    expect(refused("clone", "one", "two")).toContain(
      "1 Error: clone two: there is a volume of this name already",
    );
    expect(refused("clone", "none", "three")).toContain("get none: no such volume");
    expect(refused("clone", "one", "../x")).toContain("includes invalid characters for a local volume name");
    expect(refused("clone", "one")).toContain("requires 2 arguments");
    if (driver === "btrfs")
      // A subvolume each, of which the second is a snapshot.
      for (const name of ["one", "two"]) expect(statSync(directory(name)).ino).toBe(256);
  });

  test("a snapshot stays as it was; a rollback brings it back, whoever has the volume", () => {
    inVolume("data", FILES);
    const before = seen("data");
    expect(sandbox.ok(["volume", "snapshot", "data"])).toBe("data.1");
    sandbox.ok(["create", "--name", "user", "-v", "data:/v", "busybox", "cat", "/v/file"]);
    inVolume("data", "echo 2 >/v/file; rm -r /v/a");
    expect(sandbox.ok(["volume", "snapshot", "data"])).toBe("data.2");
    expect(sandbox.ok(["volume", "snapshot", "data", "kept"])).toBe("kept");
    sandbox.ok(["volume", "create", "other"]);
    expect(listed("snapshot-of=data")).toEqual(["data.1", "data.2", "kept"]);
    expect(listed("label=bocker.snapshot-of")).toEqual(["data.1", "data.2", "kept"]);
    const rollback = ["volume", "rollback", "data", "data.1"];
    const said = sandbox.ok([...rollback, "--dry-run"]);
    expect(said).toBe("Would replace the contents of data by those of data.1");
    expect(seen("data")).not.toBe(before);
    expect(sandbox.ok(rollback)).toBe("data");
    expect(seen("data")).toBe(before);
    expect(sandbox.ok(["start", "-a", "user"])).toBe("1");
    // As often as one likes, and what is written then changes no snapshot.
    inVolume("data", "echo 3 >/v/file");
    expect(seen("data.1")).toBe(before);
    sandbox.ok(["volume", "rollback", "data", "kept"]);
    expect(sandbox.ok(["start", "-a", "user"])).toBe("2");
    sandbox.ok(["volume", "rm", "data.2"]);
    expect(sandbox.ok(["volume", "snapshot", "data"])).toBe("data.2");
    sandbox.ok(["rm", "user"]);
  });

  test("containers can only read a snapshot", () => {
    inVolume("data", "echo 1 >/v/file");
    sandbox.ok(["volume", "snapshot", "data", "snap"]);
    const write = ["run", "--rm", "-v", "snap:/v", "busybox", "sh", "-c", "cat /v/file; echo 2 >/v/file"];
    // Twice: the second start is one of a kept plan.
    for (let i = 0; i < 2; i++) {
      const { code, stdout, stderr } = sandbox.bocker(write);
      expect([code, stdout]).toEqual([1, "1\n"]);
      expect(stderr).toContain("Read-only file system");
    }
    // An empty one is not filled from the image.
    sandbox.ok(["volume", "create", "empty"]);
    sandbox.ok(["volume", "snapshot", "empty", "nothing"]);
    expect(sandbox.ok(["run", "--rm", "-v", "nothing:/seed", "busybox", "ls", "/seed"])).toBe("");
    // A clone of one is a volume like others.
    sandbox.ok(["volume", "clone", "snap", "written"]);
    expect(inVolume("written", "echo 2 >/v/file; cat /v/file")).toBe("2");
    expect(listed("snapshot-of=data")).toEqual(["snap"]);
  });

  test("what a running container writes is copied as of one moment; it cannot be rolled back meanwhile", () => {
    const script = `i=0; while :; do i=$((i+1)); for name in a b c; do echo $i >/v/$name.new; mv /v/$name.new /v/$name
      done; done`;
    for (const name of ["writer", "second"])
      sandbox.ok([
        "run",
        "-d",
        "--name",
        name,
        "-v",
        "data:/v",
        "busybox",
        "sh",
        "-c",
        script.replaceAll("/v/", `/v/${name}-`),
      ]);
    untilSync(() => readdirSync(directory("data")).includes("second-c"));
    for (let round = 0; round < 10; round++) {
      const snapshot = sandbox.ok(["volume", "snapshot", "data"]);
      for (const name of ["writer", "second"]) {
        const [a = 0, b = 0, c = 0] = ["a", "b", "c"].map((file) =>
          Number(readFileSync(join(directory(snapshot), `${name}-${file}`), "utf8")),
        );
        expect(a - c).toBeWithin(0, 2);
        expect(b).toBeWithin(c, a + 1);
      }
    }
    const number = () => Number(sandbox.ok(["exec", "writer", "cat", "/v/writer-c"]));
    const before = number();
    Bun.sleepSync(100);
    expect(number()).toBeGreaterThan(before);
    expect(refused("rollback", "data", "data.1")).toContain("volume is in use by running containers - [");
    expect(refused("rollback", "--dry-run", "data", "data.1")).toContain("stop them first");
    expect(refused("rollback", "data", "nothing")).toContain("get nothing: no such volume");
    sandbox.ok(["volume", "create", "other"]);
    expect(refused("rollback", "data", "other")).toContain(
      "1 Error: rollback data: other is no snapshot of it",
    );
    expect(refused("rollback", "other", "data.1")).toContain("data.1 is no snapshot of it");
    sandbox.ok(["rm", "-f", "writer", "second"]);
    sandbox.ok(["volume", "rollback", "data", "data.1"]);
    expect(readdirSync(directory("data")).sort()).toEqual(readdirSync(directory("data.1")).sort());
  });

  test("a rename takes files, labels and snapshots with it, unless a container has the volume", () => {
    sandbox.ok(["volume", "create", "--label", "colour=red", "old"]);
    inVolume("old", "echo 1 >/v/file");
    sandbox.ok(["volume", "snapshot", "old", "snap"]);
    sandbox.ok(["create", "--name", "user", "-v", "old:/v", "busybox", "true"]);
    expect(refused("rename", "old", "new")).toMatch(
      /^1 Error: rename old: volume is in use - \[[0-9a-f]{64}\]$/m,
    );
    sandbox.ok(["rm", "user"]);
    expect(refused("rename", "old", "snap")).toContain("rename snap: there is a volume of this name already");
    expect(refused("rename", "old", "old")).toContain("there is a volume of this name already");
    expect(refused("rename", "old", "no/name")).toContain("invalid characters");
    expect(refused("rename", "none", "new")).toContain("get none: no such volume");
    const [{ CreatedAt }] = JSON.parse(sandbox.ok(["volume", "inspect", "old"]));
    expect(sandbox.ok(["volume", "rename", "old", "new"])).toBe("new");
    expect(listed()).toEqual(["new", "snap"]);
    expect(listed("snapshot-of=new")).toEqual(["snap"]);
    expect(JSON.parse(sandbox.ok(["volume", "inspect", "new"]))[0]).toEqual({
      CreatedAt,
      Driver: "local",
      Labels: { colour: "red" },
      Mountpoint: directory("new"),
      Name: "new",
      Options: null,
      Scope: "local",
    });
    expect(inVolume("new", "cat /v/file")).toBe("1");
    sandbox.ok(["volume", "rollback", "new", "snap"]);
    sandbox.ok(["volume", "create", "old"]);
    expect(inVolume("old", "ls /v")).toBe("");
  });

  test("killed at any of its changes, each has all of its effect or none", () => {
    inVolume("data", "echo 1 >/v/file");
    sandbox.ok(["volume", "snapshot", "data", "snap"]);
    inVolume("data", "echo 2 >/v/file");
    const file = (volume: string) => readFileSync(join(directory(volume), "file"), "utf8");
    const killed = (call: string, at: number, words: string[]) => {
      const inject = ["-e", `trace=${call}`, "-e", `inject=${call}:signal=SIGKILL:when=${at}`];
      const trace = join(sandbox.directory, "trace");
      const strace = ["strace", "-q", "-o", trace, ...inject, sandbox.binary, "volume", ...words];
      sandbox.execute(["sh", "-c", '"$@" </dev/null >/dev/null 2>&1; exit 0', "sh", ...strace]);
      return readFileSync(trace, "utf8").includes("killed by SIGKILL");
    };
    const CALLS = "mkdirat renameat2 openat flock fsync syncfs pwrite64 fdatasync unlinkat ioctl".split(" ");
    let kills = 0;
    // Of the calls that only open something fewer are tried.
    const next = (call: string, step: number) => (call === "openat" ? 5 : 1) * step * SPARSE;
    const along = (words: string[], step: number, look: (where: string) => void) => {
      for (const call of CALLS)
        for (let at = 1; killed(call, at, words); at += next(call, step)) {
          kills++;
          sandbox.ok(["volume", "ls"]);
          expect([call, at, sandbox.bocker(["system", "check"]).stdout]).toEqual([
            call,
            at,
            "Nothing found.\n",
          ]);
          look(`${words[0]} ${call} ${at}`);
        }
    };
    along(["rollback", "data", "snap"], 2, (where) => {
      expect([where, file("data")]).toEqual([where, expect.stringMatching(/^[12]\n$/)]);
      writeFileSync(join(directory("data"), "file"), "2\n");
    });
    expect(file("data")).toBe("1\n");
    const undoRename = (where: string) => {
      const names = listed().filter((name) => name !== "snap");
      expect([where, names]).toEqual([where, [expect.stringMatching(/^(data|moved)$/)]]);
      const [name = ""] = names;
      expect([where, file(name)]).toEqual([where, "1\n"]);
      expect([where, listed(`snapshot-of=${name}`)]).toEqual([where, ["snap"]]);
      if (name === "moved") sandbox.ok(["volume", "rename", "moved", "data"]);
    };
    for (const call of CALLS)
      for (let at = 1; killed(call, at, ["rename", "data", "moved"]); at += next(call, 1)) {
        kills++;
        // What does not repair first must not make of it what it is not.
        for (const name of kills % 2 === 0 ? ["moved", "data"] : ["data", "moved"]) {
          const { stdout } = sandbox.bocker(["run", "--rm", "-v", `${name}:/v`, "busybox", "ls", "/v"]);
          if (stdout === "") sandbox.ok(["volume", "rm", name]);
        }
        undoRename(`rename ${call} ${at}`);
        expect(sandbox.bocker(["system", "check"]).stdout).toBe("Nothing found.\n");
      }
    undoRename("rename");
    along(["clone", "data", "copy"], 3, (where) => {
      if (listed().includes("copy")) {
        expect([where, file("copy")]).toEqual([where, "1\n"]);
        sandbox.ok(["volume", "rm", "copy"]);
      }
    });
    expect(kills).toBeGreaterThan(20);
  }, 300_000);
});

test("on btrfs a volume's size holds for its copies, too", () => {
  const { sandbox, remove } = driverSandbox("btrfs", "btrfs");
  try {
    sandbox.ok(["volume", "create", "-o", "size=20M", "small"]);
    sandbox.ok(["volume", "snapshot", "small", "snap"]);
    sandbox.ok(["volume", "clone", "small", "copy"]);
    sandbox.ok(["volume", "rollback", "small", "snap"]);
    for (const volume of ["small", "copy"]) {
      const mount = ["--network", "none", "-v", `${volume}:/v`];
      const write = "dd if=/dev/zero of=/v/big bs=1M count=40 2>&1 || true";
      expect(sandbox.ok(["run", "--rm", ...mount, "busybox", "sh", "-c", write])).toMatch(/quota exceeded/i);
      expect(JSON.parse(sandbox.ok(["volume", "inspect", volume]))[0].Options).toEqual({ size: "20971520" });
    }
  } finally {
    remove();
  }
});
