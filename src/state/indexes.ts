/**
 * Indexes that are kept: images of several platforms under one name.
 *
 * A record says what of an index is here, packed, as it came. It is there as long as a tag or a name@digest stands for it
 * (ImageName.index). The name's own image, which `run` takes, has a record in `images`, as any other; so has every platform
 * that has been run, without a name.
 */
import type { Database, SqlRow } from "../os/sqlite.ts";
import type { Platform } from "../spec/descriptor.ts";
import { damagedRecord, type OnDamaged, readableRecords } from "./damaged.ts";

/** A manifest, or an index within the index. All that is named is in the content store. */
export interface IndexEntry {
  digest: string;
  mediaType: string;
  /** Digests of its configuration and its layers; none of an index. */
  blobs: string[];
  /** Absent where it is no image that could be run: an index, an attestation. The id is the configuration's digest. */
  image?: { id: string; platform: Platform } | undefined;
}

export interface IndexRecord {
  digest: string;
  mediaType: string;
  /** Bytes of its document. */
  size: number;
  /** Those that are here, in the order of the index. */
  entries: IndexEntry[];
}

function recordOf(row: SqlRow): IndexRecord {
  try {
    return JSON.parse(String(row["record"])) as IndexRecord;
  } catch (cause) {
    throw damagedRecord("index", String(row["digest"]), cause);
  }
}

/** A tag, or a name@digest. */
export interface ImageName {
  name: string;
  /** The id of the image that `run` takes. */
  image: string;
  /** The digest of the index that the name stands for, where it is kept. */
  index: string | undefined;
}

export class IndexTable {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  set(record: IndexRecord): void {
    this.#database
      .prepare("INSERT OR REPLACE INTO indexes (digest, record) VALUES (?, ?)")
      .run(record.digest, JSON.stringify(record));
  }

  get(digest: string): IndexRecord | undefined {
    const row = this.#database.prepare("SELECT digest, record FROM indexes WHERE digest = ?").get(digest);
    return row === undefined ? undefined : recordOf(row);
  }

  list(onDamaged?: OnDamaged): IndexRecord[] {
    const rows = this.#database.prepare("SELECT digest, record FROM indexes ORDER BY digest").all();
    return readableRecords(rows, recordOf, onDamaged);
  }

  delete(digest: string): void {
    this.#database.prepare("DELETE FROM indexes WHERE digest = ?").run(digest);
  }

  /** Those that no name stands for any more. */
  loose(): IndexRecord[] {
    const rows = this.#database
      .prepare(
        `SELECT digest, record FROM indexes WHERE digest NOT IN (
          SELECT image_index FROM tags WHERE image_index IS NOT NULL
          UNION SELECT image_index FROM digests WHERE image_index IS NOT NULL)`,
      )
      .all();
    return readableRecords(rows, recordOf);
  }

  /** Names that stand for this index stand for their image alone from now on. */
  forget(digest: string): void {
    for (const table of ["tags", "digests"])
      this.#database.prepare(`UPDATE ${table} SET image_index = NULL WHERE image_index = ?`).run(digest);
    this.delete(digest);
  }
}
