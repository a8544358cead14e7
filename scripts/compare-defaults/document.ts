/** The comparison as text for docs/security.md, between its markers. */
import { join } from "node:path";
import { fillDocument } from "../../bench/report/document.ts";
import { countGroups, type Explained, explain } from "./compare.ts";
import { groupOf, keyOf } from "./facts.ts";
import type { Difference, Kept } from "./kept.ts";

export const DOCUMENT = join(import.meta.dirname, "../../docs/security.md");
export const COMMAND = "npm run compare-defaults";

/** Longer values are cut: docker.json has them whole. */
const LONGEST = 90;

function cell(value: string | undefined): string {
  if (value === undefined) return "–";
  if (value === "") return "(empty)";
  const line = value.replaceAll("\n", "↵").replaceAll("|", "\\|");
  return `\`${line.length > LONGEST ? `${line.slice(0, LONGEST - 1)}…` : line}\``;
}

/** "all", the containers by name, or those that it is not; of those that have such facts at all. */
function where(group: string, scenarios: string[], kept: Kept): string {
  const all = [...kept.docker].filter(([, facts]) =>
    [...facts.keys()].some((name) => groupOf(name) === group),
  );
  const rest = all.map(([name]) => name).filter((name) => !scenarios.includes(name));
  if (rest.length === 0) return "all";
  return rest.length < scenarios.length ? `all but ${rest.join(", ")}` : scenarios.join(", ");
}

function groupTable(kept: Kept): string[] {
  const [first = ""] = kept.docker.keys();
  const rows = [...countGroups(kept, first)].map(
    ([group, { facts, different }]) => `| ${group} | ${facts} | ${facts - different} | ${different} |`,
  );
  return ["| `run`, by group | facts | the same | different |", "| --- | --- | --- | --- |", ...rows];
}

function scenarioTable(kept: Kept, explained: Explained): string[] {
  const added = new Map<string, number>();
  for (const list of explained.byReason.values())
    for (const { scenarios } of list) added.set(scenarios[0]!, (added.get(scenarios[0]!) ?? 0) + 1);
  const rows = [...kept.docker.keys()].map((scenario) => {
    let [facts, different] = [0, 0];
    for (const count of countGroups(kept, scenario).values()) {
      facts += count.facts;
      different += count.different;
    }
    return `| \`${scenario}\` | ${facts} | ${facts - different} | ${different} | ${added.get(scenario) ?? 0} |`;
  });
  return [
    "| container | facts | the same | different | not as above |",
    "| --- | --- | --- | --- | --- |",
    ...rows,
  ];
}

/** Facts that differ in the same way share a row. */
function differenceRows(kept: Kept, list: { first: Difference; scenarios: string[] }[]): string[] {
  const rows = new Map<string, string[]>();
  for (const { first, scenarios } of list) {
    const group = groupOf(first.name);
    const end = [cell(first.docker), cell(first.bocker), where(group, scenarios, kept)].join(" | ");
    const key = `${group}\t${end}`;
    rows.set(key, [...(rows.get(key) ?? []), `\`${keyOf(first.name).replaceAll("|", "\\|")}\``]);
  }
  return [...rows].map(([key, names]) => `| ${groupOf(key)}: ${names.join(", ")} | ${keyOf(key)} |`);
}

function differenceTable(kept: Kept, explained: Explained): string[] {
  const lines: string[] = [];
  for (const [{ why }, list] of explained.byReason) {
    if (list.length === 0) continue;
    lines.push("", why, "", "| fact | docker | bocker | container |", "| --- | --- | --- | --- |");
    lines.push(...differenceRows(kept, list));
  }
  return lines;
}

/** @throws Error when docs/security.md has no markers */
export function documentText(kept: Kept): string {
  const { versions, machine } = kept;
  const explained = explain(kept.differences);
  const names = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  const distinct = [...explained.byReason.values()].reduce((sum, list) => sum + list.length, 0);
  return [
    `${names.join(", ")}; linux ${machine.kernel} (${machine.architecture}); cgroups: ${machine.cgroups}; ${machine.size};`,
    `the engines' own capabilities: ${machine.capabilities}.`,
    "",
    ...groupTable(kept),
    "",
    ...scenarioTable(kept, explained),
    "",
    `#### The ${distinct} differences`,
    ...differenceTable(kept, explained),
  ].join("\n");
}

export function writeDocument(kept: Kept): void {
  fillDocument(DOCUMENT, COMMAND, documentText(kept));
}
