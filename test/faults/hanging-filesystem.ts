/**
 * A filesystem that stops to answer when this program is stopped (SIGSTOP): FUSE, as include/uapi/linux/fuse.h has it, with an
 * empty directory. Who looks for `never` in it is not answered either. Descriptor 3 is /dev/fuse; see HangingFilesystem. As a program:
 *   hanging-filesystem.ts serve
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdirSync, readSync, writeSync } from "node:fs";
import { until } from "../e2e/wait.ts";

const DEVICE = 3;
const ENOSYS = 38;
const ENOENT = 2;
const LOOKUP = 1;
const GETATTR = 3;
const STATFS = 17;
const INIT = 26;
/** A name that is asked for and never answered: the request is not waiting to be read any more, which is another thing. */
const NEVER = "never";
/** Nobody waits for an answer to these: FORGET, INTERRUPT, BATCH_FORGET. */
const UNANSWERED = [2, 36, 42];

/** struct fuse_out_header and what follows it. */
function answer(unique: bigint, error: number, body: Uint8Array = Buffer.alloc(0)): void {
  const head = Buffer.alloc(16);
  head.writeUInt32LE(16 + body.length, 0);
  head.writeInt32LE(-error, 4);
  head.writeBigUInt64LE(unique, 8);
  writeSync(DEVICE, Buffer.concat([head, body]));
}

/** struct fuse_attr_out of the root. What it says may not be kept: each look asks again. */
function rootAttributes(): Buffer {
  const body = Buffer.alloc(16 + 88);
  body.writeBigUInt64LE(1n, 16);
  body.writeUInt32LE(0o40755, 16 + 60);
  body.writeUInt32LE(2, 16 + 64);
  return body;
}

/** struct fuse_init_out of protocol 7.31. */
function initialAnswer(): Buffer {
  const body = Buffer.alloc(64);
  body.writeUInt32LE(7, 0);
  body.writeUInt32LE(31, 4);
  body.writeUInt32LE(4096, 20);
  return body;
}

function serve(): void {
  const request = Buffer.alloc(1 << 20);
  for (;;) {
    let length: number;
    try {
      length = readSync(DEVICE, request);
    } catch (error) {
      // ENOENT: the request was given up meanwhile. ENODEV: it is unmounted.
      if ((error as NodeJS.ErrnoException).code === "ENODEV") return;
      continue;
    }
    if (length < 40) return;
    const operation = request.readUInt32LE(4);
    const unique = request.readBigUInt64LE(8);
    if (UNANSWERED.includes(operation)) continue;
    if (operation === LOOKUP && request.subarray(40, length - 1).toString() === NEVER) continue;
    if (operation === INIT) answer(unique, 0, initialAnswer());
    else if (operation === GETATTR) answer(unique, 0, rootAttributes());
    else if (operation === STATFS) answer(unique, 0, Buffer.alloc(80));
    else answer(unique, operation === LOOKUP ? ENOENT : ENOSYS);
  }
}

/** One that is mounted, and that hangs when it is told to. */
export class HangingFilesystem {
  readonly #server: ChildProcess;
  readonly #directory: string;

  /** False where the machine has no FUSE. */
  static isPossible(): boolean {
    return spawnSync("sh", ["-c", ": <>/dev/fuse && grep -q fuse$ /proc/filesystems"]).status === 0;
  }

  static async mount(directory: string): Promise<HangingFilesystem> {
    mkdirSync(directory);
    const filesystem = new HangingFilesystem(directory);
    await until(() => spawnSync("timeout", ["1", "mountpoint", "-q", directory]).status === 0);
    return filesystem;
  }

  private constructor(directory: string) {
    this.#directory = directory;
    const options = "fd=3,rootmode=40000,user_id=0,group_id=0,allow_other";
    const script = `exec 3<>/dev/fuse; /bin/busybox mount -i -t fuse -o ${options} hanging "$1" && exec "$2" "$3" serve`;
    const words = ["-c", script, "sh", directory, process.execPath, import.meta.path];
    this.#server = spawn("sh", words, { stdio: "ignore" });
  }

  hang(): void {
    this.#server.kill("SIGSTOP");
  }

  goOn(): void {
    this.#server.kill("SIGCONT");
  }

  /** Ends it for all who wait for it. */
  async remove(): Promise<void> {
    const ended = new Promise((resolve) => this.#server.once("exit", resolve));
    spawnSync("umount", ["-l", this.#directory]);
    this.#server.kill("SIGKILL");
    if (this.#server.exitCode === null && this.#server.signalCode === null) await ended;
  }
}

if (process.argv[2] === "serve") serve();
