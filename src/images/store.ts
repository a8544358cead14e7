/**
 * The content store: blobs by digest, under `<root>/content`.
 *
 *   blobs/sha256/<hex>   complete and verified, mode 0600
 *   ingest/<random>      being written; its writer holds an exclusive flock on it
 *
 * Promises: a blob appears under its digest only when all its bytes are there, hash to it and are on
 * disk (write, fsync, rename, fsync of the directory), so a crash at any moment leaves either nothing or
 * all of it. Two processes may write the same blob: the later rename replaces equal bytes.
 */

import { type Digest, digestFromHex, digestHex, digestOf, isLowerHex } from "../base/digest.ts";
import { BockerError } from "../base/errors.ts";
import { createSha256 } from "../base/hash.ts";
import { randomBytes } from "../base/random.ts";
import {
  AT_FDCWD,
  LOCK_EX,
  LOCK_NB,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_NOFOLLOW,
  O_RDONLY,
  O_RDWR,
} from "../os/constants.ts";
import { readDirectory } from "../os/directories.ts";
import {
  close,
  flock,
  fsync,
  mkdirat,
  openat,
  pread,
  readAll,
  renameat2,
  unlinkat,
  withFd,
  writeAll,
} from "../os/files.ts";
import { fstat, statatIfExists } from "../os/metadata.ts";
import { isSystemError } from "../os/system-error.ts";

const READ_SIZE = 1 << 18;

/** What a blob must turn out to be. */
export interface ExpectedBlob {
  digest: Digest;
  /** In bytes. */
  size: number;
}

/** The BockerError for a write that failed. */
function writeError(error: unknown): unknown {
  if (isSystemError(error, "ENOSPC", "EDQUOT")) {
    return new BockerError("no-space", `cannot store the image: ${error.message}`, { cause: error });
  }
  return error;
}

/** A blob on its way in. Exactly one of `commit` and `abort` ends it; `abort` may be called again. */
export class Ingest {
  readonly #store: ContentStore;
  readonly #expected: ExpectedBlob | undefined;
  readonly #name: string;
  readonly #hash = createSha256();
  #fd: number;
  #size = 0;
  #verified: ExpectedBlob | undefined;

  /** Use `ContentStore.ingest`. */
  constructor(store: ContentStore, name: string, fd: number, expected: ExpectedBlob | undefined) {
    this.#store = store;
    this.#name = name;
    this.#fd = fd;
    this.#expected = expected;
  }

  /** Bytes so far. */
  get size(): number {
    return this.#size;
  }

