/** Lists of things: a table, JSON lines, or what --format says. */
import { print, table } from "./output.ts";
import { compileTemplate } from "./template/render.ts";

/** Fields by Docker's names, e.g. { ID, Names }. */
export type Row = Record<string, string>;

export interface Listing {
  /** Heads of all fields that a template may use, by field. */
  heads: Record<string, string>;
  /** Fields of the default table. */
  columns: string[];
  rows: Row[];
}

/** --format's texts contain \t and \n as two characters. */
function unescaped(format: string): string {
  return format.replace(/\\t/g, "\t").replace(/\\n/g, "\n");
}

/** Prints a listing. `format`: undefined or "table", "table TEMPLATE", "json", or a template for each row. */
export function printListing(listing: Listing, format: string | undefined, quiet: boolean): void {
  const { heads, columns, rows } = listing;
  if (quiet && format === undefined) {
    for (const row of rows) print(row["ID"] ?? "");
  } else if (format === undefined || format === "" || format === "table") {
    print(
      table(
        columns.map((column) => heads[column] ?? ""),
        rows.map((row) => columns.map((column) => row[column] ?? "")),
      ),
    );
  } else if (format === "json") {
    for (const row of rows) print(JSON.stringify(row));
  } else if (format.startsWith("table ")) {
    const template = compileTemplate(unescaped(format.slice("table ".length)));
    const [head = [], ...body] = [heads, ...rows].map((row) => template(row).split("\t"));
    print(table(head, body));
  } else {
    const template = compileTemplate(unescaped(format));
    for (const row of rows) print(template(row));
  }
}
