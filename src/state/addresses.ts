/** Leases of network addresses. A lease is its container's until the container has ended. */
import type { Database } from "../os/sqlite.ts";

export class AddressTable {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** address → container */
  leases(network: string): Map<string, string> {
    const rows = this.#database
      .prepare("SELECT address, container FROM addresses WHERE network = ?")
      .all(network);
    return new Map(rows.map((row) => [String(row["address"]), String(row["container"])]));
  }

  lease(network: string, address: string, container: string): void {
    this.#database
      .prepare("INSERT INTO addresses (network, address, container) VALUES (?, ?, ?)")
      .run(network, address, container);
    this.#database
      .prepare("INSERT OR REPLACE INTO settings (key, value) VALUES (?, ?)")
      .run(`last-address ${network}`, address);
  }

  /** The address that was leased last, so that the next one is another. */
  last(network: string): string | undefined {
    const row = this.#database
      .prepare("SELECT value FROM settings WHERE key = ?")
      .get(`last-address ${network}`);
    return row === undefined ? undefined : String(row["value"]);
  }

  /** Every container that holds a lease. */
  holders(): string[] {
    return this.#database
      .prepare("SELECT DISTINCT container FROM addresses")
      .all()
      .map((row) => String(row["container"]));
  }

  release(container: string): void {
    this.#database.prepare("DELETE FROM addresses WHERE container = ?").run(container);
  }
}

/** A container that has ended, or is removed, needs no address. */
export function releaseAddresses(database: Database, container: string): void {
  new AddressTable(database).release(container);
}
