/**
 * F32: random work, some of it killed, against a model of what there must be after each command. BOCKER_LONG=1 goes on for
 * ten minutes (BOCKER_MINUTES for others); BOCKER_SEED repeats a sequence.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { busyboxSandbox } from "../e2e/busybox.ts";
import { cgroupNames } from "../e2e/cgroups.ts";
import type { Sandbox } from "../e2e/sandbox.ts";
import { settled } from "../e2e/wait.ts";
import { countsOf } from "./counts.ts";
import { dice } from "./dice.ts";
import { chooseStep, observe, sorted, type World } from "./model.ts";

const MINUTES = Number(process.env["BOCKER_MINUTES"] ?? (process.env["BOCKER_LONG"] === "1" ? 10 : 0.5));
/** One command in so many is killed at some moment. */
const KILLED = 12;
const CHECKED = 50;

let sandbox: Sandbox;
beforeAll(() => {
  sandbox = busyboxSandbox();
  // What comes once has come.
  sandbox.ok(["run", "--rm", "-p", "80", "-v", "/x", "busybox", "true"]);
});
afterAll(() => sandbox.remove());

/** The engine's process goes at some moment; nobody cleans up but the next command. */
async function killed(words: string[], after: number): Promise<void> {
  const [program, ...rest] = sandbox.inside([sandbox.binary, ...words]);
  const child = spawn(program, rest, { env: sandbox.environment, stdio: "ignore" });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  setTimeout(() => child.kill("SIGKILL"), after);
  await ended;
}

/** What was killed is done, or not done at all, a moment later. */
async function settledWorld(): Promise<World> {
  sandbox.bocker(["ps"]);
  for (;;) {
    try {
      const first = observe(sandbox);
      await Bun.sleep(100);
      const second = observe(sandbox);
      if (Bun.deepEquals(sorted(first), sorted(second))) return second;
    } catch {
      // One went between being listed and being looked at.
    }
  }
}

test(
  "F32: whatever is done, what is there is what the model says, and nothing is left in the end",
  async () => {
    const seed = Number(process.env["BOCKER_SEED"] ?? randomBytes(4).readUInt32LE());
    console.error(`BOCKER_SEED=${seed}`);
    const roll = dice(seed);
    // The interfaces of those that have come and gone go a moment later.
    await Bun.sleep(1000);
    const before = countsOf(sandbox);
    const ids = new Set<string>();
    const history: string[] = [];
    let world = observe(sandbox);
    const deadline = performance.now() + MINUTES * 60_000;
    while (performance.now() < deadline) {
      const step = chooseStep(world, roll);
      const at = `${history.length}: ${step.words.join(" ")}`;
      history.push(at);
      const recent = history.slice(-15);
      if (roll(KILLED) === 0) {
        history[history.length - 1] += " (killed)";
        await killed(step.words, roll(60));
        world = await settledWorld();
        const { stdout } = sandbox.bocker(["system", "check", "--repair"]);
        expect([recent, stdout]).toEqual([recent, expect.not.stringMatching(/lacks|lost|damaged|cannot/)]);
      } else {
        const { code, stdout, stderr } = sandbox.bocker(step.words);
        // `rm -f` of nothing says so, and is content.
        const said = step.allowed && step.words[1] !== "-f" ? stderr : "";
        expect([recent, code === 0, said]).toEqual([recent, step.allowed, ""]);
        if (code === 0) step.effect(stdout.trim());
      }
      for (const id of sandbox.ok(["ps", "-aq", "--no-trunc"]).split("\n").filter(Boolean)) ids.add(id);
      expect([recent, sorted(observe(sandbox))]).toEqual([recent, sorted(world)]);
      if (history.length % CHECKED === 0)
        expect([recent, sandbox.bocker(["system", "check"]).stdout]).toEqual([recent, "Nothing found.\n"]);
    }
    console.error(
      `${history.length} commands, ${history.filter((at) => at.endsWith("(killed)")).length} killed`,
    );
    for (const name of world.containers.keys()) sandbox.ok(["rm", "-f", "-v", name]);
    for (const name of world.volumes) sandbox.ok(["volume", "rm", name]);
    for (const name of world.images.keys()) if (name !== "busybox") sandbox.ok(["rmi", name]);
    const unnamed = sandbox.ok(["images", "--no-trunc", "--format", "{{.Repository}} {{.ID}}"]).split("\n");
    for (const line of unnamed) if (line.startsWith("<none> ")) sandbox.ok(["rmi", line.split(" ")[1]!]);
    expect(sandbox.bocker(["system", "check"]).stdout).toBe("Nothing found.\n");
    expect(await settled(() => countsOf(sandbox), before)).toEqual(before);
    expect(cgroupNames().filter((id) => ids.has(id))).toEqual([]);
  },
  MINUTES * 60_000 + 120_000,
);
