/** `cp`: files into a container that runs, and out of it. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { addRow, type Bench, compare, forAll, IMAGE, longRounds, scaled, scratch } from "../bench.ts";
import { addSample } from "../measurement.ts";
import { run, timed } from "../program.ts";

const FILES_A_DIRECTORY = 100;
const FILE_SIZE = 4000;

/** A tree of small files. */
function makeTree(root: string, files: number): void {
  const content = Buffer.alloc(FILE_SIZE, "a file that is copied; ");
  for (let at = 0; at < files; at++) {
    const parent = join(root, String(Math.floor(at / FILES_A_DIRECTORY)));
    if (at % FILES_A_DIRECTORY === 0) mkdirSync(parent, { recursive: true });
    writeFileSync(join(parent, String(at)), content);
  }
}

export async function cp(bench: Bench): Promise<void> {
  const name = "bench-cp";
  const [tree, out] = [scratch(bench, "cp-tree"), scratch(bench, "cp-out")];
  const files = scaled(bench, 20_000);
  makeTree(tree, files);
  mkdirSync(out);
  for (const { cli } of bench.engines)
    run([...cli, "run", "-d", "--name", name, "--network", "none", IMAGE, "sleep", "100000"]);
  const row = (title: string, what: string) => addRow(bench, "cp", title, what);
  const small = join(bench.image, "etc/passwd");
  compare(
    bench,
    row("cp in", "cp FILE CONTAINER:/tmp/file"),
    forAll(bench, () => ["cp", small, `${name}:/tmp/file`]),
  );
  compare(
    bench,
    row("cp out", "cp CONTAINER:/etc/passwd FILE"),
    forAll(bench, () => ["cp", `${name}:/etc/passwd`, join(out, "file")]),
  );
  const treeIn = row("cp tree in", `cp of ${files} files into a container that runs`);
  const treeOut = row("cp tree out", `cp of ${files} files out of one`);
  for (let round = 0; round < longRounds(bench); round++)
    for (const engine of bench.engines) {
      const [inside, outside] = [`${name}:/tmp/tree${round}`, join(out, `tree${round}`)];
      addSample(treeIn, engine.name, timed([...engine.cli, "cp", tree, inside]));
      addSample(treeOut, engine.name, timed([...engine.cli, "cp", inside, outside]));
      rmSync(outside, { recursive: true });
    }
  for (const { cli, remove } of bench.engines) run([...cli, ...remove, name]);
  for (const path of [tree, out]) rmSync(path, { recursive: true });
}
