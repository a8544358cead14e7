/** Which differences there are, and why. */
import { groupOf, keyOf } from "./facts.ts";
import type { Difference, Kept } from "./kept.ts";
import { REASONS } from "./reasons.ts";

export interface Reason {
  /** "GROUP KEY", with * for anything. */
  facts: string[];
  /** Only where docker's value is this. */
  docker?: RegExp;
  /** One sentence. */
  why: string;
}

function matches(reason: Reason, difference: Difference): boolean {
  const name = difference.name.replace("\t", " ");
  if (reason.docker !== undefined && !reason.docker.test(difference.docker ?? "")) return false;
  return reason.facts.some((pattern) => {
    const parts = pattern.split("*").map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&"));
    return new RegExp(`^${parts.join(".*")}$`, "s").test(name);
  });
}

export interface Explained {
  /** In the order of the file of reasons; the differences that are the same in several containers once. */
  byReason: Map<Reason, { first: Difference; scenarios: string[] }[]>;
  /** Without a reason. */
  unexplained: Difference[];
  /** Reasons of nothing. */
  idle: Reason[];
}

export function explain(differences: readonly Difference[]): Explained {
  const byReason: Explained["byReason"] = new Map(REASONS.map((reason) => [reason, []]));
  const unexplained: Difference[] = [];
  for (const difference of differences) {
    const reason = REASONS.find((each) => matches(each, difference));
    if (reason === undefined) {
      unexplained.push(difference);
      continue;
    }
    const list = byReason.get(reason)!;
    const same = list.find(
      ({ first }) =>
        first.name === difference.name &&
        first.docker === difference.docker &&
        first.bocker === difference.bocker,
    );
    if (same === undefined) list.push({ first: difference, scenarios: [difference.scenario] });
    else same.scenarios.push(difference.scenario);
  }
  const idle = REASONS.filter((reason) => byReason.get(reason)!.length === 0);
  return { byReason, unexplained, idle };
}

/** Facts, and those that differ, by group. */
export function countGroups(kept: Kept, scenario: string): Map<string, { facts: number; different: number }> {
  const counts = new Map<string, { facts: number; different: number }>();
  const at = (name: string) => {
    const group = groupOf(name);
    if (!counts.has(group)) counts.set(group, { facts: 0, different: 0 });
    return counts.get(group)!;
  };
  const names = new Set(kept.docker.get(scenario)?.keys());
  const own = kept.differences.filter((difference) => difference.scenario === scenario);
  for (const { name } of own) names.add(name);
  for (const name of names) at(name).facts++;
  for (const { name } of own) at(name).different++;
  return counts;
}

export function describeDifference({ scenario, name, docker, bocker }: Difference): string {
  return `${scenario}: ${groupOf(name)} ${keyOf(name)}\n  docker: ${docker ?? "(none)"}\n  bocker: ${bocker ?? "(none)"}`;
}
