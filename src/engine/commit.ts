/** `commit`: what a container changed becomes a layer upon its image. */

import { BockerError } from "../base/errors.ts";
import { familiarReference, parseReference } from "../base/reference.ts";
import { type ContainerRecord, DEFAULT_STOP_SIGNAL, isAnonymous } from "../spec/container.ts";
import { type ExecutionConfig, parseImageConfig } from "../spec/image-config.ts";
import { parseImageManifest } from "../spec/image-manifest.ts";
import { recordEvents } from "../state/events.ts";
import type { ImageRecord } from "../state/images.ts";
import { readState } from "../state/status.ts";
import { addLayer } from "./add-layer.ts";
import { applyChanges } from "./changes.ts";
import { MOUNT_POINTS, openChanges } from "./container-changes.ts";
import { containerEvent } from "./container-events.ts";
import { lockContainer } from "./container-lock.ts";
import type { Engine } from "./engine.ts";
import { frozen } from "./freeze.ts";
import { HOST_IMAGE } from "./image.ts";
import { imageEvent } from "./image-events.ts";
import { NO_PARENT, type ParentImage, recordImage, tagName } from "./record-image.ts";
import { freeLooseIndexes } from "./remove-image.ts";

export interface CommitOptions {
  /** undefined: the image gets no name. */
  name: string | undefined;
  author: string;
  message: string;
  changes: string[];
  /** Stop the container's processes meanwhile. */
  pause: boolean;
  signal?: AbortSignal | undefined;
}

/** Where the container has volumes of its own, as its image and `-v /path` say. */
function volumesOf({ mounts }: ContainerRecord, image: ExecutionConfig): Record<string, object> {
  const own = mounts.filter(isAnonymous);
  return { ...image.Volumes, ...Object.fromEntries(own.map(({ destination }) => [destination, {}])) };
}

/**
 * How an image made of a container runs: as the container does. What is empty, and what is so without a word, is left out.
 * @param image what the container's image says, for what a container has no say in
 */
function executionOf(record: ContainerRecord, image: ExecutionConfig): ExecutionConfig {
  const volumes = volumesOf(record, image);
  const { config } = record;
  const { user, env, cmd, entrypoint, workingDir, labels, stopSignal, exposedPorts } = config;
  const healthcheck = config.healthcheck ?? image.Healthcheck;
  return {
    ...(user === "" ? {} : { User: user }),
    ...(exposedPorts.length === 0
      ? {}
      : { ExposedPorts: Object.fromEntries(exposedPorts.map((port) => [port, {}])) }),
    ...(env.length === 0 ? {} : { Env: env }),
    ...(entrypoint.length === 0 ? {} : { Entrypoint: entrypoint }),
    ...(cmd.length === 0 ? {} : { Cmd: cmd }),
    ...(Object.keys(volumes).length === 0 ? {} : { Volumes: volumes }),
    ...(workingDir === "" ? {} : { WorkingDir: workingDir }),
    ...(Object.keys(labels).length === 0 ? {} : { Labels: labels }),
    ...(stopSignal === DEFAULT_STOP_SIGNAL ? {} : { StopSignal: stopSignal }),
    ...(healthcheck == null ? {} : { Healthcheck: healthcheck }),
    ...(image.Shell == null ? {} : { Shell: image.Shell }),
  };
}

function parentOf(engine: Engine, record: ContainerRecord): ParentImage {
  if (record.imageId === HOST_IMAGE) return { ...NO_PARENT, record: { chain: [], size: 0, base: "host" } };
  const image = engine.images.get(record.imageId);
  if (image?.manifest === undefined)
    throw new BockerError("not-found", `the image ${record.imageId} of the container is gone`);
  const config = parseImageConfig(engine.content.read(image.id as `sha256:${string}`));
  const { manifest } = parseImageManifest(engine.content.read(image.manifest as `sha256:${string}`));
  return { config, layers: manifest.layers, record: image };
}

function recordCommit(
  engine: Engine,
  record: ContainerRecord,
  image: ImageRecord,
  tag: string | undefined,
  comment: string,
): void {
  const imageRef = tag === undefined ? "" : familiarReference(parseReference(tag));
  recordEvents(engine.paths, [
    ...(tag === undefined ? [] : [imageEvent(image, "tag", image.id, imageRef)]),
    containerEvent(record, "commit", { comment, imageID: image.id, imageRef }),
  ]);
}

/** As `frozen`, and the container goes on. */
function unfrozen<T>(_engine: Engine, _record: ContainerRecord, action: () => Promise<T>): Promise<T> {
  return action();
}

/**
 * Makes an image of a container.
 * @throws BockerError "unsupported" for a container of --rootfs, which has no layer of its own
 */
export async function commitContainer(
  engine: Engine,
  record: ContainerRecord,
  options: CommitOptions,
): Promise<ImageRecord> {
  if (record.host.rootfs !== undefined)
    throw new BockerError(
      "unsupported",
      "a container of --rootfs cannot be committed: use init on its directory",
    );
  if (record.layers.at(-1) === "/" && engine.driver.layerForm === "tree")
    throw new BockerError(
      "unsupported",
      `a container of the image host cannot be committed with the storage driver ${engine.driver.name}: its layer is nothing without this machine's root below it; use one of overlay`,
    );
  const tag = options.name === undefined ? undefined : tagName(options.name);
  const parent = parentOf(engine, record);
  const execution = applyChanges(executionOf(record, parent.config?.config ?? {}), options.changes);
  const history = {
    created_by: [...record.config.entrypoint, ...record.config.cmd].join(" "),
    comment: options.message,
    ...(options.author === "" ? {} : { author: options.author }),
  };
  const held = lockContainer(engine, record);
  try {
    const running = readState(engine.paths, record.id).status === "running";
    const freeze = running && options.pause ? frozen : unfrozen;
    const changes = openChanges(engine, record);
    try {
      const image = await freeze(engine, record, () =>
        addLayer(
          engine,
          changes.archive({ mountPoints: MOUNT_POINTS }),
          "own",
          parent.record.chain.at(-1),
          options.signal,
          (layer) => recordImage(engine, { parent, layer, execution, history, author: options.author }, tag),
        ),
      );
      recordCommit(engine, record, image, tag, options.message);
      // The tag may have stood for one.
      freeLooseIndexes(engine);
      return image;
    } finally {
      changes.close();
    }
  } finally {
    held.release();
  }
}
