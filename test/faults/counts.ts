/** How much the machine has of what commands could leave behind. */
import { readdirSync, readFileSync } from "node:fs";
import type { Sandbox } from "../e2e/sandbox.ts";

/** Without what is shared by all and bounded: locks, kept plans and filters, the log of the database, the journal of events. */
const entries = (path: string) =>
  readdirSync(path, { recursive: true, encoding: "utf8" })
    .filter((name) => !/^(state\.db|locks|seccomp|plans|events)/.test(name))
    .join("\n");

/** Ended children of the sandbox's monitors that nobody has taken notice of. */
const zombies = (sandbox: Sandbox) =>
  sandbox.processes().flatMap((pid) => {
    const { stdout } = sandbox.execute([
      "sh",
      "-c",
      `grep -l "^State:.Z" $(printf '/proc/%s/status ' $(cat /proc/${pid}/task/*/children)) 2>/dev/null`,
    ]);
    return stdout.split("\n").filter(Boolean);
  });

/** By what was counted; files by their names. */
export type Counts = Record<string, number | string>;

/** What there is now of the sandbox's. */
export function countsOf(sandbox: Sandbox): Counts {
  const lines = (...words: string[]) =>
    sandbox.execute(words).stdout.trim().split("\n").filter(Boolean).length;
  return {
    mounts: readFileSync("/proc/self/mountinfo", "utf8").split(sandbox.directory).length,
    links: lines("ip", "-o", "link"),
    rules: lines("nft", "list", "ruleset"),
    files: entries(sandbox.data),
    run: entries(sandbox.run),
    ports: lines("ss", "-Hltn"),
    leases: lines(sandbox.binary, "ps", "-aq"),
    processes: sandbox.processes().length,
    zombies: zombies(sandbox).length,
    segments: lines("cat", "/proc/sysvipc/shm"),
  };
}
