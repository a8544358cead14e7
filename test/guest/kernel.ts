/** Debian's cloud kernel: installed, or fetched from the machine's mirror once. */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type Architecture, Mirror } from "./debian.ts";
import { type Emulator, X86_64 } from "./emulator.ts";

const CACHE = join(import.meta.dirname, "../../node_modules/.cache/bocker-guest");

export interface Kernel {
  image: string;
  modules: string;
  emulator: Emulator;
}

/** Where what is fetched for guests of this architecture lies. */
export function fetchedFiles(architecture: Architecture): string {
  return join(CACHE, architecture);
}

/** The kernel below a root directory. */
export function kernelBelow(root: string, emulator: Emulator): Kernel | undefined {
  const boot = join(root, "boot");
  const name = existsSync(boot)
    ? readdirSync(boot).find((file) => /^vmlinuz-.*-cloud-/.test(file))
    : undefined;
  if (name === undefined) return undefined;
  const modules = join(root, "lib/modules", name.slice("vmlinuz-".length));
  return existsSync(join(modules, "kernel")) ? { image: join(boot, name), modules, emulator } : undefined;
}

/** Fetches the kernel of an architecture, and packages beside it. Where it cannot, nothing is there. */
export function fetchKernel(architecture: Architecture, others: string[] = []): void {
  const directory = fetchedFiles(architecture);
  const mirror = new Mirror(architecture);
  // What was fetched in part must not look complete.
  const partial = `${directory}.${process.pid}`;
  try {
    const kernel = mirror.dependency(`linux-image-cloud-${architecture}`, /^linux-image-[\w.+-]+-cloud-\w+$/);
    if (kernel === undefined || !mirror.unpack([kernel, ...others], partial)) return;
    rmSync(directory, { recursive: true, force: true });
    renameSync(partial, directory);
  } finally {
    mirror.close();
    rmSync(partial, { recursive: true, force: true });
  }
}

/** Does it exist, or which package has it? */
export function missingProgram(program: string, name: string): string[] {
  return spawnSync(program, ["--version"]).status === 0 ? [] : [name];
}

/** A kernel for guests of this machine's architecture, and what is missing where there is none: packages, or more. */
export function guestKernel(): { kernel: Kernel | undefined; missing: string[] } {
  const missing = [
    ...missingProgram(X86_64.program, X86_64.package),
    ...(existsSync("/bin/busybox") ? [] : ["busybox-static"]),
    ...(process.arch === "x64" ? [] : ["an x86-64 machine"]),
  ];
  if (missing.length > 0) return { kernel: undefined, missing };
  const find = () => kernelBelow("/", X86_64) ?? kernelBelow(fetchedFiles("amd64"), X86_64);
  if (find() === undefined) fetchKernel("amd64");
  const kernel = find();
  return { kernel, missing: kernel === undefined ? ["linux-image-cloud-amd64"] : [] };
}
