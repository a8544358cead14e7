/** Images made by hand, for registries: every byte of them is the test's choice. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { type Digest, digestOf } from "../../../src/base/digest.ts";
import {
  DOCKER_CONFIG,
  DOCKER_LAYER_GZIP,
  DOCKER_MANIFEST,
  OCI_CONFIG,
  OCI_INDEX,
  OCI_LAYER_GZIP,
  OCI_MANIFEST,
} from "../../../src/spec/media-types.ts";

export interface Blob {
  mediaType: string;
  digest: Digest;
  size: number;
  bytes: Buffer;
}

export interface Layer {
  tar: Buffer;
  blob: Blob;
}

export interface Image {
  manifest: Blob;
  blobs: Blob[];
}

export function blobOf(mediaType: string, bytes: Buffer): Blob {
  return { mediaType, digest: digestOf(bytes), size: bytes.length, bytes };
}

/** A tar archive of what `fill` puts into a directory. */
export function tarOf(fill: (directory: string) => void): Buffer {
  const directory = mkdtempSync(join(tmpdir(), "bocker-layer-"));
  try {
    fill(directory);
    return execFileSync(
      "tar",
      ["-C", directory, "--xattrs", "--xattrs-include=*", "--sparse", "-cf", "-", "."],
      {
        maxBuffer: 1 << 29,
      },
    );
  } finally {
    rmSync(directory, { recursive: true });
  }
}

export function layerOf(
  tar: Buffer,
  mediaType = OCI_LAYER_GZIP,
  compress: (tar: Buffer) => Buffer = gzipSync,
): Layer {
  return { tar, blob: blobOf(mediaType, compress(tar)) };
}

function descriptor({ mediaType, digest, size }: Blob) {
  return { mediaType, digest, size };
}

/** `change` may spoil the configuration or the manifest. */
export function imageOf(
  layers: Layer[],
  change: { config?: object; manifest?: object; docker?: boolean } = {},
): Image {
  const config = {
    architecture: "amd64",
    os: "linux",
    created: "2026-01-02T03:04:05Z",
    config: { Cmd: ["/bin/sh"], Env: ["A=b"] },
    rootfs: { type: "layers", diff_ids: layers.map(({ tar }) => digestOf(tar)) },
    ...change.config,
  };
  const docker = change.docker === true;
  const configBlob = blobOf(docker ? DOCKER_CONFIG : OCI_CONFIG, Buffer.from(JSON.stringify(config)));
  const mediaType = docker ? DOCKER_MANIFEST : OCI_MANIFEST;
  const manifest = {
    schemaVersion: 2,
    mediaType,
    config: descriptor(configBlob),
    layers: layers.map(({ blob }) => descriptor(docker ? { ...blob, mediaType: DOCKER_LAYER_GZIP } : blob)),
    ...change.manifest,
  };
  return {
    manifest: blobOf(mediaType, Buffer.from(JSON.stringify(manifest))),
    blobs: [configBlob, ...layers.map(({ blob }) => blob)],
  };
}

/** An index of images by platform: "linux/arm64/v8". */
export function indexOf(images: Record<string, Image>, mediaType = OCI_INDEX): Blob {
  const manifests = Object.entries(images).map(([platform, { manifest }]) => {
    const [os, architecture, variant] = platform.split("/");
    return { ...descriptor(manifest), platform: { os, architecture, ...(variant && { variant }) } };
  });
  return blobOf(mediaType, Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, manifests })));
}
