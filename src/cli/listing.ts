/** Lists of things: a table, JSON lines, or what --format says. */
import { visibleJson } from "../base/visible-json.ts";
import type { FlagValues } from "./flags.ts";
import { print, table } from "./output.ts";

/** Fields by Docker's names, e.g. { ID, Names }. */
export type Row = Record<string, string>;

/** How each field of a thing is worked out. */
export type Fields<T> = Record<string, (shown: T) => string>;

/** The fields that are shown, or may be: of a thousand things they are worth choosing. */
export function wantedFields<T>(values: FlagValues, columns: string[], fields: Fields<T>): string[] {
  const format = values.string("format");
  if (values.bool("quiet") && format === undefined) return ["ID"];
  if (format === undefined || format === "" || format === "table") return columns;
  const every = Object.keys(fields);
  // "{{json .}}" shows all without naming one.
  return format === "json" || /\.(?![A-Za-z])/.test(format)
    ? every
    : every.filter((name) => format.includes(name));
}

/** The fields of these names; without names all. */
export function rowOf<T>(fields: Fields<T>, shown: T, wanted = Object.keys(fields)): Row {
  const row: Row = {};
  for (const name of wanted) row[name] = fields[name]!(shown);
  return row;
}

export interface Listing {
  /** Heads of all fields that a template may use, by field. */
  heads: Record<string, string>;
  /** Fields of the default table. */
  columns: string[];
  rows: Row[];
  /** The labels of each row, for `{{.Label "key"}}`. */
  labels?: Readonly<Record<string, string>>[];
}

/** --format's texts contain \t and \n as two characters. */
export function unescaped(format: string): string {
  return format.replace(/\\t/g, "\t").replace(/\\n/g, "\n");
}

/** A row as templates see it, with a method that is no field. */
function withLabel(row: Row, label: (key: unknown) => string): object {
  return Object.defineProperty({ ...row }, "Label", { value: label });
}

/** Rows as templates see them. */
export function withLabels({ rows, labels }: Pick<Listing, "rows" | "labels">): object[] {
  if (labels === undefined) return rows;
  return rows.map((row, at) => {
    const own = labels[at] ?? {};
    return withLabel(row, (key) => (Object.hasOwn(own, String(key)) ? (own[String(key)] ?? "") : ""));
  });
}

/** The table of a listing, with its default columns. */
export function listingTable({ heads, columns, rows }: Listing): string {
  return table(
    columns.map((column) => heads[column] ?? ""),
    rows.map((row) => columns.map((column) => row[column] ?? "")),
  );
}

/** Prints a listing. `format`: undefined or "table", "table TEMPLATE", "json", or a template for each row. */
export async function printListing(
  listing: Listing,
  format: string | undefined,
  quiet: boolean,
): Promise<void> {
  const { rows } = listing;
  if (quiet && format === undefined) {
    for (const row of rows) print(row["ID"] ?? row["Name"] ?? "");
  } else if (format === undefined || format === "" || format === "table") {
    print(listingTable(listing));
  } else if (format === "json") {
    for (const row of rows) print(visibleJson(row));
  } else await printTemplate(listing, format);
}

/** Templates are loaded for those who use them. */
async function printTemplate(listing: Listing, format: string): Promise<void> {
  const { compileTemplate } = await import("./template/render.ts");
  if (format.startsWith("table ")) {
    const template = compileTemplate(unescaped(format.slice("table ".length)));
    const titles = withLabel(listing.heads, String);
    const [head = [], ...body] = [titles, ...withLabels(listing)].map((row) => template(row).split("\t"));
    print(table(head, body));
  } else {
    const { printRendered } = await import("./template/print.ts");
    const template = compileTemplate(unescaped(format));
    for (const row of withLabels(listing)) printRendered(template(row));
  }
}
