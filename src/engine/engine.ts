/** What every use case works with. main.ts builds one; nothing here is global. */
import { mkdirSync } from "node:fs";
import { ContentStore } from "../images/store.ts";
import { type MachineFacts, machineFacts } from "../os/machine.ts";
import type { Database } from "../os/sqlite.ts";
import { ContainerTable } from "../state/containers.ts";
import { ImageTable } from "../state/images.ts";
import { ownDirectories, type Paths } from "../state/paths.ts";
import { openState, openStateToRead, transaction } from "../state/schema.ts";
import type { StorageDriver } from "../storage/driver.ts";

export class Engine {
  readonly paths: Paths;
  readonly #makeDriver: (paths: Paths) => StorageDriver;
  /** The command that the monitor calls to clean up when nobody waits. */
  readonly self: string[];
  #database: Database | undefined;
  #driver: StorageDriver | undefined;
  #content: ContentStore | undefined;
  #machine: MachineFacts | undefined;
  /** Nothing may be changed: neither files nor the database. */
  readonly dry: boolean;

  constructor(paths: Paths, makeDriver: (paths: Paths) => StorageDriver, self: string[], dry = false) {
    this.paths = paths;
    this.#makeDriver = makeDriver;
    this.self = self;
    this.dry = dry;
  }

  /** The same machine and the same state to look at. What would write to the database fails. */
  dryRun(): Engine {
    return new Engine(this.paths, this.#makeDriver, this.self, true);
  }

  /** Opened at the first use: `version` and `--help` need no state. */
  get database(): Database {
    if (this.#database === undefined && this.dry) this.#database = openStateToRead(this.paths.database);
    if (this.#database === undefined) {
      // Nobody but root may pass through: layers hold set-uid files (CVE-2021-41091).
      mkdirSync(this.paths.data, { recursive: true, mode: 0o710 });
      mkdirSync(this.paths.run, { recursive: true, mode: 0o710 });
      for (const directory of ownDirectories(this.paths))
        mkdirSync(directory, { recursive: true, mode: 0o710 });
      this.#database = openState(this.paths.database);
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

  get driver(): StorageDriver {
    this.#driver ??= this.#makeDriver(this.paths);
    return this.#driver;
  }

  get machine(): MachineFacts {
    this.#machine ??= machineFacts();
    return this.#machine;
  }

  transaction<T>(action: () => T): T {
    return transaction(this.database, action);
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
