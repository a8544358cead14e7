/** F3: the plug is pulled at a random moment, again and again; what a command has reported is there afterwards. */
import { expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { dice } from "../faults/dice.ts";
import { guestKernel } from "./kernel.ts";
import { Store } from "./power.ts";

const CUTS = process.env["BOCKER_LONG"] === "1" ? 20 : 2;
/** Milliseconds of work before a cut: a round of the guest's work takes some ten seconds of emulation. */
const WORK = { least: 2000, most: 16_000 };
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
      let all = 0;
      // The last boot is not cut off for its own sake: it is there to look.
      for (let cut = 0; cut <= CUTS; cut++) {
        const options = OPTIONS[roll(OPTIONS.length)]!;
        const work = cut === CUTS ? 0 : WORK.least + roll(WORK.most - WORK.least);
        const { problems, done, repaired } = await store.round(options, work);
        all += done;
        console.error(
          `cut ${cut} (${options}): after ${work} ms and ${done} commands; before: ${repaired || "-"}`,
        );
        expect([cut, problems]).toEqual([cut, []]);
      }
      expect(all).toBeGreaterThan(CUTS);
    } finally {
      store.remove();
    }
  },
  CUTS * 90_000 + 180_000,
);
