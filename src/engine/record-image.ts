/** Gives an image that was made here its configuration, its manifest, its record and its name. */

import { LOCAL_ARCHITECTURE } from "../base/architecture.ts";
import type { Digest } from "../base/digest.ts";
import { BockerError } from "../base/errors.ts";
import { formatReference, parseReference, withDefaultTag } from "../base/reference.ts";
import type { Descriptor } from "../spec/descriptor.ts";
import type { ExecutionConfig, HistoryEntry, ImageConfig } from "../spec/image-config.ts";
import { OCI_CONFIG, OCI_MANIFEST } from "../spec/media-types.ts";
import type { ImageRecord } from "../state/images.ts";
import type { AddedLayer } from "./add-layer.ts";
import { type Engine, timestamp } from "./engine.ts";
import { isHostImage } from "./image.ts";

/** What lies below the new layer. */
export interface ParentImage {
  config: ImageConfig | undefined;
  layers: Descriptor[];
  record: Pick<ImageRecord, "chain" | "size" | "base">;
}

export const NO_PARENT: ParentImage = { config: undefined, layers: [], record: { chain: [], size: 0 } };

export interface NewImage {
  parent: ParentImage;
  layer: AddedLayer;
  execution: ExecutionConfig;
  /** The entry for this layer; its time is filled in. */
  history: HistoryEntry;
  author?: string | undefined;
  architecture?: string | undefined;
}

function configuration(image: NewImage, created: string): ImageConfig {
  const { parent, layer } = image;
  return {
    created,
    ...(image.author === undefined || image.author === "" ? {} : { author: image.author }),
    architecture: image.architecture ?? parent.config?.architecture ?? LOCAL_ARCHITECTURE,
    os: "linux",
    config: image.execution,
    rootfs: { type: "layers", diff_ids: [...(parent.config?.rootfs.diff_ids ?? []), layer.diffId] },
    history: [...(parent.config?.history ?? []), { created, ...image.history }],
  };
}

function manifestOf(layers: Descriptor[], config: { digest: Digest; size: number }): Buffer {
  return Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      config: { mediaType: OCI_CONFIG, ...config },
      layers,
    }),
  );
}

/** The name under which a tag is kept, from what was typed. Throws "invalid". */
export function tagName(reference: string): string {
  const parsed = parseReference(reference);
  if (parsed.digest !== undefined)
    throw new BockerError("invalid", `invalid reference format: ${reference} cannot be given a digest`);
  if (isHostImage(reference))
    throw new BockerError("invalid", `${reference} is the name of the built-in image: choose another`);
  return formatReference(withDefaultTag(parsed));
}

/** Everything the record refers to is on disk before it. */
export function recordImage(engine: Engine, image: NewImage, tag: string | undefined): ImageRecord {
  const created = timestamp();
  const { parent, layer } = image;
  const layers: Descriptor[] = [...parent.layers, layer.descriptor];
  const config = engine.content.add(Buffer.from(JSON.stringify(configuration(image, created))));
  const manifest = engine.content.add(manifestOf(layers, config));
  const record: ImageRecord = {
    id: config.digest,
    created,
    architecture: image.architecture ?? parent.config?.architecture ?? LOCAL_ARCHITECTURE,
    os: "linux",
    manifest: manifest.digest,
    chain: [...parent.record.chain, layer.chain],
    size: parent.record.size + layer.size,
    blobs: layers.map(({ digest }) => digest),
    config: image.execution,
    ...(parent.record.base === undefined ? {} : { base: parent.record.base }),
  };
  engine.transaction(() => {
    engine.images.insert(record);
    if (tag !== undefined) engine.images.setTag(tag, record.id);
  });
  return record;
}
