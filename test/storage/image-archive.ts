/** Images of any layers, as `docker save` writes them. */
import { createHash } from "node:crypto";
import { archive, file } from "../security/tar-bytes.ts";

const sha256 = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");

/** @param layers tar archives, the lowest first */
export function imageArchive(name: string, layers: Buffer[]): Buffer {
  const config = Buffer.from(
    JSON.stringify({
      architecture: process.arch === "arm64" ? "arm64" : "amd64",
      os: "linux",
      config: { Cmd: ["/bin/sh"] },
      rootfs: { type: "layers", diff_ids: layers.map((layer) => `sha256:${sha256(layer)}`) },
    }),
  );
  const names = layers.map((_, index) => `layer${index}.tar`);
  const manifest = [{ Config: "config.json", RepoTags: [`${name}:latest`], Layers: names }];
  return archive(
    ...layers.map((layer, index) => file(names[index]!, layer as unknown as string)),
    file("config.json", config.toString()),
    file("manifest.json", JSON.stringify(manifest)),
  );
}
