/**
 * The push side of the OCI distribution protocol, for one repository (distribution spec, "Push").
 *
 * Promises, besides those of RegistrySession: a blob that was sent is one that the registry has confirmed under the digest
 * that it was sent for; an upload that breaks off is begun anew, a bounded number of times. One in chunks goes on after the
 * last one that the registry has.
 */
import { type Digest, digestOf } from "../base/digest.ts";
import { BockerError } from "../base/errors.ts";
import type { Reference } from "../base/reference.ts";
import { MANIFEST_TYPES } from "./client.ts";
import { TransientError } from "./failure.ts";
import type { HttpResponse } from "./http.ts";
import { waitBeforeRetry, withRetries } from "./retry.ts";
import { type ClientOptions, type RegistryRequest, RegistrySession } from "./session.ts";

/** Bytes, for a registry that does not take a blob at once. */
const CHUNK_DEFAULT = 10 << 20;
const CHUNK_LEAST = 64 << 10;
const TOO_LARGE = 413;
const BYTES = { "content-type": "application/octet-stream" };

export interface OutgoingBlob {
  digest: Digest;
  /** In bytes. */
  size: number;
  /** The bytes from `offset` on; called for each attempt. */
  chunks: (offset: number) => Iterable<Uint8Array>;
}

export class RegistryPusher {
  readonly #session: RegistrySession;
  /** Bytes; undefined until the registry has refused to take a blob at once. */
  #chunkSize: number | undefined;

  /** Of `reference`, domain and path count. */
  constructor(reference: Reference, options: ClientOptions = {}) {
    this.#session = new RegistrySession(reference, "push", options);
  }

  /** Whether the repository has the blob. */
  async has(digest: Digest): Promise<boolean> {
    const { status } = await this.#request(`blobs/${digest}`, { method: "HEAD", expected: [200, 404] });
    return status === 200;
  }

