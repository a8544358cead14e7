/** `images --tree`: what a name stands for, platform by platform. */
import type { Digest } from "../base/digest.ts";
import { formatPlatform } from "../spec/descriptor.ts";
import { isManifestType } from "../spec/media-types.ts";
import type { ImageRecord } from "../state/images.ts";
import type { IndexRecord } from "../state/indexes.ts";
import type { Engine } from "./engine.ts";
import { imagesOf, listedIn, packedRecord, titleOf } from "./kept-index.ts";
import { contentOf, contentOfIndex } from "./references.ts";

export interface TreeNode {
  /** A platform; of the whole it is "". */
  title: string;
  /** Of an index its digest; of an image its id, or, where it is not here, its manifest's digest. */
  id: string;
  /** Bytes of the layers' files, of what is packed, and of both. */
  unpacked: number;
  packed: number;
  /** A container is of it. */
  used: boolean;
}

const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0);

function nodeOf(
  engine: Engine,
  title: string,
  id: string,
  content: readonly string[],
  images: readonly ImageRecord[],
): TreeNode {
  const chains = new Set(images.flatMap(({ chain }) => chain));
  return {
    title,
    id,
    unpacked: sum([...chains].map((chain) => engine.images.layer(chain)?.size ?? 0)),
    packed: sum([...new Set(content)].map((digest) => engine.content.size(digest as Digest) ?? 0)),
    used: images.some((image) => engine.containers.usingImage(image.id).length > 0),
  };
}

/** The whole, and each of its platforms: those that are missing, too, with nothing. */
export function imageTree(
  engine: Engine,
  image: ImageRecord,
  index: IndexRecord | undefined,
): { whole: TreeNode; platforms: TreeNode[] } {
  const content = contentOf(image);
  if (index === undefined) {
    const platform = formatPlatform({ os: image.os, architecture: image.architecture });
    const [whole, own] = ["", platform].map((title) => nodeOf(engine, title, image.id, content, [image]));
    return { whole: whole!, platforms: [own!] };
  }
  const records = new Map(imagesOf(index).map((entry) => [entry.digest, packedRecord(engine, index, entry)]));
  const platforms = listedIn(engine, index)
    .filter(
      ({ descriptor: { mediaType, platform } }) => isManifestType(mediaType) && platform?.os !== "unknown",
    )
    .map(({ descriptor, entry }) => {
      const record = records.get(descriptor.digest);
      const title = entry?.image === undefined ? titleOf(descriptor) : formatPlatform(entry.image.platform);
      return record === undefined
        ? nodeOf(engine, title, descriptor.digest, [], [])
        : nodeOf(engine, title, record.id, contentOf(record), [record]);
    });
  const whole = nodeOf(engine, "", index.digest, contentOfIndex(index), [...records.values()]);
  return { whole, platforms };
}
