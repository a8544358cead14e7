/**
 * What is kept of a comparison, in docker.json: docker's facts, and those of bocker that are others. A test holds
 * bocker to it where no docker is.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Facts, factName, groupOf, keyOf } from "./facts.ts";

const FILE = join(import.meta.dirname, "docker.json");

/** Of what a fact may depend besides the engine. */
export interface MachineOfFacts {
  /** uname -r */
  kernel: string;
  architecture: string;
  /** The controllers that are mounted of version 1, or "v2". */
  cgroups: string;
  /** What the engine itself may give. */
  capabilities: string;
  /** /proc/self/limits and memory: the kernel derives settings from it. */
  size: string;
}

export interface Difference {
  scenario: string;
  name: string;
  /** Absent where that engine's container has no such fact. */
  docker: string | undefined;
  bocker: string | undefined;
}

export interface Kept {
  versions: Record<string, string>;
  machine: MachineOfFacts;
  /** By scenario. */
  docker: Map<string, Facts>;
  differences: Difference[];
}

/** Groups of thousands of facts that have a handful of values: kept the other way round, the value first. */
const isInverted = (group: string) => group === "calls" || group.startsWith("filter ");

type Group = Record<string, string | null>;
/** null: the scenario has none of the group. */
type Groups = Record<string, Group | null>;

function toGroups(facts: Map<string, string | undefined>): Groups {
  const groups: Record<string, Group> = {};
  for (const [name, value] of facts) {
    groups[groupOf(name)] ??= {};
    const group = groups[groupOf(name)]!;
    if (!isInverted(groupOf(name))) group[keyOf(name)] = value ?? null;
    else {
      const first = value ?? "absent";
      group[first] = group[first] === undefined ? keyOf(name) : `${group[first]} ${keyOf(name)}`;
    }
  }
  return groups;
}

/** Lays groups as they are kept over facts. */
function overlay(facts: Facts, groups: Groups): Facts {
  const result = new Map(facts);
  const set = (name: string, value: string | null) => {
    if (value === null) result.delete(name);
    else result.set(name, value);
  };
  for (const [group, entries] of Object.entries(groups)) {
    if (entries === null)
      for (const name of [...result.keys()]) if (groupOf(name) === group) result.delete(name);
    for (const [first, second] of Object.entries(entries ?? {}))
      if (!isInverted(group)) set(factName(group, first), second);
      else
        for (const key of (second ?? "").split(" "))
          set(factName(group, key), first === "absent" ? null : first);
  }
  return result;
}

/** What of `facts` is not in `base`: undefined for what only `base` has. */
export function changes(base: Facts, facts: Facts): Map<string, string | undefined> {
  const names = new Set([...base.keys(), ...facts.keys()]);
  return new Map(
    [...names].filter((name) => base.get(name) !== facts.get(name)).map((name) => [name, facts.get(name)]),
  );
}

function changedGroups(base: Facts, facts: Facts): Groups {
  const present = new Set([...facts.keys()].map(groupOf));
  const gone = new Set([...base.keys()].map(groupOf).filter((group) => !present.has(group)));
  const rest = new Map([...changes(base, facts)].filter(([name]) => !gone.has(groupOf(name))));
  return { ...toGroups(rest), ...Object.fromEntries([...gone].map((group) => [group, null])) };
}

interface Document {
  versions: Record<string, string>;
  machine: MachineOfFacts;
  /** The first whole, the others by what is not as in the first. */
  docker: Record<string, Groups>;
  /** By what is not as docker's. */
  bocker: Record<string, Groups>;
}

export function writeKept(kept: Kept, bocker: Map<string, Facts>): void {
  const [[first = "", base = new Map()] = []] = kept.docker;
  const document: Document = {
    versions: kept.versions,
    machine: kept.machine,
    docker: Object.fromEntries(
      [...kept.docker].map(([name, facts]) => [
        name,
        changedGroups(name === first ? new Map() : base, facts),
      ]),
    ),
    bocker: Object.fromEntries(
      [...kept.docker].map(([name, facts]) => [name, toGroups(changes(facts, bocker.get(name)!))]),
    ),
  };
  writeFileSync(FILE, `${JSON.stringify(document, undefined, 2)}\n`);
}

export function readKept(): Kept {
  const document = JSON.parse(readFileSync(FILE, "utf8")) as Document;
  const docker = new Map<string, Facts>();
  const differences: Difference[] = [];
  for (const [scenario, groups] of Object.entries(document.docker)) {
    const [base = new Map<string, string>()] = docker.values();
    docker.set(scenario, overlay(base, groups));
    const own = overlay(docker.get(scenario)!, document.bocker[scenario] ?? {});
    differences.push(...differencesOf(scenario, docker.get(scenario)!, own));
  }
  return { versions: document.versions, machine: document.machine, docker, differences };
}

export function differencesOf(scenario: string, docker: Facts, bocker: Facts): Difference[] {
  return [...changes(docker, bocker).keys()]
    .sort()
    .map((name) => ({ scenario, name, docker: docker.get(name), bocker: bocker.get(name) }));
}

/** What bocker's container has to be: docker's facts, but for the differences. */
export function expectedOf(kept: Kept, scenario: string): Facts {
  const facts = new Map(kept.docker.get(scenario));
  for (const { scenario: of, name, bocker } of kept.differences)
    if (of === scenario) {
      if (bocker === undefined) facts.delete(name);
      else facts.set(name, bocker);
    }
  return facts;
}
