/**
 * Archives of images: what `docker save` has made in any of its versions, `podman save`, skopeo and umoci (OCI image
 * layouts). Every file of the archive becomes an unpublished blob of the store, whatever its name is; names only say
 * which is meant. Nothing is written anywhere else.
 */
import { posix } from "node:path";
import type { Digest } from "../../base/digest.ts";
import { BockerError } from "../../base/errors.ts";
import { untilAborted } from "../../base/until-aborted.ts";
import { inflate } from "../layer/inflate.ts";
import { quoted } from "../layer/layer-path.ts";
import type { TarEntry } from "../layer/tar-entry.ts";
import { readTar, type TarSink } from "../layer/tar-reader.ts";
import type { ContentStore, Ingest } from "../store.ts";

/** More than any archive of images has. */
const FILES_MAX = 100_000;

/** As links of the archive see it: without "./", "..", and slashes that mean nothing. */
function normal(name: string): string {
  return posix.normalize(`/${name}`).slice(1).replace(/\/$/, "");
}

class Receiver implements TarSink {
  readonly #content: ContentStore;
  readonly files = new Map<string, Ingest>();
  /** Legacy archives have each layer once, and links to it. */
  readonly links = new Map<string, string>();
  #current: Ingest | undefined;
  #position = 0;

  constructor(content: ContentStore) {
    this.#content = content;
  }

  entry(entry: TarEntry): void {
    const name = normal(entry.name.toString("utf8"));
    this.#current = undefined;
    if (this.files.size + this.links.size >= FILES_MAX)
      throw new BockerError("corrupt", `the archive has more than ${FILES_MAX} files: it is none of images`);
    if (entry.type === "symlink")
      this.links.set(name, normal(posix.join(posix.dirname(name), entry.linkName.toString("utf8"))));
    else if (entry.type === "hardlink") this.links.set(name, normal(entry.linkName.toString("utf8")));
    if (entry.type !== "file") return;
    if (entry.extents !== undefined)
      throw new BockerError("unsupported", `${quoted(entry.name)} is stored as a sparse file`);
    this.files.get(name)?.abort();
    this.links.delete(name);
    this.#current = this.#content.ingest();
    this.#position = 0;
    this.files.set(name, this.#current);
  }

  data(bytes: Buffer, position: number): void {
    if (position !== this.#position) throw new BockerError("corrupt", "the archive has a hole");
    this.#position += bytes.length;
    this.#current?.write(bytes);
  }

  end(): void {
    this.#current?.verify();
  }
}

/** The files of an archive; `close` gives up those that nobody has published. */
export class ReceivedArchive {
  readonly #receiver: Receiver;
  readonly #byDigest = new Map<Digest, Ingest>();

  private constructor(receiver: Receiver) {
    this.#receiver = receiver;
    for (const file of receiver.files.values()) this.#byDigest.set(file.verify().digest, file);
  }

  /** Takes in a whole archive, compressed (gzip, zstd) or not. After a failure nothing is left. */
  static async read(
    content: ContentStore,
    source: AsyncIterable<Uint8Array>,
    signal: AbortSignal | undefined,
  ): Promise<ReceivedArchive> {
    const receiver = new Receiver(content);
    try {
      await readTar(untilAborted(inflate(source), signal), receiver);
      return new ReceivedArchive(receiver);
    } catch (error) {
      for (const file of receiver.files.values()) file.abort();
      throw error;
    }
  }

  /** A file by its name, through links; undefined when there is none. */
  file(name: string): Ingest | undefined {
    let at = normal(name);
    for (let steps = 0; steps < 8; steps++) {
      const found = this.#receiver.files.get(at);
      if (found !== undefined) return found;
      const target = this.#receiver.links.get(at);
      if (target === undefined) return undefined;
      at = target;
    }
    return undefined;
  }

  /** A file by what it is, wherever it lies. */
  blob(digest: Digest): Ingest | undefined {
    return this.#byDigest.get(digest);
  }

  /** All of a small file. Throws "corrupt" for a large one. */
  document(file: Ingest, limit = 8 << 20): Buffer {
    if (file.size > limit)
      throw new BockerError("corrupt", `a document of the archive has ${file.size} bytes`);
    return Buffer.concat([...file.stream()]);
  }

  close(): void {
    for (const file of this.#receiver.files.values()) file.abort();
  }
}
