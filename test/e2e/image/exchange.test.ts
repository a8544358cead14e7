/** Images leave this machine and come back: save, load, push, history, with skopeo and docker-registry at the other end. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { busyboxSandbox } from "../busybox.ts";
import type { Sandbox } from "../sandbox.ts";
import { Registry } from "./registry.ts";

let sandbox: Sandbox;
let registry: Registry;
beforeAll(async () => {
  sandbox = busyboxSandbox();
  registry = await Registry.start(sandbox, "127.0.0.1:5000");
  sandbox.ok(["run", "--name", "writer", "busybox", "sh", "-c", "echo second >/second"]);
  sandbox.ok(["commit", "writer", "two:1"]);
  sandbox.ok(["tag", "two:1", "two:2"]);
});
afterAll(async () => {
  await registry?.stop();
  sandbox.remove();
});

const path = (name: string) => join(sandbox.directory, name);
const idOf = (name: string) => sandbox.ok(["inspect", "-f", "{{.Id}}", name]);
const whole = () => expect(sandbox.bocker(["system", "check"]).stdout).toBe("Nothing found.\n");

test("what is saved comes back as it was: ids, names, and the archive itself", () => {
  const id = idOf("two:1");
  sandbox.ok(["save", "-o", path("a.tar"), "two", "busybox"]);
  sandbox.ok(["rm", "writer"]);
  sandbox.ok(["rmi", "two:1", "two:2"]);
  const loaded = sandbox.ok(["load", "-i", path("a.tar")]).split("\n");
  expect(loaded.sort()).toEqual(["busybox:latest", "two:1", "two:2"].map((name) => `Loaded image: ${name}`));
  expect([idOf("two:1"), idOf("two:2")]).toEqual([id, id]);
  sandbox.ok(["save", "-o", path("b.tar"), "two", "busybox"]);
  expect(readFileSync(path("b.tar")).equals(readFileSync(path("a.tar")))).toBe(true);
  expect(sandbox.ok(["run", "--rm", "two:2", "cat", "/second"])).toBe("second");
  whole();
});

test("by id an image has no name; nothing that is missing or built in is saved", () => {
  sandbox.ok(["save", "-o", path("id.tar"), idOf("two:1").slice(7, 19)]);
  expect(sandbox.ok(["load", "-i", path("id.tar")])).toBe(`Loaded image ID: ${idOf("two:1")}`);
  expect(sandbox.bocker(["save", "nothing"])).toMatchObject({
    code: 1,
    stdout: "",
    stderr: expect.stringContaining("No such image"),
  });
  expect(sandbox.bocker(["save", "host"]).stderr).toContain("cannot be saved");
});

test("skopeo reads it, and what skopeo writes is loaded: Docker's form and OCI's", () => {
  const skopeo = (...words: string[]) => {
    const { code, stderr } = sandbox.execute(["skopeo", "copy", "-q", ...words]);
    expect([code, stderr]).toEqual([0, ""]);
  };
  sandbox.ok(["save", "-o", path("one.tar"), "two:1"]);
  skopeo(`docker-archive:${path("one.tar")}`, `docker-archive:${path("docker.tar")}:from/docker:1`);
  skopeo(`docker-archive:${path("one.tar")}`, `oci-archive:${path("oci.tar")}:from/oci:1`);
  expect(sandbox.ok(["load", "-q"], readFileSync(path("docker.tar")))).toBe("Loaded image: from/docker:1");
  expect(sandbox.ok(["load", "-i", path("oci.tar")])).toBe("Loaded image: from/oci:1");
  for (const name of ["from/docker:1", "from/oci:1"])
    expect(sandbox.ok(["run", "--rm", name, "cat", "/second"])).toBe("second");
  // The same image, packed in another way: only the name is new.
  expect(idOf("from/docker:1")).toBe(idOf("two:1"));
  whole();
});

test("what is no archive of images is refused and leaves nothing", () => {
  writeFileSync(path("text"), "no archive\n");
  for (const name of ["text", "nowhere"]) {
    const { code, stderr } = sandbox.bocker(["load", "-i", path(name)]);
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^Error: /)]);
  }
  whole();
});

test("push, and pull of what was pushed: the same digest; a second push sends nothing", () => {
  const name = "127.0.0.1:5000/pushed/two:1";
  sandbox.ok(["tag", "two:1", name]);
  const first = sandbox.ok(["push", name]);
  const [, digest = ""] = /digest: (sha256:[0-9a-f]{64}) size: \d+$/.exec(first) ?? [];
  expect(first.match(/: Pushed/g)).toHaveLength(2);
  expect(sandbox.ok(["push", name]).match(/: Layer already exists/g)).toHaveLength(2);
  const id = idOf(name);
  sandbox.ok(["rmi", name]);
  expect(sandbox.ok(["pull", name])).toContain(`Digest: ${digest}`);
  expect(idOf(name)).toBe(id);
  const raw = ["skopeo", "inspect", "--tls-verify=false", "-f", "{{.Digest}}", `docker://${name}`];
  expect(sandbox.execute(raw).stdout.trim()).toBe(digest);
  // Another repository of the same registry takes it from there.
  sandbox.ok(["tag", name, "127.0.0.1:5000/other/two:1"]);
  expect(sandbox.ok(["push", "127.0.0.1:5000/other/two:1"])).toContain("Mounted from pushed/two");
  expect(sandbox.bocker(["push", "nothing"])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("does not exist locally"),
  });
  whole();
});

test("history: the newest first", () => {
  const lines = sandbox
    .ok(["history", "--format", "{{.ID}}|{{.Size}}|{{.CreatedBy}}", "--no-trunc", "two:1"])
    .split("\n");
  expect(lines).toHaveLength(2);
  expect(lines[0]).toBe(`${idOf("two:1")}|7B|sh -c echo second >/second`);
  expect(lines[1]).toStartWith("<missing>|");
});

test("volume: made, listed, inspected, removed; what is used stays; --dry-run takes nothing", () => {
  sandbox.ok(["volume", "create", "--label", "a=b", "mine"]);
  sandbox.ok(["create", "--name", "user", "-v", "used:/x", "busybox", "true"]);
  expect(sandbox.ok(["volume", "ls", "-q"]).split("\n")).toEqual(["mine", "used"]);
  expect(JSON.parse(sandbox.ok(["volume", "inspect", "mine"]))[0]).toMatchObject({
    Name: "mine",
    Labels: { a: "b" },
  });
  expect(sandbox.bocker(["volume", "rm", "used"])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("volume is in use"),
  });
  expect(sandbox.ok(["volume", "prune", "-a", "--dry-run"])).toContain("mine");
  expect(sandbox.ok(["volume", "ls", "-q"])).toContain("mine");
  expect(sandbox.ok(["volume", "prune", "-a", "-f"])).toContain("Deleted Volumes:\nmine\n");
  expect(sandbox.ok(["volume", "ls", "-q"])).toBe("used");
  sandbox.ok(["rm", "user"]);
  sandbox.ok(["volume", "rm", "used"]);
  whole();
});

test("login keeps what the registry takes, logout forgets it", () => {
  const directory = path("docker-config");
  const shell = `DOCKER_CONFIG=${directory} exec "$0" "$@"`;
  const run = (...words: string[]) =>
    sandbox.execute(["sh", "-c", shell, sandbox.binary, ...words], "secret\n");
  expect(run("login", "-u", "ada", "--password-stdin", "127.0.0.1:5000")).toMatchObject({
    code: 0,
    stdout: "Login Succeeded\n",
  });
  const { auths } = JSON.parse(readFileSync(join(directory, "config.json"), "utf8"));
  expect(Buffer.from(auths["127.0.0.1:5000"].auth, "base64").toString()).toBe("ada:secret");
  expect(run("logout", "127.0.0.1:5000").stdout).toBe("Removing login credentials for 127.0.0.1:5000\n");
  expect(run("logout", "127.0.0.1:5000").stdout).toBe("Not logged in to 127.0.0.1:5000\n");
});
