/**
 * A virtual machine: Debian's cloud kernel under qemu's software emulation. It has no network; what it prints on its
 * serial line is the result.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { BINARY } from "../e2e/sandbox.ts";
import { cpioArchive, type GuestFile } from "./cpio.ts";
import type { Kernel } from "./kernel.ts";

const S_IFREG = 0o100000;
const S_IFLNK = 0o120000;

export function file(path: string, source: string, mode = 0o755): GuestFile {
  return { path, mode: S_IFREG | mode, content: readFileSync(source) };
}

export function program(path: string, content: Uint8Array): GuestFile {
  return { path, mode: S_IFREG | 0o755, content };
}

export function script(path: string, name: string): GuestFile {
  return file(path, join(import.meta.dirname, name));
}

export function text(path: string, content: string): GuestFile {
  return { path, mode: S_IFREG | 0o644, content };
}

export function link(path: string, target: string): GuestFile {
  return { path, mode: S_IFLNK | 0o777, content: target };
}

/** Those by path below /lib/modules/RELEASE/kernel that match; depmod in the guest finds out who needs whom. */
export function moduleFiles({ modules }: Kernel, wanted: RegExp): GuestFile[] {
  return readdirSync(modules, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ko") && wanted.test(`/${path.replace(/^kernel\//, "")}`))
    .map((path) => file(`lib/modules/${basename(modules)}/${path}`, join(modules, path), 0o644));
}

/** The first root of a machine with disks. `init`, a script of this directory, begins with early.sh. */
export function firstRoot(kernel: Kernel, init: string, modules: string[], files: RegExp): GuestFile[] {
  return [
    script("init", init),
    script("early.sh", "early.sh"),
    text("modules", modules.map((name) => `${name}\n`).join("")),
    file("bin/busybox", "/bin/busybox"),
    link("bin/sh", "busybox"),
    ...moduleFiles(kernel, files),
  ];
}

/** All files below a directory of this machine. */
export function treeFiles(source: string, directory: string): GuestFile[] {
  return readdirSync(source, { recursive: true, encoding: "utf8" })
    .filter((path) => statSync(join(source, path)).isFile())
    .map((path) => file(join(directory, path), join(source, path), 0o644));
}

/** A program as it was compiled, with what it needs beside it. */
export function bockerFiles(directory: string, program = BINARY): GuestFile[] {
  return ["bocker", "bocker-launcher", "syscalls.node"].map((name) =>
    file(`${directory}/${name}`, join(dirname(program), name)),
  );
}

export interface Disk {
  /** A raw image of a filesystem. */
  path: string;
  /** Else what is written to it is forgotten. */
  kept?: boolean;
}

export interface Machine {
  kernel: Kernel;
  initramfs: GuestFile[];
  /** /dev/vda, /dev/vdb … */
  disks: Disk[];
  /** MiB */
  memory: number;
  /** The kernel's command line, after what every machine has. */
  options: string;
}

const OUTPUT_MAX = 1 << 20;
const TIMEOUT_MS = 600_000;

/** One that is switched on. */
export class PoweredMachine {
  readonly #directory = mkdtempSync(join(tmpdir(), "bocker-guest-"));
  readonly #qemu: ChildProcess;
  readonly #ended: Promise<number | null>;
  #output = "";

  constructor({ kernel, initramfs, disks, memory, options }: Machine) {
    const root = join(this.#directory, "initramfs");
    // Not packed: an emulated processor unpacks more slowly than it copies.
    writeFileSync(root, cpioArchive(initramfs));
    const { emulator } = kernel;
    const words = [
      ...emulator.words,
      ...`-m ${memory} -accel tcg,thread=multi -smp 2 -nodefaults -no-user-config`.split(" "),
      ..."-nographic -nic none -serial stdio -no-reboot".split(" "),
      ...disks.flatMap(({ path, kept }) => [
        "-drive",
        // The host's own disk is not waited for: what it has not written yet outlives qemu as well.
        `file=${path},if=virtio,format=raw,cache=unsafe,snapshot=${kept === true ? "off" : "on"}`,
      ]),
      ...["-kernel", kernel.image, "-initrd", root],
      ...["-append", `console=${emulator.console} quiet loglevel=0 panic=-1 mitigations=off ${options}`],
    ];
    this.#qemu = spawn(emulator.program, words, { stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [this.#qemu.stdout!, this.#qemu.stderr!])
      stream.setEncoding("utf8").on("data", (text: string) => {
        this.#output += text;
        if (this.#output.length > OUTPUT_MAX) this.#qemu.kill("SIGKILL");
      });
    this.#ended = new Promise((resolve) => {
      this.#qemu.on("error", () => resolve(null));
      this.#qemu.on("close", resolve);
    });
  }

  /** The sections `== NAME` … that it has printed, by name. */
  sections(): Map<string, string> {
    const sections = new Map<string, string>();
    for (const part of this.#output.replaceAll("\r", "").split(/^== /m).slice(1)) {
      const newline = part.indexOf("\n");
      sections.set(part.slice(0, newline), part.slice(newline + 1).trimEnd());
    }
    return sections;
  }

  /** Waits for what it is to print, which a pattern with the flag `g` finds that many times. */
  async until(pattern: RegExp, times: number, timeout: number): Promise<void> {
    const deadline = performance.now() + timeout;
    while ((this.#output.match(pattern)?.length ?? 0) < times) {
      if (this.#qemu.exitCode !== null || performance.now() > deadline)
        throw new Error(`the guest does not print ${pattern} ${times} times:\n${this.#output.slice(-4000)}`);
      await Bun.sleep(50);
    }
  }

  /** Waits until it has switched itself off. */
  async off(): Promise<void> {
    const timer = setTimeout(() => this.#qemu.kill("SIGKILL"), TIMEOUT_MS);
    const code = await this.#ended;
    clearTimeout(timer);
    if (code !== 0)
      throw new Error(
        `qemu: exit code ${code}: it took too long, or printed without end\n${this.#output.slice(-4000)}`,
      );
  }

  /** The plug is pulled. */
  async cut(): Promise<void> {
    this.#qemu.kill("SIGKILL");
    await this.#ended;
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

/** Runs it until it switches itself off. The sections that it prints, by name; the last must be "end". */
export async function runMachine(machine: Machine): Promise<Map<string, string>> {
  const powered = new PoweredMachine(machine);
  try {
    await powered.off();
    const sections = powered.sections();
    if (!sections.has("end")) throw new Error("the guest did not come to its end");
    return sections;
  } finally {
    await powered.cut();
  }
}
