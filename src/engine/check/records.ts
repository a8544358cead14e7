/** The database: its pages, and the shape of what is kept in it. */
import { faultOfRecord, type RecordTable } from "../../state/record-schema.ts";
import type { Engine } from "../engine.ts";
import type { Finding } from "./finding.ts";

const KEYS: Record<RecordTable, string> = {
  containers: "id",
  images: "id",
  indexes: "digest",
  volumes: "name",
};
const KINDS: Record<RecordTable, string> = {
  containers: "container",
  images: "image",
  indexes: "index",
  volumes: "volume",
};

export function checkDatabase(engine: Engine): Finding[] {
  const lines = engine.database
    .prepare("PRAGMA integrity_check(10)")
    .all()
    .map((row) => String(Object.values(row)[0]));
  return lines
    .filter((line) => line !== "ok")
    .map((line) => ({
      subject: `database ${engine.paths.database}`,
      problem: `is damaged: ${line}`,
      advice: "stop the containers, remove the file, and pull or import the images again",
    }));
}

function checkTable(engine: Engine, table: RecordTable): Finding[] {
  const key = KEYS[table];
  return engine.database
    .prepare(`SELECT ${key} AS key, record FROM ${table}`)
    .all()
    .flatMap((row): Finding[] => {
      const name = String(row["key"]);
      const fault = faultOfRecord(table, String(row["record"]));
      if (fault === undefined) return [];
      const mend = () => {
        engine.database.prepare(`DELETE FROM ${table} WHERE ${key} = ?`).run(name);
        return "the record is removed";
      };
      return [{ subject: `record of ${KINDS[table]} ${name}`, problem: fault, mend }];
    });
}

/** Records that cannot be read, or are not what this bocker writes. */
export function checkRecords(engine: Engine): Finding[] {
  return (["containers", "images", "indexes", "volumes"] as const).flatMap((table) =>
    checkTable(engine, table),
  );
}
