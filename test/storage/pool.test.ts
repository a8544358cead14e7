/** `storage pool`: a btrfs in a file in the place of the data root, and what else decides the storage driver. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { busyboxSandbox, IMAGE } from "../e2e/busybox.ts";
import { Sandbox } from "../e2e/sandbox.ts";

let sandbox: Sandbox;

beforeEach(() => {
  sandbox = new Sandbox();
});

afterEach(() => {
  // Of a test that has failed: every other command would mount it again.
  sandbox.bocker(["storage", "pool", "rm", "-f"]);
  sandbox.remove();
});

const isMounted = () => readFileSync("/proc/mounts", "utf8").includes(` ${sandbox.data} btrfs `);

describe("storage pool", () => {
  test("create makes the data root a btrfs, of which the next command after a boot knows", () => {
    const file = `${sandbox.data}.btrfs`;
    expect(sandbox.ok(["storage", "pool", "create", "--size", "512M"])).toBe(file);
    expect(statSync(file).size).toBe(512 * 2 ** 20);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(statSync(sandbox.data).mode & 0o777).toBe(0o710);
    busyboxSandbox(sandbox);
    expect(sandbox.ok(["run", "--rm", "--network", "none", IMAGE, "echo", "hi"])).toBe("hi");
    expect(sandbox.ok(["info"])).toContain(`Storage Driver: btrfs\n pool: ${file}\n`);
    execFileSync("umount", [sandbox.data]);
    expect(readdirSync(sandbox.data)).toEqual(["storage-driver"]);
    expect(sandbox.ok(["images", "-q"])).not.toBe("");
    expect(isMounted()).toBe(true);
    expect(sandbox.bocker(["storage", "pool", "create", "--size", "512M"]).stderr).toContain(
      `the data root ${sandbox.data} is in use, with the storage driver btrfs`,
    );
    expect(sandbox.bocker(["storage", "pool", "rm"], "n\n").code).toBe(0);
    expect(existsSync(file)).toBe(true);
    sandbox.ok(["run", "-d", "--name", "busy", "--network", "none", IMAGE, "sleep", "100"]);
    expect(sandbox.bocker(["storage", "pool", "rm", "-f"]).stderr).toContain(
      "containers are running in the pool: busy",
    );
    expect(sandbox.bocker(["storage", "pool", "rm", "--dry-run"]).stderr).toContain("pool: busy");
    sandbox.ok(["rm", "-f", "busy"]);
    expect(sandbox.ok(["storage", "pool", "rm", "--dry-run"])).toBe(file);
    expect(isMounted()).toBe(true);
    expect(sandbox.ok(["storage", "pool", "rm", "-f"])).toBe(file);
    expect(isMounted()).toBe(false);
    expect(existsSync(file)).toBe(false);
    expect(readdirSync(sandbox.data)).toEqual([]);
    expect(execFileSync("losetup", ["-j", file], { encoding: "utf8" })).toBe("");
  });

  test("several commands at once after a boot mount it once", async () => {
    sandbox.ok(["storage", "pool", "create", "--size", "512M"]);
    execFileSync("umount", [sandbox.data]);
    const [program, ...rest] = sandbox.inside([sandbox.binary, "images"]);
    const all = Array.from({ length: 16 }, () =>
      Bun.spawn([program, ...rest], { env: sandbox.environment, stdout: "ignore", stderr: "ignore" }),
    );
    expect(await Promise.all(all.map(({ exited }) => exited))).toEqual(all.map(() => 0));
    const mounts = readFileSync("/proc/mounts", "utf8").split("\n");
    expect(mounts.filter((line) => line.includes(` ${sandbox.data} `))).toHaveLength(1);
    sandbox.ok(["storage", "pool", "rm", "-f"]);
  });

  test("what another mount namespace has mounted is mounted from the same device", () => {
    const file = sandbox.ok(["storage", "pool", "create", "--size", "512M"]);
    execFileSync("umount", [sandbox.data]);
    const outside = `nsenter --mount=/proc/${process.pid}/ns/mnt`;
    const script = `"$1" images >/dev/null && ${outside} "$1" images >/dev/null && losetup -j "$2" | wc -l`;
    const words = [
      "unshare",
      "-m",
      "--propagation",
      "private",
      "sh",
      "-c",
      script,
      "sh",
      sandbox.binary,
      file,
    ];
    expect(sandbox.execute(words)).toEqual({ code: 0, stdout: "1\n", stderr: "" });
    expect(isMounted()).toBe(true);
    sandbox.ok(["storage", "pool", "rm", "-f"]);
  });

  test("what cannot be a pool is refused, and leaves nothing", () => {
    const refused = (words: string[], text: string, environment = sandbox.environment) => {
      const { stderr } = spawnSync(sandbox.binary, ["storage", "pool", ...words], {
        encoding: "utf8",
        env: environment,
      });
      expect(stderr).toContain(text);
      expect(readdirSync(sandbox.directory).sort()).toEqual([]);
    };
    refused(["create", "--size", "1M"], "a pool of 1048576 bytes is too small");
    refused(["create", "--size", "x"], "invalid size: 'x'");
    refused(["rm", "-f"], "is no pool");
    const file = join(sandbox.directory, "taken");
    mkdirSync(file);
    const { stderr } = sandbox.bocker(["storage", "pool", "create", "--size", "512M", "--file", file]);
    expect(stderr).toContain(`${file} is there already`);
    expect(existsSync(sandbox.data)).toBe(false);
  });

  test("an older data root is one of overlay, and stays it", () => {
    mkdirSync(join(sandbox.data, "overlay"), { recursive: true });
    expect(sandbox.ok(["info", "--format", "{{.Driver}}"])).toBe("overlay");
    expect(sandbox.bocker(["--storage-driver", "btrfs", "info"]).stderr).toContain(
      "was made by the storage driver overlay",
    );
  });

  test("--storage-driver of a filesystem that has none of it", () => {
    const { stderr, code } = sandbox.bocker(["--storage-driver", "btrfs", "images"]);
    expect(code).toBe(125);
    expect(stderr).toContain('is not on btrfs: "bocker storage pool create" makes a pool');
    expect(existsSync(sandbox.data)).toBe(false);
  });

  test("where the kernel mounts no overlay, the choice is another, and info says why", () => {
    const lower = join(sandbox.directory, "o");
    for (const name of ["lower", "upper", "work", "merged"])
      mkdirSync(join(lower, name), { recursive: true });
    const merged = join(lower, "merged");
    const options = `lowerdir=${lower}/lower,upperdir=${lower}/upper,workdir=${lower}/work`;
    execFileSync("mount", ["-t", "overlay", "overlay", "-o", options, merged]);
    try {
      const info = sandbox.ok(["--data-root", join(merged, "data"), "info"]);
      expect(info).toMatch(
        /Storage Driver: vfs\n overlay: the kernel mounts none on the filesystem of .*\n btrfs: .*\n vfs: works here/,
      );
    } finally {
      execFileSync("umount", [merged]);
    }
  });
});
