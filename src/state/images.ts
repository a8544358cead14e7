/** Images, the names that point to them, and their layers. */
import { BockerError } from "../base/errors.ts";
import type { Database, SqlRow } from "../os/sqlite.ts";

/** What containers inherit of an image (the `config` object of OCI image-spec config.md). */
export interface ImageDefaults {
  User?: string | undefined;
  Env?: string[] | null | undefined;
  Entrypoint?: string[] | null | undefined;
  Cmd?: string[] | null | undefined;
  WorkingDir?: string | undefined;
  Labels?: Record<string, string> | null | undefined;
  StopSignal?: string | undefined;
  ExposedPorts?: Record<string, object> | null | undefined;
  Volumes?: Record<string, object> | null | undefined;
}

export interface ImageRecord {
  /** The config's digest, sha256:… */
  id: string;
  /** RFC 3339; of the image, not of the pull */
  created: string;
  architecture: string;
  os: string;
  /** Digest of the manifest, where one is stored. */
  manifest: string | undefined;
  /** Chain ids of the layers, the lowest first. */
  chain: string[];
  /** Of the layers' files, in bytes. */
  size: number;
  /** Digests of the layers' blobs in the content store, the lowest first. */
  blobs: string[];
  /** A copy of the configuration's `config`, so that a start need not read the blob. */
  config: ImageDefaults;
  /** "host": the lowest layer lies upon this machine's own root. */
  base?: "host" | undefined;
}

function recordOf(row: SqlRow): ImageRecord {
  return JSON.parse(String(row["record"])) as ImageRecord;
}

export class ImageTable {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  insert(record: ImageRecord): void {
    this.#database
      .prepare("INSERT OR REPLACE INTO images (id, created, record) VALUES (?, ?, ?)")
      .run(record.id, record.created, JSON.stringify(record));
  }

  get(id: string): ImageRecord | undefined {
    const row = this.#database.prepare("SELECT record FROM images WHERE id = ?").get(id);
    return row === undefined ? undefined : recordOf(row);
  }

  /** Newest first. */
  list(): ImageRecord[] {
    return this.#database.prepare("SELECT record FROM images ORDER BY created DESC, id").all().map(recordOf);
  }

  /** Removes the image and every name of it. */
  delete(id: string): void {
    for (const sql of [
      "DELETE FROM tags WHERE image = ?",
      "DELETE FROM digests WHERE image = ?",
      "DELETE FROM images WHERE id = ?",
    ])
      this.#database.prepare(sql).run(id);
  }

  /** Points a full name, such as docker.io/library/debian:12, to an image. */
  setTag(name: string, image: string): void {
    this.#database.prepare("INSERT OR REPLACE INTO tags (name, image) VALUES (?, ?)").run(name, image);
  }

  /** Remembers under which name@digest an image came. */
  setDigest(name: string, image: string): void {
    this.#database.prepare("INSERT OR REPLACE INTO digests (name, image) VALUES (?, ?)").run(name, image);
  }

  deleteTag(name: string): boolean {
    return this.#database.prepare("DELETE FROM tags WHERE name = ?").run(name).changes > 0;
  }

  deleteDigest(name: string): boolean {
    return this.#database.prepare("DELETE FROM digests WHERE name = ?").run(name).changes > 0;
  }

  tags(): { name: string; image: string }[] {
    return this.#database
      .prepare("SELECT name, image FROM tags ORDER BY name")
      .all()
      .map((row) => ({ name: String(row["name"]), image: String(row["image"]) }));
  }

  digests(): { name: string; image: string }[] {
    return this.#database
      .prepare("SELECT name, image FROM digests ORDER BY name")
      .all()
      .map((row) => ({ name: String(row["name"]), image: String(row["image"]) }));
  }

  byTag(name: string): ImageRecord | undefined {
    const row = this.#database
      .prepare("SELECT i.record FROM tags t JOIN images i ON i.id = t.image WHERE t.name = ?")
      .get(name);
    return row === undefined ? undefined : recordOf(row);
  }

  byDigest(name: string): ImageRecord | undefined {
    const row = this.#database
      .prepare("SELECT i.record FROM digests t JOIN images i ON i.id = t.image WHERE t.name = ?")
      .get(name);
    return row === undefined ? undefined : recordOf(row);
  }

  /** By a prefix of the id, with or without sha256:. Throws "conflict" when several fit. */
  byPrefix(prefix: string): ImageRecord | undefined {
    const hex = prefix.replace(/^sha256:/, "");
    if (!/^[0-9a-f]{1,64}$/.test(hex)) return undefined;
    const rows = this.#database
      .prepare("SELECT record FROM images WHERE id >= ? AND id < ? LIMIT 2")
      .all(`sha256:${hex}`, `sha256:${hex}g`);
    if (rows.length > 1)
      throw new BockerError("conflict", `multiple IDs found with provided prefix: ${prefix}`);
    return rows[0] === undefined ? undefined : recordOf(rows[0]);
  }

  /** Records a layer once it is in the storage driver. */
  addLayer(layer: { chain: string; diff: string; size: number }): void {
    this.#database
      .prepare("INSERT OR REPLACE INTO layers (chain, diff, size) VALUES (?, ?, ?)")
      .run(layer.chain, layer.diff, layer.size);
  }

  layer(chain: string): { diff: string; size: number } | undefined {
    const row = this.#database.prepare("SELECT diff, size FROM layers WHERE chain = ?").get(chain);
    return row === undefined ? undefined : { diff: String(row["diff"]), size: Number(row["size"]) };
  }

  layers(): string[] {
    return this.#database
      .prepare("SELECT chain FROM layers")
      .all()
      .map((row) => String(row["chain"]));
  }

  deleteLayer(chain: string): void {
    this.#database.prepare("DELETE FROM layers WHERE chain = ?").run(chain);
  }
}
