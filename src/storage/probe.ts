/**
 * Which driver a new data root gets: overlay wherever the kernel can mount one there, else btrfs or vfs. What was found is
 * kept with the choice, and shown by `bocker info`.
 */
import { BockerError, messageOf } from "../base/errors.ts";
import { randomBytes } from "../base/random.ts";
import {
  AT_FDCWD,
  CLONE_NEWNS,
  MS_PRIVATE,
  MS_REC,
  O_CLOEXEC,
  O_DIRECTORY,
  O_RDONLY,
} from "../os/constants.ts";
import { close, linkat, mount, openat, withFd } from "../os/files.ts";
import { exists, makeDirectories, removeFile, removeTree, writeFile } from "../os/host-files.ts";
import { filesystemType } from "../os/metadata.ts";
import { setns, unshare } from "../os/processes.ts";
import { BTRFS_MAGIC } from "../os/subvolume.ts";
import {
  choicePath,
  choiceText,
  DRIVERS,
  type DriverName,
  isDriver,
  keptChoice,
  type StorageChoice,
} from "./choice.ts";

/** linux/magic.h, of filesystems on which an overlay has always been possible: these are not tried. */
const EXT4_MAGIC = 0xef53;
const TMPFS_MAGIC = 0x01021994;

/** The data root, or what of its path is there. */
function existingPart(path: string): string {
  let existing = path;
  while (!exists(existing)) existing = existing.slice(0, existing.lastIndexOf("/")) || "/";
  return existing;
}

/** Runs `action` where the mounts that it makes are nobody else's, and go with it. */
function inOwnMounts<T>(action: () => T): T {
  const directory = process.cwd();
  const before = openat(AT_FDCWD, "/proc/thread-self/ns/mnt", O_RDONLY | O_CLOEXEC);
  unshare(CLONE_NEWNS);
  try {
    mount("none", "/", "", MS_REC | MS_PRIVATE);
    return action();
  } finally {
    setns(before, CLONE_NEWNS);
    close(before);
    process.chdir(directory);
  }
}

/** Mounts an overlay in a directory of its own, which goes again. Throws what the kernel has against it. */
function tryOverlay(parent: string): void {
  const directory = `${parent}/.bocker-probe-${randomBytes(8).toString("hex")}`;
  try {
    for (const name of ["lower", "upper", "work", "merged"]) makeDirectories(`${directory}/${name}`, 0o700);
    inOwnMounts(() =>
      mount(
        "overlay",
        `${directory}/merged`,
        "overlay",
        0,
        `lowerdir=${directory}/lower,upperdir=${directory}/upper,workdir=${directory}/work`,
      ),
    );
  } finally {
    removeTree(directory);
  }
}

/** undefined for a driver that works there, else why it does not. */
function obstacle(name: DriverName, existing: string, type: number): string | undefined {
  if (name === "btrfs")
    return type === BTRFS_MAGIC
      ? undefined
      : `${existing} is not on btrfs: "bocker storage pool create" makes a pool in a file, on any filesystem`;
  if (name === "vfs" || type === EXT4_MAGIC || type === TMPFS_MAGIC || type === BTRFS_MAGIC) return undefined;
  try {
    tryOverlay(existing);
    return undefined;
  } catch (error) {
    return `the kernel mounts none on the filesystem of ${existing}: ${messageOf(error)}`;
  }
}

/** Throws "invalid" for a name that is no driver's. */
function driverName(name: string): DriverName {
  if (isDriver(name)) return name;
  throw new BockerError("invalid", `unknown storage driver ${name}: there are ${DRIVERS.join(", ")}`);
}

/** Throws "conflict" for a data root that belongs to another driver than is asked for. */
function checkWanted(data: string, kept: StorageChoice, wanted: DriverName): void {
  if (wanted === kept.name) return;
  throw new BockerError(
    "conflict",
    `the data root ${data} was made by the storage driver ${kept.name}, and ${wanted} cannot read what it holds: leave --storage-driver (BOCKER_STORAGE_DRIVER) away, or use another --data-root; "bocker save" and "bocker load" carry images over`,
  );
}

/** @see StorageChoice.keep */
function keepChoice(data: string, choice: StorageChoice): void {
  makeDirectories(data, 0o710);
  const kept = keptChoice(data);
  if (kept !== undefined) {
    checkWanted(data, kept, choice.name);
    return;
  }
  const temporary = `${choicePath(data)}.${process.pid}`;
  writeFile(temporary, choiceText(choice), { mode: 0o644, durable: true });
  try {
    linkat(AT_FDCWD, temporary, AT_FDCWD, choicePath(data));
  } catch (error) {
    const other = keptChoice(data);
    if (other === undefined) throw error;
    checkWanted(data, other, choice.name);
  } finally {
    removeFile(temporary);
  }
}

function newChoice(data: string, name: DriverName, log: string[]): StorageChoice {
  const choice: StorageChoice = { name, log, keep: () => keepChoice(data, choice) };
  return choice;
}

/** Throws "invalid" for what is no driver, "conflict" for one that the data root does not belong to. */
export function checkAsked(data: string, kept: StorageChoice, asked: string): void {
  checkWanted(data, kept, driverName(asked));
}

/**
 * Decides for a new data root.
 * @param asked a driver that is wanted; throws "invalid" for what is none, "unsupported" where it does not work
 */
export function probeStorage(data: string, asked: string | undefined): StorageChoice {
  const wanted = asked === undefined ? undefined : driverName(asked);
  const existing = existingPart(data);
  const type = withFd(openat(AT_FDCWD, existing, O_RDONLY | O_DIRECTORY), filesystemType);
  if (wanted !== undefined) {
    const reason = obstacle(wanted, existing, type);
    if (reason !== undefined)
      throw new BockerError("unsupported", `the storage driver ${wanted} does not work here: ${reason}`);
    return newChoice(data, wanted, [`${wanted}: it was asked for`]);
  }
  const log: string[] = [];
  for (const name of DRIVERS) {
    const reason = obstacle(name, existing, type);
    log.push(`${name}: ${reason ?? "works here"}`);
    if (reason === undefined) return newChoice(data, name, log);
  }
  throw new TypeError("vfs works everywhere");
}
