/** Which image a reference means, and what of it a container needs. */
import { BockerError } from "../base/errors.ts";
import type { Engine } from "./engine.ts";

/** The `config` object of an image (OCI image-spec config.md), as far as containers inherit it. */
export interface ImageDefaults {
  User?: string;
  Env?: string[];
  Entrypoint?: string[];
  Cmd?: string[];
  WorkingDir?: string;
  Labels?: Record<string, string>;
  StopSignal?: string;
  ExposedPorts?: Record<string, unknown>;
  Volumes?: Record<string, unknown>;
}

export interface ResolvedImage {
  /** As it was typed. */
  reference: string;
  id: string;
  /** Directories that hold the layers, the topmost first; "/" for the host image. */
  layers: string[];
  config: ImageDefaults;
}

export const HOST_IMAGE = "host";

/** The built-in image: this machine's own root, read-only below whatever the container writes. */
export function hostImage(reference: string): ResolvedImage {
  return { reference, id: HOST_IMAGE, layers: ["/"], config: { Cmd: ["/bin/sh"] } };
}

/** The image that a name or an id stands for; undefined when there is none here. */
export function findImage(_engine: Engine, reference: string): ResolvedImage | undefined {
  if (reference === HOST_IMAGE || reference === `${HOST_IMAGE}:latest`) return hostImage(reference);
  return undefined;
}

export function requireImage(engine: Engine, reference: string): ResolvedImage {
  const image = findImage(engine, reference);
  if (image === undefined) throw new BockerError("not-found", `No such image: ${reference}`);
  return image;
}
