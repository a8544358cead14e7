/** `fork`: new containers with a container's files as they are, on an overlay and on btrfs. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { execFileSync, spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { cgroupFreezer } from "../../../src/cgroup/freezer.ts";
import { DRIVERS, driverSandbox } from "../drivers.ts";
import type { Sandbox } from "../sandbox.ts";
import { untilSync } from "../wait.ts";

/** Writes a number to two files again and again: at no moment does the second have more than the first. */
const WRITER = `i=0; while :; do i=$((i+1)); echo $i >/first.new; mv /first.new /first;
  echo $i >/second.new; mv /second.new /second; echo $i >/v/third.new; mv /v/third.new /v/third; done`;

const CHANGES = `set -e; echo new >/new; ln /new /etc/other; chown 12:34 /new; chmod 4755 /new
  rm /etc/passwd; rm -r /seed; mkdir /seed; echo mine >/seed/mine; mv /home /house 2>/dev/null || true
  mknod /made c 5 6; mkfifo /pipe; ln -s nowhere /dangling; truncate -s 1M /sparse; echo end >>/sparse
  mkdir -p /tree/of/dirs; echo x >/tree/of/dirs/file; touch -d '2020-01-01 00:00:00' /tree/of/dirs; chmod 1777 /tree`;

describe.each(DRIVERS)("%s", (driver, filesystem) => {
  let sandbox: Sandbox;
  let remove: () => void;
  beforeAll(() => {
    ({ sandbox, remove } = driverSandbox(driver, filesystem));
  });
  afterEach(() => {
    const all = sandbox.ok(["ps", "-aq"]).split("\n").filter(Boolean);
    if (all.length > 0) sandbox.ok(["rm", "-f", "-v", ...all]);
    const volumes = sandbox.ok(["volume", "ls", "-q"]).split("\n").filter(Boolean);
    if (volumes.length > 0) sandbox.ok(["volume", "rm", ...volumes]);
    expect(sandbox.bocker(["system", "check"]).stdout).toBe("Nothing found.\n");
    expect(readdirSync(join(sandbox.data, "containers"))).toEqual([]);
  });
  afterAll(() => remove());

  /** Everything that an export has, a line each. */
  function exported(container: string): string[] {
    const path = join(sandbox.directory, "exported.tar");
    sandbox.ok(["export", "-o", path, container]);
    const options = ["--full-time", "--xattrs", "--xattrs-include=*", "-tvvf", path];
    const lines = execFileSync("tar", options, { encoding: "utf8" }).split("\n");
    return lines.filter(
      (line) => !/ (\.\/|dev\/|proc\/|sys\/|etc\/(hosts|hostname|resolv\.conf))$/.test(line),
    );
  }
  const inspect = (container: string) => JSON.parse(sandbox.ok(["inspect", container]))[0];

  test("an ended container's files, owners, modes, links, and what it has removed", () => {
    sandbox.ok(["run", "--name", "original", "busybox", "sh", "-c", CHANGES]);
    const id = sandbox.ok(["fork", "--name", "copy", "original"]);
    expect(id).toMatch(/^[0-9a-f]{64}$/);
    const lines = exported("copy");
    expect(lines).toEqual(exported("original"));
    const text = lines.join("\n");
    expect(text).toMatch(/^-rwsr-xr-x\S* +12\/34 .* (etc\/other|new)$/m);
    expect(text).toMatch(/ (new link to etc\/other|etc\/other link to new)$/m);
    expect(text).toContain(" seed/mine");
    expect(text).not.toMatch(/seed\/file|etc\/passwd/);
    expect(inspect("copy").State.Status).toBe("created");
    // What it has changed is the same layer.
    const committed = ["original", "copy"].map((name) => sandbox.ok(["commit", name]));
    const layers = committed.map((image) => sandbox.ok(["inspect", "-f", "{{json .RootFS.Layers}}", image]));
    expect(layers[1]).toBe(layers[0]!);
    sandbox.ok(["rmi", "-f", ...new Set(committed)]);
    // Neither changes the other.
    sandbox.ok(["rm", "original"]);
    sandbox.ok(["fork", "--name", "again", "copy"]);
    expect(exported("again")).toEqual(exported("copy"));
  });

  test("it runs as the original does: settings, seen files, host name", () => {
    const program =
      "[ -e /mark ] || echo $HOSTNAME >/mark; hostname; cat /mark; echo $COLOUR; exec sleep 1000";
    const settings = ["-e", "COLOUR=red", "--label", "a=b", "--memory", "64m", "-w", "/tmp"];
    sandbox.ok(["run", "-d", "--name", "original", ...settings, "busybox", "sh", "-c", program]);
    untilSync(() => sandbox.ok(["logs", "original"]).includes("red"));
    const id = sandbox.ok(["fork", "--start", "original"]);
    untilSync(() => sandbox.ok(["logs", id]).includes("red"));
    const original = inspect("original");
    expect(sandbox.ok(["logs", id]).split("\n")).toEqual([id.slice(0, 12), original.Id.slice(0, 12), "red"]);
    const copy = inspect(id);
    expect(copy.Config).toEqual({ ...original.Config, Hostname: id.slice(0, 12) });
    expect(copy.HostConfig.Memory).toBe(original.HostConfig.Memory);
    expect(copy.Image).toBe(original.Image);
    expect(copy.NetworkSettings.IPAddress).not.toBe(original.NetworkSettings.IPAddress);
    sandbox.ok(["create", "--name", "named", "--hostname", "box", "busybox", "true"]);
    expect(inspect(sandbox.ok(["fork", "named"])).Config.Hostname).toBe("box");
  });

  test("five of a running writer: each is of one moment, and the writer goes on", () => {
    sandbox.ok(["run", "-d", "--name", "writer", "-v", "/v", "busybox", "sh", "-c", WRITER]);
    untilSync(() => sandbox.bocker(["exec", "writer", "cat", "/v/third"]).code === 0);
    for (let round = 0; round < 5; round++) {
      const ids = sandbox.ok(["fork", "--count", "5", "--name", `f${round}`, "writer"]).split("\n");
      expect(new Set(ids).size).toBe(5);
      const names = sandbox.ok(["ps", "-a", "--format", "{{.Names}}", "-f", `name=f${round}-`]).split("\n");
      expect(names.sort()).toEqual([1, 2, 3, 4, 5].map((number) => `f${round}-${number}`));
      const seen = ids.map((id) => {
        const { Mounts } = inspect(id);
        const root = join(sandbox.data, "containers", id, "upper");
        const read = (path: string) => Number(readFileSync(path, "utf8"));
        return [read(join(root, "first")), read(join(root, "second")), read(join(Mounts[0].Source, "third"))];
      });
      for (const [first = 0, second = 0, third = 0] of seen) {
        expect([first - second, second - third].every((more) => more === 0 || more === 1)).toBe(true);
        expect(first - third).toBeLessThanOrEqual(1);
        expect([first, second, third]).toEqual(seen[0]!);
      }
    }
    const number = () => Number(sandbox.ok(["exec", "writer", "cat", "/second"]));
    const before = number();
    Bun.sleepSync(100);
    expect(number()).toBeGreaterThan(before);
  });

  test("ports that were fixed become free ones; named volumes are shared, its own are copied", () => {
    const volumes = ["-v", "shared:/shared", "-v", "/own", "-v", `${sandbox.directory}:/host:ro`];
    const ports = ["-p", "7080:80", "-p", "7100-7109:81", "-p", "82"];
    const script = "echo 1 >/shared/file; echo 1 >/own/file; chown 5:6 /own; exec sleep 1000";
    sandbox.ok(["run", "-d", "--name", "original", ...volumes, ...ports, "busybox", "sh", "-c", script]);
    untilSync(() => sandbox.bocker(["exec", "original", "cat", "/own/file"]).code === 0);
    const ids = sandbox.ok(["fork", "--start", "--count", "2", "original"]).split("\n");
    const published = ["original", ...ids].map((name) => inspect(name).NetworkSettings.Ports);
    const portOf = (index: number, port: string) => Number(published[index][port][0].HostPort);
    expect(portOf(0, "80/tcp")).toBe(7080);
    const free = [portOf(1, "80/tcp"), portOf(2, "80/tcp")];
    expect(free.every((port) => port > 0 && port !== 7080)).toBe(true);
    expect([0, 1, 2].map((index) => portOf(index, "81/tcp"))).toEqual([7100, 7101, 7102]);
    const [one = "", other = ""] = ids;
    sandbox.ok(["exec", one, "sh", "-c", "echo 2 >/shared/file; echo 2 >/own/file; chmod 700 /own"]);
    expect(sandbox.ok(["exec", "original", "cat", "/shared/file", "/own/file"])).toBe("2\n1");
    expect(sandbox.ok(["exec", other, "cat", "/shared/file", "/own/file"])).toBe("2\n1");
    expect(sandbox.ok(["exec", other, "stat", "-c", "%u:%g", "/own"])).toBe("5:6");
    expect(sandbox.bocker(["exec", one, "touch", "/host/x"]).code).toBe(1);
    expect(sandbox.ok(["volume", "ls", "-q"]).split("\n")).toHaveLength(4);
    sandbox.ok(["rm", "-f", "-v", ...ids]);
    expect(sandbox.ok(["volume", "ls", "-q"]).split("\n")).toHaveLength(2);
    expect(sandbox.ok(["exec", "original", "cat", "/own/file"])).toBe("1");
  });

  test("a container of the host image", () => {
    sandbox.ok(["run", "--name", "of-host", "host", "sh", "-c", "echo x >/etc/forked; rm /etc/passwd"]);
    sandbox.ok(["fork", "--name", "copy", "of-host"]);
    sandbox.ok(["start", "copy"]);
    sandbox.ok(["wait", "copy"]);
    expect(
      readFileSync(join(sandbox.data, "containers", inspect("copy").Id, "upper/etc/forked"), "utf8"),
    ).toBe("x\n");
  });

  test("interrupted, it leaves nothing, and the container goes on", async () => {
    const program = "mkdir /many; for i in $(seq 4000); do echo $i >/many/$i; done; exec sleep 1000";
    const id = sandbox.ok(["run", "-d", "--name", "many", "busybox", "sh", "-c", program]);
    const isReady = () => sandbox.ok(["exec", "many", "ps"]).includes("sleep 1000");
    untilSync(isReady);
    const freezer = cgroupFreezer(`/bocker/${id}`)!;
    const state = () => readFileSync(freezer.path, "utf8").trim();
    for (const signal of ["SIGINT", "SIGKILL"] as const) {
      const before = readdirSync(join(sandbox.data, "containers")).length;
      const [word, ...rest] = sandbox.inside([sandbox.binary, "fork", "--count", "20", "many"]);
      const child = spawn(word, rest, { env: sandbox.environment, stdio: "ignore" });
      const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
      const isCopying = () => readdirSync(join(sandbox.data, "containers")).length > before;
      while (!isCopying() && child.exitCode === null) await Bun.sleep(1);
      child.kill(signal);
      const code = await ended;
      // A snapshot is there at once: it may have been too late.
      if (signal === "SIGINT" && driver !== "btrfs") expect(code).toBe(130);
      sandbox.ok(["ps"]);
      expect(state()).toBe(freezer.thaw);
      const kept = readdirSync(join(sandbox.data, "containers"));
      expect(sandbox.ok(["ps", "-aq", "--no-trunc"]).split("\n").sort()).toEqual(kept.sort());
      if (driver !== "btrfs") expect(kept).toEqual([id]);
    }
  }, 60_000);

  test("what cannot be forked is refused, and nothing is made", () => {
    sandbox.ok(["create", "--name", "original", "-v", "/own", "busybox", "true"]);
    sandbox.ok(["create", "--name", "taken-2", "busybox", "true"]);
    const refused = (...words: string[]) => {
      const { code, stdout, stderr } = sandbox.bocker(["fork", ...words]);
      expect(stdout).toBe("");
      return `${code} ${stderr}`;
    };
    expect(refused("nobody")).toContain("1 Error: No such container: nobody");
    expect(refused()).toContain("1 bocker: 'bocker fork' requires 1 argument");
    for (const count of ["0", "-1", "1001"])
      expect(refused("--count", count, "original")).toContain(`125 invalid argument "${count}" for --count`);
    expect(refused("--count", "x", "original")).toStartWith("125 ");
    expect(refused("--name", "a/b", "original")).toContain("Invalid container name (a/b)");
    expect(refused("--name", "taken", "--count", "3", "original")).toContain('The container name "/taken-2"');
    sandbox.ok(["create", "--name", "rooted", "--rootfs", sandbox.directory, "true"]);
    expect(refused("rooted")).toContain("a container of --rootfs cannot be forked");
    expect(sandbox.ok(["ps", "-aq"]).split("\n")).toHaveLength(3);
    expect(sandbox.ok(["volume", "ls", "-q"]).split("\n")).toHaveLength(1);
  });
});

test("on btrfs a container that is held to a size has forks that are, too", () => {
  const { sandbox, remove } = driverSandbox("btrfs", "btrfs");
  try {
    const write = "dd if=/dev/zero of=/big bs=1M count=40 2>/dev/null; ls -l /big | awk '{print $5}'";
    const limited = ["--network", "none", "--storage-opt", "size=20M"];
    sandbox.ok(["create", "--name", "small", ...limited, "busybox", "sh", "-c", write]);
    const id = sandbox.ok(["fork", "small"]);
    expect(Number(sandbox.ok(["start", "-a", id]))).toBeLessThan(20 * 2 ** 20);
  } finally {
    remove();
  }
});
