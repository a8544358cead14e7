/** Whole distributions as roots: Debian by debootstrap, with apt, dpkg and perl. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { Sandbox } from "../sandbox.ts";

const CACHE = join(import.meta.dirname, "../../../node_modules/.cache/bocker-roots");
const ARCHIVE = join(CACHE, "debian.tar");

/** The machine's own Debian mirror and suite: where this machine may fetch from is not ours to choose. */
function source(): { mirror: string; suite: string } | undefined {
  const files = ["/etc/apt/sources.list", ...names("/etc/apt/sources.list.d")];
  const text = files
    .filter(existsSync)
    .map((path) => readFileSync(path, "utf8"))
    .join("\n");
  const suite = /^VERSION_CODENAME=(\w+)/m.exec(readFileSync("/etc/os-release", "utf8"))?.[1];
  if (suite === undefined || !existsSync(`/usr/share/debootstrap/scripts/${suite}`)) return undefined;
  const line = new RegExp(`^deb\\s+(?:\\[[^\\]]*\\]\\s+)?(\\S+)\\s+${suite}\\s+main`, "m").exec(text);
  if (line !== null) return { mirror: line[1]!, suite };
  const stanza = text
    .split(/\n\s*\n/)
    .find((part) => new RegExp(`^Suites:.*\\b${suite}( |$)`, "m").test(part));
  const uri = /^URIs:\s*(\S+)/m.exec(stanza ?? "");
  return uri === null ? undefined : { mirror: uri[1]!, suite };
}

function names(directory: string): string[] {
  return existsSync(directory) ? readdirSync(directory).map((name) => join(directory, name)) : [];
}

/** Why there is no Debian root; undefined when there is one. */
function make(): string | undefined {
  if (existsSync(ARCHIVE)) return undefined;
  const from = source();
  if (from === undefined) return "no Debian mirror in /etc/apt";
  mkdirSync(CACHE, { recursive: true });
  const made = `${ARCHIVE}.${process.pid}`;
  const root = join(CACHE, `root.${process.pid}`);
  const { status, stdout, stderr, error } = spawnSync(
    "debootstrap",
    ["--variant=minbase", from.suite, root, from.mirror],
    { encoding: "utf8", timeout: 600_000 },
  );
  if (status !== 0) return `debootstrap: ${error ?? (stderr || stdout).trim().split("\n").at(-1)}`;
  execFileSync("tar", ["--numeric-owner", "--xattrs", "-C", root, "-cf", made, "."]);
  execFileSync("rm", ["-rf", root]);
  renameSync(made, ARCHIVE);
  return undefined;
}

const reason = make();
if (reason !== undefined) console.warn(`SKIPPED: a Debian root: ${reason}`);

describe.skipIf(reason !== undefined)("a Debian root", () => {
  let sandbox: Sandbox;
  beforeAll(() => {
    sandbox = new Sandbox();
    sandbox.ok(["init", ARCHIVE, "debian:root"]);
  });
  afterAll(() => sandbox.remove());
  const run = (script: string) => sandbox.bocker(["run", "--rm", "debian:root", "sh", "-c", script]);

  test("apt, dpkg and perl work", () => {
    const { code, stdout, stderr } = run(
      "apt-get --version | head -n 1; dpkg -l dpkg | tail -n 1; perl -e 'print 6*7, \"\\n\"'; apt-get check -qq && echo checked",
    );
    expect(stderr).toBe("");
    expect(code).toBe(0);
    expect(stdout).toMatch(/^apt \d.*\nii +dpkg .*\n42\nchecked\n$/);
  });

  test("packages are installed: dpkg unpacks, runs scripts, changes owners", () => {
    const build =
      "mkdir -p /p/DEBIAN /p/opt/own && printf 'Package: own\\nVersion: 1\\nArchitecture: all\\nMaintainer: x <x@example.test>\\nDescription: x\\n' > /p/DEBIAN/control && " +
      "printf '#!/bin/sh\\nadduser --system --group own >/dev/null 2>&1 || useradd -r own\\nchown own /opt/own\\n' > /p/DEBIAN/postinst && chmod 755 /p/DEBIAN/postinst && " +
      "dpkg-deb -b /p /own.deb >/dev/null && apt-get install -y -qq /own.deb >/dev/null 2>/tmp/errors; stat -c %U /opt/own; su own -s /bin/sh -c id | cut -d'(' -f2 | cut -d')' -f1";
    const { stdout } = run(build);
    expect(stdout).toBe("own\nown\n");
  });

  test("apt knows its sources, installs nothing when asked for nothing, and asks dpkg", () => {
    const { code, stdout } = run(
      "apt-cache policy dpkg | head -n 2; apt-get install -y -qq && echo nothing; dpkg -l | grep -c ^ii; dpkg --audit | wc -l",
    );
    expect(code).toBe(0);
    expect(stdout).toMatch(/^dpkg:\n +Installed: \d.*\nnothing\n[1-9]\d+\n0\n$/);
  });

  test("users are made, and su becomes them", () => {
    const { code, stdout, stderr } = run(
      "useradd -m -s /bin/sh newcomer && su - newcomer -c 'id -un; pwd; touch mine && stat -c %U mine; grep CapEff /proc/self/status; cat /etc/shadow'",
    );
    expect(stdout).toBe("newcomer\n/home/newcomer\nnewcomer\nCapEff:\t0000000000000000\n");
    expect([code, stderr]).toEqual([1, expect.stringContaining("Permission denied")]);
  });

  test("its users and set-uid programs work", () => {
    const whoami = sandbox.bocker([
      "run",
      "--rm",
      "-u",
      "daemon",
      "debian:root",
      "sh",
      "-c",
      "id -un; mount 2>/dev/null | head -n 1 | cut -c1-7",
    ]);
    expect(whoami.stdout).toBe("daemon\noverlay\n");
  });
});
