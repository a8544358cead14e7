/** Named volumes: which there are. Their files lie below `paths.volumes`. */
import { join } from "node:path";
import type { Database, SqlRow } from "../os/sqlite.ts";
import type { Paths } from "./paths.ts";

export interface VolumeRecord {
  name: string;
  /** RFC 3339 */
  created: string;
  labels: Record<string, string>;
  /** Made for one container that gave no name: it may go with that container. */
  anonymous: boolean;
}

/** The directory that containers see. */
export function volumeDirectory(paths: Paths, name: string): string {
  return join(paths.volumes, name, "_data");
}

function recordOf(row: SqlRow): VolumeRecord {
  return JSON.parse(String(row["record"])) as VolumeRecord;
}

export class VolumeTable {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  get(name: string): VolumeRecord | undefined {
    const row = this.#database.prepare("SELECT record FROM volumes WHERE name = ?").get(name);
    return row === undefined ? undefined : recordOf(row);
  }

  /** False when somebody else has made it meanwhile. */
  insert(record: VolumeRecord): boolean {
    return (
      this.#database
        .prepare("INSERT OR IGNORE INTO volumes (name, created, record) VALUES (?, ?, ?)")
        .run(record.name, record.created, JSON.stringify(record)).changes > 0
    );
  }

  delete(name: string): void {
    this.#database.prepare("DELETE FROM volumes WHERE name = ?").run(name);
  }

  list(): VolumeRecord[] {
    return this.#database.prepare("SELECT record FROM volumes ORDER BY name").all().map(recordOf);
  }
}
