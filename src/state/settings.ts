/** Small values that belong to no other table. */
import type { Database } from "../os/sqlite.ts";

export class SettingsTable {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  get(key: string): string | undefined {
    const row = this.#database.prepare("SELECT value FROM settings WHERE key = ?").get(key);
    return row === undefined ? undefined : String(row["value"]);
  }

  set(key: string, value: string): void {
    this.#database.prepare("INSERT OR REPLACE INTO settings (key, value) VALUES (?, ?)").run(key, value);
  }

  delete(key: string): void {
    this.#database.prepare("DELETE FROM settings WHERE key = ?").run(key);
  }
}
