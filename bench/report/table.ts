/** The results as text: for the terminal, and as Markdown for docs/performance.md. */
import type { Goal } from "../goals.ts";
import { median, type Row } from "../measurement.ts";

const PART_TITLES: Record<string, string> = {
  version: "The program itself",
  start: "Start",
  exec: "Exec",
  after: "After a start",
  detached: "Many at once",
  http: "Through a published port",
  memory: "Memory",
  pull: "Pull",
  extract: "Extraction",
  trees: "Images from files",
  cp: "Copies",
  logs: "Logs",
  records: "Many records",
  store: "Many images",
  library: "As a library",
};

/** Three digits that matter: 0.52, 5.21, 52.1, 521. */
export function shown(value: number): string {
  if (value === 0) return "0";
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  return value.toFixed(Math.min(digits, 2));
}

/** "14.2x" of bocker's result; for rates the other way round, so that more is always better for bocker. */
function ratioText(row: Row, engine: string, value: number): string {
  const own = row.samples.get("bocker");
  if (engine === "bocker" || own === undefined || median(own) === 0 || value === 0) return "";
  const ratio = row.unit === "per second" ? median(own) / value : value / median(own);
  return ratio >= 10 ? `${ratio.toFixed(0)}x` : ratio >= 1 ? `${ratio.toFixed(1)}x` : `${ratio.toFixed(2)}x`;
}

function cells(row: Row): string[][] {
  return [...row.samples].map(([engine, samples]) => {
    const spread =
      samples.length > 1 ? `${shown(Math.min(...samples))} … ${shown(Math.max(...samples))}` : "";
    return [
      engine,
      `${shown(median(samples))} ${row.unit}`,
      ratioText(row, engine, median(samples)),
      spread,
      String(samples.length),
    ];
  });
}

function byPart(rows: readonly Row[]): Map<string, Row[]> {
  return Map.groupBy(rows, ({ part }) => part);
}

export function terminalTable(rows: readonly Row[]): string {
  const all = rows.flatMap(cells);
  const width = (column: number) => Math.max(0, ...all.map((line) => line[column]!.length));
  const line = (text: string[]) =>
    `    ${text[0]!.padEnd(width(0))}  ${text[1]!.padStart(width(1))}  ${text[2]!.padStart(width(2))}  ${text[3]!.padEnd(width(3))}  n=${text[4]}`;
  return [...byPart(rows)]
    .flatMap(([part, own]) => [
      "",
      PART_TITLES[part] ?? part,
      ...own.flatMap((row) => [`  ${row.name}: ${row.what}`, ...cells(row).map(line)]),
    ])
    .join("\n");
}

export function goalLines(goals: readonly Goal[]): string {
  return goals
    .filter(({ measured }) => measured !== undefined)
    .map(({ text, measured, met }) => `  ${met ? "met    " : "NOT MET"}  ${text}: ${measured}`)
    .join("\n");
}

export function markdownTable(rows: readonly Row[], goals: readonly Goal[]): string {
  const measured = [...byPart(rows)].flatMap(([part, own]) => [
    `### ${PART_TITLES[part] ?? part}`,
    "",
    "| | | median | against bocker | from … to | n |",
    "| --- | --- | ---: | ---: | ---: | ---: |",
    ...own.flatMap((row) =>
      cells(row).map(
        (line, at) =>
          `| ${at === 0 ? `**${row.name}**: ${row.what.replaceAll("|", "\\|")}` : ""} | ${line.join(" | ")} |`,
      ),
    ),
    "",
  ]);
  const judged = goals
    .filter(({ measured }) => measured !== undefined)
    .map(({ text, measured, met }) => `| ${text} | ${measured} | ${met ? "yes" : "**no**"} |`);
  return [...measured, "### Goals", "", "| goal | measured | met |", "| --- | ---: | --- |", ...judged].join(
    "\n",
  );
}
