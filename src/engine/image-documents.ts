/** The documents of an image that leaves this machine: by `save`, by `push`. */
import type { Digest } from "../base/digest.ts";
import { BockerError } from "../base/errors.ts";
import { layersOf, type PlannedLayer } from "../registry/resolve.ts";
import type { Descriptor } from "../spec/descriptor.ts";
import { parseImageConfig } from "../spec/image-config.ts";
import { parseImageManifest } from "../spec/image-manifest.ts";
import type { ImageRecord } from "../state/images.ts";
import type { Engine } from "./engine.ts";
import { missingBlobs } from "./layer-archive.ts";

export interface ImageDocuments {
  manifest: { bytes: Buffer; mediaType: string; digest: Digest };
  config: Descriptor;
  /** The lowest first. */
  layers: PlannedLayer[];
}

/**
 * Reads them, and sees to it that all content is there, or can be packed.
 * @throws BockerError "unsupported" for an image upon the host's root, "corrupt" for one that is not whole
 */
export function documentsOf(engine: Engine, record: ImageRecord): ImageDocuments {
  if (record.base === "host")
    throw new BockerError(
      "unsupported",
      "an image that lies upon the host image stays here: its lowest layer is this machine",
    );
  if (record.manifest === undefined) throw new BockerError("corrupt", `image ${record.id} has no manifest`);
  const digest = record.manifest as Digest;
  const bytes = engine.content.read(digest);
  const { manifest, mediaType } = parseImageManifest(bytes);
  const config = parseImageConfig(engine.content.read(record.id as Digest));
  const [missing] = missingBlobs(engine, record);
  if (missing !== undefined)
    throw new BockerError("corrupt", `image ${record.id} lacks its content ${missing}: pull it again`);
  return {
    manifest: { bytes, mediaType, digest },
    config: manifest.config,
    layers: layersOf(manifest, config),
  };
}
