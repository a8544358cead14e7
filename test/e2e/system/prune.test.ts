/** `container prune`, `image prune`, `system prune`, `system df`: what is shown is what goes. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { busyboxSandbox } from "../busybox.ts";
import { OVERLAY, Sandbox } from "../sandbox.ts";

let sandbox: Sandbox;
beforeEach(() => {
  sandbox = busyboxSandbox(new Sandbox(undefined, OVERLAY));
});
afterEach(() => sandbox.remove());

/** An image of one file of this many bytes. */
function image(name: string | undefined, size: number): string {
  const root = join(sandbox.directory, `tree${size}`);
  mkdirSync(root, { recursive: true });
  writeFileSync(join(root, "file"), "x".repeat(size));
  return sandbox.ok(["init", root, ...(name === undefined ? [] : [name])]);
}
const layers = () => readdirSync(join(sandbox.data, "overlay")).filter((name) => name.length === 64).length;
const names = (...flags: string[]) =>
  sandbox.ok(["ps", "-a", "--format", "{{.Names}}", ...flags]).split("\n");
const images = () => sandbox.ok(["images", "--format", "{{.Repository}}"]).split("\n").sort();

/** What --dry-run says, in the words of the real thing. */
const foretold = (words: string[]) =>
  sandbox
    .ok([...words, "--dry-run"])
    .replace(/Would delete (.)/g, (_, first: string) => `Deleted ${first.toUpperCase()}`);

test("container prune: those that do not run, by label and age; the dry run is the run", () => {
  sandbox.ok(["run", "-d", "--name", "up", "busybox", "sleep", "1000"]);
  sandbox.ok(["run", "--name", "ended", "-v", "/x", "busybox", "sh", "-c", "echo 1234567 >/file"]);
  const kept = sandbox.ok(["create", "--name", "kept", "--label", "keep=yes", "busybox", "true"]);
  const prune = ["container", "prune", "--filter", "label!=keep=yes"];
  const said = foretold(prune);
  expect(names()).toEqual(["kept", "ended", "up"]);
  expect(said).toMatch(/^Deleted Containers:\n[0-9a-f]{64}\n\nTotal reclaimed space: 8B$/);
  expect(sandbox.ok([...prune, "-f"])).toBe(said);
  expect(names()).toEqual(["kept", "up"]);
  expect(sandbox.ok(["container", "prune", "-f", "--filter", "until=1h"])).toBe("Total reclaimed space: 0B");
  // Nobody agreed.
  expect(sandbox.bocker(["container", "prune"], "no\n").stdout).toContain("all stopped containers");
  expect(names()).toContain("kept");
  expect(sandbox.bocker(["container", "prune"], "y\n").stdout).toContain(`Deleted Containers:\n${kept}\n`);
  // Volumes stay, as Docker has it.
  expect(sandbox.ok(["volume", "ls", "-q"])).toMatch(/^[0-9a-f]{64}$/);
});

test("image prune: dangling ones, with -a all that no container is of; the disk comes back", () => {
  image("named", 1000);
  const nameless = image(undefined, 2000);
  image("used", 3000);
  sandbox.ok(["create", "--name", "user", "used", "true"]);
  expect(layers()).toBe(4);
  expect(foretold(["image", "prune"])).toStartWith(`Deleted Images:\ndeleted: ${nameless}\ndeleted: sha256:`);
  expect(layers()).toBe(4);
  expect(sandbox.ok(["image", "prune", "-f"])).toStartWith(`Deleted Images:\ndeleted: ${nameless}\n`);
  expect(layers()).toBe(3);
  const all = foretold(["image", "prune", "-a"]);
  expect(all).toContain("untagged: named:latest\n");
  expect(all).not.toContain("used");
  expect(sandbox.ok(["image", "prune", "-af"])).toBe(all);
  expect(images()).toEqual(["host", "used"]);
  expect(layers()).toBe(1);
  expect(sandbox.bocker(["system", "check"]).stdout).toBe("Nothing found.\n");
});

