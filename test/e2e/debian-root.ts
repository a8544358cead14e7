/** A Debian with systemd, made by debootstrap once and kept: as an archive, and as the disk of a virtual machine. */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";

const CACHE = join(import.meta.dirname, "../../node_modules/.cache/bocker-roots");
const ARCHIVE = join(CACHE, "debian-systemd.tar");
const DISK = join(CACHE, "debian-systemd.ext4");
const DISK_SIZE = "1G";
// With the tools that --explain=sh uses, too.
const PACKAGES = ["systemd", "systemd-sysv", "dbus", "iproute2"];

/** A file's path, or why there is none. */
export type Made = { path: string } | { reason: string };

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

/** `make` writes to another name first: what is cut off leaves nothing that looks finished. It may say why it failed. */
function kept(path: string, make: (path: string, scratch: string) => string | undefined): Made {
  const scratch = `${path}.${process.pid}.root`;
  const made = `${path}.${process.pid}`;
  try {
    const reason = make(made, scratch);
    if (reason !== undefined) return { reason };
    renameSync(made, path);
    return { path };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
    rmSync(made, { force: true });
  }
}

/** The root as an archive. */
export function debianArchive(): Made {
  if (existsSync(ARCHIVE)) return { path: ARCHIVE };
  const from = source();
  if (from === undefined) return { reason: "no Debian mirror in /etc/apt, or no debootstrap that knows it" };
  mkdirSync(CACHE, { recursive: true });
  return kept(ARCHIVE, (made, root) => {
    const words = ["--variant=minbase", `--include=${PACKAGES.join(",")}`, from.suite, root, from.mirror];
    const options = { encoding: "utf8", timeout: 600_000 } as const;
    const { status, stdout, stderr, error } = spawnSync("debootstrap", words, options);
    if (status !== 0) return `debootstrap: ${error ?? (stderr || stdout).trim().split("\n").at(-1)}`;
    rmSync(join(root, "var/cache/apt/archives"), { recursive: true, force: true });
    mkdirSync(join(root, "var/cache/apt/archives/partial"), { recursive: true });
    execFileSync("tar", ["--numeric-owner", "--xattrs", "-C", root, "-cf", made, "."]);
    return undefined;
  });
}

/** The same as a filesystem. Whoever uses it must not write to it. */
export function debianDisk(): Made {
  if (existsSync(DISK)) return { path: DISK };
  if (spawnSync("mkfs.ext4", ["-V"]).error !== undefined) return { reason: "no mkfs.ext4 (e2fsprogs)" };
  const archive = debianArchive();
  if ("reason" in archive) return archive;
  return kept(DISK, (made, root) => {
    mkdirSync(root);
    execFileSync("tar", ["--numeric-owner", "-C", root, "-xf", archive.path]);
    // Without a journal: nobody's data is on it.
    execFileSync("mkfs.ext4", ["-q", "-d", root, "-O", "^has_journal", made, DISK_SIZE]);
    return undefined;
  });
}
