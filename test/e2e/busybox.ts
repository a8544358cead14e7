/** A sandbox with the smallest image that has a shell: busybox, its applets, and files to see owners and modes by. */
import { execFileSync } from "node:child_process";
import { chmodSync, chownSync, copyFileSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Sandbox } from "./sandbox.ts";

const PROGRAM = "/bin/busybox";

/** The image's name, and the directory in it that fills volumes. */
export const IMAGE = "busybox";
export const SEED = "/seed";
/** Owner and mode of SEED and of SEED/file; no umask gives them. */
export const SEED_OWNER = { uid: 1234, gid: 2345, directoryMode: 0o2750, fileMode: 0o640 };

const PASSWD = `root:x:0:0:root:/root:/bin/sh
ada:x:1000:1000:Ada:/home/ada:/bin/sh
`;
const GROUP = `root:x:0:
tty:x:5:
ada:x:1000:
mathematicians:x:2000:ada
engineers:x:3000:
`;

function fillSeed(root: string): void {
  const directory = join(root, SEED);
  mkdirSync(directory);
  writeFileSync(join(directory, "file"), "from the image\n");
  symlinkSync("file", join(directory, "link"));
  chownSync(join(directory, "file"), SEED_OWNER.uid, SEED_OWNER.gid);
  chmodSync(join(directory, "file"), SEED_OWNER.fileMode);
  chownSync(directory, SEED_OWNER.uid, SEED_OWNER.gid);
  chmodSync(directory, SEED_OWNER.directoryMode);
}

/** Fills an empty directory with what IMAGE is made of. */
export function fillRoot(root: string): void {
  for (const name of ["bin", "etc", "root", "home", "home/ada", "tmp", "var", "usr"])
    mkdirSync(join(root, name));
  chmodSync(root, 0o755);
  chmodSync(join(root, "tmp"), 0o1777);
  chownSync(join(root, "home/ada"), 1000, 1000);
  copyFileSync(PROGRAM, join(root, "bin/busybox"));
  chmodSync(join(root, "bin/busybox"), 0o755);
  const applets = execFileSync(PROGRAM, ["--list"], { encoding: "utf8" }).trim().split("\n");
  for (const applet of applets) if (applet !== "busybox") symlinkSync("busybox", join(root, "bin", applet));
  writeFileSync(join(root, "etc/passwd"), PASSWD);
  writeFileSync(join(root, "etc/group"), GROUP);
  writeFileSync(join(root, "etc/not-a-program"), "text\n", { mode: 0o644 });
  fillSeed(root);
}

/** A new sandbox whose image store has IMAGE. */
export function busyboxSandbox(sandbox = new Sandbox()): Sandbox {
  try {
    const root = join(sandbox.directory, "busybox");
    mkdirSync(root);
    fillRoot(root);
    sandbox.ok(["init", root, IMAGE]);
    rmSync(root, { recursive: true });
  } catch (error) {
    sandbox.remove();
    throw error;
  }
  return sandbox;
}
