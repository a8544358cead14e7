/** What a guest with an arm64 processor is made of: all of it is cross compiled, or Debian's. */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compileProbe, fillRoot } from "../../scripts/compare-defaults/scenarios.ts";
import { arm32Program } from "./arm32.ts";
import type { Parts } from "./busybox.ts";
import type { GuestFile } from "./cpio.ts";
import { AARCH64 } from "./emulator.ts";
import { file, link, program, text } from "./guest.ts";
import { fetchedFiles, fetchKernel, kernelBelow, missingProgram } from "./kernel.ts";

const ROOT = join(import.meta.dirname, "../..");
export const COMPILER = "aarch64-linux-gnu-gcc";
/** The compiler's own C library, of the same version of Debian as the rest. */
const LIBRARIES = "/usr/aarch64-linux-gnu/lib";

/** As bun needs them: its ELF header names them. */
function libraries(): GuestFile[] {
  return ["ld-linux-aarch64.so.1", "libc.so.6", "libdl.so.2", "libm.so.6", "libpthread.so.0"].map((name) =>
    file(`lib/${name}`, join(LIBRARIES, name)),
  );
}

const node = (...words: string[]) => spawnSync("node", words, { cwd: ROOT, encoding: "utf8" });

/** Fetches what can be fetched. Its parts, but for bocker, which `buildForArm64` makes; or what is missing. */
export function arm64Parts(): { parts: Parts | undefined; missing: string[] } {
  const missing = [
    ...missingProgram(AARCH64.program, AARCH64.package),
    ...missingProgram(COMPILER, "gcc-aarch64-linux-gnu"),
    ...(existsSync(join(LIBRARIES, "libc.a")) ? [] : ["libc6-dev-arm64-cross"]),
    ...(process.arch === "x64" ? [] : ["an x86-64 machine"]),
  ];
  if (missing.length > 0) return { parts: undefined, missing };
  const fetched = fetchedFiles("arm64");
  const busybox = join(fetched, "bin/busybox");
  if (!existsSync(busybox)) fetchKernel("arm64", ["busybox-static"]);
  const kernel = kernelBelow(fetched, AARCH64);
  if (kernel === undefined)
    missing.push("linux-image-cloud-arm64 and busybox-static:arm64 of a Debian mirror");
  if (node("scripts/foreign-bun.mjs", "aarch64").status !== 0) missing.push("@oven/bun-linux-aarch64 of npm");
  if (kernel === undefined || missing.length > 0) return { parts: undefined, missing };
  const program = join(ROOT, "dist/arm64/bocker");
  return { parts: { kernel, busybox, program, libraries: libraries() }, missing };
}

/** Makes the program that the parts name, and fills its package. Returns the package's directory. */
export function buildForArm64(): string {
  for (const script of ["scripts/build.mjs", "scripts/package.mjs"]) {
    const { status, stderr } = node(script, "--target", "arm64");
    if (status !== 0) throw new Error(`${script} for arm64 failed:\n${stderr}`);
  }
  return join(ROOT, "packages/linux-arm64");
}

/** Calls of another architecture end the process; all others pass. */
const ONLY_64 = { defaultAction: "SCMP_ACT_ALLOW", architectures: ["SCMP_ARCH_AARCH64"] };

/** What arm64.sh needs beside that: the probe of scripts/compare-defaults, its image, and a program of 32 bits. */
export function arm64Files(): GuestFile[] {
  const directory = mkdtempSync(join(tmpdir(), "bocker-arm64-"));
  try {
    const [probe, root, archive] = ["probe", "root", "probe.tar"].map((name) => join(directory, name));
    compileProbe(probe!, COMPILER);
    mkdirSync(root!);
    fillRoot(root!, probe!);
    execFileSync("tar", ["-C", root!, "-cf", archive!, "."]);
    return [
      file("opt/probe", probe!),
      file("opt/probe.tar", archive!),
      text("opt/only64.json", JSON.stringify(ONLY_64)),
      program("opt/arm32", arm32Program()),
      // As npm installs it.
      file("opt/npm/bin/bocker", join(ROOT, "bin/bocker")),
      link("opt/npm/node_modules/@bocker/linux-arm64", "/opt"),
    ];
  } finally {
    rmSync(directory, { recursive: true });
  }
}
