/** What every use case works with. main.ts builds one; nothing here is global. */

import { ContentStore } from "../images/store.ts";
import { Facts } from "../os/facts.ts";
import { exists, makeDirectories, syncFilesystem } from "../os/host-files.ts";
import { type Machine, machineBy } from "../os/machine.ts";
import type { Database, OpenDatabase } from "../os/sqlite.ts";
import { ContainerTable } from "../state/containers.ts";
import { ImageTable } from "../state/images.ts";
import { ownDirectories, type Paths } from "../state/paths.ts";
import { openState, openStateToRead, type TransactionOptions, transaction } from "../state/schema.ts";
import type { StorageChoice } from "../storage/choice.ts";
import type { StorageDriver } from "../storage/driver.ts";

/** What the composition root decides. */
export interface EngineParts {
  paths: Paths;
  storage: StorageChoice;
  driver: StorageDriver;
  openDatabase: OpenDatabase;
  /** The command line that starts bocker anew. */
  self: string[];
  /** Which build this is: equal texts, equal programs. undefined where that cannot be told. */
  build: () => string | undefined;
}

export class Engine {
  readonly paths: Paths;
  readonly #parts: EngineParts;
  /** The command that the monitor calls to clean up when nobody waits. */
  readonly self: string[];
  #database: Database | undefined;
  #content: ContentStore | undefined;
  #machine: Machine | undefined;
  /** Nothing may be changed: neither files nor the database. */
  readonly dry: boolean;

  /** @see EngineParts.build */
  get build(): string | undefined {
    return this.#parts.build();
  }

  constructor(parts: EngineParts, dry = false) {
    this.#parts = parts;
    this.paths = parts.paths;
    this.self = parts.self;
    this.dry = dry;
  }

  /** The same machine and the same state to look at. What would write to the database fails. */
  dryRun(): Engine {
    return new Engine(this.#parts, true);
  }

  /** Makes bocker's own directories on a new data root, and after a boot. */
  ensureDirectories(): void {
    const { data, run, containers, runContainers } = this.paths;
    this.storage.keep?.();
    const isNew = !exists(containers);
    if (!isNew && exists(runContainers)) return;
    // Nobody but root may pass through: layers hold set-uid files (CVE-2021-41091).
    for (const directory of [data, run, ...ownDirectories(this.paths)]) makeDirectories(directory, 0o710);
    // R4: what is synced in a directory is nowhere if the directory is not on the disk.
    if (isNew) syncFilesystem(data);
  }

  /** Opened at the first use: `version` and `--help` need no state. */
  get database(): Database {
    if (this.#database === undefined && this.dry)
      this.#database = openStateToRead(this.paths.database, this.#parts.openDatabase);
    if (this.#database === undefined) {
      this.ensureDirectories();
      this.#database = openState(this.paths.database, this.#parts.openDatabase);
    }
    return this.#database;
  }

  get containers(): ContainerTable {
    return new ContainerTable(this.database);
  }

  get images(): ImageTable {
    return new ImageTable(this.database);
  }

  get content(): ContentStore {
    void this.database;
    this.#content ??= new ContentStore(this.paths.data);
    return this.#content;
  }

  /** Why the driver is the one it is. */
  get storage(): StorageChoice {
    return this.#parts.storage;
  }

  get driver(): StorageDriver {
    return this.#parts.driver;
  }

  get machine(): Machine {
    this.#machine ??= machineBy(new Facts());
    return this.#machine;
  }

  transaction<T>(action: () => T, options?: TransactionOptions): T {
    return transaction(this.database, this.paths.database, action, options);
  }

  close(): void {
    this.#database?.close();
    this.#database = undefined;
    this.#content?.close();
    this.#content = undefined;
  }
}

/** RFC 3339 with nanoseconds, as Docker prints times. */
export function timestamp(): string {
  return `${new Date().toISOString().slice(0, -1)}000000Z`;
}
