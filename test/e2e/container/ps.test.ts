/** `ps --filter`: which containers are shown. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { busyboxSandbox } from "../busybox.ts";
import type { Sandbox } from "../sandbox.ts";

let sandbox: Sandbox;
beforeAll(() => {
  sandbox = busyboxSandbox();
  const run = (name: string, ...words: string[]) => sandbox.ok(["run", "-d", "--name", name, ...words]);
  run("first", "-p", "8080:80", "--expose", "99", "-l", "a=b", "-l", "c", "busybox", "sleep", "1000");
  run("second", "-p", "8081:53/udp", "-l", "a=x", "-v", "data:/data", "busybox", "sleep", "1000");
  sandbox.bocker(["run", "--name", "third", "--network", "none", "busybox", "sh", "-c", "exit 3"]);
  sandbox.ok(["create", "--name", "fourth", "-p", "9090:80", "host", "true"]);
});
afterAll(() => sandbox.remove());

const shown = (...words: string[]) =>
  sandbox
    .ok(["ps", "--format", "{{.Names}}", ...words])
    .split("\n")
    .filter(Boolean)
    .join(" ");

test.each([
  [["name=s"], "second first"],
  [["name=^/s"], "second"],
  [["name=first", "name=second"], "second first"],
  [["label=a"], "second first"],
  [["label=a", "label=c"], "first"],
  [["label=a=x"], "second"],
  [["status=exited"], "third"],
  [["status=exited", "status=created"], "fourth third"],
  [["exited=3"], "third"],
  [["exited=0"], ""],
  [["ancestor=busybox"], "second first"],
  [["ancestor=busybox:latest", "volume=data"], "second"],
  [["volume=/data"], "second"],
  [["network=bridge"], "second first"],
  [["network=none"], ""],
  [["before=second"], "first"],
  [["since=first"], "second"],
  [["since=third"], ""],
  [["publish=8080"], "first"],
  [["publish=8000-8100"], "first"],
  [["publish=8000-8100/udp"], "second"],
  [["publish=8080/tcp", "publish=8081/udp"], "second first"],
  [["expose=80"], "first"],
  [["expose=99/tcp"], "first"],
  [["expose=50-60/udp"], "second"],
  // Of one that does not run no port is there.
  [["publish=9090", "status=created"], ""],
])("%j", (filters, names) => {
  expect(shown(...filters.flatMap((filter) => ["--filter", filter]))).toBe(names);
});

test("with -a, those that do not run, too", () => {
  expect(shown("-a")).toBe("fourth third second first");
  expect(shown("-a", "-f", "since=first", "-f", "before=fourth")).toBe("third second");
  expect(shown("-a", "-f", "network=none")).toBe("third");
  expect(shown("-a", "-f", `id=${sandbox.ok(["ps", "-aq", "-f", "name=third"])}`)).toBe("third");
});

test.each([
  ["nope=1", "invalid filter 'nope'"],
  ["name", "bad format of filter (expected name=value)", 125],
  ["name=[", "invalid filter 'name=[': it is a regular expression"],
  ["status=gone", "invalid filter 'status=gone'"],
  ["exited=x", "invalid filter 'exited=x'"],
  ["publish=x", "invalid port: x"],
  ["publish=80/x", "invalid proto: x"],
  ["before=nobody", "No such container: nobody"],
] as [string, string, number?][])("%s is refused", (filter, message, expected = 1) => {
  const { code, stdout, stderr } = sandbox.bocker(["ps", "-f", filter]);
  expect([code, stdout]).toEqual([expected, ""]);
  expect(stderr).toContain(message);
});
