/** The composition root: the only place that builds drivers and wires rooms together. */
import type { GlobalOptions } from "./cli/dispatch.ts";
import { Engine } from "./engine/engine.ts";
import { AT_FDCWD } from "./os/constants.ts";
import { statat } from "./os/metadata.ts";
import { openBunDatabase } from "./os/sqlite-bun.ts";
import { type Paths, pathsOf } from "./state/paths.ts";
import { type DriverName, keptChoice, type StorageChoice } from "./storage/choice.ts";
import type { StorageDriver } from "./storage/driver.ts";

const DEFAULT_DATA = "/var/lib/bocker";
const DEFAULT_RUN = "/run/bocker";

/** The compiled program's file; a program that is run from its sources may change without one. */
function compiledBuild(): string | undefined {
  if (!import.meta.dirname.startsWith("/$bunfs/")) return undefined;
  const { identity, size, mtime } = statat(AT_FDCWD, process.execPath, 0);
  return `${identity} ${size} ${mtime.sec}.${mtime.nsec}`;
}

/** Without "." and a slash at the end. */
function absolute(path: string): string {
  return path === DEFAULT_DATA || path === DEFAULT_RUN
    ? path
    : process.getBuiltinModule("node:path").resolve(path);
}

/** What the data root belongs to, or will. */
async function choiceOf(data: string, asked: string | undefined): Promise<StorageChoice> {
  const kept = keptChoice(data);
  if (kept?.pool !== undefined) {
    const { attachPool } = await import("./storage/pool.ts");
    attachPool(data, kept.pool);
    return choiceOf(data, asked);
  }
  if (kept !== undefined && (asked === undefined || asked === kept.name)) return kept;
  const { checkAsked, probeStorage } = await import("./storage/probe.ts");
  if (kept === undefined) return probeStorage(data, asked);
  checkAsked(data, kept, asked ?? kept.name);
  return kept;
}

/** Each driver is loaded only where it is the one. */
async function driverOf(name: DriverName, { data, trash }: Paths): Promise<StorageDriver> {
  const root = `${data}/${name}`;
  if (name === "btrfs") return new (await import("./storage/btrfs/driver.ts")).BtrfsDriver(root, trash);
  if (name === "vfs") return new (await import("./storage/vfs/driver.ts")).VfsDriver(root, trash);
  return new (await import("./storage/overlay/driver.ts")).OverlayDriver(root, trash);
}

/** The engine upon these directories, or those of the environment, or the usual ones. */
export async function makeEngine({ data, run, storageDriver }: GlobalOptions): Promise<Engine> {
  const { env } = process;
  const paths = pathsOf(
    absolute(data ?? env["BOCKER_DATA"] ?? DEFAULT_DATA),
    absolute(run ?? env["BOCKER_RUN"] ?? DEFAULT_RUN),
  );
  const storage = await choiceOf(paths.data, storageDriver ?? (env["BOCKER_STORAGE_DRIVER"] || undefined));
  return new Engine({
    paths,
    storage,
    driver: await driverOf(storage.name, paths),
    openDatabase: openBunDatabase,
    self: [process.execPath],
    build: compiledBuild,
  });
}
