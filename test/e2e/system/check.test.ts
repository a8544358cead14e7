/** `system check`: whole is said to be whole, also while others work; whatever is broken is found, and mended. */
import { Database } from "bun:sqlite";
import { afterAll, beforeAll, expect, test } from "bun:test";
import { execFileSync, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { cgroupDirectories } from "../../../src/cgroup/layout.ts";
import { OWN_PARENT } from "../../../src/cgroup/place.ts";
import { busyboxSandbox } from "../busybox.ts";
import { awaitEnd } from "../container/kernel.ts";
import { BINARY, OVERLAY, Sandbox } from "../sandbox.ts";

let sandbox: Sandbox;
beforeAll(() => {
  sandbox = busyboxSandbox(new Sandbox(undefined, OVERLAY));
});
afterAll(() => sandbox.remove());

const WHOLE = { code: 0, stdout: "Nothing found.\n", stderr: "" };
const check = (...flags: string[]) => sandbox.bocker(["system", "check", ...flags]);

/** What is found without --repair and with it; afterwards nothing is. */
function finds(...parts: string[]): void {
  const found = check();
  expect(found.code).toBe(1);
  for (const part of parts) expect(found.stdout).toContain(part);
  // A look changes nothing.
  expect(check().stdout).toBe(found.stdout);
  const repaired = check("--repair");
  expect(repaired.code).toBe(1);
  for (const part of parts) expect(repaired.stdout).toContain(part);
  expect(check()).toEqual(WHOLE);
}

/** An image of its own to be broken. */
function brokenImage(name: string): { id: string; layer: string } {
  const root = join(sandbox.directory, name);
  mkdirSync(root);
  writeFileSync(join(root, "file"), name);
  const id = sandbox.ok(["init", root, name]);
  return { id, layer: JSON.parse(sandbox.ok(["inspect", name]))[0].GraphDriver.Data.UpperDir };
}
const blob = (digest: string) => join(sandbox.data, "content/blobs/sha256", digest.slice("sha256:".length));

test("what is whole is said to be whole, with everything in it", () => {
  sandbox.ok(["run", "-d", "--name", "up", "-p", "8000:80", "-v", "data:/data", "busybox", "sleep", "1000"]);
  sandbox.ok(["run", "--name", "ended", "-v", "/anonymous", "busybox", "true"]);
  sandbox.ok(["create", "--name", "created", "busybox", "true"]);
  expect(check()).toEqual(WHOLE);
  expect(check("--quick")).toEqual(WHOLE);
  expect(check("--repair")).toEqual(WHOLE);
  sandbox.ok(["rm", "-f", "-v", "up", "ended", "created"]);
  expect(check()).toEqual(WHOLE);
});

test("a damaged blob: a changed byte, a shorter one", () => {
  const first = brokenImage("first");
  const bytes = readFileSync(blob(first.id));
  bytes[bytes.length - 2]! ^= 1;
  writeFileSync(blob(first.id), bytes);
  expect(check("--quick")).toEqual(WHOLE);
  finds(`content ${first.id} is damaged`);
  expect(sandbox.bocker(["inspect", "first"]).code).toBe(1);

  const second = brokenImage("second");
  truncateSync(blob(second.id), 10);
  finds(`content ${second.id} is damaged`);
  // What is not damaged is left alone.
  sandbox.ok(["run", "--rm", "busybox", "true"]);
});

test("a missing layer, or configuration: the image goes, unless a container is of it", () => {
  const { layer } = brokenImage("missing");
  renameSync(layer, `${layer}.away`);
  finds("image missing:latest", "lacks 1 of its 1 layers");
  expect(sandbox.ok(["images", "-q", "missing"])).toBe("");

  const used = brokenImage("used");
  const container = sandbox.ok(["create", "--name", "user", "used", "true"]);
  renameSync(used.layer, `${used.layer}.away`);
  const { stdout } = check("--repair");
  expect(stdout).toContain(
    `container user (${container.slice(0, 12)}) cannot start: 1 of its 1 layers is missing`,
  );
  expect(stdout).toContain("remove its containers and the image");
  expect(stdout).toContain("2 found, 0 repaired.");
  renameSync(`${used.layer}.away`, used.layer);
  expect(check()).toEqual(WHOLE);
  sandbox.ok(["rm", "user"]);
  sandbox.ok(["rmi", "used"]);
});

test("layers and blobs that nobody needs, and what was never finished", () => {
  const stray = `sha256:${"ab".repeat(32)}`;
  mkdirSync(join(sandbox.data, "overlay", "ab".repeat(32), "diff"), { recursive: true });
  writeFileSync(blob(stray), "not what its name says");
  finds(`layer ${stray} belongs to no image`, `content ${stray} is damaged`);
  const begun = join(sandbox.data, "overlay/.tmp-0123456789abcdef");
  mkdirSync(begun);
  const download = join(sandbox.data, "content/ingest/0123456789abcdef");
  writeFileSync(download, "half of it");
  finds("layer .tmp-0123456789abcdef was never finished", "download 0123456789abcdef was never finished");
  expect(existsSync(begun) || existsSync(download)).toBe(false);
});

test("directories without a record, records without their files", () => {
  const id = "0".repeat(63);
  mkdirSync(join(sandbox.data, "containers", `${id}1`, "upper"), { recursive: true });
  mkdirSync(join(sandbox.run, "containers", `${id}2`), { recursive: true });
  mkdirSync(join(sandbox.data, "volumes/stray/_data"), { recursive: true });
  mkdirSync(join(sandbox.data, "trash/thrown-away"));
  finds(
    `${id}1 belongs to no container`,
    `${id}2 belongs to no container`,
    "stray belongs to no volume",
    "thrown-away",
  );

  const lost = sandbox.ok(["create", "--name", "empty", "-v", "gone:/gone", "busybox", "true"]);
  renameSync(join(sandbox.data, "containers", lost), join(sandbox.directory, "away"));
  renameSync(join(sandbox.data, "volumes/gone"), join(sandbox.directory, "gone"));
  const { code, stdout } = check("--repair");
  expect(code).toBe(1);
  expect(stdout).toContain("container empty");
  expect(stdout).toContain("has lost its files");
  expect(stdout).toContain("volume gone has lost its files");
  sandbox.ok(["rm", "empty"]);
  renameSync(join(sandbox.directory, "gone"), join(sandbox.data, "volumes/gone"));
  expect(check()).toEqual(WHOLE);
});

test("a record that cannot be read does not stop the others", () => {
  const database = new Database(join(sandbox.data, "state.db"));
  const odd = sandbox.ok(["create", "--name", "odd", "busybox", "true"]);
  const other = sandbox.ok(["create", "--name", "other", "busybox", "true"]);
  database.run("UPDATE containers SET record = substr(record, 1, 100) WHERE id = ?", [odd]);
  const { code, stdout, stderr } = sandbox.bocker(["ps", "-aq", "--no-trunc"]);
  expect(code).toBe(0);
  expect(stdout).toContain(other);
  expect(stdout).not.toContain(odd);
  expect(stderr).toBe(
    `bocker: the record of container ${odd} is damaged: 'bocker system check --repair' removes it\n`,
  );
  expect(sandbox.bocker(["inspect", "odd"]).stderr).toContain("system check --repair");
  finds(`record of container ${odd} is no JSON`);
  sandbox.ok(["create", "--name", "odd", "busybox", "true"]);

  const wrong = sandbox.ok(["create", "busybox", "true"]);
  database.run("UPDATE containers SET record = json_set(record, '$.mounts', 'none') WHERE id = ?", [wrong]);
  finds(`record of container ${wrong} is not as it was written: mounts`);
  database.run("INSERT INTO tags (name, image) VALUES ('docker.io/library/nothing:latest', 'sha256:00')");
  finds("name nothing:latest points to no image");
  database.close();
  sandbox.ok(["rm", "odd", "other"]);
});

test("nor does that of an image that has the same layer stop the removal of another", () => {
  const database = new Database(join(sandbox.data, "state.db"));
  const tree = join(sandbox.directory, "shared-tree");
  mkdirSync(tree);
  writeFileSync(join(tree, "file"), "shared");
  const [first, second] = ["shared-a", "shared-b"].map((name) => sandbox.ok(["init", tree, name]));
  // The same files, and so the same layer; two images, for each has a time of its own.
  expect(first).not.toBe(second);
  database.run("UPDATE images SET record = record || ' no JSON' WHERE id = ?", [second!]);
  expect(sandbox.bocker(["rmi", "shared-a"])).toMatchObject({ code: 0, stderr: "" });
  finds(`record of image ${second} is no JSON`);
  database.close();
  expect(sandbox.ok(["images", "-q", "shared-b"])).toBe("");
});

test("a container whose monitor was killed", () => {
  const id = sandbox.ok(["run", "-d", "--name", "lost", "-p", "12000:80", "busybox", "sleep", "1000"]);
  const { pid, monitor } = JSON.parse(readFileSync(join(sandbox.run, "containers", id, "state"), "utf8"));
  process.kill(monitor, "SIGKILL");
  awaitEnd(pid);
  finds("container lost", "went down with its monitor");
  expect(sandbox.execute(["nft", "list", "ruleset"]).stdout).not.toContain("12000");
  expect(sandbox.ok(["inspect", "-f", "{{.State.ExitCode}}", "lost"])).toBe("255");
  sandbox.ok(["rm", "lost"]);
});

test("an address, a port, of nothing", () => {
  sandbox.ok(["run", "--rm", "-p", "12001:80", "busybox", "true"]);
  const database = new Database(join(sandbox.data, "state.db"));
  const holder = "d".repeat(64);
  database.run("INSERT INTO addresses VALUES ('bridge', '172.17.77.7', ?)", [holder]);
  database.close();
  sandbox.execute(["nft", "add element ip bocker ports_any { tcp . 12002 : 172.17.77.7 . 80 }"]);
  finds(
    `address of ${holder} is leased to no container`,
    "port 0.0.0.0:12002/tcp is published to 172.17.77.7:80",
  );
});

test("a mount where none belongs", () => {
  const target = join(sandbox.data, "containers");
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=4k", "none", target]);
  finds(`mount ${target} belongs to no container`);
  expect(readFileSync("/proc/self/mountinfo", "utf8")).not.toContain(target);
});

test("cgroups that nothing is in", () => {
  const id = randomBytes(32).toString("hex");
  // The parents are there with a container, also when another suite removes those that are empty.
  sandbox.ok(["run", "-d", "--name", "holder", "busybox", "sleep", "1000"]);
  const directories = cgroupDirectories(OWN_PARENT)
    .filter(existsSync)
    .map((parent) => join(parent, id));
  expect(directories).not.toEqual([]);
  const make = () => {
    for (const directory of directories) if (!existsSync(directory)) mkdirSync(directory);
    // Its age counts from the first look.
    expect(directories.every(existsSync)).toBe(true);
  };
  make();
  try {
    // One that is new may be of a container that is about to be in it, of another data root.
    expect(check()).toEqual(WHOLE);
    Bun.sleepSync(11_000);
    const found = check();
    // Any other suite's commands remove them, too.
    if (directories.every(existsSync))
      for (const directory of directories)
        expect(found.stdout).toContain(`cgroup ${directory} belongs to no container`);
    check("--repair");
    expect(directories.filter(existsSync)).toEqual([]);
    make();
    Bun.sleepSync(11_000);
    expect(sandbox.bocker(["ps"]).stderr).toBe("");
    expect(directories.filter(existsSync)).toEqual([]);
  } finally {
    for (const directory of directories.filter(existsSync)) rmdirSync(directory);
    sandbox.ok(["rm", "-f", "holder"]);
  }
}, 60_000);

test("nothing is found while others run, and nothing of theirs is repaired", async () => {
  let done = false;
  const codes: (number | null)[] = [];
  const workers = Array.from({ length: 3 }, async (_, worker) => {
    for (let at = 0; !done; at++) {
      const [program, ...rest] = sandbox.inside([
        BINARY,
        ...[
          "run",
          "--rm",
          "-p",
          `${9000 + worker * 100 + (at % 50)}:80`,
          "-v",
          "/scratch",
          "busybox",
          "true",
        ],
      ]);
      const child = spawn(program, rest, { env: sandbox.environment, stdio: "ignore" });
      codes.push(await new Promise((resolve) => child.once("exit", resolve)));
    }
  });
  for (let at = 0; at < 10; at++) {
    const [program, ...rest] = sandbox.inside([BINARY, "system", "check", "--repair"]);
    const child = spawn(program, rest, { env: sandbox.environment });
    let said = "";
    child.stdout.on("data", (data) => (said += data));
    child.stderr.on("data", (data) => (said += data));
    await new Promise((resolve) => child.once("close", resolve));
    expect(said).toBe("Nothing found.\n");
  }
  done = true;
  await Promise.all(workers);
  expect(codes.length).toBeGreaterThan(10);
  expect(codes.filter((code) => code !== 0)).toEqual([]);
}, 60_000);
