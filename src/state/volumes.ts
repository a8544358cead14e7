/** Named volumes: which there are. Their files lie below `paths.volumes`. */
import type { Database, SqlRow } from "../os/sqlite.ts";
import { damagedRecord, type OnDamaged, readableRecords } from "./damaged.ts";
import type { Paths } from "./paths.ts";

export interface VolumeRename {
  from: string;
  to: string;
}

export interface VolumeRecord {
  name: string;
  /** RFC 3339 */
  created: string;
  labels: Record<string, string>;
  /** Bytes that it takes at most. */
  size?: number | undefined;
  /** Made for one container that gave no name: it may go with that container. */
  anonymous: boolean;
  /** The container it was made for, until that is removed and this is kept. Without that container it is a crash's. */
  owner?: string | undefined;
  /** A rename under way, or cut off: both names have a record then, and the place of the files decides which is the volume's. */
  rename?: VolumeRename | undefined;
}

/** The label of a snapshot: its value is the volume's name. */
export const SNAPSHOT_LABEL = "bocker.snapshot-of";

/** The volume that this is a snapshot of; undefined for one that is none. */
export function snapshotOf({ labels }: VolumeRecord): string | undefined {
  return labels[SNAPSHOT_LABEL];
}

/** The directory that containers see. */
export function volumeDirectory(paths: Paths, name: string): string {
  return `${paths.volumes}/${name}/_data`;
}

/** The name of the lock (state/locks.ts) under which a volume's directory is made or removed. */
export function volumeLock(name: string): string {
  return `volume-${name}`;
}

/** @throws BockerError "corrupt" */
function recordOf(row: SqlRow): VolumeRecord {
  try {
    return JSON.parse(String(row["record"])) as VolumeRecord;
  } catch (cause) {
    throw damagedRecord("volume", String(row["name"]), cause);
  }
}

export class VolumeTable {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  get(name: string): VolumeRecord | undefined {
    const row = this.#database.prepare("SELECT name, record FROM volumes WHERE name = ?").get(name);
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

  update(record: VolumeRecord): void {
    this.#database
      .prepare("UPDATE volumes SET record = ? WHERE name = ?")
      .run(JSON.stringify(record), record.name);
  }

  delete(name: string): void {
    this.#database.prepare("DELETE FROM volumes WHERE name = ?").run(name);
  }

  /** By name. One that is damaged is passed over, so that the others can be worked with. */
  list(onDamaged?: OnDamaged): VolumeRecord[] {
    const rows = this.#database.prepare("SELECT name, record FROM volumes ORDER BY name").all();
    return readableRecords(rows, recordOf, onDamaged);
  }
}
