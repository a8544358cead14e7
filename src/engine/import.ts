/** `init` and `import`: an image of one layer from a directory or a tar archive. */
import { createReadStream, statSync } from "node:fs";
import type { Readable } from "node:stream";
import { BockerError } from "../base/errors.ts";
import { treeToTar } from "../images/layer/diff.ts";
import { inflate } from "../images/layer/inflate.ts";
import { AT_FDCWD, O_CLOEXEC, O_DIRECTORY, O_RDONLY } from "../os/constants.ts";
import { close, openat } from "../os/files.ts";
import { isSystemError } from "../os/system-error.ts";
import type { ExecutionConfig } from "../spec/image-config.ts";
import type { ImageRecord } from "../state/images.ts";
import { addLayer } from "./add-layer.ts";
import type { Engine } from "./engine.ts";
import { NO_PARENT, recordImage, tagName } from "./record-image.ts";

export interface ImportOptions {
  /** undefined: the image gets no name. */
  name: string | undefined;
  execution: ExecutionConfig;
  message: string;
  architecture?: string | undefined;
  signal?: AbortSignal | undefined;
}

async function importArchive(
  engine: Engine,
  archive: Iterable<Buffer> | AsyncIterable<Buffer>,
  options: ImportOptions,
): Promise<ImageRecord> {
  const tag = options.name === undefined ? undefined : tagName(options.name);
  const { execution, architecture, message } = options;
  const history = { created_by: "", comment: message };
  return addLayer(engine, archive, undefined, options.signal, (layer) =>
    recordImage(engine, { parent: NO_PARENT, layer, execution, history, architecture }, tag),
  );
}

/** An archive, compressed or not, as an image. */
export function importStream(engine: Engine, source: Readable, options: ImportOptions): Promise<ImageRecord> {
  return importArchive(engine, inflate(source as AsyncIterable<Uint8Array>), options);
}

async function importDirectory(engine: Engine, path: string, options: ImportOptions): Promise<ImageRecord> {
  const fd = openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  try {
    return await importArchive(engine, treeToTar(fd, { refuseWhiteoutNames: true }), options);
  } finally {
    close(fd);
  }
}

/**
 * A directory or an archive file as an image.
 * @throws BockerError "not-found" where there is nothing at `path`
 */
export async function importPath(engine: Engine, path: string, options: ImportOptions): Promise<ImageRecord> {
  let isDirectory: boolean;
  try {
    isDirectory = statSync(path).isDirectory();
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "ENOENT" || code === "ENOTDIR")
      throw new BockerError("not-found", `open ${path}: no such file or directory`);
    throw error;
  }
  if (isDirectory) return importDirectory(engine, path, options);
  try {
    return await importStream(engine, createReadStream(path, { highWaterMark: 1 << 18 }), options);
  } catch (error) {
    if (isSystemError(error, "EISDIR")) throw new BockerError("invalid", `${path} is a directory`);
    throw error;
  }
}
