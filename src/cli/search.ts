/** `bocker search` */
import { BockerError } from "../base/errors.ts";
import { type FoundRepository, searchRepositories } from "../registry/search.ts";
import type { Command } from "./command.ts";
import { type Filters, parseBoolean, parseFilters } from "./filters.ts";
import { interruptible } from "./interruption.ts";
import { printListing } from "./listing.ts";

const HEADS: Record<string, string> = {
  Name: "NAME",
  Description: "DESCRIPTION",
  StarCount: "STARS",
  IsOfficial: "OFFICIAL",
  IsAutomated: "AUTOMATED",
};
/** Characters. */
const DESCRIPTION_MAX = 45;
const LIMIT_MAX = 100;

const shortened = (text: string) => {
  const letters = [...text];
  return letters.length > DESCRIPTION_MAX ? `${letters.slice(0, DESCRIPTION_MAX - 1).join("")}…` : text;
};

function limitOf(text: string | undefined): number | undefined {
  if (text === undefined || text === "0") return undefined;
  const limit = /^-?\d+$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isNaN(limit))
    throw new BockerError("usage", `invalid argument "${text}" for "--limit" flag: not a number`);
  if (limit < 1 || limit > LIMIT_MAX)
    throw new BockerError("invalid", `limit ${text} is outside the range of [1, ${LIMIT_MAX}]`);
  return limit;
}

/** @throws BockerError "invalid" for a value that the key cannot have */
function matcher(filters: Filters): (found: FoundRepository) => boolean {
  const checks = [...filters].flatMap(([key, values]) =>
    values.map((value): ((found: FoundRepository) => boolean) => {
      const invalid = new BockerError("invalid", `invalid filter '${key}=${value}'`);
      if (key === "stars") {
        if (!/^\d+$/.test(value)) throw invalid;
        return ({ stars }) => stars >= Number(value);
      }
      const wanted = parseBoolean(value);
      if (wanted === undefined) throw invalid;
      return ({ isOfficial, isAutomated }) => (key === "is-official" ? isOfficial : isAutomated) === wanted;
    }),
  );
  return (found) => checks.every((check) => check(found));
}

export const searchCommand: Command = {
  name: "search",
  usage: "[OPTIONS] TERM",
  summary: "Search Docker Hub or, with HOST/TERM, another registry for images",
  flags: [
    {
      name: "filter",
      short: "f",
      kind: "list",
      value: "filter",
      help: "Filter output (is-automated, is-official, stars)",
    },
    {
      name: "format",
      kind: "string",
      help: "Format output: 'table', 'table TEMPLATE', 'json', or a Go template",
    },
    { name: "limit", kind: "string", value: "int", help: "Max number of search results" },
    { name: "no-trunc", kind: "bool", help: "Don't truncate output" },
  ],
  standalone: true,
  words: { least: 1, most: 1 },
  async run(values) {
    const [term = ""] = values.positional;
    if (term === "") throw new BockerError("invalid", "the search term is empty");
    const isWanted = matcher(parseFilters(values.list("filter"), ["is-automated", "is-official", "stars"]));
    const limit = limitOf(values.string("limit"));
    const found = await interruptible((signal) => searchRepositories(term, limit, { signal }));
    const format = values.string("format");
    const isTable = format === undefined || format.startsWith("table");
    const flag = (is: boolean) => (isTable ? (is ? "[OK]" : "") : String(is));
    const rows = found.filter(isWanted).map((one) => ({
      Name: one.name,
      Description: values.bool("no-trunc") ? one.description : shortened(one.description),
      StarCount: String(one.stars),
      IsOfficial: flag(one.isOfficial),
      IsAutomated: flag(one.isAutomated),
    }));
    const columns = ["Name", "Description", "StarCount", "IsOfficial"];
    await printListing({ heads: HEADS, columns, rows }, format, false);
    return 0;
  },
};
