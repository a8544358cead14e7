/** `cp`: files go into a container and come out of it, as tar archives in memory or on standard input and output. */
import { dirname } from "node:path";
import { setImmediate as otherWork } from "node:timers/promises";
import { BockerError } from "../base/errors.ts";
import { untilAborted } from "../base/until-aborted.ts";
import { LayerApplier } from "../images/layer/apply.ts";
import { fileToTar } from "../images/layer/diff.ts";
import { inflate } from "../images/layer/inflate.ts";
import type { LayerPath } from "../images/layer/layer-path.ts";
import { openInRoot } from "../images/layer/layer-root.ts";
import { PlacedSink, type Placement } from "../images/layer/placed-sink.ts";
import type { TarEntry } from "../images/layer/tar-entry.ts";
import { TarReader } from "../images/layer/tar-reader.ts";
import { AT_FDCWD, O_CLOEXEC, O_DIRECTORY, O_PATH, O_RDONLY, S_IFMT, S_IFSOCK } from "../os/constants.ts";
import { close, openat, withFd, withFdAsync } from "../os/files.ts";
import { isKernelFilesystem } from "../os/kernel-filesystems.ts";
import { isDirectory, type Stat } from "../os/metadata.ts";
import { isSystemError, messageOfErrno } from "../os/system-error.ts";
import type { ContainerRecord, MountPoint } from "../spec/container.ts";
import { recordContainerEvents } from "./container-events.ts";
import { type ContainerFiles, withContainerFiles } from "./container-files.ts";
import {
  assertsDirectory,
  type CopySource,
  type FoundPath,
  findPath,
  isMissing,
  openParent,
  placeOf,
  shownPath,
  sourceOf,
} from "./copy-path.ts";
import type { Engine } from "./engine.ts";

const ENOENT = 2;

/** A path in a container, and the container's name, both as they were typed. */
export interface ContainerPath {
  record: ContainerRecord;
  name: string;
  path: string;
}

export interface CopyOptions {
  /** A source that is a symlink is what it leads to. */
  followLink: boolean;
  signal: AbortSignal;
  /** Bytes of archive so far; called often. */
  progress?: (bytes: number) => void;
}

/** What became of a copy. */
export interface Copied {
  /** Bytes of archive. */
  size: number;
  /** Devices that were not made on the host. */
  leftOut: number;
}

function missing({ name, path }: ContainerPath): BockerError {
  return new BockerError("not-found", `Could not find the file ${path} in container ${name}`);
}

/** As findPath, with Docker's words for what is not there. */
function findIn(root: number, at: ContainerPath, followsLast: boolean): FoundPath {
  try {
    return findPath(root, at.path, followsLast);
  } catch (error) {
    throw isMissing(error) ? missing(at) : error;
  }
}

function findSource(
  root: number,
  at: ContainerPath,
  followLink: boolean,
): { found: FoundPath; source: CopySource } {
  const found = findIn(root, at, followLink);
  if (found.stat === undefined) throw missing(at);
  return { found, source: sourceOf(at.path, found.stat) };
}

/** As findIn, for what need not be there; but its directory must. */
function findTarget(root: number, at: ContainerPath): FoundPath {
  try {
    return findPath(root, at.path, true);
  } catch (error) {
    if (!isMissing(error)) throw error;
    throw missing({ ...at, path: assertsDirectory(at.path) ? at.path : dirname(at.path) });
  }
}

/** What is there on the host. Throws "not-found" in Docker's words. */
function findOnHost(root: number, path: string, followLink: boolean): FoundPath & { stat: Stat } {
  let reason = messageOfErrno(ENOENT);
  try {
    const { stat, ...found } = findPath(root, path, followLink);
    if (stat !== undefined) return { ...found, stat };
  } catch (error) {
    if (!isMissing(error)) throw error;
    reason = messageOfErrno(error.errno);
  }
  throw new BockerError("not-found", `lstat ${path}: ${reason}`);
}

/** What is found, under its new name. What is below the kernel's filesystems is left out; nothing itself on one is copied. */
function* archive(root: number, { path, stat }: FoundPath, name: string): Generator<Buffer, void, void> {
  const { parent, name: last } = openParent(root, path);
  try {
    const shown = shownPath(path);
    if (((stat?.mode ?? 0) & S_IFMT) === S_IFSOCK)
      throw new BockerError("invalid", `${shown} is a socket, which means nothing without its process`);
    if (isKernelFilesystem(parent))
      throw new BockerError("invalid", `${shown} is the kernel's, and no file that could be copied`);
    yield* fileToTar(parent, last, Buffer.from(name), { withoutKernelFiles: true });
  } finally {
    close(parent);
  }
}

