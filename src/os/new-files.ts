/**
 * Many small new files, directories and symlinks below one directory: written down in memory, and made from there, a batch
 * at a time, by a thread of native/new-files.c, while the caller reads on.
 *
 * Promises: they are made in the order in which they were added. What the plain calls do not make at the first attempt,
 * whatever the reason, the caller is given to do in its own way (`refused`), and only then the next ones follow. No lookup
 * leaves the directory (RESOLVE_IN_ROOT), and no final symlink is followed.
 */
import { identityOf, type Timestamp } from "./metadata.ts";
import { native } from "./native.ts";
import { checked } from "./syscalls.ts";

export interface NewFile {
  kind: "file" | "directory" | "symlink";
  /** Of the directory that it is in, below the root, which is "."; it is looked up when the turn comes. */
  parent: Buffer;
  name: Buffer;
  /** Permission bits; symlinks have none. */
  mode: number;
  uid: number;
  gid: number;
  /** Of access and of change; a directory's are the caller's to set, when nothing more comes into it. */
  mtime: Timestamp;
  /** Bytes of its contents, or of a symlink's target, which `data` gives before the next is added. */
  size: number;
}

export interface NewFilesListener<T> {
  /** A directory is there. */
  made(tag: T, identity: string): void;
  /** It is not there, or not whole. `data` is only lent. */
  refused(tag: T, data: Buffer): void;
}

/** Bytes of a batch. */
const CAPACITY = 1 << 20;
/** What is larger is not worth copying. */
const SIZE_MAX = CAPACITY / 4;
/** So few are made at once sooner than handed over. */
const FEW = 8;
const KINDS = { file: 0, directory: 1, symlink: 2 } as const;
/** `struct record` of native/new-files.c: where its fields are, in bytes. */
const RECORD = {
  size: 0,
  parentLength: 4,
  nameLength: 6,
  kind: 8,
  mode: 12,
  uid: 16,
  gid: 20,
  seconds: 24,
  nanoseconds: 32,
  dataLength: 36,
  device: 40,
  inode: 48,
  length: 56,
} as const;
const WORD = 2 ** 32;

interface Added<T> {
  tag: T;
  at: number;
  isDirectory: boolean;
}

class Batch<T> {
  // Memory of its own, which stays where it is.
  readonly memory = Buffer.from(new ArrayBuffer(CAPACITY));
  readonly #view = new DataView(this.memory.buffer);
  length = 0;
  added: Added<T>[] = [];

  /** Writes down all of it but its bytes. Returns where these are to be. */
  add(file: NewFile, tag: T, size: number): number {
    const at = this.length;
    const { memory } = this;
    const view = this.#view;
    const set = (field: number, value: number) => view.setUint32(at + field, value, true);
    set(RECORD.size, size);
    view.setUint16(at + RECORD.parentLength, file.parent.length, true);
    view.setUint16(at + RECORD.nameLength, file.name.length, true);
    set(RECORD.kind, KINDS[file.kind]);
    set(RECORD.mode, file.mode);
    set(RECORD.uid, file.uid);
    set(RECORD.gid, file.gid);
    set(RECORD.seconds, file.mtime.sec);
    view.setInt32(at + RECORD.seconds + 4, Math.floor(file.mtime.sec / WORD), true);
    set(RECORD.nanoseconds, file.mtime.nsec);
    set(RECORD.dataLength, file.size);
    let end = at + RECORD.length;
    for (const text of [file.parent, file.name]) {
      end += text.copy(memory, end);
      memory[end++] = 0;
    }
    memory[end + file.size] = 0;
    this.length += size;
    this.added.push({ tag, at, isDirectory: file.kind === "directory" });
    return end;
  }

  dataOf(at: number): Buffer {
    const view = this.#view;
    const lengths = [RECORD.parentLength, RECORD.nameLength].map((field) => view.getUint16(at + field, true));
    const start = at + RECORD.length + lengths[0]! + 1 + lengths[1]! + 1;
    return this.memory.subarray(start, start + view.getUint32(at + RECORD.dataLength, true));
  }

