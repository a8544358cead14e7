/**
 * Which driver a data root belongs to. It is decided once, when the data root is made, and kept in a file of its own, because
 * it must be known before the database is looked into: what one driver has made means nothing to another.
 */
import { BockerError } from "../base/errors.ts";
import { exists, readTextIfExists } from "../os/host-files.ts";

export const DRIVERS = ["overlay", "btrfs", "vfs"] as const;
export type DriverName = (typeof DRIVERS)[number];

export interface StorageChoice {
  name: DriverName;
  /** What was tried, and what came of it, a line each. */
  log: string[];
  /** The file that has to be mounted at the data root before anything there can be read. */
  pool?: string;
  /** Records it, where it is new. Throws "conflict" when somebody else has decided otherwise meanwhile. */
  keep?: () => void;
}

/** The driver's name, then the log. */
export function choicePath(data: string): string {
  return `${data}/storage-driver`;
}

export function isDriver(name: string): name is DriverName {
  return (DRIVERS as readonly string[]).includes(name);
}

/** As it is kept. */
export function choiceText({ name, log }: Pick<StorageChoice, "name" | "log">): string {
  return `${[name, ...log].join("\n")}\n`;
}

/** What begins the file below a pool that is not mounted (storage/pool.ts); its path follows. */
export const POOL = "pool ";

/** What was decided for this data root; undefined for one that is new. */
export function keptChoice(data: string): StorageChoice | undefined {
  const text = readTextIfExists(choicePath(data));
  if (text?.startsWith(POOL) === true)
    return { name: "btrfs", log: [], pool: text.slice(POOL.length).trimEnd() };
  if (text !== undefined) {
    const [name = "", ...log] = text.trimEnd().split("\n");
    if (!isDriver(name))
      throw new BockerError(
        "platform",
        `${choicePath(data)} names a storage driver that this bocker does not have: ${JSON.stringify(name)}`,
      );
    return { name, log };
  }
  // Before there was a choice, there was overlay.
  if (exists(`${data}/state.db`) || exists(`${data}/overlay`))
    return { name: "overlay", log: ["overlay: the store is older than the choice"] };
  return undefined;
}
