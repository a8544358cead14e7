/**
 * The engine killed at its Nth call that changes something, for every N (BOCKER_LONG=1) or for some. Whatever was cut
 * off: the next command works, `system check` has nothing that it cannot mend, and the same command succeeds then.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  CHANGING,
  callsToTry,
  expectMended,
  expectRepeatable,
  injected,
  MOST_CALLS,
  makeWorld,
  RUN,
  removeWorld,
  type Verb,
  verbsOf,
  type Whose,
  type World,
} from "./verbs.ts";

/** Calls of the launcher's processes, which make the container, and of the monitor's. */
const LAUNCHING =
  "mount umount2 move_mount fsopen fsconfig fsmount open_tree mount_setattr pivot_root setns unshare mknodat bpf sethostname clone3".split(
    " ",
  );

let world: World;
beforeAll(async () => {
  world = await makeWorld();
});
afterAll(() => removeWorld(world));

const VERBS = verbsOf(() => world);

/** Kills at these calls. Returns how often. */
function killAlong(name: string, verb: Verb, call: string, numbers: number[], whose: Whose): number {
  let kills = 0;
  for (const at of numbers) {
    if (at === MOST_CALLS) throw new Error(`${name} makes more than ${MOST_CALLS} calls of ${call}`);
    verb.prepare?.();
    if (!injected(world, call, at, "signal=SIGKILL", verb.words(), whose).happened) {
      verb.undo();
      break;
    }
    kills++;
    const where = `${name}, ${whose === "children" ? "launcher's " : ""}${call} ${at}`;
    expectMended(world, where);
    expectRepeatable(world, verb, where);
  }
  return kills;
}

function killAtAll(name: string, calls: string[], whose: Whose): number {
  const verb = VERBS[name]!;
  let kills = 0;
  for (const { call, numbers } of callsToTry(world, verb, calls, whose))
    kills += killAlong(name, verb, call, numbers, whose);
  return kills;
}

describe("killed at any of its changing calls", () => {
  test.each(Object.keys(VERBS))(
    "%s",
    (name) => {
      const kills = killAtAll(name, CHANGING, "own");
      expect(kills).toBeGreaterThan(0);
      console.error(`${name}: killed ${kills} times`);
    },
    1_200_000,
  );

  test.each(["start", "run --rm", "run -d", "cp"])(
    "%s, its launcher",
    (name) => {
      const kills = killAtAll(name, LAUNCHING, "children");
      expect(kills).toBeGreaterThan(0);
      console.error(`${name}: its launcher killed ${kills} times`);
    },
    1_200_000,
  );

  test("a container can be run without further ado, and no cgroup of a killed one is left", () => {
    const { sandbox } = world;
    sandbox.ok(["run", "--rm", ...RUN, "busybox", "true"]);
    // A cgroup that is new is left alone.
    Bun.sleepSync(11_000);
    sandbox.ok(["ps"]);
    expect(sandbox.bocker(["system", "check"]).stdout).toBe("Nothing found.\n");
  }, 60_000);
});