const SLICE_MS = 50;

interface Extraction extends Placement {
  chunks: AsyncIterable<Buffer> | Iterable<Buffer>;
  root: number;
  /** What the root is called in messages. */
  at: string;
  signal: AbortSignal;
  progress: CopyOptions["progress"];
}

/** Makes what is in an archive below a root. Returns the archive's bytes. */
async function extract({ chunks, root, at, signal, progress, ...placement }: Extraction): Promise<number> {
  const applier = new LayerApplier(root, { mode: "copy", at });
  try {
    const reader = new TarReader(new PlacedSink(applier, placement));
    let size = 0;
    let next = performance.now() + SLICE_MS;
    for await (const chunk of chunks) {
      if (signal.aborted) throw new BockerError("interrupted", "interrupted");
      reader.write(chunk);
      size += chunk.length;
      progress?.(size);
      if (performance.now() < next) continue;
      await otherWork();
      next = performance.now() + SLICE_MS;
    }
    reader.finish();
    applier.finish();
    return size;
  } finally {
    applier.close();
  }
}

const hostRoot = () => openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC);

/** The archive of a container's file or directory, in chunks. Throws "not-found". */
export function archiveFromContainer(
  engine: Engine,
  from: ContainerPath,
  { followLink, signal }: CopyOptions,
  write: (chunks: Iterable<Buffer>) => Promise<void>,
): Promise<void> {
  return withContainerFiles(engine, from.record, signal, async ({ root }) => {
    const { found, source } = findSource(root, from, followLink);
    recordContainerEvents(engine, from.record, "archive-path");
    await write(archive(root, found, source.name));
  });
}

const SET_ID = 0o6000;

/**
 * What a container gives is the caller's on the host, as with cp(1): neither another user's, nor a program that anybody runs
 * as its owner. Devices would be the machine's own: they are left out.
 */
function asCallers(count: () => void): Placement["adapt"] {
  const [uid, gid] = [process.geteuid!(), process.getegid!()];
  return (entry) => {
    if (entry.type === "character" || entry.type === "block") {
      count();
      return undefined;
    }
    return { ...entry, uid, gid, mode: entry.mode & ~SET_ID, xattrs: plainAttributes(entry, false) };
  };
}

/** Users' own attributes, and capabilities if they may go along: all others are of the place that the file was in. */
function plainAttributes({ xattrs }: TarEntry, withCapabilities: boolean): TarEntry["xattrs"] {
  const goesAlong = (name: string) =>
    name.startsWith("user.") || (withCapabilities && name === "security.capability");
  return new Map([...xattrs].filter(([name]) => goesAlong(name)));
}

const asItIs: Placement["adapt"] = (entry) => ({ ...entry, xattrs: plainAttributes(entry, true) });

/**
 * Copies a container's file or directory to the host, by Docker's rules for where it goes.
 * @param to an absolute path
 * @param keepsOwners owners, set-uid bits, capabilities and devices are as in the container
 * @throws BockerError "not-found", and "invalid" or "conflict" for a target that it cannot become
 */
export function copyFromContainer(
  engine: Engine,
  from: ContainerPath,
  to: string,
  keepsOwners: boolean,
  options: CopyOptions,
): Promise<Copied> {
  return withContainerFiles(engine, from.record, options.signal, async ({ root, signal }) => {
    const { found, source } = findSource(root, from, options.followLink);
    recordContainerEvents(engine, from.record, "archive-path");
    const [place, directory] = withFd(hostRoot(), (host) => {
      const found = placeOf(source, findPath(host, to, true), to);
      return [found, openInRoot(host, found.directory, O_RDONLY | O_DIRECTORY)] as const;
    });
    let leftOut = 0;
    const adapt = keepsOwners ? asItIs : asCallers(() => leftOut++);
    const chunks = archive(root, found, place.name);
    // Confined to the directory: what a container calls its files leads nowhere else.
    const size = await withFdAsync(directory, (target) =>
      extract({
        ...{ chunks, root: target, at: shownPath(place.directory).replace(/^\/$/, "") },
        ...{ directory: [], adapt, signal, progress: options.progress },
      }),
    );
    return { size, leftOut };
  });
}

