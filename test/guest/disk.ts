/** Disks of virtual machines: ext4 filesystems in files. */
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { GuestFile } from "./cpio.ts";

const S_IFMT = 0o170000;
const S_IFLNK = 0o120000;

export interface DiskOptions {
  /** As mkfs takes it: "256M". */
  size: string;
  /** What is written to it must survive a cut; else it is faster without. */
  journal: boolean;
}

/** Makes a filesystem with these files, and directories for them, at `path`. */
export function makeDisk(path: string, files: GuestFile[], { size, journal }: DiskOptions): void {
  const root = mkdtempSync(join(tmpdir(), "bocker-disk-"));
  try {
    chmodSync(root, 0o755);
    for (const { path: name, mode, content } of files) {
      mkdirSync(dirname(join(root, name)), { recursive: true });
      if ((mode & S_IFMT) === S_IFLNK) symlinkSync(String(content), join(root, name));
      else writeFileSync(join(root, name), content, { mode: mode & 0o777 });
    }
    const features = journal ? [] : ["-O", "^has_journal"];
    execFileSync("mkfs.ext4", ["-q", "-d", root, ...features, path, size]);
  } finally {
    rmSync(root, { recursive: true });
  }
}
