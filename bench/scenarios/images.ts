/** The big image: pulled, extracted, imported, committed. */
import { closeSync, mkdirSync, openSync, rmSync } from "node:fs";
import { join } from "node:path";
import { addRow, type Bench, IMAGE, longRounds, scratch } from "../bench.ts";
import { type BigImage, makeLayout, makeTar, makeTrees } from "../big-image.ts";
import { isInstalled } from "../engines.ts";
import { addSample } from "../measurement.ts";
import { run, timed } from "../program.ts";

/** What is on its way to the disk belongs to whoever wrote it: the next one must not wait for it. */
function settle(): void {
  run(["sync"]);
}

let made: BigImage | undefined;
function bigImage(bench: Bench): BigImage {
  if (made === undefined) bench.say("making the big image");
  made ??= makeTrees(bench, scratch(bench, "big"));
  return made;
}

function describe({ files, bytes, trees }: BigImage): string {
  return `${files} files, ${Math.round(bytes / 1e6)} MB, ${trees.length} layers`;
}

export async function pull(bench: Bench): Promise<void> {
  if (!isInstalled("docker-registry") || !isInstalled("skopeo")) {
    bench.say("pull: docker-registry and skopeo are needed for it");
    return;
  }
  const image = bigImage(bench);
  const layout = scratch(bench, "layout");
  makeLayout(image, layout);
  const address = await bench.registry();
  const name = `${address}/big:1`;
  run(["skopeo", "copy", "--dest-tls-verify=false", `oci:${layout}:big`, `docker://${name}`]);
  const row = addRow(
    bench,
    "pull",
    "pull",
    `pull from a registry on this machine into an empty store: ${describe(image)}. Only bocker waits until it is on the disk`,
  );
  const withUmoci = bench.options.engines.length === 0 || bench.options.engines.includes("umoci");
  for (let round = 0; round < longRounds(bench); round++) {
    for (const engine of bench.engines) {
      settle();
      addSample(row, engine.name, timed([...engine.cli, "pull", ...engine.insecure, name]));
      run([...engine.cli, "rmi", "-f", name]);
    }
    if (!withUmoci || !isInstalled("umoci")) continue;
    settle();
    const target = scratch(bench, "copied");
    const copy = `skopeo copy --src-tls-verify=false docker://${name} oci:${target}:big && umoci unpack --image ${target}:big ${target}/bundle`;
    addSample(row, "skopeo+umoci", timed(["sh", "-c", copy]));
    rmSync(target, { recursive: true });
  }
}

export async function extract(bench: Bench): Promise<void> {
  const image = bigImage(bench);
  const archive = scratch(bench, "big.tar");
  makeTar(image, archive);
  const program = [process.execPath, join(bench.root, "bench/extract.ts")];
  const target = scratch(bench, "extracted");
  const one = addRow(
    bench,
    "extract",
    "extract, one CPU",
    `one tar, ${describe(image)}, into a directory, on one CPU; bocker hashes it, too`,
  );
  const two = addRow(bench, "extract", "extract, two CPUs", "the same on two CPUs");
  // The first round does not count: whoever is first gets the disk's first blocks, which have to be found.
  for (let round = 0; round <= longRounds(bench); round++)
    for (const [row, prefix] of [
      [one, ["taskset", "-c", "0"]],
      [two, ["taskset", "-c", "0,1"]],
    ] as const) {
      settle();
      const own = timed([...prefix, ...program, archive, target]);
      rmSync(target, { recursive: true });
      settle();
      mkdirSync(target);
      const peer = timed([...prefix, "tar", "-xf", archive, "-C", target]);
      rmSync(target, { recursive: true });
      if (round === 0) continue;
      addSample(row, "bocker", own);
      addSample(row, "GNU tar", peer);
    }
}

export async function trees(bench: Bench): Promise<void> {
  const image = bigImage(bench);
  const archive = scratch(bench, "big.tar");
  makeTar(image, archive);
  const tree = scratch(bench, "tree");
  mkdirSync(tree);
  run(["tar", "-xf", archive, "-C", tree]);
  // Once more: docker import refuses an archive with a directory in it twice.
  run(["tar", "--sort=name", "-cf", archive, "-C", tree, "."]);
  const own = bench.engines[0]!;
  const init = addRow(bench, "trees", "init", `init of a directory: ${describe(image)}`);
  const imports = addRow(bench, "trees", "import", "import of the same as a tar from standard input");
  const commit = addRow(bench, "trees", "commit", "commit of a container that has written the same");
  const container = "bench-commit";
  for (const { cli } of bench.engines) {
    const copy = ["cp", "-a", "/source", "/copy"];
    run([...cli, "run", "--name", container, "-v", `${tree}:/source:ro`, IMAGE, ...copy]);
  }
  for (let round = 0; round < longRounds(bench); round++) {
    settle();
    addSample(init, "bocker", timed([...own.cli, "init", tree, "bench-init"]));
    run([...own.cli, "rmi", "bench-init"]);
    for (const { name, cli } of bench.engines) {
      settle();
      const stdin = openSync(archive, "r");
      addSample(imports, name, timed([...cli, "import", "-", "bench-import"], { stdin }));
      closeSync(stdin);
      run([...cli, "rmi", "bench-import"]);
      settle();
      addSample(commit, name, timed([...cli, "commit", container, "bench-committed"]));
      run([...cli, "rmi", "bench-committed"]);
    }
  }
  for (const { cli } of bench.engines) run([...cli, "rm", container]);
}
