/** Waiting for what other processes do, without knowing how long it takes. */
import { expect } from "bun:test";

const [INTERVAL_MS, ROUNDS] = [20, 500];

/** Asks again and again, ten seconds at most, until the condition holds; it holds afterwards. */
export async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < ROUNDS && !condition(); i++)
    await new Promise((resolve) => setTimeout(resolve, INTERVAL_MS));
  expect(condition()).toBe(true);
}
