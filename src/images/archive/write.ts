/**
 * Images as one archive, the one that `docker save` makes: an OCI image layout (image-spec, image-layout.md) that has
 * Docker's manifest.json beside its index.json, so that old and new readers understand it. The same images give the
 * same bytes.
 */
import { type Digest, digestHex } from "../../base/digest.ts";
import type { Descriptor } from "../../spec/descriptor.ts";
import { OCI_INDEX } from "../../spec/media-types.ts";
import type { TarEntry } from "../layer/tar-entry.ts";
import { END_OF_ARCHIVE, tarHeader, tarPadding } from "../layer/tar-writer.ts";
import type { ContentStore } from "../store.ts";

/** An image, and the names that it has in the archive. */
export interface ArchivedImage {
  /** A manifest, or an index of several. */
  top: Descriptor;
  /** All that goes into the archive. */
  content: readonly string[];
  /** What manifest.json says: it knows one image for a name. */
  config: Digest;
  /** The lowest first. */
  layers: Descriptor[];
  /** "docker.io/library/debian:12", and how people write it. */
  names: { full: string; familiar: string; tag: string }[];
}

/** containerd's and the specification's annotations for names. */
export const NAME_ANNOTATION = "io.containerd.image.name";
export const TAG_ANNOTATION = "org.opencontainers.image.ref.name";

const blobPath = (digest: string) => `blobs/sha256/${digestHex(digest as Digest)}`;

function entry(type: "file" | "directory", name: string, size: number): Buffer {
  const nothing = Buffer.alloc(0);
  const mode = type === "directory" ? 0o755 : 0o644;
  const fixed = { uid: 0, gid: 0, major: 0, minor: 0, mtime: { sec: 0, nsec: 0 }, linkName: nothing };
  const full: TarEntry = { type, name: Buffer.from(name), mode, size, xattrs: new Map(), ...fixed };
  return tarHeader(full);
}

function* file(name: string, bytes: Uint8Array): Generator<Buffer, void, void> {
  yield entry("file", name, bytes.length);
  yield Buffer.from(bytes);
  yield tarPadding(bytes.length);
}

function indexOf(images: readonly ArchivedImage[]): object {
  const manifests = images.flatMap(({ top, names }) =>
    names.length === 0
      ? [top]
      : names.map(({ full, tag }) => ({
          ...top,
          annotations: { [NAME_ANNOTATION]: full, [TAG_ANNOTATION]: tag },
        })),
  );
  return { schemaVersion: 2, mediaType: OCI_INDEX, manifests };
}

function dockerManifest(images: readonly ArchivedImage[]): object {
  return images.map(({ config, layers, names }) => ({
    Config: blobPath(config),
    RepoTags: names.length === 0 ? null : names.map(({ familiar }) => familiar),
    Layers: layers.map(({ digest }) => blobPath(digest)),
  }));
}

/** The archive in chunks. Blobs come from `content`, in the order of their digests, each once. */
export function* writeImageArchive(
  content: ContentStore,
  images: readonly ArchivedImage[],
): Generator<Buffer, void, void> {
  const digests = new Set(images.flatMap((image) => image.content)) as Set<Digest>;
  yield entry("directory", "blobs/", 0);
  yield entry("directory", "blobs/sha256/", 0);
  for (const digest of [...digests].sort()) {
    const size = content.size(digest) ?? 0;
    yield entry("file", blobPath(digest), size);
    yield* content.stream(digest);
    yield tarPadding(size);
  }
  const json = (value: object) => Buffer.from(JSON.stringify(value));
  yield* file("index.json", json(indexOf(images)));
  yield* file("manifest.json", json(dockerManifest(images)));
  yield* file("oci-layout", json({ imageLayoutVersion: "1.0.0" }));
  yield END_OF_ARCHIVE;
}