/** The mount of the user's that a path is in: the deepest one. */
function mountAt({ mounts }: ContainerRecord, path: string): MountPoint | undefined {
  const holds = ({ destination }: MountPoint) =>
    path === destination || path.startsWith(`${destination.replace(/\/$/, "")}/`);
  return mounts.filter(holds).sort((a, b) => b.destination.length - a.destination.length)[0];
}

/** What is written to its directory is to be there when the container runs again. */
function refuseTemporary({ isRunning }: ContainerFiles, { record, name }: ContainerPath, path: string): void {
  const mount = mountAt(record, path);
  if (isRunning || mount?.type !== "tmpfs") return;
  throw new BockerError(
    "conflict",
    `${mount.destination} is a tmpfs of container ${name}: there is nothing in it while the container does not run`,
  );
}

/** An error of writing to a container, with Docker's words for a place that is read-only. */
function writeError(error: unknown, { record }: ContainerPath, path: string): unknown {
  const cause = error instanceof BockerError ? error.cause : error;
  if (!isSystemError(cause, "EROFS")) return error;
  const what =
    mountAt(record, path) === undefined
      ? "container rootfs is marked read-only"
      : "mounted volume is marked read-only";
  return new BockerError("denied", what, { cause });
}

/** Said before anything is written, in Docker's words. */
function checkDirectory(root: number, directory: LayerPath, at: ContainerPath): void {
  let fd: number;
  try {
    fd = openInRoot(root, directory, O_PATH | O_DIRECTORY);
  } catch (error) {
    if (isSystemError(error, "ENOTDIR"))
      throw new BockerError("invalid", "extraction point is not a directory");
    throw isMissing(error) ? missing(at) : error;
  }
  withFd(fd, () => {
    if (isKernelFilesystem(fd))
      throw new BockerError("denied", `${at.path} is the kernel's: no files can be made in it`);
  });
}

/** Makes what is in an archive in a container that runs, or in one that does not. */
async function extractInto(
  engine: Engine,
  to: ContainerPath,
  options: CopyOptions,
  prepare: (files: ContainerFiles) => {
    chunks: AsyncIterable<Buffer> | Iterable<Buffer>;
    directory: LayerPath;
  },
): Promise<Copied> {
  return await withContainerFiles(engine, to.record, options.signal, async (files) => {
    const { chunks, directory } = prepare(files);
    const path = shownPath(directory);
    refuseTemporary(files, to, path);
    checkDirectory(files.root, directory, { ...to, path });
    recordContainerEvents(engine, to.record, "extract-to-dir");
    try {
      const { root, signal } = files;
      const { progress } = options;
      const size = await extract({ chunks, root, at: "", directory, adapt: asItIs, signal, progress });
      return { size, leftOut: 0 };
    } catch (error) {
      if (files.signal.aborted && !options.signal.aborted)
        throw new BockerError("not-running", `container ${to.name} has ended while files were copied to it`);
      throw writeError(error, to, path);
    }
  });
}

/**
 * Copies a file or directory of the host into a container.
 * @param from an absolute path
 * @throws BockerError "not-found", "invalid", "conflict", as copyFromContainer; "denied" where the container is read-only
 */
export async function copyToContainer(
  engine: Engine,
  from: string,
  to: ContainerPath,
  options: CopyOptions,
): Promise<Copied> {
  const host = hostRoot();
  return await withFdAsync(host, () => {
    const found = findOnHost(host, from, options.followLink);
    const source = sourceOf(from, found.stat);
    return extractInto(engine, to, options, ({ root }) => {
      const place = placeOf(source, findTarget(root, to), to.path);
      return { chunks: archive(host, found, place.name), directory: place.directory };
    });
  });
}

/**
 * Unpacks an archive, plain or compressed by gzip or zstd, into a directory of a container.
 * @throws BockerError as copyToContainer, and "corrupt" for what is no archive
 */
export function extractToContainer(
  engine: Engine,
  archived: AsyncIterable<Uint8Array>,
  to: ContainerPath,
  options: CopyOptions,
): Promise<Copied> {
  return extractInto(engine, to, options, ({ root, signal }) => {
    const { path, stat } = findIn(root, to, true);
    if (stat === undefined || !isDirectory(stat))
      throw new BockerError("invalid", `destination "${to.name}:${to.path}" must be a directory`);
    return { chunks: untilAborted(inflate(archived), signal), directory: path };
  });
}
