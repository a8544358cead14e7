/** Indexes in indexes, and of everything too much (F7): a registry cannot send anybody in circles. */
import { expect, test } from "bun:test";
import { digestOf } from "../base/digest.ts";
import { parseReference } from "../base/reference.ts";
import { OCI_INDEX } from "../spec/media-types.ts";
import { resolveImage, type Source } from "./resolve.ts";

/** A registry of documents by digest; `asked` counts what it is asked for. */
class Documents implements Source {
  readonly #bytes = new Map<string, Buffer>();
  asked = 0;

  add(document: unknown): { mediaType: string; digest: string; size: number } {
    const bytes = Buffer.from(JSON.stringify(document));
    const digest = digestOf(bytes);
    this.#bytes.set(digest, bytes);
    return { mediaType: OCI_INDEX, digest, size: bytes.length };
  }

  async manifest(name: string): ReturnType<Source["manifest"]> {
    this.asked++;
    const bytes = this.#bytes.get(name)!;
    return { bytes, digest: digestOf(bytes), mediaType: OCI_INDEX };
  }

  blob(): never {
    throw new Error("no blob is asked for");
  }
}

const index = (...manifests: unknown[]) => ({ schemaVersion: 2, mediaType: OCI_INDEX, manifests });
const resolve = (source: Documents, digest: string) =>
  resolveImage(source, parseReference(`example.test/a@${digest}`), undefined);

test("F7: a hundred indexes, each in the next, are followed a few steps", async () => {
  const source = new Documents();
  let top = source.add(index());
  for (let depth = 0; depth < 100; depth++) top = source.add(index(top));
  await expect(resolve(source, top.digest)).rejects.toMatchObject({ code: "corrupt" });
  expect(source.asked).toBeLessThan(10);
});

test("F7: an index of nothing, and one that goes on without end", async () => {
  const source = new Documents();
  await expect(resolve(source, source.add(index()).digest)).rejects.toMatchObject({ code: "not-found" });
  const entry = source.add(index());
  const many = source.add(index(...Array(100_000).fill(entry)));
  await expect(resolve(source, many.digest)).rejects.toMatchObject({ code: "corrupt" });
});
