/** `init` and `import`: an image of one layer from a directory or a tar archive. */
import { realpathSync, statSync } from "node:fs";
import { BockerError } from "../base/errors.ts";
import { familiarReference, parseReference } from "../base/reference.ts";
import { treeToTar } from "../images/layer/diff.ts";
import { inflate } from "../images/layer/inflate.ts";
import { AT_FDCWD, O_CLOEXEC, O_DIRECTORY, O_RDONLY } from "../os/constants.ts";
import { close, openat } from "../os/files.ts";
import { exists } from "../os/host-files.ts";
import { inputChunks } from "../os/input-chunks.ts";
import { isSystemError } from "../os/system-error.ts";
import type { ExecutionConfig } from "../spec/image-config.ts";
import { recordEvents } from "../state/events.ts";
import type { ImageRecord } from "../state/images.ts";
import { type ArchiveOrigin, addLayer } from "./add-layer.ts";
import type { Engine } from "./engine.ts";
import { imageEvent } from "./image-events.ts";
import { NO_PARENT, recordImage, tagName } from "./record-image.ts";
import { freeLooseIndexes } from "./remove-image.ts";

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
  origin: ArchiveOrigin,
  options: ImportOptions,
): Promise<ImageRecord> {
  const tag = options.name === undefined ? undefined : tagName(options.name);
  const { execution, architecture, message } = options;
  const history = { created_by: "", comment: message };
  const image = await addLayer(engine, archive, origin, undefined, options.signal, (layer) =>
    recordImage(engine, { parent: NO_PARENT, layer, execution, history, architecture }, tag),
  );
  recordEvents(engine.paths, [
    ...(tag === undefined
      ? []
      : [imageEvent(image, "tag", image.id, familiarReference(parseReference(tag)))]),
    imageEvent(image, "import", image.id),
  ]);
  // The tag may have stood for one.
  freeLooseIndexes(engine);
  return image;
}

/** An archive, compressed or not, as an image. */
export function importStream(
  engine: Engine,
  source: AsyncIterable<Uint8Array>,
  options: ImportOptions,
): Promise<ImageRecord> {
  return importArchive(engine, inflate(source), "foreign", options);
}

/** An image would grow by itself while it is read. */
function refuseOwnData(engine: Engine, path: string): void {
  const directory = realpathSync(path);
  const data = exists(engine.paths.data) ? realpathSync(engine.paths.data) : engine.paths.data;
  if (data === directory || data.startsWith(directory === "/" ? "/" : `${directory}/`))
    throw new BockerError(
      "invalid",
      `${path} has bocker's own data in it, ${data}: import another directory, or have the data elsewhere (--data-root)`,
    );
}

async function importDirectory(engine: Engine, path: string, options: ImportOptions): Promise<ImageRecord> {
  refuseOwnData(engine, path);
  const fd = openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  try {
    return await importArchive(engine, treeToTar(fd, { refuseWhiteoutNames: true }), "own", options);
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
    return await importStream(engine, inputChunks(path), options);
  } catch (error) {
    if (isSystemError(error, "EISDIR")) throw new BockerError("invalid", `${path} is a directory`);
    throw error;
  }
}
