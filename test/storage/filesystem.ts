/** A filesystem in a file, mounted at a directory of its own, which both go again. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export type FilesystemName = "ext4" | "xfs" | "btrfs";

const MAKE: Record<FilesystemName, string[]> = {
  ext4: ["mkfs.ext4", "-q"],
  xfs: ["mkfs.xfs", "-q", "-m", "reflink=1"],
  btrfs: ["mkfs.btrfs", "-q"],
};

export class LoopFilesystem {
  readonly #directory = mkdtempSync(join(tmpdir(), "bocker-filesystem-"));
  readonly path = join(this.#directory, "mounted");

  constructor(name: FilesystemName, bytes = 2 ** 30) {
    const image = join(this.#directory, "image");
    writeFileSync(image, "");
    truncateSync(image, bytes);
    const [program = "", ...words] = MAKE[name];
    execFileSync(program, [...words, image], { stdio: "ignore" });
    mkdirSync(this.path);
    execFileSync("mount", ["-o", "loop", image, this.path]);
  }

  remove(): void {
    execFileSync("umount", [this.path]);
    rmSync(this.#directory, { recursive: true });
  }
}
