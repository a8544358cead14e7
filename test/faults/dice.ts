/** Chance that can be repeated: tests print their seed, and BOCKER_SEED gives it back to them. */

/** Throws of one sequence: each returns a whole number from 0 to below `below`. */
export function dice(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}
