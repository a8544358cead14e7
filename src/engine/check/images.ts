/** Images, their layers and their blobs: what an image lists is there and whole, and what is there is listed. */
import type { Digest } from "../../base/digest.ts";
import { BockerError } from "../../base/errors.ts";
import { createSha256 } from "../../base/hash.ts";
import { shortId } from "../../base/ids.ts";
import { isSystemError } from "../../os/system-error.ts";
import type { ImageRecord } from "../../state/images.ts";
import { IndexTable } from "../../state/indexes.ts";
import { sweepTrash } from "../../state/trash.ts";
import type { Engine } from "../engine.ts";
import { withImageLock } from "../image-lock.ts";
import { archiveDigest, isRestorable, missingBlobs } from "../layer-archive.ts";
import { contentOfIndex, type References, readReferences } from "../references.ts";
import { familiar, freeLooseIndexes, namesOf } from "../remove-image.ts";
import type { Finding } from "./finding.ts";

function titleOf(engine: Engine, id: string): string {
  const { tags, digests } = namesOf(engine, id);
  const [name] = [...tags, ...digests];
  return `image ${name === undefined ? shortId(id) : `${familiar(name)} (${shortId(id)})`}`;
}

/** Forgets an image whose parts are not all there: what is left of it goes as unreferenced. */
function forgetImage(engine: Engine, id: string): string {
  withImageLock(engine, () => engine.transaction(() => engine.images.delete(id)));
  freeLooseIndexes(engine);
  return "the image is removed";
}

/** Parts of an image that are missing, as text; what is damaged has been removed, or is told of, before. */
function missingParts(engine: Engine, image: ImageRecord): string[] {
  const layers = image.chain.filter((chain) => !engine.driver.hasLayer(chain)).length;
  const has = (digest: string | undefined) =>
    digest === undefined || engine.content.size(digest as Digest) !== undefined;
  const blobs = missingBlobs(engine, image).length;
  return [
    ...(has(image.id) ? [] : ["its configuration"]),
    ...(has(image.manifest) ? [] : ["its manifest"]),
    ...(layers === 0 ? [] : [`${layers} of its ${image.chain.length} layers`]),
    ...(blobs === 0 ? [] : [`the packed form of ${blobs} of its ${image.blobs.length} layers`]),
  ];
}

export function checkImages(engine: Engine): Finding[] {
  const known = new Set(engine.images.list().map(({ id }) => id));
  const incomplete = engine.images.list().flatMap((image): Finding[] => {
    const missing = missingParts(engine, image);
    if (missing.length === 0) return [];
    const subject = titleOf(engine, image.id);
    const problem = `lacks ${missing.join(", ")}`;
    if (engine.containers.usingImage(image.id).length > 0)
      return [{ subject, problem, advice: "remove its containers and the image, and pull it again" }];
    return [{ subject, problem, mend: () => forgetImage(engine, image.id), advice: "pull it again" }];
  });
  const names = [...engine.images.tags(), ...engine.images.digests()];
  const dangling = names
    .filter(({ image }) => !known.has(image))
    .map(({ name }): Finding => {
      const mend = () => {
        engine.transaction(() => engine.images.deleteTag(name) || engine.images.deleteDigest(name));
        return "the name is removed";
      };
      return { subject: `name ${familiar(name)}`, problem: "points to no image", mend };
    });
  return [...incomplete, ...dangling, ...checkIndexes(engine)];
}

/** Images of several platforms: what is said to be kept of them is there, and names stand for what is kept. */
function checkIndexes(engine: Engine): Finding[] {
  const table = new IndexTable(engine.database);
  const indexes = table.list();
  const forget = (digest: string) => {
    withImageLock(engine, () => engine.transaction(() => table.forget(digest)));
    return "its names stand for the image of one platform now";
  };
  const incomplete = indexes.flatMap((index): Finding[] => {
    const content = contentOfIndex(index);
    const missing = content.filter((digest) => engine.content.size(digest as Digest) === undefined);
    if (missing.length === 0) return [];
    return [
      {
        subject: `index ${index.digest}`,
        problem: `lacks ${missing.length} of the ${content.length} documents and layers that are kept of it`,
        mend: () => forget(index.digest),
        advice: "pull it again with --all-platforms",
      },
    ];
  });
  const loose = table.loose().map(({ digest }): Finding => {
    const mend = () => {
      freeLooseIndexes(engine);
      return "it is removed";
    };
    return { subject: `index ${digest}`, problem: "belongs to no name", mend };
  });
  const known = new Set<string | undefined>(indexes.map(({ digest }) => digest));
  const dangling = [...engine.images.tags(), ...engine.images.digests()]
    .filter(({ index }) => index !== undefined && !known.has(index))
    .map(({ name, index }): Finding => {
      return {
        subject: `name ${familiar(name)}`,
        problem: "stands for an index that is not here",
        mend: () => forget(index!),
      };
    });
  return [...incomplete, ...loose, ...dangling];
}

