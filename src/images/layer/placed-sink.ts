/** Passes an archive's entries on to be made below a directory of the root, and as what is asked for there. */
import { type LayerPath, layerPath, pathBytes } from "./layer-path.ts";
import type { TarEntry } from "./tar-entry.ts";
import type { TarSink } from "./tar-reader.ts";

export interface Placement {
  /** Where from the root of the sink; none for the root itself. */
  directory: LayerPath;
  /** The entry as it is to be made; undefined to leave it out. */
  adapt(entry: TarEntry): TarEntry | undefined;
}

export class PlacedSink implements TarSink {
  readonly #sink: TarSink;
  readonly #placement: Placement;
  #isLeftOut = false;

  constructor(sink: TarSink, placement: Placement) {
    this.#sink = sink;
    this.#placement = placement;
  }

  entry(entry: TarEntry): void {
    const path = layerPath(entry.name);
    // The directory itself is there already, and stays as it is.
    const adapted =
      path.length === 0 && entry.type === "directory" ? undefined : this.#placement.adapt(entry);
    this.#isLeftOut = adapted === undefined;
    if (adapted === undefined) return;
    const { type, linkName } = adapted;
    this.#sink.entry({
      ...adapted,
      name: this.#placed(path),
      linkName: type === "hardlink" ? this.#placed(layerPath(linkName)) : linkName,
    });
  }

  data(bytes: Buffer, position: number): void {
    if (!this.#isLeftOut) this.#sink.data(bytes, position);
  }

  end(): void {
    if (!this.#isLeftOut) this.#sink.end();
  }

  #placed(path: LayerPath): Buffer {
    return pathBytes([...this.#placement.directory, ...path]);
  }
}
