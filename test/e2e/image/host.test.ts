/** The image `host`, and what is committed upon it: layers that lie inside the machine's root, which is the layer below them. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { OVERLAY, Sandbox } from "../sandbox.ts";

let sandbox: Sandbox;
beforeAll(() => {
  sandbox = new Sandbox("/var/tmp", OVERLAY);
});
afterAll(() => sandbox.remove());

const inContainer = (image: string, script: string) => sandbox.ok(["run", "--rm", image, "sh", "-c", script]);

/** What has been changed upon it, and what has not. */
const LOOK = "cat /new 2>&1; ls -d /opt/gone /etc/passwd 2>&1; cat /usr/lib/os-release | grep ^ID=";
const OS = "ID=debian";

test("what is committed of a container of it is its changes, and runs upon this machine's root, again and again", () => {
  const changes =
    "echo one >/new; mkdir -p /opt/gone; echo x >/etc/passwd.new; rm -r /var/log; ln -s /new /link";
  sandbox.ok(["run", "--name", "first", "host", "sh", "-c", changes]);
  sandbox.ok(["commit", "first", "upon:1"]);
  expect(inContainer("upon:1", `${LOOK}; ls -d /var/log 2>&1; readlink /link`)).toBe(
    `one\n/etc/passwd\n/opt/gone\n${OS}\nls: cannot access '/var/log': No such file or directory\n/new`,
  );

  sandbox.ok([
    "run",
    "--name",
    "second",
    "upon:1",
    "sh",
    "-c",
    "echo two >/new; rmdir /opt/gone; mkdir /var/log",
  ]);
  sandbox.ok(["commit", "second", "upon:2"]);
  const twice = `two\nls: cannot access '/opt/gone': No such file or directory\n/etc/passwd\n${OS}`;
  expect(inContainer("upon:2", `${LOOK}; ls -A /var/log`)).toBe(twice);
  expect(inContainer("upon:1", LOOK)).toStartWith("one\n");
  // Kept plans are of either kind.
  for (const image of ["upon:2", "host", "upon:2"])
    expect(inContainer(image, "echo $0 runs")).toBe("sh runs");

  sandbox.ok(["run", "-d", "--name", "third", "upon:2", "sleep", "1000"]);
  sandbox.ok(["exec", "third", "sh", "-c", "echo three >/new"]);
  sandbox.ok(["fork", "--start", "--name", "forked", "third"]);
  expect(sandbox.ok(["exec", "forked", "cat", "/new"])).toBe("three");
  sandbox.ok(["stop", "-t", "0", "third"]);
  sandbox.ok(["start", "third"]);
  expect(sandbox.ok(["exec", "third", "cat", "/new"])).toBe("three");
  sandbox.ok(["rm", "-f", "third", "forked"]);
  expect(sandbox.ok(["system", "check"])).toBe("Nothing found.");
});

test("the script of --explain makes the same root", () => {
  const words = [
    "run",
    "--explain=sh",
    "--network",
    "none",
    "--name",
    "scripted",
    "upon:2",
    "sh",
    "-c",
    LOOK,
  ];
  const script = join(sandbox.directory, "script");
  writeFileSync(script, `${sandbox.ok(words)}\n`);
  expect(sandbox.execute(["sh", script]).stdout).toStartWith("two\n");
});

test("what is removed there is removed for the container only", () => {
  expect(inContainer("upon:2", "rm -rf /usr/bin /etc 2>&-; echo gone")).toBe("gone");
  expect(inContainer("upon:2", LOOK)).toStartWith("two\n");
});
