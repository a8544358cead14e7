/** Volumes of images, links in images, roots, and mounts that are refused; mounts.test.ts has the rest. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { busyboxSandbox, IMAGE } from "../busybox.ts";
import type { Sandbox } from "../sandbox.ts";
import { mountAt, mountsOf } from "./kernel.ts";
import { script, tryScript } from "./running.ts";

let sandbox: Sandbox;
/** A directory of the machine with a file in it, anew for each test that asks. */
function source(): string {
  const directory = mkdtempSync(join(sandbox.directory, "source-"));
  writeFileSync(join(directory, "file"), "of the machine\n");
  return directory;
}

/** A root directory with a busybox; `links` are links in it. */
function tree(links: Record<string, string>): string {
  const root = mkdtempSync(join(sandbox.directory, "tree-"));
  for (const name of ["bin", "etc"]) mkdirSync(join(root, name));
  copyFileSync("/bin/busybox", join(root, "bin/busybox"));
  for (const name of ["sh", "cat", "ls", "touch", "mkdir"]) symlinkSync("busybox", join(root, "bin", name));
  writeFileSync(join(root, "etc/image-file"), "of the image\n");
  for (const [path, target] of Object.entries(links)) symlinkSync(target, join(root, path));
  return root;
}

const volumes = () => readdirSync(join(sandbox.data, "volumes")).sort();

beforeAll(() => {
  sandbox = busyboxSandbox();
  // The directory of all volumes exists from the first one on.
  script(sandbox, ["-v", "first:/first"], "true");
});
afterAll(() => sandbox.remove());

describe("-v with a directory of the machine", () => {
  test("a relative one begins with a dot", () => {
    const from = source();
    const words = [sandbox.binary, "run", "--rm", "--network", "none", "-v", "./file:/m", IMAGE, "cat", "/m"];
    const { stdout } = sandbox.execute(["sh", "-c", `cd ${from}; exec "$@"`, "sh", ...words]);
    expect(stdout).toBe("of the machine\n");
  });
});

describe("volumes", () => {
  test("where the image has nothing it is empty, root's and 0755", () => {
    expect(script(sandbox, ["-v", "bare:/nowhere"], "stat -c '%a %u:%g' /nowhere; ls -A /nowhere")).toBe(
      "755 0:0",
    );
  });

  test("those an image declares are made, filled, and go with --rm", () => {
    const root = tree({});
    expect(sandbox.execute(["tar", "-C", root, "-cf", `${root}.tar`, "."]).code).toBe(0);
    sandbox.ok(["import", "-c", "VOLUME /etc", "-c", "VOLUME /x", `${root}.tar`, "declared"]);
    const before = volumes();
    const id = sandbox.ok(["run", "-d", "--network", "none", "declared", "sh", "-c", "read x < /dev/zero"]);
    const pid = Number(sandbox.ok(["inspect", "-f", "{{.State.Pid}}", id]));
    for (const target of ["/x", "/etc"]) expect(mountAt(mountsOf(pid), target)?.root).toContain("/volumes/");
    expect(sandbox.ok(["exec", id, "cat", "/etc/image-file"])).toBe("of the image");
    sandbox.ok(["rm", "-f", "-v", id]);
    expect(volumes()).toEqual(before);
    sandbox.ok(["run", "--rm", "--network", "none", "declared", "touch", "/x/y"]);
    expect(volumes()).toEqual(before);
  });
});

