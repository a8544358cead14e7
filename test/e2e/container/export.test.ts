/** `export`: what the container sees, as one archive; held against what the kernel makes of the same layers. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { busyboxSandbox } from "../busybox.ts";
import type { Sandbox } from "../sandbox.ts";

let sandbox: Sandbox;
beforeAll(() => {
  sandbox = busyboxSandbox();
});
afterAll(() => sandbox.remove());

const layer = (from: string, script: string, to: string) => {
  sandbox.ok(["run", "--name", "maker", "--network", "none", from, "sh", "-c", script]);
  sandbox.ok(["commit", "maker", to]);
  sandbox.ok(["rm", "maker"]);
};

/** Names, kinds, modes, owners, times, targets and contents below a directory, without what is mounted there. */
const LIST = `cd "$1"; find . -xdev | sort | while read -r f; do
  contents=
  if [ -L "$f" ]; then contents=$(readlink "$f"); elif [ -f "$f" ]; then contents=$(sha256sum <"$f"); fi
  [ -d "$f" ] && form='%n %F %a %u:%g %Y' || form='%n %F %a %u:%g %s %Y %t:%T'
  echo "$(stat -c "$form" "$f") $contents"
done`;

function extracted(name: string): string {
  const directory = join(sandbox.directory, name);
  mkdirSync(directory);
  const archive = `${directory}.tar`;
  sandbox.ok(["export", "-o", archive, name]);
  expect(sandbox.execute(["tar", "-C", directory, "-xpf", archive])).toMatchObject({ code: 0, stderr: "" });
  return sandbox.execute(["busybox", "sh", "-c", LIST, "sh", directory]).stdout;
}

test("of layers with whiteouts, opaque directories, and things that became others", () => {
  layer(
    "busybox",
    "mkdir -p /a/b/c /gone/x /opaque /turned /kept/deep; for f in /a/1 /a/b/2 /a/b/c/3 /gone/x/4 /opaque/5 /turned/6 /kept/deep/7 /file; do echo $f >$f; done; ln /a/1 /a/again; ln -s /a/b /link; mknod /dev-node c 5 1; mkfifo /pipe; chmod 4755 /file; chown 7:8 /a/b/2",
    "one",
  );
  layer(
    "one",
    "rm -r /gone /a/b/c; rm -r /opaque; mkdir /opaque; echo new >/opaque/8; rm -r /turned; echo file >/turned; rm /file; mkdir /file; echo in >/file/9; rm /link; mkdir /link",
    "two",
  );
  layer("two", "mkdir /gone; echo back >/gone/10; rm /a/1; echo 11 >/kept/deep/11; touch -d @7 /a", "three");
  sandbox.ok(["run", "-d", "--name", "up", "--network", "none", "-v", "/volume", "three", "sleep", "1000"]);
  sandbox.ok([
    "exec",
    "up",
    "sh",
    "-c",
    "rm /kept/deep/7; echo 12 >/kept/12; echo on the volume >/volume/13; rm -r /file",
  ]);
  // The places of mounts are the machine's own while it runs: what is in them is looked at when it has ended.
  const seen = sandbox.ok(["exec", "up", "sh", "-c", LIST, "sh", "/"]);
  const isMounted = (line: string) => /^\.\/(dev|proc|sys|volume|etc)( |\/)/.test(line);
  const names = (text: string) =>
    text.split("\n").filter((line) => line.startsWith("./") && !isMounted(line));
  const found = extracted("up");
  expect(names(found)).toEqual(names(seen));
  expect(found).not.toContain("volume/13");
  expect(found).toContain("./kept/12 regular file");
  // All of it comes back as an image.
  sandbox.ok(["import", join(sandbox.directory, "up.tar"), "flat"]);
  expect(
    sandbox.ok(["run", "--rm", "--network", "none", "flat", "cat", "/kept/12", "/gone/10", "/opaque/8"]),
  ).toBe("12\nback\nnew");
  sandbox.ok(["rm", "-f", "-v", "up"]);
});

test("one that has not run yet, or runs no more; to standard output; twice the same bytes", () => {
  const id = sandbox.ok(["create", "--name", "new", "busybox", "sh", "-c", "echo x >/made"]);
  const archive = () => sandbox.execute(["sh", "-c", `"$0" export new | sha256sum`, sandbox.binary]).stdout;
  const before = archive();
  expect(archive()).toBe(before);
  sandbox.ok(["start", "-a", id]);
  expect(archive()).not.toBe(before);
  expect(extracted("new")).toContain("./made regular file");
});

test("what cannot be is said, and no half of a file is left", () => {
  const path = join(sandbox.directory, "nothing.tar");
  expect(sandbox.bocker(["export", "-o", path, "nothing"])).toMatchObject({
    code: 1,
    stderr: "Error: No such container: nothing\n",
  });
  expect(sandbox.execute(["ls", path]).code).not.toBe(0);
  const words = [sandbox.binary, "export", "new"];
  expect(sandbox.execute(["script", "-qec", words.join(" "), "/dev/null"]).stdout).toContain(
    "cowardly refusing",
  );
});

test("a device, a pipe or a directory is not replaced by a file", () => {
  const at = (name: string) => join(sandbox.directory, name);
  sandbox.execute(["mknod", at("null"), "c", "1", "3"]);
  sandbox.execute(["mkfifo", at("pipe")]);
  sandbox.execute(["mkdir", at("directory")]);
  sandbox.execute(["ln", "-s", "null", at("link")]);
  const kinds = () =>
    sandbox.execute(["stat", "-c", "%F", ...["null", "pipe", "directory", "link"].map(at)]).stdout;
  const before = kinds();
  for (const [name, kind] of [
    ["null", "a device"],
    ["link", "a device"],
    ["pipe", "no file"],
    ["directory", "a directory"],
  ] as const)
    for (const words of [
      ["export", "-o", at(name), "new"],
      ["save", "-o", at(name), "busybox"],
    ])
      expect(sandbox.bocker(words)).toMatchObject({
        code: 1,
        stderr: `Error: invalid output path: "${at(name)}" must be a regular file: got ${kind}\n`,
      });
  expect(kinds()).toBe(before);
});
