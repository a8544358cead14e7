/** Containers' records: unique names, ids found by prefix. */
import { BockerError } from "../base/errors.ts";
import { newName } from "../base/ids.ts";
import type { Database, SqlRow } from "../os/sqlite.ts";
import type { ContainerRecord } from "../spec/container.ts";
import { damagedRecord, type OnDamaged, readableRecords } from "./damaged.ts";

/** @throws BockerError "corrupt" */
function recordOf(row: SqlRow): ContainerRecord {
  try {
    return JSON.parse(String(row["record"])) as ContainerRecord;
  } catch (cause) {
    throw damagedRecord("container", String(row["id"]), cause);
  }
}

export class ContainerTable {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Throws "conflict" with Docker's words for one that is taken. */
  requireFree(name: string): void {
    const other = this.#database.prepare("SELECT id FROM containers WHERE name = ?").get(name);
    if (other !== undefined)
      throw new BockerError(
        "conflict",
        `Conflict. The container name "/${name}" is already in use by container "${other["id"]}". You have to remove (or rename) that container to be able to reuse that name.`,
      );
  }

  /**
   * Adds a record. An empty name is replaced by a generated one that is free. Call in a transaction.
   * @throws BockerError as requireFree
   */
  insert(record: ContainerRecord): void {
    const taken = this.#database.prepare("SELECT id FROM containers WHERE name = ?");
    if (record.name === "") {
      let attempt = 0;
      do record.name = newName(attempt++);
      while (taken.get(record.name) !== undefined);
    } else this.requireFree(record.name);
    this.#database
      .prepare("INSERT INTO containers (id, name, image, created, record) VALUES (?, ?, ?, ?, ?)")
      .run(record.id, record.name, record.imageId, record.created, JSON.stringify(record));
  }

  update(record: ContainerRecord): void {
    this.#database
      .prepare("UPDATE containers SET name = ?, record = ? WHERE id = ?")
      .run(record.name, JSON.stringify(record), record.id);
  }

  delete(id: string): void {
    this.#database.prepare("DELETE FROM containers WHERE id = ?").run(id);
  }

  /** Newest first. One that is damaged is passed over, so that the others can be worked with. */
  list(onDamaged?: OnDamaged): ContainerRecord[] {
    // Rows come as they were made, so there is little to sort; SQLite would move each record for it.
    const rows = this.#database.prepare("SELECT id, record FROM containers").all();
    const records = readableRecords(rows, recordOf, onDamaged).reverse();
    return records.sort((a, b) => (a.created < b.created ? 1 : -1));
  }

  /** Ids of all. */
  ids(): string[] {
    return this.#database
      .prepare("SELECT id FROM containers")
      .all()
      .map(({ id }) => String(id));
  }

  /** Ids of those that go when they end, and of few others: a text is searched, which is faster than reading each. */
  idsOfAutoRemoved(): string[] {
    return this.#database
      .prepare("SELECT id FROM containers WHERE instr(record, ?)")
      .all('"autoRemove":true')
      .map(({ id }) => String(id));
  }

  get(id: string): ContainerRecord | undefined {
    const row = this.#database.prepare("SELECT id, record FROM containers WHERE id = ?").get(id);
    return row === undefined ? undefined : recordOf(row);
  }

  usingImage(image: string): ContainerRecord[] {
    return this.#database
      .prepare("SELECT id, record FROM containers WHERE image = ?")
      .all(image)
      .map(recordOf);
  }

  /**
   * A full id, a name (with or without Docker's leading slash), or a prefix of an id: in that order.
   * @throws BockerError "not-found", or "conflict" for a prefix of several ids
   */
  find(reference: string): ContainerRecord {
    const name = reference.replace(/^\//, "");
    const exact = this.#database
      .prepare("SELECT id, record FROM containers WHERE id = ? OR name = ?")
      .get(reference, name);
    if (exact !== undefined) return recordOf(exact);
    const matches = /^[0-9a-f]{1,64}$/.test(reference)
      ? this.#database
          .prepare("SELECT id, record FROM containers WHERE id >= ? AND id < ? LIMIT 2")
          .all(reference, `${reference}g`)
      : [];
    if (matches.length > 1)
      throw new BockerError("conflict", `multiple IDs found with provided prefix: ${reference}`);
    const [match] = matches;
    if (match === undefined) throw new BockerError("not-found", `No such container: ${reference}`);
    return recordOf(match);
  }
}
