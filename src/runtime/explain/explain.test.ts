/** The explanations of one plan that has an operation of every kind. */
import { describe, expect, test } from "bun:test";
import { encodePlan } from "../plan/encode.ts";
import { NONE, OPERATIONS, type Operation, type Plan } from "../plan/operation.ts";
import { defaultSeccompFilter } from "../seccomp/filter.ts";
import type { Explanation } from "./explanation.ts";
import { explainJson, parsePlanJson } from "./json.ts";
import { summarizeSeccomp } from "./seccomp.ts";
import { quoted } from "./shell/words.ts";
import { explainText } from "./text.ts";
import { timingRows } from "./timings.ts";

const SAMPLES: Record<string, unknown> = {
  options: [
    ["lowerdir+", "/a"],
    ["volatile", ""],
  ],
  groups: [0, 4294967295],
  message: Uint8Array.of(0, 255, 128),
  lines: '0{"Type":"network"\n3{"Type":"container"\n',
  argv: ["sh", "-c", "echo 'it'\n\u001b[31m"],
  env: ["A=\udcff\udc80 raw", "B=ü"],
  candidates: ["/bin/sh"],
  recursive: true,
  overProc: false,
  tty: false,
  console: true,
  soft: 1024n,
  hard: 18446744073709551615n,
  keep: 1n << 40n,
  effective: 0n,
  permitted: 0n,
  inheritable: 0n,
  ambient: 0n,
  patch: NONE,
  cgroup: NONE,
};
const TEXT_FIELDS = /^(path|data|target|source|type|directory|name)$/;

function sample(name: string, field: string): unknown {
  if (field === "program") return Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
  if (field === "type" && name === "setns") return 0x40000000;
  if (TEXT_FIELDS.test(field)) return `${field} of ${name}`;
  return SAMPLES[field] ?? 7;
}

const operations = Object.entries(OPERATIONS).map(
  ([name, { fields }]) =>
    ({
      op: name,
      phase: "container",
      group: "exec",
      what: `${name} it`,
      why: `reason ${name}`,
      ...(name === "mkdir" ? { tolerate: 17, optional: true } : {}),
      ...Object.fromEntries(fields.map((field) => [field, sample(name, String(field))])),
    }) as unknown as Operation,
);

const plan: Plan = {
  operations,
  timings: true,
  monitor: {
    tty: true,
    stdin: false,
    stdinOnce: false,
    durable: true,
    session: false,
    logPath: "/log",
    logMaxSize: 2 ** 52,
    logMaxFiles: 1,
    exitPath: "/exit",
    runDirectory: "/run",
    oomPath: "",
    detachKeys: Uint8Array.of(16, 17),
    locked: false,
    discardPath: "",
    callArgv: ["bocker", "attend"],
    callEnv: [],
  },
};

const explanation: Explanation = {
  id: "f".repeat(64),
  name: "",
  before: [],
  meanwhile: [],
  plan,
  after: [],
  inherited: [],
};

describe("--explain=json", () => {
  test("parsed again is the same plan, byte for byte", () => {
    const text = explainJson(explanation);
    expect(Buffer.from(encodePlan(parsePlanJson(text)))).toEqual(Buffer.from(encodePlan(plan)));
    expect(text).toContain('"u64": "18446744073709551615"');
    expect(text).toContain('"base64": "AP+A"');
  });

  test("refuses another format", () => {
    expect(() => parsePlanJson('{"format":2}')).toThrow("format 2");
  });
});

describe("--explain", () => {
  // The seccomp program of the sample is none; that operation has a test of its own.
  const shown = {
    ...explanation,
    plan: { ...plan, operations: operations.filter(({ op }) => op !== "seccomp") },
  };

  test("has every operation, once, in order, with its reason", () => {
    const lines = explainText(shown, { colour: false, width: 100 }).split("\n");
    const steps = lines.flatMap((line) => /^.{13}\s*(\d+) {2}(\w+) it$/.exec(line)?.[2] ?? []);
    expect(steps).toEqual(shown.plan.operations.map(({ op }) => op));
    for (const { why } of shown.plan.operations) expect(lines).toContain(`${" ".repeat(20)}${why}`);
  });

  test("stays within the width, and shows no control characters", () => {
    const text = explainText(shown, { colour: false, width: 72 });
    for (const line of text.split("\n")) expect(line.length).toBeLessThanOrEqual(72);
    expect(text).not.toContain("\u001b");
    expect(explainText(shown, { colour: true, width: 72 })).toContain("\u001b[1mThe container\u001b[0m");
  });

  test("tells what the default filter lets pass", () => {
    const { program } = defaultSeccompFilter({ arch: "x64", kernelRelease: "6.1.0", capabilities: [] });
    if (process.arch !== "x64") return;
    const summary = summarizeSeccomp(program);
    expect(summary.allowed).toContain("openat");
    expect(summary.refused).toContain("mount");
    expect(summary.allowed).not.toContain("bpf");
  });
});

describe("--explain=sh", () => {
  test("quotes whatever there is", () => {
    expect(quoted("plain/path-1.0,a=b")).toBe("'plain/path-1.0,a=b'");
    expect(quoted("/usr/bin")).toBe("/usr/bin");
    expect(quoted("")).toBe("''");
    expect(quoted("it's $(x) `y`\n")).toBe("'it'\\''s $(x) `y`\n'");
    expect(quoted("~")).toBe("'~'");
    expect(quoted("\udcff'%")).toBe("\"$(printf '\\377'\\''%%')\"");
  });
});

describe("--timings", () => {
  test("an operation's time begins where the one before it in its process ended", () => {
    const step = (op: string, phase: string, group: string) =>
      ({ op, phase, group, what: op, why: "" }) as unknown as Operation;
    const small: Plan = {
      ...plan,
      operations: [
        step("mkdir", "host", "cgroup"),
        step("clone", "host", "namespaces"),
        step("signal", "host-after", "network"),
        step("umask", "container", "mounts"),
        step("exec", "container", "exec"),
      ],
    };
    const times = BigUint64Array.from([12, 14, 15, 17, 0].map((ms) => BigInt(ms) * 1000000n));
    const marks = [
      { what: "begin", at: 10 },
      { what: "prepare", at: 10.5 },
      { what: "start the launcher", at: 11 },
      { what: "wait", at: 20 },
    ];
    const rows = timingRows(marks, small, times).map(({ what, at, took }) => [what, at, took]);
    expect(rows).toEqual([
      ["prepare", 10, 0.5],
      ["start the launcher", 10.5, 0.5],
      ["cgroup", 11, 1],
      ["wait", 11, 9],
      ["clone", 12, 2],
      ["network", 14, 1],
      ["mounts", 14, 3],
    ]);
  });
});
