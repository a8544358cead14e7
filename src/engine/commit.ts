/** `commit`: what a container changed becomes a layer upon its image. */
import { closeSync, openSync, writeSync } from "node:fs";
import { BockerError } from "../base/errors.ts";
import { cgroupFreezer, type Freezer } from "../cgroup/freezer.ts";
import { diffUpper } from "../images/layer/diff.ts";
import { AT_FDCWD, O_CLOEXEC, O_DIRECTORY, O_RDONLY } from "../os/constants.ts";
import { openat, withFdAsync } from "../os/files.ts";
import type { ContainerConfig, ContainerRecord } from "../spec/container.ts";
import { type ExecutionConfig, parseImageConfig } from "../spec/image-config.ts";
import { parseManifest } from "../spec/image-manifest.ts";
import type { ImageRecord } from "../state/images.ts";
import { lock } from "../state/locks.ts";
import { containerPaths } from "../state/paths.ts";
import { readState } from "../state/status.ts";
import { addLayer } from "./add-layer.ts";
import { applyChanges } from "./changes.ts";
import type { Engine } from "./engine.ts";
import { HOST_IMAGE } from "./image.ts";
import { cgroupName } from "./prepare.ts";
import { NO_PARENT, type ParentImage, recordImage, tagName } from "./record-image.ts";

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

/** Where the engine mounts things that an image need not have; Docker leaves them out, too. */
const MOUNT_POINTS = new Set(["dev", "proc", "sys", "etc/hosts", "etc/hostname", "etc/resolv.conf"]);

/** How an image made of a container runs: as the container does. */
function executionOf(config: ContainerConfig): ExecutionConfig {
  return {
    User: config.user,
    Env: config.env,
    Cmd: config.cmd.length > 0 ? config.cmd : null,
    Entrypoint: config.entrypoint.length > 0 ? config.entrypoint : null,
    WorkingDir: config.workingDir,
    Labels: config.labels,
    StopSignal: config.stopSignal,
    ...(config.exposedPorts.length === 0
      ? {}
      : { ExposedPorts: Object.fromEntries(config.exposedPorts.map((port) => [port, {}])) }),
  };
}

function parentOf(engine: Engine, record: ContainerRecord): ParentImage {
  if (record.imageId === HOST_IMAGE) return { ...NO_PARENT, record: { chain: [], size: 0, base: "host" } };
  const image = engine.images.get(record.imageId);
  if (image?.manifest === undefined)
    throw new BockerError("not-found", `the image ${record.imageId} of the container is gone`);
  const config = parseImageConfig(engine.content.read(image.id as `sha256:${string}`));
  const document = parseManifest(engine.content.read(image.manifest as `sha256:${string}`));
  if (document.kind !== "manifest") throw new BockerError("corrupt", "the image's manifest is an index");
  return { config, layers: document.manifest.layers, record: image };
}

/** Freezes a running container for as long as `action` takes. */
async function paused<T>(freezer: Freezer | undefined, action: () => Promise<T>): Promise<T> {
  const write = (value: string) => {
    if (freezer === undefined) return;
    const fd = openSync(freezer.path, "w");
    writeSync(fd, value);
    closeSync(fd);
  };
  write(freezer?.freeze ?? "");
  try {
    return await action();
  } finally {
    write(freezer?.thaw ?? "");
  }
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
  const tag = options.name === undefined ? undefined : tagName(options.name);
  const parent = parentOf(engine, record);
  const execution = applyChanges(executionOf(record.config), options.changes);
  const running = readState(engine.paths, record.id).status === "running";
  const freezer = running && options.pause ? cgroupFreezer(cgroupName(record.id)) : undefined;
  const files = containerPaths(engine.paths, record.id);
  const history = {
    created_by: [...record.config.entrypoint, ...record.config.cmd].join(" "),
    comment: options.message,
    ...(options.author === "" ? {} : { author: options.author }),
  };
  const held = lock(engine.paths.locks, record.id);
  try {
    const upper = openat(AT_FDCWD, files.upper, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return await withFdAsync(upper, () =>
      paused(freezer, () =>
        addLayer(
          engine,
          diffUpper(upper, { mountPoints: MOUNT_POINTS }),
          parent.record.chain.at(-1),
          options.signal,
          (layer) => recordImage(engine, { parent, layer, execution, history, author: options.author }, tag),
        ),
      ),
    );
  } finally {
    held?.release();
  }
}
