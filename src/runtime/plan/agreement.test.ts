/** operation.ts and encode.ts against launcher/plan.h, monitor.h and PROTOCOL.md: the same numbers everywhere. */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { encodePlan } from "./encode.ts";
import {
  KIND_DIRECTORY,
  KIND_EXISTING,
  KIND_FILE,
  type MonitorConfig,
  OPERATIONS,
  PHASES,
  type Plan,
} from "./operation.ts";
import { SESSION } from "./session.ts";
import { SLOT_INHERITED } from "./slots.ts";

const launcher = join(import.meta.dirname, "../../../launcher");
const header = readFileSync(join(launcher, "plan.h"), "utf8");
const monitorHeader = readFileSync(join(launcher, "monitor.h"), "utf8");
const protocol = readFileSync(join(launcher, "PROTOCOL.md"), "utf8");

/** NAME = number, of an enum. */
function enumerated(text: string, prefix: string): Map<string, number> {
  const found = text.matchAll(new RegExp(`\\b${prefix}(\\w+) = (\\d+)`, "g"));
  return new Map([...found].map(([, name = "", value]) => [name, Number(value)]));
}

function defined(text: string, name: string): number {
  return Number(new RegExp(`#define ${name} (0x[0-9a-f]+|\\d+)`).exec(text)?.[1]);
}

/** Without a flag. */
const MONITOR: MonitorConfig = { ...SESSION, session: false };

function view(plan: Partial<Plan>): DataView {
  const bytes = encodePlan({ operations: [], monitor: MONITOR, timings: false, ...plan });
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

describe("the plan's numbers", () => {
  test("operation codes", () => {
    const ours = Object.entries(OPERATIONS).map(([name, { code }]) => [name.toUpperCase(), code]);
    const theirs = enumerated(header.slice(header.indexOf("enum op_code")), "OP_");
    // OP_OPTIONAL is a #define and has no "=".
    expect(new Map(ours as [string, number][])).toEqual(theirs);
    expect(new Set(theirs.values()).size).toBe(theirs.size);
  });

  test("phases", () => {
    const theirs = enumerated(header, "PHASE_");
    PHASES.forEach((phase, index) => {
      expect(theirs.get(phase.toUpperCase().replace("-", "_"))).toBe(index);
    });
    expect(theirs.size).toBe(PHASES.length);
  });

  test("kinds of mount points, slots, flags", () => {
    const kinds = enumerated(header, "KIND_");
    expect(kinds.get("EXISTING")).toBe(KIND_EXISTING);
    expect(kinds.get("DIRECTORY")).toBe(KIND_DIRECTORY);
    expect(kinds.get("FILE")).toBe(KIND_FILE);
    expect(defined(header, "SLOT_INHERITED")).toBe(SLOT_INHERITED);
    expect(defined(header, "PLAN_MAGIC")).toBe(view({}).getUint32(0, true));
    expect(defined(header, "PLAN_TIMINGS")).toBe(view({ timings: true }).getUint32(4, true));
    expect(view({}).getUint32(4, true)).toBe(0);
    const wait = {
      op: "wait",
      phase: "container",
      group: "network",
      what: "",
      why: "",
      tolerate: 17,
    } as const;
    const plain = view({ operations: [wait] });
    const optional = view({ operations: [{ ...wait, optional: true }] });
    const at = 16 + plain.getUint32(8, true);
    expect(plain.getUint16(at, true)).toBe(OPERATIONS.wait.code);
    expect(plain.getUint8(at + 2)).toBe(PHASES.indexOf("container"));
    expect(plain.getUint8(at + 3)).toBe(0);
    expect(plain.getUint16(at + 4, true)).toBe(17);
    expect(optional.getUint8(at + 3)).toBe(defined(header, "OP_OPTIONAL"));
    const many = Array.from({ length: defined(header, "PLAN_MAX_OPS") }, () => wait);
    expect(() => view({ operations: many })).not.toThrow();
    expect(() => view({ operations: [...many, wait] })).toThrow("too many steps");
  });

  test("the monitor's flags", () => {
    const theirs = enumerated(monitorHeader, "MONITOR_");
    const flags: [keyof MonitorConfig, string][] = [
      ["tty", "TTY"],
      ["stdin", "STDIN"],
      ["stdinOnce", "STDIN_ONCE"],
      ["durable", "DURABLE"],
      ["session", "SESSION"],
      ["locked", "LOCKED"],
    ];
    for (const [field, name] of flags) {
      const plan = view({ monitor: { ...MONITOR, [field]: true } });
      expect(plan.getBigUint64(16, true)).toBe(BigInt(theirs.get(name) ?? -1));
    }
    expect(theirs.size).toBe(flags.length);
  });
});

describe("PROTOCOL.md", () => {
  const rows = [...protocol.matchAll(/^\| (\d+) \| `(\w+)` \|([^|]*)\|/gm)];
  const documented = new Map(rows.map(([, code, name, fields]) => [name, { code: Number(code), fields }]));

  test("has every operation code of plan.h, and no other", () => {
    for (const [name, code] of enumerated(header.slice(header.indexOf("enum op_code")), "OP_"))
      expect(`${name} ${documented.get(name.toLowerCase())?.code}`).toBe(`${name} ${code}`);
    expect([...documented.keys()].toSorted()).toEqual(Object.keys(OPERATIONS).toSorted());
  });

  test("has every operation's arguments, in order", () => {
    for (const [name, { fields }] of Object.entries(OPERATIONS)) {
      const words = [...(documented.get(name)?.fields ?? "").matchAll(/`(\w+)`/g)].map(([, word]) => word);
      expect(`${name} ${words}`).toBe(`${name} ${fields}`);
    }
  });
});
