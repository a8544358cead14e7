/** A small image of busybox, made by `bocker init` in a sandbox. */
import { copyFileSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Sandbox } from "./sandbox.ts";

const APPLETS =
  "sh cat ls echo sleep id env pwd ps mount umount ip hostname true false stat touch mkdir rm mv ln mknod dd wc " +
  "head tail grep seq sha256sum readlink chmod chown kill tty stty printf test find sort tr cut nc wget httpd " +
  "date awk sed umask trap usleep yes timeout";

/** Files of the image, besides busybox and its links. */
const FILES: [path: string, content: string][] = [
  ["etc/passwd", "root:x:0:0:root:/root:/bin/sh\nbob:x:1000:1001:bob:/home/bob:/bin/sh\n"],
  ["etc/group", "root:x:0:\nbob:x:1001:\nextra:x:2000:bob\n"],
];

/** Makes the image `busybox:latest`; returns its id. */
export function makeBusyboxImage(sandbox: Sandbox): string {
  const tree = join(sandbox.directory, "busybox");
  for (const directory of ["bin", "etc", "root", "tmp", "home/bob"])
    mkdirSync(join(tree, directory), { recursive: true });
  copyFileSync("/bin/busybox", join(tree, "bin/busybox"));
  for (const name of APPLETS.split(" ")) symlinkSync("busybox", join(tree, "bin", name));
  for (const [path, content] of FILES) writeFileSync(join(tree, path), content);
  return sandbox.ok(["init", tree, "busybox"]);
}