  /** Whether the repository has the manifest, or the index. */
  async hasManifest(digest: Digest): Promise<boolean> {
    const { status } = await this.#request(`manifests/${digest}`, {
      method: "HEAD",
      headers: { accept: MANIFEST_TYPES },
      expected: [200, 404],
    });
    return status === 200;
  }

  /**
   * Sends a blob, or has the registry take it from another repository of its own.
   * @param from "library/debian"; undefined where none is known to have it
   * @param progress bytes that have been sent; called often
   * @returns true when it was taken from there
   */
  async send(
    blob: OutgoingBlob,
    from: string | undefined,
    progress: (sent: number) => void,
  ): Promise<boolean> {
    return withRetries(this.#session.retry, this.#session.signal, async () => {
      const mount =
        from === undefined
          ? ""
          : `?mount=${encodeURIComponent(blob.digest)}&from=${encodeURIComponent(from)}`;
      const begun = await this.#begin(mount);
      if (begun === undefined) return true;
      const { target, least } = begun;
      const chunkSize = this.#chunkSize ?? (await this.#session.uploadChunkSize());
      if (chunkSize !== undefined)
        await this.#sendInChunks(blob, target, Math.max(chunkSize, least), progress);
      else if (!(await this.#sendAtOnce(blob, target, progress))) {
        this.#chunkSize = Math.max(CHUNK_DEFAULT, least);
        const again = await this.#begin("");
        if (again !== undefined) await this.#sendInChunks(blob, again.target, this.#chunkSize, progress);
      }
      return false;
    });
  }

  /** Begins an upload; undefined where the registry has taken the blob from elsewhere. */
  async #begin(query: string): Promise<{ target: URL; least: number } | undefined> {
    const begun = await this.#session.request(`blobs/uploads/${query}`, {
      method: "POST",
      headers: { "content-length": "0" },
      expected: [201, 202],
    });
    begun.discard();
    if (begun.status === 201) return undefined;
    const announced = Number(begun.headers["oci-chunk-min-length"] ?? 0);
    return {
      target: await this.#session.location(begun),
      least: Number.isSafeInteger(announced) ? announced : 0,
    };
  }

  /** Monolithic. False where the registry, or what is before it, takes less at a time. */
  async #sendAtOnce(blob: OutgoingBlob, target: URL, progress: (sent: number) => void): Promise<boolean> {
    target.searchParams.set("digest", blob.digest);
    const done = await this.#session.request(target, {
      method: "PUT",
      headers: BYTES,
      body: { length: blob.size, chunks: () => counted(blob.chunks(0), progress) },
      expected: [201, TOO_LARGE],
    });
    done.discard();
    return done.status !== TOO_LARGE;
  }

  async #sendInChunks(
    blob: OutgoingBlob,
    start: URL,
    chunkSize: number,
    progress: (sent: number) => void,
  ): Promise<void> {
    let target = start;
    let sent = 0;
    let size = chunkSize;
    let attempt = 1;
    while (sent < blob.size) {
      const length = Math.min(size, blob.size - sent);
      try {
        const answer = await this.#session.request(target, {
          method: "PATCH",
          headers: { ...BYTES, "content-range": `${sent}-${sent + length - 1}` },
          body: { length, chunks: () => firstOf(blob.chunks(sent), length) },
          expected: [202, TOO_LARGE],
        });
        answer.discard();
        if (answer.status === TOO_LARGE) {
          if (size <= CHUNK_LEAST)
            throw new BockerError("registry", `${target.host} does not even take ${size} bytes at a time`);
          size = Math.max(CHUNK_LEAST, size >> 1);
          this.#chunkSize = size;
          continue;
        }
        target = await this.#session.location(answer);
        sent += length;
        attempt = 1;
      } catch (error) {
        await waitBeforeRetry(error, ++attempt, this.#session.retry, this.#session.signal);
        ({ target, sent } = await this.#resume(target));
      }
      progress(sent);
    }
    target.searchParams.set("digest", blob.digest);
    await this.#session
      .request(target, { method: "PUT", headers: { ...BYTES, "content-length": "0" }, expected: [201] })
      .then((done) => done.discard());
  }

  /**
   * How much of an upload the registry has, and where it goes on (distribution spec, "Get upload status"). Not every one
   * knows after a broken connection: then the upload is begun anew.
   */
  async #resume(upload: URL): Promise<{ target: URL; sent: number }> {
    const status = await this.#session
      .request(upload, { method: "GET", expected: [204] })
      .catch((error: Error) => Promise.reject(new TransientError(error.message, { cause: error })));
    status.discard();
    const [, last] = /^(?:bytes=)?0-(\d+)$/.exec(status.headers["range"] ?? "") ?? [];
    const sent = last === undefined || last === "0" ? 0 : Number(last) + 1;
    return { target: await this.#session.location(status), sent };
  }

  /** Has the registry take a blob from another repository of its own. Throws "registry" when it does not. */
  async mount(digest: Digest, from: string): Promise<void> {
    const query = `mount=${encodeURIComponent(digest)}&from=${encodeURIComponent(from)}`;
    const { status } = await this.#request(`blobs/uploads/?${query}`, {
      method: "POST",
      headers: { "content-length": "0" },
      expected: [201, 202],
    });
    if (status === 201) return;
    const { domain } = this.#session.reference;
    throw new BockerError(
      "registry",
      `${domain} did not take ${digest} over from ${from}: push that image here first`,
    );
  }

  /** Puts a manifest under a tag, or under its own digest. Returns its digest. Throws "registry" when the registry made something else of it. */
  async manifest(name: string, mediaType: string, bytes: Uint8Array): Promise<Digest> {
    const digest = digestOf(bytes);
    const { headers } = await this.#request(`manifests/${name}`, {
      method: "PUT",
      headers: { "content-type": mediaType },
      body: bytes,
      expected: [201],
    });
    const stored = headers["docker-content-digest"];
    if (stored !== undefined && stored !== digest)
      throw new BockerError("registry", `the registry stored ${String(stored)} instead of ${digest}`);
    return digest;
  }

  #request(path: string, request: RegistryRequest): Promise<HttpResponse> {
    return withRetries(this.#session.retry, this.#session.signal, async () => {
      const response = await this.#session.request(path, request);
      response.discard();
      return response;
    });
  }
}

function* counted(
  chunks: Iterable<Uint8Array>,
  progress: (sent: number) => void,
): Generator<Uint8Array, void, void> {
  let sent = 0;
  for (const chunk of chunks) {
    yield chunk;
    sent += chunk.length;
    progress(sent);
  }
}

/** The first `length` bytes. */
function* firstOf(chunks: Iterable<Uint8Array>, length: number): Generator<Uint8Array, void, void> {
  let left = length;
  for (const chunk of chunks) {
    const piece = chunk.subarray(0, left);
    left -= piece.length;
    yield piece;
    if (left === 0) return;
  }
}
