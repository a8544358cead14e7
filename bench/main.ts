/**
 * `npm run bench -- [PART…] [--rounds N] [--scale F] [--engines a,b] [--json FILE] [--svg FILE] [--docs]`: this is
 * the inside, started by scripts/bench.mjs with a directory as its first word.
 */
import { chmodSync, copyFileSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Bench, IMAGE } from "./bench.ts";
import { isInstalled, missingPeers, startEngines } from "./engines.ts";
import { prepareFloor } from "./floor.ts";
import { evaluateGoals } from "./goals.ts";
import { parseOptions } from "./options.ts";
import { run } from "./program.ts";
import { startRegistry } from "./registry.ts";
import { fillDocument } from "./report/document.ts";
import { describeMachine, machineText } from "./report/machine.ts";
import { picture } from "./report/picture.ts";
import { goalLines, markdownTable, terminalTable } from "./report/table.ts";
import { after } from "./scenarios/after.ts";
import { cp } from "./scenarios/cp.ts";
import { detached, memory } from "./scenarios/detached.ts";
import { exec } from "./scenarios/exec.ts";
import { http } from "./scenarios/http.ts";
import { extract, pull, trees } from "./scenarios/images.ts";
import { logs } from "./scenarios/logs.ts";
import { library, version } from "./scenarios/program.ts";
import { records } from "./scenarios/records.ts";
import { start } from "./scenarios/start.ts";
import { store } from "./scenarios/store.ts";
import { buildTools } from "./tools.ts";

const SCENARIOS: Record<string, (bench: Bench) => Promise<void>> = {
  version,
  start,
  exec,
  after,
  detached,
  http,
  memory,
  pull,
  extract,
  trees,
  cp,
  logs,
  records,
  store,
  library,
};

const BUSYBOX = "/bin/busybox";
const APPLETS = ["sh", "true", "sleep", "cat", "cp", "echo", "head", "httpd", "yes"];

/** The small image, the same bytes for every engine. */
function makeImage(directory: string): string {
  const root = join(directory, "image");
  for (const name of ["bin", "etc", "dev", "proc", "sys", "tmp"])
    mkdirSync(join(root, name), { recursive: true });
  for (const name of ["hosts", "hostname", "resolv.conf"]) writeFileSync(join(root, "etc", name), "");
  writeFileSync(join(root, "etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n");
  copyFileSync(BUSYBOX, join(root, "bin/busybox"));
  chmodSync(join(root, "bin/busybox"), 0o755);
  for (const applet of APPLETS) symlinkSync("busybox", join(root, "bin", applet));
  return root;
}

const [directory = "", ...words] = process.argv.slice(2);
const options = parseOptions(words, Object.keys(SCENARIOS));
const root = join(import.meta.dirname, "..");
const say = (text: string) => process.stderr.write(`bench: ${text}\n`);
if (!isInstalled("busybox"))
  throw new Error("the images are made of busybox: apt-get install busybox-static");
const missing = missingPeers();
if (missing !== undefined) say(missing);

let registry: Promise<string> | undefined;
const image = makeImage(directory);
const bench: Bench = {
  options,
  directory,
  root,
  image,
  say,
  tools: buildTools(directory, root),
  engines: await startEngines(directory, root, options.engines),
  rows: [],
  registry: () => {
    registry ??= startRegistry(directory);
    return registry;
  },
};
prepareFloor(bench);
const tar = join(directory, "image.tar");
run(["tar", "-C", image, "-cf", tar, "."]);
for (const { cli } of bench.engines) {
  run([...cli, "import", tar, IMAGE]);
  run([...cli, "run", "--rm", IMAGE, "true"]);
}

const parts = options.parts.length > 0 ? options.parts : Object.keys(SCENARIOS);
for (const part of parts) {
  say(part);
  await SCENARIOS[part]!(bench);
}

const machine = describeMachine(bench.engines, directory);
const goals = options.scale === 1 ? evaluateGoals(bench.rows) : [];
const command = `npm run bench -- ${words.join(" ")}`.trim();
console.log(`${machineText(machine)}\n${terminalTable(bench.rows)}`);
if (goals.length > 0) console.log(`\nGoals\n${goalLines(goals)}`);
const json = {
  command,
  machine,
  rows: bench.rows.map((row) => ({ ...row, samples: Object.fromEntries(row.samples) })),
  goals,
};
if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(json, undefined, 1)}\n`);
const caption = `bocker and its peers, medians, logarithmic (${machine.date}, ${machine.cpus})`;
if (options.svg !== undefined) writeFileSync(options.svg, picture(bench.rows, caption));
if (options.docs) {
  writeFileSync(join(root, "docs/performance.svg"), picture(bench.rows, caption));
  const text = `\`${command}\`\n\n${machineText(machine).replaceAll("\n", "  \n")}\n\n${markdownTable(bench.rows, goals)}`;
  fillDocument(join(root, "docs/performance.md"), "npm run bench -- --docs", text);
}
process.exit(0);
