/** An archive of many images, as `docker save` writes it, that every engine loads: each has layers of others' and one of its own. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "./program.ts";

/** Images share as many bases, of so many layers each. */
const BASES = 10;
const BASE_LAYERS = 3;

const sha256 = (bytes: Uint8Array | string) => createHash("sha256").update(bytes).digest("hex");

/** A layer with one file, as a file of `directory` named by its digest; the digest. */
function makeLayer(directory: string, name: string): string {
  const tree = join(directory, "tree");
  mkdirSync(tree);
  writeFileSync(join(tree, name), `${name}\n`.repeat(100));
  const tar = execFileSync("tar", ["-C", tree, "--mtime=@0", "--owner=0", "--group=0", "-cf", "-", "."]);
  const digest = sha256(tar);
  writeFileSync(join(directory, `${digest}.tar`), tar);
  rmSync(tree, { recursive: true });
  return digest;
}

/** @returns the archive; its images are many:0, many:1 and so on */
export function makeManyImages(scratch: string, count: number): string {
  const directory = join(scratch, "many");
  mkdirSync(directory);
  const bases = Array.from({ length: BASES }, (_, base) =>
    Array.from({ length: BASE_LAYERS }, (_, at) => makeLayer(directory, `base-${base}-${at}`)),
  );
  const manifest = Array.from({ length: count }, (_, number) => {
    const layers = [...bases[number % BASES]!, makeLayer(directory, `own-${number}`)];
    const config = JSON.stringify({
      architecture: process.arch === "arm64" ? "arm64" : "amd64",
      os: "linux",
      created: "2026-01-01T00:00:00Z",
      config: { Cmd: ["/bin/sh"] },
      rootfs: { type: "layers", diff_ids: layers.map((digest) => `sha256:${digest}`) },
    });
    const name = `${sha256(config)}.json`;
    writeFileSync(join(directory, name), config);
    return { Config: name, RepoTags: [`many:${number}`], Layers: layers.map((digest) => `${digest}.tar`) };
  });
  writeFileSync(join(directory, "manifest.json"), JSON.stringify(manifest));
  const archive = join(scratch, "many.tar");
  run(["tar", "-C", directory, "-cf", archive, "."]);
  rmSync(directory, { recursive: true });
  return archive;
}
