/** Which image a reference means, and what of it a container needs. */
import { LOCAL_ARCHITECTURE } from "../base/architecture.ts";
import { isDigest } from "../base/digest.ts";
import { BockerError } from "../base/errors.ts";
import { formatReference, parseReference, withDefaultTag } from "../base/reference.ts";
import type { ImageDefaults, ImageRecord } from "../state/images.ts";
import type { Engine } from "./engine.ts";

export interface ResolvedImage {
  /** As it was typed. */
  reference: string;
  id: string;
  /** Directories that hold the layers, the topmost first; "/" for the host image. */
  layers: string[];
  config: ImageDefaults;
  /** Such as "linux/amd64"; undefined where the image says nothing of it. */
  platform: string | undefined;
}

export const HOST_IMAGE = "host";

const LOCAL_PLATFORM = `linux/${LOCAL_ARCHITECTURE}`;

/** The built-in image: this machine's own root, read-only below whatever the container writes. */
export function hostImage(reference: string): ResolvedImage {
  return { reference, id: HOST_IMAGE, layers: ["/"], config: { Cmd: ["/bin/sh"] }, platform: LOCAL_PLATFORM };
}

export function isHostImage(reference: string): boolean {
  return reference === HOST_IMAGE || reference === `${HOST_IMAGE}:latest`;
}

/** Names as typed may be no references at all, such as a prefix of an id. */
function byName(engine: Engine, reference: string): ImageRecord | undefined {
  let parsed: ReturnType<typeof parseReference>;
  try {
    parsed = withDefaultTag(parseReference(reference));
  } catch {
    return undefined;
  }
  const { digest, ...named } = parsed;
  if (digest === undefined) return engine.images.byTag(formatReference(named));
  const { tag: _, ...repository } = named;
  return engine.images.byDigest(formatReference({ ...repository, digest }));
}

/**
 * The record of a name, a name with digest, an id or a prefix of one; undefined when there is none here.
 * @throws BockerError "conflict" for a prefix of several ids
 */
export function findImageRecord(engine: Engine, reference: string): ImageRecord | undefined {
  if (isDigest(reference)) return engine.images.get(reference);
  return byName(engine, reference) ?? engine.images.byPrefix(reference);
}

/** The record, or BockerError "not-found" in Docker's words. */
export function requireImageRecord(engine: Engine, reference: string): ImageRecord {
  const record = findImageRecord(engine, reference);
  if (record === undefined) throw new BockerError("not-found", `No such image: ${reference}`);
  return record;
}

/** Directories that are an image together, the topmost first: all its layers, or, of whole trees, the last. */
export function imageLayers(engine: Engine, record: ImageRecord): string[] {
  const { driver } = engine;
  const chain = driver.layerForm === "tree" ? record.chain.slice(-1) : record.chain;
  const layers = chain.map((id) => driver.layerDirectory(id)).reverse();
  return record.base === "host" ? [...layers, "/"] : layers;
}

/** The image that a name or an id stands for; undefined when there is none here. */
export function findImage(engine: Engine, reference: string): ResolvedImage | undefined {
  if (isHostImage(reference)) return hostImage(reference);
  const record = findImageRecord(engine, reference);
  if (record === undefined) return undefined;
  return {
    reference,
    id: record.id,
    layers: imageLayers(engine, record),
    config: record.config,
    platform: `${record.os}/${record.architecture}`,
  };
}

/** As findImage; BockerError "not-found" when there is none here. */
export function requireImage(engine: Engine, reference: string): ResolvedImage {
  const image = findImage(engine, reference);
  if (image === undefined) throw new BockerError("not-found", `No such image: ${reference}`);
  return image;
}
