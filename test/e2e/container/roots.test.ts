/** Whole distributions as roots: Debian by debootstrap, with apt, dpkg and perl. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { debianArchive } from "../debian-root.ts";
import { OVERLAY, Sandbox } from "../sandbox.ts";

const made = debianArchive();
const archive = "path" in made ? made.path : "";
if ("reason" in made) console.warn(`SKIPPED: a Debian root: ${made.reason}`);

describe.skipIf(archive === "")("a Debian root", () => {
  let sandbox: Sandbox;
  beforeAll(() => {
    sandbox = new Sandbox(undefined, OVERLAY);
    sandbox.ok(["init", archive, "debian:root"]);
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
