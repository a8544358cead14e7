/** Images, the names that point to them, and their layers. */
import { BockerError } from "../base/errors.ts";
import type { Database, SqlRow } from "../os/sqlite.ts";
import type { HealthcheckConfig } from "../spec/image-config.ts";
import { damagedRecord, type OnDamaged, readableRecords } from "./damaged.ts";
import type { ImageName } from "./indexes.ts";

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
  Healthcheck?: HealthcheckConfig | null | undefined;
  Shell?: string[] | null | undefined;
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

/** @throws BockerError "corrupt" */
function recordOf(row: SqlRow): ImageRecord {
  try {
    return JSON.parse(String(row["record"])) as ImageRecord;
  } catch (cause) {
    throw damagedRecord("image", String(row["id"]), cause);
  }
}

type Names = "tags" | "digests";

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
    const row = this.#database.prepare("SELECT id, record FROM images WHERE id = ?").get(id);
    return row === undefined ? undefined : recordOf(row);
  }

  /** Newest first. One that is damaged is passed over, so that the others can be worked with. */
  list(onDamaged?: OnDamaged): ImageRecord[] {
    const rows = this.#database.prepare("SELECT id, record FROM images ORDER BY created DESC, id").all();
    return readableRecords(rows, recordOf, onDamaged);
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

  /**
   * Points a full name, such as docker.io/library/debian:12, to an image.
   * @param index the digest of the index that the name stands for, where it is kept (state/indexes.ts)
   */
  setTag(name: string, image: string, index?: string): void {
    this.#setName("tags", name, image, index);
  }

  /** Remembers under which name@digest an image, or its index, came. */
  setDigest(name: string, image: string, index?: string): void {
    this.#setName("digests", name, image, index);
  }

  #setName(table: Names, name: string, image: string, index: string | undefined): void {
    this.#database
      .prepare(`INSERT OR REPLACE INTO ${table} (name, image, image_index) VALUES (?, ?, ?)`)
      .run(name, image, index ?? null);
  }

  deleteTag(name: string): boolean {
    return this.#database.prepare("DELETE FROM tags WHERE name = ?").run(name).changes > 0;
  }

  deleteDigest(name: string): boolean {
    return this.#database.prepare("DELETE FROM digests WHERE name = ?").run(name).changes > 0;
  }

  /** Of one image, by its id, or of all. */
  tags(image?: string): ImageName[] {
    return this.#names("tags", image);
  }

  digests(image?: string): ImageName[] {
    return this.#names("digests", image);
  }

  #names(table: Names, image?: string): ImageName[] {
    return this.#database
      .prepare(`SELECT name, image, image_index FROM ${table} WHERE image = ifnull(?, image) ORDER BY name`)
      .all(image ?? null)
      .map((row) => ({
        name: String(row["name"]),
        image: String(row["image"]),
        index: row["image_index"]?.toString(),
      }));
  }

  byTag(name: string): ImageRecord | undefined {
    return this.#byName("tags", name);
  }

  byDigest(name: string): ImageRecord | undefined {
    return this.#byName("digests", name);
  }

  #byName(table: Names, name: string): ImageRecord | undefined {
    const row = this.#database
      .prepare(`SELECT i.id, i.record FROM ${table} n JOIN images i ON i.id = n.image WHERE n.name = ?`)
      .get(name);
    return row === undefined ? undefined : recordOf(row);
  }

  /** By a prefix of the id, with or without sha256:. Throws "conflict" when several fit. */
  byPrefix(prefix: string): ImageRecord | undefined {
    const hex = prefix.replace(/^sha256:/, "");
    if (!/^[0-9a-f]{1,64}$/.test(hex)) return undefined;
    const rows = this.#database
      .prepare("SELECT id, record FROM images WHERE id >= ? AND id < ? LIMIT 2")
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