  /** Adds bytes; more than the expected size is BockerError("corrupt") at once. */
  write(bytes: Uint8Array): void {
    this.#size += bytes.length;
    const expected = this.#expected;
    if (expected !== undefined && this.#size > expected.size) {
      throw new BockerError("corrupt", `${expected.digest} is larger than its ${expected.size} bytes`);
    }
    this.#hash.update(bytes);
    try {
      writeAll(this.#fd, bytes);
    } catch (error) {
      throw writeError(error);
    }
  }

  /** What was written, held against what was expected: BockerError("corrupt"). No more writes after it. */
  verify(): ExpectedBlob {
    if (this.#verified !== undefined) return this.#verified;
    const found: ExpectedBlob = { digest: digestFromHex(this.#hash.digest("hex")), size: this.#size };
    const expected = this.#expected;
    if (expected !== undefined && expected.size !== found.size) {
      throw new BockerError(
        "corrupt",
        `${expected.digest} has ${found.size} bytes instead of ${expected.size}`,
      );
    }
    if (expected !== undefined && expected.digest !== found.digest) {
      throw new BockerError("corrupt", `the content of ${expected.digest} has the digest ${found.digest}`);
    }
    this.#verified = found;
    return found;
  }

  /** What has been written so far, in chunks, from `offset` on. */
  *stream(offset = 0): Generator<Buffer, void, void> {
    for (let position = offset; position < this.#size; ) {
      const buffer = Buffer.allocUnsafe(READ_SIZE);
      const count = pread(this.#fd, buffer, position);
      if (count === 0) return;
      position += count;
      yield buffer.subarray(0, count);
    }
  }

  /** Verifies, syncs and publishes. After a failure nothing is left. */
  commit(): ExpectedBlob {
    let found: ExpectedBlob;
    try {
      found = this.verify();
      fsync(this.#fd);
      this.#store.publish(this.#name, found.digest);
    } catch (error) {
      this.abort();
      throw writeError(error);
    }
    close(this.#fd);
    this.#fd = -1;
    return found;
  }

  abort(): void {
    if (this.#fd < 0) return;
    this.#store.discard(this.#name);
    close(this.#fd);
    this.#fd = -1;
  }
}

function openDirectory(dirfd: number, name: string): number {
  try {
    mkdirat(dirfd, name, 0o700);
    fsync(dirfd);
  } catch (error) {
    if (!isSystemError(error, "EEXIST")) throw error;
  }
  return openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

export class ContentStore {
  readonly #blobs: number;
  readonly #ingests: number;

  /** `root` is bocker's data directory, which must exist; what is missing below it is made, 0700. */
  constructor(root: string) {
    const rootFd = openat(AT_FDCWD, root, O_RDONLY | O_DIRECTORY);
    const content = withFd(rootFd, () => openDirectory(rootFd, "content"));
    const [blobs, ingests] = withFd(content, () => [
      withFd(openDirectory(content, "blobs"), (fd) => openDirectory(fd, "sha256")),
      openDirectory(content, "ingest"),
    ]);
    this.#blobs = blobs!;
    this.#ingests = ingests!;
  }

  close(): void {
    close(this.#blobs);
    close(this.#ingests);
  }

  /** The blob's size in bytes; undefined where the store does not have it. */
  size(digest: Digest): number | undefined {
    return statatIfExists(this.#blobs, digestHex(digest))?.size;
  }

  /** A descriptor to read from, the caller's to close; BockerError("not-found"). */
  open(digest: Digest): number {
    try {
      return openat(this.#blobs, digestHex(digest), O_RDONLY | O_NOFOLLOW);
    } catch (error) {
      if (!isSystemError(error, "ENOENT")) throw error;
      throw new BockerError("not-found", `content ${digest} is not in the store`);
    }
  }

  /** All of a small blob, hashed again: what was damaged on disk is BockerError("corrupt"). */
  read(digest: Digest, limit = 8 << 20): Buffer {
    const bytes = withFd(this.open(digest), (fd) => readAll(fd, limit));
    if (digestOf(bytes) === digest) return bytes;
    throw new BockerError("corrupt", `the stored content of ${digest} is damaged`);
  }

  /** A blob in chunks, not hashed, from `offset` on. */
  *stream(digest: Digest, offset = 0): Generator<Buffer, void, void> {
    const fd = this.open(digest);
    try {
      for (let at = offset; ; ) {
        const buffer = Buffer.allocUnsafe(READ_SIZE);
        const count = pread(fd, buffer, at);
        if (count === 0) return;
        at += count;
        yield buffer.subarray(0, count);
      }
    } finally {
      close(fd);
    }
  }

  /** Stores a small blob at once, e.g. a manifest. */
  add(bytes: Uint8Array, expected?: ExpectedBlob): ExpectedBlob {
    const ingest = this.ingest(expected);
    try {
      ingest.write(bytes);
    } catch (error) {
      ingest.abort();
      throw error;
    }
    return ingest.commit();
  }

  /** Begins a blob. */
  ingest(expected?: ExpectedBlob): Ingest {
    try {
      for (;;) {
        const name = randomBytes(16).toString("hex");
        const fd = openat(this.#ingests, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
        flock(fd, LOCK_EX);
        if (fstat(fd).nlink > 0) return new Ingest(this, name, fd, expected);
        // Between the two calls it was nobody's, and was removed as such.
        close(fd);
      }
    } catch (error) {
      throw writeError(error);
    }
  }

  /** Every digest in the store. */
  *digests(): Generator<Digest, void, void> {
    for (const { name } of readDirectory(this.#blobs)) {
      const hex = name.toString("latin1");
      if (hex.length === 64 && isLowerHex(hex)) yield digestFromHex(hex);
    }
  }

  /** Removes a blob that nothing refers to any more. True when there was one. */
  remove(digest: Digest): boolean {
    try {
      unlinkat(this.#blobs, digestHex(digest));
      return true;
    } catch (error) {
      if (isSystemError(error, "ENOENT")) return false;
      throw error;
    }
  }

  /** Calls `action` for every file that a crashed writer left, while nobody else can take it up. */
  #eachStaleIngest(action: (name: Buffer) => void): void {
    for (const { name } of readDirectory(this.#ingests)) {
      try {
        withFd(openat(this.#ingests, name, O_RDONLY | O_NOFOLLOW), (fd) => {
          // A live writer has the lock, or is about to take it and looks then whether it still has a file.
          if (flock(fd, LOCK_EX | LOCK_NB)) action(name);
        });
      } catch (error) {
        if (!isSystemError(error, "ENOENT")) throw error;
      }
    }
  }

  /** Names of what crashed writers left. */
  staleIngests(): string[] {
    const names: string[] = [];
    this.#eachStaleIngest((name) => names.push(name.toString("latin1")));
    return names;
  }

  /** Removes what crashed writers left; returns how many files. */
  removeStaleIngests(): number {
    let removed = 0;
    this.#eachStaleIngest((name) => {
      unlinkat(this.#ingests, name);
      removed++;
    });
    return removed;
  }

  /** For Ingest: gives a written and synced file its name. */
  publish(ingest: string, digest: Digest): void {
    renameat2(this.#ingests, ingest, this.#blobs, digestHex(digest));
    fsync(this.#blobs);
  }

  /** For Ingest: removes a file that will not become a blob. */
  discard(ingest: string): void {
    try {
      unlinkat(this.#ingests, ingest);
    } catch (error) {
      if (!isSystemError(error, "ENOENT")) throw error;
    }
  }
}