describe("what is refused, before anything is made", () => {
  const CASES: [options: string[], message: string][] = [
    [["-v", "a/b:/m"], "If you intended to pass a host directory, use absolute path"],
    [["-v", "/src:m"], "invalid mount path: 'm' mount path must be absolute"],
    [["-v", ":/m"], "invalid volume specification: ':/m'"],
    [["-v", "/a:/b:ro:c"], "invalid volume specification: '/a:/b:ro:c'"],
    [["-v", "vol:/"], "invalid specification: destination can't be '/'"],
    [["-v", "vol:/m/.."], "invalid specification: destination can't be '/'"],
    [["-v", "vol:/m:bad"], "invalid mode: bad"],
    [["-v", "vol:/proc"], "destination can't be '/proc'"],
    [["-v", "vol:/m", "-v", "other:/m/"], "Duplicate mount point: /m"],
    [["--mount", "type=bind,source=/not/there,target=/m"], "bind source path does not exist: /not/there"],
    [["--mount", "type=bind,target=/m"], "field Source must not be empty"],
    [["--mount", "type=tmpfs,source=x,target=/m"], "field Source must not be specified"],
    [
      ["--mount", "type=volume,target=/m,tmpfs-size=1m"],
      "cannot mix 'tmpfs-*' options with mount type 'volume'",
    ],
    [["--mount", "type=tmpfs"], "target is required"],
    [["--mount", "type=tmpfs,target=/m,colour=red"], "unexpected key 'colour' in 'colour=red'"],
  ];
  test.each(CASES)("%p", (options, message) => {
    const before = volumes();
    const { code, stdout, stderr } = tryScript(sandbox, options, "echo started");
    expect(stderr).toContain(message);
    expect([code, stdout]).toEqual([125, ""]);
    expect(volumes()).toEqual(before);
  });
});

describe("links in an image do not lead out of it", () => {
  const run = (image: string, options: string[], text: string) =>
    sandbox.bocker(["run", "--rm", "--network", "none", ...options, image, "sh", "-c", text]);
  const mark = `bocker-test-${process.pid}`;

  test("a mount below an absolute link, one with dots, and one that leads nowhere", () => {
    const links = { link: "/etc", dots: "../../../../../../etc", dangling: `/tmp/${mark}/deep` };
    sandbox.ok(["init", tree(links), "links"]);
    const from = source();
    const options = Object.keys(links).flatMap((name) => ["-v", `${from}:/${name}/${mark}-${name}`]);
    const text = `cat /etc/${mark}-link/file /etc/${mark}-dots/file /tmp/${mark}/deep/${mark}-dangling/file`;
    const { stdout, stderr } = run("links", options, text);
    expect(stderr).toBe("");
    expect(stdout).toBe("of the machine\n".repeat(3));
    for (const path of [`/etc/${mark}-link`, `/etc/${mark}-dots`, `/tmp/${mark}`])
      expect(existsSync(path)).toBe(false);
  });

  test("a volume below a link is filled from the image, not from the machine", () => {
    sandbox.ok(["init", tree({ link: "/etc" }), "linked"]);
    const { stdout } = run("linked", ["-v", "through:/link"], "ls /link");
    expect(stdout.split("\n")).toContain("image-file");
    expect(stdout).not.toContain("shadow");
  });

  test("the engine's own files are not written through links", () => {
    const target = join(source(), "victim");
    writeFileSync(target, "untouched\n");
    sandbox.ok(["init", tree({ "etc/hosts": target, "etc/resolv.conf": `../../..${target}` }), "hostile"]);
    const { code, stdout } = run("hostile", [], "cat /etc/hosts");
    expect(code).toBe(0);
    expect(stdout).toStartWith("127.0.0.1\tlocalhost\n");
    expect(readFileSync(target, "utf8")).toBe("untouched\n");
  });

  test.each(["dev", "proc", "sys"])("an image whose /%s is a link is refused", (name) => {
    sandbox.ok(["init", tree({ [name]: "/etc" }), `link-${name}`]);
    const { code, stdout, stderr } = run(`link-${name}`, [], "echo started");
    expect(stderr).toContain(`attach it at /${name}: too many levels of symbolic links`);
    expect([code, stdout]).toEqual([125, ""]);
  });

  test("a working directory behind a link", () => {
    run("links", ["-w", `/dots/${mark}-made`], "touch here");
    expect(existsSync(`/etc/${mark}-made`)).toBe(false);
    expect(run("links", ["-w", `/dots/${mark}-made`], "ls -d /etc/*-made").stdout).toBe(
      `/etc/${mark}-made\n`,
    );
  });
});

describe("roots", () => {
  test("--rootfs runs in a directory as it is, and writes to it", () => {
    const root = tree({});
    const run = (...words: string[]) =>
      sandbox.bocker(["run", "--rm", "--network", "none", "--rootfs", ...words]);
    expect(run(root, "sh", "-c", "cat /etc/image-file; mkdir /made").stdout).toBe("of the image\n");
    expect(statSync(join(root, "made")).isDirectory()).toBe(true);
    expect(run(join(root, "missing"), "sh").code).toBe(125);
  });
});
