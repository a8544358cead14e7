/** The kernel's constants, held to the C headers of each architecture. */
import { expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { join } from "node:path";

const HEADERS = [
  ...[
    "fcntl.h",
    "poll.h",
    "sched.h",
    "signal.h",
    "sys/file.h",
    "sys/mman.h",
    "sys/mount.h",
    "sys/socket.h",
    "sys/stat.h",
  ],
  ...["stdio.h", "unistd.h", "linux/netlink.h", "linux/openat2.h"],
];

const COMPILERS = [
  { arch: "x64", compiler: "x86_64-linux-gnu-gcc" },
  { arch: "arm64", compiler: "aarch64-linux-gnu-gcc" },
];

/** As the program has them where process.arch is this. */
function constantsOf(arch: string): Record<string, number> {
  const source = `Object.defineProperty(process, "arch", { value: "${arch}" });
    const constants = await import("${join(import.meta.dirname, "constants.ts")}");
    console.log(JSON.stringify({ ...constants }));`;
  return JSON.parse(spawnSync(process.execPath, ["-e", source], { encoding: "utf8" }).stdout);
}

for (const { arch, compiler } of COMPILERS) {
  const isThere = spawnSync(compiler, ["--version"]).status === 0;
  if (!isThere) console.warn(`SKIPPED: the constants of ${arch} need ${compiler}`);

  test.skipIf(!isThere)(`the constants of ${arch} are its headers'`, () => {
    const constants = Object.entries(constantsOf(arch));
    const source = [
      ...HEADERS.map((header) => `#include <${header}>`),
      ...constants.map(([name, value]) => `_Static_assert((${name}) == ${value}, "${name}");`),
    ].join("\n");
    const words = ["-D_GNU_SOURCE", "-fsyntax-only", "-x", "c", "-"];
    expect(spawnSync(compiler, words, { input: source, encoding: "utf8" }).stderr).toBe("");
    expect(constants.length).toBeGreaterThan(50);
  });
}