test("system prune: containers first, then what they alone had", () => {
  image("mine", 1000);
  sandbox.ok(["run", "-d", "--name", "up", "busybox", "sleep", "1000"]);
  sandbox.ok(["create", "--name", "idle", "-v", "/x", "-v", "named:/y", "mine", "true"]);
  const prune = ["system", "prune", "-a", "--volumes"];
  const said = foretold(prune);
  expect(said).toMatch(
    /^Deleted Containers:\n[0-9a-f]{64}\n\nDeleted Volumes:\n[0-9a-f]{64}\n\nDeleted Images:\nuntagged: mine:latest\n/,
  );
  expect(names()).toEqual(["idle", "up"]);
  expect(sandbox.ok([...prune, "-f"])).toBe(said);
  expect([names(), images(), sandbox.ok(["volume", "ls", "-q"])]).toEqual([
    ["up"],
    ["busybox", "host"],
    "named",
  ]);
  expect(sandbox.bocker([...prune, "--filter", "until=1h"]).stderr).toContain("is not supported");
});

test("rm and rmi --dry-run take nothing", () => {
  sandbox.ok(["run", "-d", "--name", "up", "busybox", "sleep", "1000"]);
  expect(sandbox.bocker(["rm", "--dry-run", "up"])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("container is running"),
  });
  expect(sandbox.ok(["rm", "-f", "--dry-run", "up"])).toBe("up");
  expect(names()).toEqual(["up"]);
  const id = image("mine", 1000);
  const said = sandbox.ok(["rmi", "--dry-run", "mine"]);
  expect(said).toMatch(new RegExp(`^Untagged: mine:latest\nDeleted: ${id}\nDeleted: sha256:[0-9a-f]{64}$`));
  expect(sandbox.ok(["rmi", "mine"])).toBe(said);
});

test("system df: what there is, what is in use, what could come back", () => {
  image("mine", 1000);
  image("used", 3000);
  sandbox.ok(["create", "--name", "user", "used", "true"]);
  sandbox.ok([
    "run",
    "--name",
    "ended",
    "-v",
    "named:/v",
    "busybox",
    "sh",
    "-c",
    "echo 1234567 | tee /file >/v/file",
  ]);
  sandbox.ok(["volume", "create", "free"]);
  const rows = sandbox
    .ok(["system", "df", "--format", "{{.Type}}|{{.TotalCount}}|{{.Active}}|{{.Size}}|{{.Reclaimable}}"])
    .split("\n");
  expect(rows[0]).toMatch(/^Images\|3\|2\|[\d.]+MB\|1kB \(0%\)$/);
  expect(rows.slice(1, 3)).toEqual(["Containers|2|0|8B|8B (100%)", "Local Volumes|2|1|8B|0B (0%)"]);
  // Documents only: layers that were made here are packed when they leave.
  expect(rows[3]).toMatch(/^Packed Content\|6\|6\|[\d.]+kB\|0B \(0%\)$/);
  const verbose = sandbox.ok(["system", "df", "-v"]);
  expect(verbose).toMatch(/\nmine +latest +[0-9a-f]{12} .* 1kB +0B +1kB +0\n/);
  expect(verbose).toMatch(/\nused +latest +[0-9a-f]{12} .* 3kB +0B +3kB +1\n/);
  expect(verbose).toMatch(/\nnamed +1 +8B/);
  const shown = (format: string) => sandbox.ok(["system", "df", "-v", "--format", format]);
  const { Images, Containers, Volumes, BuildCache } = JSON.parse(shown("json"));
  const used = { Repository: "used", Tag: "latest", Size: "3kB", SharedSize: "0B", Containers: "1" };
  expect(Images).toContainEqual(expect.objectContaining({ ...used, UniqueSize: "3kB" }));
  expect(Containers).toContainEqual(
    expect.objectContaining({ ID: expect.stringMatching(/^[0-9a-f]{64}$/), Names: "ended", Size: "8B" }),
  );
  expect(Volumes).toContainEqual(expect.objectContaining({ Name: "named", Links: "1", Size: "8B" }));
  expect(BuildCache).toEqual([]);
  sandbox.ok(["tag", "used", "again"]);
  expect(shown("{{range .Images}}{{.Size}};{{end}}{{len .Volumes}}").split(";")).toHaveLength(4);
  expect(shown(`{{range .Volumes}}{{.Name}}\\t{{.Label "x"}}{{.Size}}\\n{{end}}`).split("\n").sort()).toEqual(
    ["free\t0B", "named\t8B"],
  );
  expect(shown("table {{range .Containers}}{{len .ID}} {{end}}")).toBe("12 12 ");
  expect(sandbox.bocker(["system", "df", "-v", "--format", "{{.Nope}}"]).code).toBe(1);
});