  identityOf(at: number): string {
    const word = (field: number) => this.#view.getUint32(at + field, true);
    const device = word(RECORD.device + 4) * WORD + word(RECORD.device);
    return identityOf(device, word(RECORD.inode + 4), word(RECORD.inode));
  }

  clear(): void {
    this.length = 0;
    this.added = [];
  }
}

/** See the top of this file. */
export class NewFiles<T> {
  readonly #root: number;
  readonly #listener: NewFilesListener<T>;
  #filling: Batch<T> | undefined;
  /** What the thread works on. */
  #running: Batch<T> | undefined;
  #spare: Batch<T> | undefined;
  /** The thread's number; -1 as long as there is none. */
  #thread = -1;
  /** Where the next bytes of the last one added go. */
  #dataAt = 0;

  /** @param root descriptor of the directory, the caller's to close, after `close` */
  constructor(root: number, listener: NewFilesListener<T>) {
    this.#root = root;
    this.#listener = listener;
  }

  /** Whether `size` bytes are few enough for it. */
  static takes(size: number): boolean {
    return size <= SIZE_MAX;
  }

  /** `tag` comes back with what is told of it. May make what was added before. */
  add(file: NewFile, tag: T): void {
    const unpadded = RECORD.length + file.parent.length + file.name.length + file.size + 3;
    const size = (unpadded + 7) & ~7;
    if (this.#filling !== undefined && this.#filling.length + size > CAPACITY) this.#handOver();
    this.#filling ??= new Batch();
    this.#dataAt = this.#filling.add(file, tag, size);
  }

  /** The next bytes of what was added last. */
  data(bytes: Uint8Array): void {
    this.#filling!.memory.set(bytes, this.#dataAt);
    this.#dataAt += bytes.length;
  }

  /** Makes all that was added, before it returns. */
  drain(): void {
    this.#settle();
    const batch = this.#filling;
    if (batch === undefined || batch.length === 0) return;
    if (this.#thread >= 0 && batch.added.length > FEW) {
      this.#handOver();
      this.#settle();
    } else this.#make(batch, 0);
  }

  /** Ends the thread. What it has not begun is not made. */
  close(): void {
    this.#filling = undefined;
    this.#running = undefined;
    if (this.#thread < 0) return;
    native().filesStop(this.#thread);
    this.#thread = -1;
  }

  /** Gives the thread what has been added, when it is done with what it has. */
  #handOver(): void {
    this.#settle();
    const batch = this.#filling!;
    // A process that may have no more threads goes on without.
    if (this.#thread < 0) this.#thread = native().filesThread();
    if (this.#thread < 0) {
      this.#make(batch, 0);
      return;
    }
    checked(native().filesBegin(this.#thread, this.#root, batch.memory, 0, batch.length), "openat2");
    this.#running = batch;
    this.#filling = this.#spare;
    this.#spare = undefined;
  }

  #settle(): void {
    const batch = this.#running;
    if (batch === undefined) return;
    const done = checked(native().filesWait(this.#thread), "openat2");
    this.#running = undefined;
    this.#make(batch, this.#tell(batch, 0, done));
    this.#spare = batch;
  }

  /** Makes those of the batch from number `from` on, in this thread. */
  #make(batch: Batch<T>, from: number): void {
    for (let next = from; next < batch.added.length; ) {
      const start = batch.added[next]!.at;
      const done = native().filesMake(this.#root, batch.memory, start, batch.length - start);
      next = this.#tell(batch, next, start + checked(done, "openat2"));
    }
    batch.clear();
  }

  /** Those from number `from` on have been made up to the one at `done`, which is refused. Returns the one behind it. */
  #tell(batch: Batch<T>, from: number, done: number): number {
    for (let next = from; next < batch.added.length; next++) {
      const { tag, at, isDirectory } = batch.added[next]!;
      if (at >= done) {
        this.#listener.refused(tag, batch.dataOf(at));
        return next + 1;
      }
      if (isDirectory) this.#listener.made(tag, batch.identityOf(at));
    }
    return batch.added.length;
  }
}
