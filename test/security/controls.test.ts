/** The attacks on engines that they work on: what no engine fails proves nothing. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { busyboxSandbox } from "../e2e/busybox.ts";
import type { Sandbox } from "../e2e/sandbox.ts";
import { oldEngine } from "./controls.ts";

let sandbox: Sandbox;
beforeAll(() => {
  sandbox = busyboxSandbox();
});
afterAll(() => sandbox.remove());

/** A directory of the host with one file in it, and a root whose /dev leads there. */
function trap(name: string): { out: string; root: string } {
  const out = join(sandbox.directory, `${name}-out`);
  const root = join(sandbox.directory, `${name}-root`);
  mkdirSync(out);
  writeFileSync(join(out, "ptmx"), "MARK");
  mkdirSync(join(root, "bin"), { recursive: true });
  execFileSync("cp", ["/bin/busybox", join(root, "bin/true")]);
  symlinkSync(out, join(root, "dev"));
  return { out, root };
}
const isUntouched = (out: string) =>
  readdirSync(out).join() === "ptmx" && readFileSync(join(out, "ptmx"), "utf8") === "MARK";

test("B8 CVE-2026-41579: bocker makes nothing where an image's /dev leads", () => {
  const { out, root } = trap("own");
  sandbox.ok(["init", root, "devlink"]);
  expect(sandbox.bocker(["run", "--rm", "devlink", "/bin/true"]).code).toBe(125);
  sandbox.bocker(["run", "--rm", "--rootfs", root, "/bin/true"]);
  expect(isUntouched(out)).toBe(true);
});

const old = oldEngine("runc", "1.1.");
test.skipIf(old === undefined)("B8 CVE-2026-41579: runc 1.1 does", () => {
  const { out, root } = trap("old");
  // Without a mount at /dev, which would hide the link.
  old!.run(sandbox, root, (spec) => {
    spec.mounts = spec.mounts.filter(({ destination }) => !destination.startsWith("/dev"));
  });
  expect(isUntouched(out)).toBe(false);
  rmSync(out, { recursive: true });
});