function hashOf(engine: Engine, digest: Digest): Digest {
  const hash = createSha256();
  for (const chunk of engine.content.stream(digest)) hash.update(chunk);
  return `sha256:${hash.digest("hex")}` as Digest;
}

/** Blobs that are not what they are called. Reads all of them, unless `quick`. */
export function checkBlobs(engine: Engine, quick: boolean): Finding[] {
  const damaged = quick
    ? []
    : [...engine.content.digests()].filter((digest) => {
        try {
          return hashOf(engine, digest) !== digest;
        } catch {
          // Removed meanwhile, or unreadable: then its open fails again, and it is damaged.
          return engine.content.size(digest) !== undefined;
        }
      });
  return damaged.map((digest) => ({
    subject: `content ${digest}`,
    problem: "is damaged",
    mend: () => {
      engine.content.remove(digest);
      return "it is removed";
    },
  }));
}

/** Layers that are kept as files only and do not make the archive any more that they were. Reads all of them, unless `quick`. */
export async function checkRestorable(engine: Engine, quick: boolean): Promise<Finding[]> {
  const found: Finding[] = [];
  for (const chain of quick ? [] : engine.driver.layers()) {
    const expected = engine.images.layer(chain)?.diff;
    if (expected === undefined || !isRestorable(engine, chain)) continue;
    const digest = await archiveDigest(engine, engine.driver.layerDirectory(chain)).catch(
      (error: unknown) => {
        if (error instanceof BockerError || isSystemError(error)) return undefined;
        throw error;
      },
    );
    // Removed meanwhile, it is nobody's concern.
    if (digest === expected || !engine.driver.hasLayer(chain)) continue;
    found.push({
      subject: `layer ${chain}`,
      problem: "has files that were changed after it was made, so that it cannot be packed",
      advice: "make its image again: containers go on with the files as they are",
    });
  }
  return found;
}

/** Runs `remove` if, under the lock of all images, nothing refers to the thing. */
function unlessReferred(engine: Engine, isReferred: (references: References) => boolean, remove: () => void) {
  withImageLock(engine, () => {
    if (!isReferred(readReferences(engine))) remove();
  });
  sweepTrash(engine.paths);
  return "it is removed";
}

/** Layers and blobs that nothing refers to: a crash between writing them and recording their image. */
export function checkUnreferenced(engine: Engine): Finding[] {
  return withImageLock(engine, () => {
    const references = readReferences(engine);
    const needsLayer = (chain: string, { layers, directories }: References) =>
      layers.has(chain) || directories.has(engine.driver.layerDirectory(chain));
    const layers = engine.driver
      .layers()
      .filter((chain) => !needsLayer(chain, references))
      .map(
        (chain): Finding => ({
          subject: `layer ${chain}`,
          problem: "belongs to no image and no container",
          mend: () =>
            unlessReferred(
              engine,
              (now) => needsLayer(chain, now),
              () => {
                engine.images.deleteLayer(chain);
                engine.driver.removeLayer(chain);
              },
            ),
        }),
      );
    const records = engine.images
      .layers()
      .filter((chain) => !engine.driver.hasLayer(chain) && !references.layers.has(chain))
      .map(
        (chain): Finding => ({
          subject: `record of layer ${chain}`,
          problem: "has no layer",
          mend: () => {
            engine.images.deleteLayer(chain);
            return "it is removed";
          },
        }),
      );
    const blobs = [...engine.content.digests()]
      .filter((digest) => !references.blobs.has(digest))
      .map(
        (digest): Finding => ({
          subject: `content ${digest}`,
          problem: "belongs to no image",
          mend: () =>
            unlessReferred(
              engine,
              (now) => now.blobs.has(digest),
              () => void engine.content.remove(digest),
            ),
        }),
      );
    return [...layers, ...records, ...blobs];
  });
}

/** Downloads and layers that were begun and that nobody goes on with. */
export function checkUnfinished(engine: Engine): Finding[] {
  const ingests = engine.content.staleIngests();
  const layers = withImageLock(engine, () => engine.driver.staleLayers());
  return [
    ...ingests.map((name) => ({
      subject: `download ${name}`,
      remove: () => engine.content.removeStaleIngests(),
    })),
    ...layers.map((name) => ({
      subject: `layer ${name}`,
      remove: () => withImageLock(engine, () => engine.driver.removeStaleLayers()),
    })),
  ].map(({ subject, remove }) => ({
    subject,
    problem: "was never finished",
    mend: () => {
      remove();
      return "it is removed";
    },
  }));
}
