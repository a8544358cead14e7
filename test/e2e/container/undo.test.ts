/** `undo`: a container's files as they were before an exec, on every storage driver. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { DRIVERS, driverSandbox } from "../drivers.ts";
import type { Sandbox } from "../sandbox.ts";

const SLEEP = ["busybox", "sleep", "1000"];

describe.each(DRIVERS)("%s", (driver, filesystem) => {
  let sandbox: Sandbox;
  let remove: () => void;
  beforeAll(() => {
    ({ sandbox, remove } = driverSandbox(driver, filesystem));
  });
  afterEach(() => {
    expect(sandbox.bocker(["system", "check"]).stdout).toBe("Nothing found.\n");
    const all = sandbox.ok(["ps", "-aq"]).split("\n").filter(Boolean);
    if (all.length > 0) sandbox.ok(["rm", "-f", ...all]);
    expect(readdirSync(join(sandbox.data, "containers"))).toEqual([]);
    expect(readdirSync(join(sandbox.data, "trash"))).toEqual([]);
  });
  afterAll(() => remove());

  const run = (...words: string[]) => sandbox.ok(["run", "-d", "--name", "box", ...words, ...SLEEP]);
  const exec = (script: string, ...flags: string[]) =>
    sandbox.ok(["exec", ...flags, "box", "sh", "-c", script]);
  const files = (...words: string[]) => {
    sandbox.ok(["start", "box"]);
    return exec(`cat ${words.join(" ")} 2>&1 | tr '\\n' ' '`).trim();
  };
  const list = () => sandbox.ok(["undo", "--list", "--format", "{{.Steps}} {{.Before}}", "box"]).split("\n");
  const refused = (...words: string[]) => {
    const { code, stdout, stderr } = sandbox.bocker(words);
    expect([code, stdout]).toEqual([1, ""]);
    return stderr;
  };

  test("one step, several, and what is kept since is lost with them", () => {
    run("--undo", "10");
    exec("echo 1 >/f; rm -r /seed; chmod 700 /root");
    exec("echo 2 >/f; echo new >/g");
    exec("echo 3 >/f; rm /g");
    expect(list()).toEqual([
      "1 exec sh -c echo 3 >/f; rm /g",
      "2 exec sh -c echo 2 >/f; echo new >/g",
      "3 exec sh -c echo 1 >/f; rm -r /seed; chmod 700 /root",
    ]);
    sandbox.ok(["stop", "-t", "0", "box"]);
    expect(sandbox.ok(["undo", "--dry-run", "box"])).toMatch(
      /^Would undo: exec sh -c echo 3 >\/f; rm \/g \(.* ago\)$/,
    );
    expect(list()).toHaveLength(3);
    expect(sandbox.ok(["undo", "box"])).toMatch(/^Undone: exec sh -c echo 3 >\/f; rm \/g \(.* ago\)$/);
    // What is looked at by an exec is kept before it, too.
    expect(files("/f", "/g")).toBe("2 new");
    sandbox.ok(["stop", "-t", "0", "box"]);
    sandbox.ok(["undo", "box", "3"]);
    expect(files("/f", "/seed/file")).toContain("can't open '/f': No such file or directory from the image");
    expect(exec("stat -c %a /root")).toBe("755");
    expect(list()).toEqual(["1 exec sh -c stat -c %a /root", expect.stringContaining("2 exec sh -c cat /f")]);
  });

  test("a container that runs is stopped and started on request only", () => {
    run("--undo", "2");
    exec("rm -rf /bin/ls /etc/passwd");
    expect(refused("undo", "box")).toContain("stop it first, or use --restart");
    expect(sandbox.ok(["inspect", "-f", "{{.State.Status}}", "box"])).toBe("running");
    sandbox.ok(["undo", "--restart", "box"]);
    expect(sandbox.ok(["inspect", "-f", "{{.State.Status}}", "box"])).toBe("running");
    expect(exec("ls /etc/passwd")).toBe("/etc/passwd");
    expect(refused("undo", "--restart", "box", "5")).toContain(
      "cannot undo 5 times: the files of box are kept once",
    );
    expect(sandbox.ok(["inspect", "-f", "{{.State.Status}}", "box"])).toBe("running");
  });

  test("no more are kept than were asked for; one exec can ask for itself", () => {
    run();
    exec("echo 0 >/f");
    expect(refused("undo", "box")).toContain('nothing is kept of the files of box: "run --undo N"');
    exec("echo 1 >/f", "--undo");
    expect(list()).toEqual(["1 exec sh -c echo 1 >/f"]);
    sandbox.ok(["rm", "-f", "box"]);
    run("--undo", "2");
    for (let i = 1; i <= 4; i++) exec(`echo ${i} >/f`);
    expect(list()).toEqual(["1 exec sh -c echo 4 >/f", "2 exec sh -c echo 3 >/f"]);
    sandbox.ok(["stop", "-t", "0", "box"]);
    sandbox.ok(["undo", "box", "2"]);
    expect(files("/f")).toBe("2");
  });

  test("a fork and a commit have nothing of it", () => {
    run("--undo", "3");
    exec("echo 1 >/f");
    exec("echo 2 >/f");
    sandbox.ok(["undo", "--restart", "box"]);
    sandbox.ok(["fork", "--name", "copy", "box"]);
    expect(refused("undo", "copy")).toContain("nothing is kept");
    const image = sandbox.ok(["commit", "box"]);
    expect(sandbox.ok(["run", "--rm", image, "cat", "/f"])).toBe("1");
    expect(sandbox.ok(["inspect", "-f", "{{len .RootFS.Layers}}", image])).toBe("2");
    sandbox.ok(["rmi", "-f", image]);
  });

  test("a crash: a copy that was being made goes, an undo that was cut off is ended or has not been", () => {
    run("--undo", "3");
    exec("echo 1 >/f");
    exec("echo 2 >/f");
    sandbox.ok(["stop", "-t", "0", "box"]);
    const directory = join(sandbox.data, "containers", sandbox.ok(["inspect", "-f", "{{.Id}}", "box"]));
    mkdirSync(join(directory, "undo/.new/upper"), { recursive: true });
    const cutOff = () => {
      expect(sandbox.bocker(["system", "check"])).toMatchObject({
        code: 1,
        stdout: expect.stringContaining("container box ("),
      });
      sandbox.bocker(["system", "check", "--repair"]);
      expect(sandbox.bocker(["system", "check"]).stdout).toBe("Nothing found.\n");
      expect(readdirSync(join(directory, "undo")).some((name) => name.startsWith("."))).toBe(false);
    };
    cutOff();
    expect(list()).toHaveLength(2);
    // Before the exchange: nothing has happened.
    renameSync(join(directory, "undo/2"), join(directory, "undo/.undoing"));
    cutOff();
    expect(list()[0]).toBe("1 exec sh -c echo 2 >/f");
    // After it.
    renameSync(join(directory, "undo/2"), join(directory, "undo/.undoing"));
    renameSync(join(directory, "upper"), join(directory, "other"));
    renameSync(join(directory, "undo/.undoing/upper"), join(directory, "upper"));
    renameSync(join(directory, "other"), join(directory, "undo/.undoing/upper"));
    cutOff();
    expect(list()).toEqual(["1 exec sh -c echo 1 >/f"]);
    // After it, when only the removal is left.
    mkdirSync(join(directory, "undo/.undoing/upper"), { recursive: true });
    cutOff();
    expect(list()).toHaveLength(1);
    expect(files("/f")).toBe("1");
    expect(existsSync(join(directory, "other"))).toBe(false);
  });

  test.each<[string, string[], string]>([
    ["of --rm", ["run", "--rm", "--undo", "1", "busybox", "true"], "conflicting options: --undo and --rm"],
    [
      "of --rootfs",
      ["create", "--undo", "1", "--rootfs", "/", "true"],
      "conflicting options: --undo and --rootfs",
    ],
    ["too many", ["create", "--undo", "101", "busybox"], "range for undo is [0, 100]"],
    ["no steps", ["undo", "x", "0"], "No such container"],
  ])("%s is refused", (_, words, message) => {
    const { code, stderr } = sandbox.bocker(words);
    expect([code > 0, stderr]).toEqual([true, expect.stringContaining(message)]);
  });
});
