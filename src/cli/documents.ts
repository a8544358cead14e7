/** What `inspect` prints of what it found: JSON, or what --format says of each. */
import { visibleJson } from "../base/visible-json.ts";
import { print } from "./output.ts";
import type { Zeros } from "./template/zero.ts";

export interface Found {
  type: "container" | "image" | "volume";
  document: object;
}

/** How --format prints one document: "json", or a Go template. */
async function formatter(format: string): Promise<(document: object) => void> {
  if (format === "json") return (document) => print(visibleJson(document));
  const { compileTemplate } = await import("./template/render.ts");
  const { printRendered } = await import("./template/print.ts");
  const template = compileTemplate(format);
  return (document) => printRendered(template(document));
}

/** One document that is no list's: as it is with "json", as the Go struct that it is for a template. */
export async function printDocument(document: object, zeros: Zeros, format: string): Promise<void> {
  const { withZeros } = await import("./template/zero.ts");
  const show = await formatter(format);
  show(format === "json" ? document : withZeros(document, zeros));
}

/** @param format undefined or "" for indented JSON, "json" for one line, else a Go template */
export async function printDocuments(found: readonly Found[], format: string | undefined): Promise<void> {
  const documents = found.map(({ document }) => document);
  if (format === undefined || format === "") return print(visibleJson(documents, 4));
  if (format === "json") return print(visibleJson(documents));
  const { ZEROS } = await import("./document-zeros.ts");
  const { withZeros } = await import("./template/zero.ts");
  const show = await formatter(format);
  for (const { type, document } of found) show(withZeros(document, ZEROS[type]));
}
