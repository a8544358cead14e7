/**
 * A virtual machine with cgroup v2 only: Debian's cloud kernel under qemu's software emulation, busybox, and
 * bocker as it was compiled. It has no disk and no network; what it prints on its serial line is the result.
 */
import { execFileSync, spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { BINARY } from "../e2e/sandbox.ts";
import { cpioArchive, type GuestFile } from "./cpio.ts";

const CACHE = join(import.meta.dirname, "../../node_modules/.cache/bocker-guest");
const S_IFREG = 0o100000;
const S_IFLNK = 0o120000;
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

/** Where a kernel and its modules are: installed, or fetched from the machine's Debian mirror once. */
export function findKernel(): { image: string; modules: string } | undefined {
  const places = [
    { boot: "/boot", modules: "/lib/modules" },
    { boot: join(CACHE, "boot"), modules: join(CACHE, "lib/modules") },
  ];
  for (const { boot, modules } of places) {
    const name = existsSync(boot)
      ? readdirSync(boot).find((file) => /^vmlinuz-.*-cloud-/.test(file))
      : undefined;
    if (name === undefined) continue;
    const directory = join(modules, name.slice("vmlinuz-".length));
    if (existsSync(join(directory, "kernel"))) return { image: join(boot, name), modules: directory };
  }
  return undefined;
}

/** Fetches the kernel's package without installing it. False without apt or a mirror. */
export function fetchKernel(): boolean {
  const run = (program: string, words: string[], cwd = "/") =>
    spawnSync(program, words, { cwd, encoding: "utf8", timeout: 300_000 });
  const depends = run("apt-cache", ["depends", "linux-image-cloud-amd64"]).stdout ?? "";
  const name = /Depends: (linux-image-[\w.+-]+-cloud-amd64)$/m.exec(depends)?.[1];
  if (name === undefined) return false;
  mkdirSync(CACHE, { recursive: true });
  if (run("apt-get", ["download", name], CACHE).status !== 0) return false;
  const archive = readdirSync(CACHE).find((file) => file.endsWith(".deb"));
  if (archive === undefined || run("dpkg", ["-x", archive, "."], CACHE).status !== 0) return false;
  rmSync(join(CACHE, archive));
  return true;
}

function file(path: string, source: string, mode = 0o755): GuestFile {
  return { path, mode: S_IFREG | mode, content: readFileSync(source) };
}

function script(path: string, name: string): GuestFile {
  return file(path, join(import.meta.dirname, name));
}

function libraries(program: string): GuestFile[] {
  const text = execFileSync("ldd", [program], { encoding: "utf8" });
  return [...text.matchAll(/(\/\S+) \(0x/g)].map(([, path]) => file(path!.slice(1), path!));
}

/** The modules by path below /lib/modules/RELEASE/kernel; depmod in the guest finds out who needs whom. */
function moduleFiles(directory: string): GuestFile[] {
  const release = basename(directory);
  const wanted =
    /\/(fs\/overlayfs|net\/(bridge|llc|802|netfilter|ipv[46]\/netfilter)|lib\/.*crc32c|crypto\/crc32c\w*|drivers\/net\/veth)[/.]/;
  return readdirSync(directory, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ko") && wanted.test(`/${path.replace(/^kernel\//, "")}`))
    .map((path) => file(`lib/modules/${release}/${path}`, join(directory, path), 0o644));
}

function initramfs(modules: string, test: string): Buffer {
  const build = dirname(BINARY);
  return gzipSync(
    cpioArchive([
      script("init", "init.sh"),
      script("start", "start.sh"),
      script("test.sh", test),
      { path: "modules", mode: S_IFREG | 0o644, content: MODULES.join("\n") },
      file("bin/busybox", "/bin/busybox"),
      { path: "bin/sh", mode: S_IFLNK | 0o777, content: "busybox" },
      { path: "etc/passwd", mode: S_IFREG | 0o644, content: "root:x:0:0:root:/root:/bin/sh\n" },
      file("opt/bocker", BINARY),
      file("opt/bocker-launcher", join(build, "bocker-launcher")),
      file("opt/syscalls.node", join(build, "syscalls.node")),
      ...libraries(BINARY),
      ...moduleFiles(modules),
    ]),
    { level: 1 },
  );
}

/** The sections `== NAME` … that a script prints, by name. */
export function runGuest(kernel: { image: string; modules: string }, test: string): Map<string, string> {
  const directory = mkdtempSync(join(tmpdir(), "bocker-guest-"));
  try {
    const root = join(directory, "initramfs");
    writeFileSync(root, initramfs(kernel.modules, test));
    const { stdout, error, signal } = spawnSync(
      "qemu-system-x86_64",
      [
        ..."-accel tcg,thread=multi -cpu max -smp 2 -m 1024 -nodefaults -no-user-config -nographic".split(
          " ",
        ),
        ..."-nic none -serial stdio -no-reboot".split(" "),
        ...["-kernel", kernel.image, "-initrd", root],
        ...["-append", "console=ttyS0 quiet loglevel=0 panic=-1 cgroup_no_v1=all mitigations=off"],
      ],
      { encoding: "utf8", timeout: 240_000, killSignal: "SIGKILL", maxBuffer: 1 << 24 },
    );
    if (error !== undefined || signal !== null) throw new Error(`qemu: ${error ?? signal}\n${stdout}`);
    const sections = new Map<string, string>();
    for (const part of stdout.replaceAll("\r", "").split(/^== /m).slice(1)) {
      const newline = part.indexOf("\n");
      sections.set(part.slice(0, newline), part.slice(newline + 1).trimEnd());
    }
    if (!sections.has("end")) throw new Error(`the guest did not come to its end:\n${stdout}`);
    return sections;
  } finally {
    rmSync(directory, { recursive: true });
  }
}
