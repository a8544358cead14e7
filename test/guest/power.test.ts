/** F3: the plug is pulled at a random moment, again and again; what a command has reported is there afterwards. */
import { expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { dice } from "../faults/dice.ts";
import { guestKernel } from "./kernel.ts";
import { type Cut, Store } from "./power.ts";

const CUTS = process.env["BOCKER_LONG"] === "1" ? 20 : 2;
/** What is done before a cut, at most. The guest's round of work has eight commands, of a second or two of emulation. */
const WORK: Cut = { commands: 10, later: 3000 };
/** When ext4 writes what nobody asked for: metadata each second and data much later, or nothing at all by itself. */
const OPTIONS = ["commit=1", "commit=1", "commit=60"];

const { kernel, missing } = guestKernel();
if (!existsSync("/usr/bin/docker-registry")) missing.push("docker-registry");
if (missing.length > 0) console.warn(`SKIPPED: power cuts need ${missing.join(", ")}`);

test.skipIf(missing.length > 0)(
  "F3: nothing that was reported is lost by a power cut, and nothing is half",
  async () => {
    const seed = Number(process.env["BOCKER_SEED"] ?? randomBytes(4).readUInt32LE());
    console.error(`BOCKER_SEED=${seed}`);
    const roll = dice(seed);
    const store = await Store.make(kernel!);
    try {
      // The last boot is not cut off for its own sake: it is there to look.
      for (let cut = 0; cut <= CUTS; cut++) {
        const options = OPTIONS[roll(OPTIONS.length)]!;
        const last = { commands: 0, later: 0 };
        const work = cut === CUTS ? last : { commands: 1 + roll(WORK.commands), later: roll(WORK.later) };
        const { problems, done, repaired } = await store.round(options, work);
        console.error(
          `cut ${cut} (${options}): ${work.later} ms after ${work.commands} of ${done} commands; before: ${repaired || "-"}`,
        );
        expect([cut, problems]).toEqual([cut, []]);
        expect(done).toBeGreaterThanOrEqual(work.commands);
      }
    } finally {
      store.remove();
    }
  },
  CUTS * 90_000 + 180_000,
);
