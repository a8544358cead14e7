/**
 * The engine killed at its Nth call that changes something, for every N (BOCKER_LONG=1) or for some. Whatever was cut
 * off: the next command works, `system check` has nothing that it cannot mend, and the same command succeeds then.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  CHANGING,
  expectMended,
  expectRepeatable,
  injected,
  MOST_CALLS,
  makeWorld,
  RUN,
  removeWorld,
  type Verb,
  verbsOf,
  type World,
} from "./verbs.ts";

/** Calls of the launcher's processes, which make the container, and of the monitor's. */
const LAUNCHING =
  "mount umount2 move_mount fsopen fsconfig fsmount open_tree mount_setattr pivot_root setns unshare mknodat bpf sethostname clone3".split(
    " ",
  );
const EVERY = process.env["BOCKER_LONG"] === "1" ? 1 : 20;

let world: World;
beforeAll(async () => {
  world = await makeWorld();
});
afterAll(() => removeWorld(world));

const VERBS = verbsOf(() => world);

/** Kills at every EVERYth call of this name. Returns how often. */
function killAlong(name: string, verb: Verb, call: string, offset: number, children: boolean): number {
  let kills = 0;
  for (let at = 1 + (offset % EVERY); at < MOST_CALLS; at += EVERY) {
    verb.prepare?.();
    if (!injected(world, call, at, "signal=SIGKILL", verb.words(), children).happened) {
      verb.undo();
      return kills;
    }
    kills++;
    const where = `${name}, ${children ? "launcher's " : ""}${call} ${at}`;
    expectMended(world, where);
    expectRepeatable(world, verb, where);
  }
  throw new Error(`${name} makes more than ${MOST_CALLS} calls of ${call}`);
}

const sum = (numbers: number[]) => numbers.reduce((total, count) => total + count, 0);

describe("killed at any of its changing calls", () => {
  test.each(Object.keys(VERBS))(
    "%s",
    (name) => {
      const kills = sum(CHANGING.map((call, at) => killAlong(name, VERBS[name]!, call, at, false)));
      expect(kills).toBeGreaterThan(0);
      console.error(`${name}: killed ${kills} times`);
    },
    1_200_000,
  );

  test.each(["start", "run --rm", "run -d"])(
    "%s, its launcher",
    (name) => {
      const kills = sum(LAUNCHING.map((call, at) => killAlong(name, VERBS[name]!, call, at, true)));
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
