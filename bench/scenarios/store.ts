/** A store with many images: what it costs to list them, to count what they take, and to free what nobody needs. */
import { rmSync } from "node:fs";
import { addRow, type Bench, compare, forAll, longRounds, scaled } from "../bench.ts";
import { makeManyImages } from "../many-images.ts";
import { addSample } from "../measurement.ts";
import { run, timed } from "../program.ts";

export async function store(bench: Bench): Promise<void> {
  const count = scaled(bench, 1000);
  bench.say(`making ${count} images`);
  const archive = makeManyImages(bench.directory, count);
  const row = (name: string, what: string) => addRow(bench, "store", name, `${what}, of ${count} images`);
  const load = row("load", "load of an archive");
  for (const { name, cli } of bench.engines)
    addSample(load, name, timed([...cli, "load", "-q", "-i", archive]));
  const words = (...command: string[]) => forAll(bench, () => command);
  compare(bench, row("images", "images"), words("images"));
  compare(bench, row("system df", "system df"), words("system", "df"));
  const removal = row("rmi", "rmi of one");
  const prune = row("image prune -a", "image prune -a -f");
  for (let round = 0; round < longRounds(bench); round++)
    for (const { name, cli } of bench.engines) {
      if (round > 0) run([...cli, "load", "-q", "-i", archive]);
      for (let at = 0; at < Math.min(count, 10); at++)
        addSample(removal, name, timed([...cli, "rmi", `many:${at}`]));
      addSample(prune, name, timed([...cli, "image", "prune", "-a", "-f"]));
    }
  rmSync(archive);
}
