/**
 * Seeds of the fuzzer of plans, from real ones: `bun fuzz/seeds.ts PLAN.json…`, each made by
 * `bocker run --explain=json …`. One operation of each kind and phase stays, and of the filter a few instructions:
 * small inputs are mutated more usefully.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parsePlanJson } from "../src/runtime/explain/json.ts";
import { encodePlan } from "../src/runtime/plan/encode.ts";
import type { Operation, Plan } from "../src/runtime/plan/operation.ts";

const CORPUS = join(import.meta.dirname, "corpus/plan");
const FILTER_BYTES = 32;

const reasons = { group: "exec", what: "", why: "" } as const;

/** Operations that no plan of `run` has. */
const OTHERS: Operation[] = [
  { op: "open", phase: "host", ...reasons, slot: 9, path: "/cg", flags: 0 },
  { op: "bpf_device", phase: "host", ...reasons, slot: 9, program: new Uint8Array(16) },
  {
    op: "fsmount",
    phase: "host",
    ...reasons,
    optional: true,
    slot: 9,
    type: "tmpfs",
    attributes: 0,
    options: [["size", "1"]],
  },
  { op: "mkdir_in_root", phase: "host", ...reasons, root: 9, path: "a/b/c" },
  {
    op: "mount",
    phase: "host",
    ...reasons,
    directory: "/d",
    source: "s",
    target: "t",
    type: "overlay",
    flags: 0,
    data: "lowerdir=a",
  },
  { op: "setns", phase: "container", ...reasons, slot: 9, type: 0 },
  { op: "unshare", phase: "container", ...reasons, flags: 0x20000 },
  { op: "setdomainname", phase: "container", ...reasons, name: "example" },
  { op: "dumpable", phase: "container", ...reasons, value: 0 },
  { op: "no_new_privs", phase: "container", ...reasons },
  { op: "succeed", phase: "container", ...reasons },
  { op: "unlink", phase: "cleanup", ...reasons, path: "/x" },
  {
    op: "events",
    phase: "host",
    ...reasons,
    path: "/events",
    limit: 1,
    lines: '0{"Type":"container"\n7{"Type":"container"\n',
  },
];

/** Its first operation of each kind in each phase, in order. */
function small(plan: Plan): Plan {
  const seen = new Set<string>();
  const operations = plan.operations.flatMap((operation): Operation[] => {
    const kind = `${operation.op} ${operation.phase}`;
    if (seen.has(kind)) return [];
    seen.add(kind);
    if (operation.op === "seccomp")
      return [{ ...operation, program: operation.program.subarray(0, FILTER_BYTES) }];
    if (operation.op === "exec") return [{ ...operation, env: operation.env.slice(0, 2) }];
    return [operation];
  });
  return { ...plan, operations };
}

/** Before the first part is received: four calls that succeed; then one part for all. */
const ONE_PART = [1, 1, 1, 1, 0, 0];

/** The script makes the launcher the monitor (every call answers 0) or the container's process (clone answers "child"). */
function seed(plan: Plan, side: "monitor" | "child"): Uint8Array {
  const script = side === "monitor" ? [] : [...ONE_PART, ...Array<number>(900).fill(1)];
  return Buffer.concat([Buffer.from([script.length & 255, script.length >> 8, ...script]), encodePlan(plan)]);
}

const plans = process.argv.slice(2).map((path) => small(parsePlanJson(readFileSync(path, "utf8"))));
const [first] = plans;
if (first === undefined) throw new Error("usage: bun fuzz/seeds.ts PLAN.json…");
plans.push({ ...first, operations: OTHERS, timings: true });
plans.forEach((plan, index) => {
  for (const side of ["monitor", "child"] as const)
    writeFileSync(join(CORPUS, `plan-${index + 1}-${side}`), seed(plan, side));
});
