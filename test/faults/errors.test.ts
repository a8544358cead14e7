/**
 * A call that fails: the Nth that the engine makes, for every N (BOCKER_LONG=1) or for some. The command either says what
 * has failed, and everything is as after a kill, or it has its whole effect. Never a success without it, never a crash.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  callsToTry,
  expectMended,
  expectRepeatable,
  type Injected,
  injected,
  MOST_CALLS,
  makeWorld,
  removeWorld,
  type Verb,
  verbsOf,
  type World,
} from "./verbs.ts";

/**
 * What each call is made to fail with: what full, broken and read-only disks, and machines at their limits, answer. clone3 is
 * the runtime's, for its own threads (the engine's processes are made by vfork): without one it aborts, or waits for ever.
 */
const FAILURES: Record<string, string[]> = {
  mkdirat: ["ENOSPC", "EROFS"],
  unlinkat: ["EIO"],
  renameat2: ["EIO", "ENOSPC"],
  linkat: ["EMLINK"],
  symlinkat: ["ENOSPC"],
  mknodat: ["EPERM"],
  pwrite64: ["EIO", "ENOSPC"],
  fsync: ["EIO"],
  fdatasync: ["EIO", "EDQUOT"],
  ftruncate: ["EIO"],
  fchmodat: ["EROFS"],
  sendmsg: ["ENOBUFS"],
  sendto: ["ENOBUFS"],
  bind: ["EADDRINUSE"],
  socket: ["EMFILE"],
  memfd_create: ["ENFILE"],
  vfork: ["EAGAIN"],
  copy_file_range: ["EIO"],
  sendfile: ["EIO"],
};

let world: World;
beforeAll(async () => {
  world = await makeWorld();
});
afterAll(() => removeWorld(world));

const VERBS = verbsOf(() => world);

function expectSaid(where: string, { code, stderr }: Injected): void {
  expect([where, [1, 125, 126, 127].includes(code)]).toEqual([where, true]);
  expect([where, stderr]).toEqual([where, expect.stringMatching(/^(Unable|bocker: |Error).*\n$/s)]);
  // No stack, no words of the runtime's.
  expect([where, stderr]).toEqual([where, expect.not.stringMatching(/\n\s+at |TypeError|undefined|panic/)]);
}

/** Lets these calls fail. Returns how often one did. */
function failAlong(name: string, verb: Verb, call: string, error: string, numbers: number[]): number {
  let failures = 0;
  for (const at of numbers) {
    if (at === MOST_CALLS) throw new Error(`${name} makes more than ${MOST_CALLS} calls of ${call}`);
    verb.prepare?.();
    const result = injected(world, call, at, `error=${error}`, verb.words());
    if (!result.happened) {
      verb.undo();
      break;
    }
    failures++;
    const where = `${name}, ${call} ${at}: ${error}`;
    if (result.code === 0) expect([where, verb.worked()]).toEqual([where, true]);
    else expectSaid(where, result);
    expectMended(world, where);
    expectRepeatable(world, verb, where);
  }
  return failures;
}

describe("any of its calls fails", () => {
  test.each(Object.keys(VERBS))(
    "%s",
    (name) => {
      let failures = 0;
      const verb = VERBS[name]!;
      for (const { call, numbers } of callsToTry(world, verb, Object.keys(FAILURES)))
        for (const error of FAILURES[call]!) failures += failAlong(name, verb, call, error, numbers);
      expect(failures).toBeGreaterThan(0);
      console.error(`${name}: ${failures} calls failed`);
    },
    1_200_000,
  );
});
