/**
 * A pool: a btrfs in a file, mounted where the data root is. The directory below the mount has a file storage-driver that says
 * so; whoever finds that one, and not the pool's own, mounts the pool: the first command after a boot.
 */
import { spawnSync } from "node:child_process";
import { BockerError, messageOf } from "../base/errors.ts";
import { AT_FDCWD, LOCK_EX, O_CLOEXEC, O_RDONLY, O_RDWR } from "../os/constants.ts";
import { flock, ftruncate, mount, openat, umount2, withFd } from "../os/files.ts";
import { exists, makeDirectories, removeFile, setMode, writeFile } from "../os/host-files.ts";
import { withLoopDevice } from "../os/loop.ts";
import { isSystemError } from "../os/system-error.ts";
import { choicePath, keptChoice, POOL } from "./choice.ts";

/** mkfs.btrfs wants 109 MiB; on less than this there is no room for an image. */
const POOL_LEAST = 256 * 2 ** 20;

function mountPool(data: string, file: string): void {
  withLoopDevice(file, (device) => mount(device, data, "btrfs", 0));
}

/** Mounts the pool that the data root is, unless somebody else has done it by now. */
export function attachPool(data: string, file: string): void {
  withFd(openat(AT_FDCWD, choicePath(data), O_RDONLY | O_CLOEXEC), (fd) => {
    flock(fd, LOCK_EX);
    if (keptChoice(data)?.pool === undefined) return;
    try {
      mountPool(data, file);
    } catch (error) {
      throw new BockerError(
        "platform",
        `the data root ${data} is a pool in ${file}, which could not be mounted: ${messageOf(error)}`,
        { cause: error },
      );
    }
  });
}

function makeFilesystem(file: string): void {
  const { error, status, stderr } = spawnSync("mkfs.btrfs", ["-q", "-L", "bocker", file], {
    encoding: "utf8",
    env: { ...process.env, PATH: `${process.env["PATH"] ?? ""}:/usr/sbin:/sbin` },
  });
  if (error !== undefined)
    throw new BockerError(
      "platform",
      `mkfs.btrfs could not be started (${messageOf(error)}): it is in the package btrfs-progs, which is needed to make a pool, and for nothing else`,
    );
  if (status !== 0) throw new BockerError("platform", `mkfs.btrfs failed: ${stderr.trim()}`);
}

/**
 * Makes a pool and mounts it at the data root, which nobody has used yet.
 * @param size bytes; the file takes room only as it is written to
 * @throws BockerError "conflict" for a data root that is in use, or a file that is there
 */
export function createPool(data: string, file: string, size: number): void {
  if (size < POOL_LEAST)
    throw new BockerError("invalid", `a pool of ${size} bytes is too small: ${POOL_LEAST} are the least`);
  const kept = keptChoice(data);
  if (kept !== undefined)
    throw new BockerError(
      "conflict",
      `the data root ${data} is in use, with the storage driver ${kept.name}: a pool takes the place of a new one; use another --data-root, or move this one away`,
    );
  const made: (() => void)[] = [];
  try {
    makeDirectories(file.slice(0, file.lastIndexOf("/")) || "/", 0o755);
    writeFile(file, "", { mode: 0o600, exclusive: true });
    made.push(() => removeFile(file));
    withFd(openat(AT_FDCWD, file, O_RDWR | O_CLOEXEC), (fd) => ftruncate(fd, size));
    makeFilesystem(file);
    makeDirectories(data, 0o710);
    writeFile(choicePath(data), `${POOL}${file}\n`, { mode: 0o644, durable: true });
    made.push(() => removeFile(choicePath(data)));
    mountPool(data, file);
    made.push(() => umount2(data, 0));
    setMode(data, 0o710);
    writeFile(choicePath(data), `btrfs\npool: ${file}\n`, { mode: 0o644, durable: true });
  } catch (error) {
    for (const undo of made.reverse()) undo();
    if (isSystemError(error, "EEXIST") && made.length === 0)
      throw new BockerError(
        "conflict",
        `${file} is there already: it may be a pool; --file names another one`,
      );
    throw error;
  }
}

/** The file of the pool that is mounted at `data`. Throws "not-found" where none is. */
export function poolFile(data: string): string {
  const file = keptChoice(data)
    ?.log.find((line) => line.startsWith("pool: "))
    ?.slice("pool: ".length);
  if (file === undefined) throw new BockerError("not-found", `the data root ${data} is no pool`);
  return file;
}

/**
 * Removes the pool with all that is in it.
 * @param file as poolFile says
 * @throws BockerError "conflict" when something in it is in use
 */
export function removePool(data: string, file: string): void {
  try {
    umount2(data, 0);
  } catch (error) {
    if (!isSystemError(error, "EBUSY")) throw error;
    throw new BockerError("conflict", `the pool at ${data} is in use: stop its containers first`);
  }
  if (exists(choicePath(data))) removeFile(choicePath(data));
  removeFile(file);
}
