/** A machine that is busybox and bocker, all in memory, with cgroup v2 only. */
import { execFileSync } from "node:child_process";
import { BINARY } from "../e2e/sandbox.ts";
import type { GuestFile } from "./cpio.ts";
import { bockerFiles, file, link, moduleFiles, runMachine, script, text } from "./guest.ts";
import type { Kernel } from "./kernel.ts";

/** And what they need, by modules.dep. */
const MODULES = [
  "overlay",
  "bridge",
  "veth",
  "nf_tables",
  "nft_chain_nat",
  "nft_nat",
  "nft_ct",
  "nft_masq",
  "nft_fib_ipv4",
];
const FILES =
  /\/(fs\/overlayfs|net\/(bridge|llc|802|netfilter|ipv[46]\/netfilter)|lib\/.*crc32c|crypto\/crc32c\w*|drivers\/net\/veth)[/.]/;

export function libraries(program: string): GuestFile[] {
  const lines = execFileSync("ldd", [program], { encoding: "utf8" });
  return [...lines.matchAll(/(\/\S+) \(0x/g)].map(([, path]) => file(path!.slice(1), path!));
}

/** What it is made of. */
export interface Parts {
  kernel: Kernel;
  /** Linked statically. */
  busybox: string;
  /** bocker's program, with what it needs beside it. */
  program: string;
  /** What that is linked to. */
  libraries: GuestFile[];
}

/** This machine's own. */
export function ownParts(kernel: Kernel): Parts {
  return { kernel, busybox: "/bin/busybox", program: BINARY, libraries: libraries(BINARY) };
}

/** What is in it: everything but the kernel. `test`: the script of this directory that it runs. */
function busyboxFiles({ kernel, busybox, program, libraries }: Parts, test: string): GuestFile[] {
  return [
    script("init", "init.sh"),
    script("start", "start.sh"),
    script("test.sh", test),
    text("modules", MODULES.map((name) => `${name}\n`).join("")),
    file("bin/busybox", busybox),
    link("bin/sh", "busybox"),
    text("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"),
    ...bockerFiles("opt", program),
    ...libraries,
    ...moduleFiles(kernel, FILES),
  ];
}

/** The sections that a script of this directory prints there. `more`: files that it needs, below opt/. */
export function runBusybox(parts: Parts, test: string, more: GuestFile[] = []): Promise<Map<string, string>> {
  const initramfs = [...busyboxFiles(parts, test), ...more];
  return runMachine({
    kernel: parts.kernel,
    initramfs,
    disks: [],
    memory: 1024,
    options: "cgroup_no_v1=all",
  });
}
