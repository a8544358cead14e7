/**
 * The inside of `npm run compare-defaults [DIRECTORY]`, started by scripts/compare-defaults.mjs with a directory as its
 * first word. It ends with 1 where a difference has no reason, or a reason no difference.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { docker, type Engine, isInstalled } from "../../bench/engines.ts";
import { run } from "../../bench/program.ts";
import { describeDifference, explain } from "./compare.ts";
import { writeDocument } from "./document.ts";
import type { Facts } from "./facts.ts";
import { type Difference, differencesOf, type Kept, writeKept } from "./kept.ts";
import { machineOfFacts } from "./machine.ts";
import { collect, compileProbe, fillRoot, IMAGE, type Side, scenarios } from "./scenarios.ts";

const [directory = "", over] = process.argv.slice(2);
const root = join(import.meta.dirname, "../..");
const say = (text: string) => process.stderr.write(`compare-defaults: ${text}\n`);

/** The shape of every machine with systemd: mounts are shared. Files of one boot are this run's own. */
function settle(): void {
  run(["mount", "-t", "tmpfs", "-o", "mode=755", "none", "/run"]);
  run(["mount", "--make-rshared", "/"]);
}

function versionsOf(peer: Engine): Record<string, string> {
  const ask = (template: string) => run([...peer.cli, "version", "--format", template]).trim();
  const component = (name: string) =>
    ask(`{{range .Server.Components}}{{if eq .Name "${name}"}}{{.Version}}{{end}}{{end}}`);
  return { docker: ask("{{.Server.Version}}"), containerd: component("containerd"), runc: component("runc") };
}

async function main(): Promise<number> {
  settle();
  const probe = join(directory, "probe");
  const image = join(directory, "image");
  const given = join(directory, "given");
  for (const path of [image, given]) mkdirSync(path);
  compileProbe(probe);
  fillRoot(image, probe);
  run(["tar", "-C", image, "-cf", `${image}.tar`, "."]);

  const peer = await docker(directory, over);
  const own = ["--data-root", join(directory, "bocker"), "--run-root", join(directory, "run/bocker")];
  const sides = [peer.cli, [join(root, "dist/bocker"), ...own]].map(
    (cli): Side => ({
      run: (words) => run([...cli, ...words]),
      bytesOf: ([program = "", ...rest]) => execFileSync(program, rest),
    }),
  );
  for (const side of sides) side.run(["import", `${image}.tar`, IMAGE]);
  const found: [Map<string, Facts>, Map<string, Facts>] = [new Map(), new Map()];
  const differences: Difference[] = [];
  for (const scenario of scenarios(given)) {
    say(scenario.name);
    const [theirs, ours] = sides.map((side) => collect(side, scenario, probe, directory)) as [Facts, Facts];
    found[0].set(scenario.name, theirs);
    found[1].set(scenario.name, ours);
    differences.push(...differencesOf(scenario.name, theirs, ours));
  }
  const kept: Kept = {
    versions: versionsOf(peer),
    machine: machineOfFacts(),
    docker: found[0],
    differences,
  };
  const { unexplained, idle } = explain(differences);
  for (const difference of unexplained) say(`no reason for ${describeDifference(difference)}`);
  for (const { facts } of idle) say(`a reason of no difference: ${facts.join(", ")}`);
  writeKept(kept, found[1]);
  writeDocument(kept);
  const facts = [...kept.docker.values()].reduce((sum, each) => sum + each.size, 0);
  say(
    `${facts} facts of docker's, ${differences.length} of them others in bocker, ${unexplained.length} without a reason`,
  );
  return unexplained.length === 0 && idle.length === 0 ? 0 : 1;
}

if (over === undefined && !isInstalled("dockerd")) {
  say("there is no dockerd (Debian: docker.io)");
  process.exit(1);
}
let code = 1;
try {
  code = await main();
} catch (error) {
  say(`${error instanceof Error ? error.message : error}`);
}
// The daemon would keep this process; it ends with the namespaces.
process.exit(code);
