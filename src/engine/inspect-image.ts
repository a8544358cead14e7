/** An image as Docker's API describes it (ImageInspect, API 1.51). */

import { LOCAL_ARCHITECTURE } from "../base/architecture.ts";
import type { Digest } from "../base/digest.ts";
import { parseImageConfig } from "../spec/image-config.ts";
import type { ImageRecord } from "../state/images.ts";
import type { Engine } from "./engine.ts";
import { HOST_IMAGE, hostImage, imageLayers } from "./image.ts";
import { familiar, namesOf } from "./remove-image.ts";

type Json = Record<string, unknown>;

/** The layers' directories; none of an image that is only packed. */
function directoriesOf(engine: Engine, record: ImageRecord): Json {
  const isUnpacked = record.chain.every((chain) => engine.images.layer(chain) !== undefined);
  if (!isUnpacked) return {};
  const layers = imageLayers(engine, record);
  return { UpperDir: layers[0] ?? "", LowerDir: layers.slice(1).join(":") };
}

/** The document that `inspect` prints. @param named the id of the name's own image, where `record` is another platform's */
export function inspectImage(engine: Engine, record: ImageRecord, named: string = record.id): Json {
  const config = parseImageConfig(engine.content.read(record.id as Digest));
  const names = namesOf(engine, named);
  return {
    Id: record.id,
    RepoTags: names.tags.map(familiar),
    RepoDigests: names.digests.map(familiar),
    Parent: "",
    Comment: config.history?.at(-1)?.comment ?? "",
    Created: record.created,
    Author: config.author ?? "",
    Config: config.config ?? {},
    Architecture: record.architecture,
    ...(config.variant === undefined ? {} : { Variant: config.variant }),
    Os: record.os,
    Size: record.size,
    GraphDriver: {
      Name: engine.driver.name,
      Data: directoriesOf(engine, record),
    },
    RootFS: { Type: "layers", Layers: config.rootfs.diff_ids ?? [] },
    Metadata: { LastTagTime: "0001-01-01T00:00:00Z" },
  };
}

/** The same for the built-in image. */
export function inspectHostImage(engine: Engine): Json {
  const { config, layers } = hostImage(HOST_IMAGE);
  return {
    Id: HOST_IMAGE,
    RepoTags: [`${HOST_IMAGE}:latest`],
    RepoDigests: [],
    Parent: "",
    Comment: "this machine's own root, read-only below what a container writes",
    Created: "0001-01-01T00:00:00Z",
    Author: "",
    Config: config,
    Architecture: LOCAL_ARCHITECTURE,
    Os: "linux",
    Size: 0,
    GraphDriver: { Name: engine.driver.name, Data: { UpperDir: layers[0] ?? "", LowerDir: "" } },
    RootFS: { Type: "layers", Layers: [] },
    Metadata: { LastTagTime: "0001-01-01T00:00:00Z" },
  };
}
