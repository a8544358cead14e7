/** Passes a layer's entries on to what applies them, and adds up the sizes of its files. */
import type { LayerApplier } from "./apply.ts";
import type { TarSink } from "./tar-reader.ts";

export class CountingSink implements TarSink {
  readonly #applier: LayerApplier;
  /** Bytes of regular files, holes included: what `docker history` shows. */
  size = 0;

  constructor(applier: LayerApplier) {
    this.#applier = applier;
  }

  entry(entry: Parameters<TarSink["entry"]>[0]): void {
    this.size += entry.size;
    this.#applier.entry(entry);
  }

  data(bytes: Buffer, position: number): void {
    this.#applier.data(bytes, position);
  }

  end(): void {
    this.#applier.end();
  }

  finish(): void {
    this.#applier.finish();
  }

  /** After a failure. */
  close(): void {
    this.#applier.close();
  }
}
