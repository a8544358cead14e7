// `npm test`: builds what is missing, then runs the whole suite and prints one closing line.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { bun, root } from "./bun.mjs";
import { ensurePeers } from "./peers.mjs";

const built = spawnSync(join(root, "bocker"), ["--version"], {
  stdio: ["ignore", "ignore", "inherit"],
  cwd: root,
});
if (built.status !== 0) process.exit(1);

ensurePeers();

/** Virtual machines and fuzzers keep one processor busy and share nothing with other tests: they run beside those. */
const APART = ["test/guest", "test/fuzz"];

/** One `bun test`; its output goes to `show` as it comes. Resolves to its exit code and the end of its output. */
async function runTests(words, show) {
  const child = spawn(bun(), ["test", "--timeout=120000", ...words], {
    cwd: root,
    stdio: ["ignore", "pipe", "pipe"],
  });
  // The counts are at the end.
  let end = "";
  for (const stream of ["stdout", "stderr"])
    child[stream].setEncoding("utf8").on("data", (text) => {
      show(stream, text);
      end = (end + text).slice(-4096);
    });
  const [status] = await once(child, "close");
  return { status, end };
}

const write = (stream, text) => process[stream].write(text);

/** What runs apart is shown when the rest is, or has ended. */
async function runAll() {
  const later = [];
  const apart = runTests(APART, (stream, text) => later.push([stream, text]));
  const rest = await runTests(
    APART.map((directory) => `--path-ignore-patterns=${directory}/**`),
    write,
  );
  const ended = await apart;
  for (const [stream, text] of later) write(stream, text);
  return [rest, ended];
}

const words = process.argv.slice(2);
const runs = words.length === 0 ? await runAll() : [await runTests(words, write)];
const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);
const count = (word) =>
  sum(runs.map(({ end }) => Number(new RegExp(`^\\s*(\\d+) ${word}$`, "m").exec(end)?.[1] ?? 0)));
const failed = Math.max(count("fail"), runs.filter(({ status }) => status !== 0).length);
const skippedWrongly = process.env.BOCKER_NO_SKIP === "1" && count("skip") > 0;
if (skippedWrongly) console.error("bocker: tests were skipped that can run here (see SKIPPED above)");
console.log(`${count("pass")} passed, ${failed} failed, ${count("skip")} skipped`);
const allPassed = runs.every(({ end }) => /^\s*[1-9]\d* pass$/m.test(end));
process.exit(failed === 0 && allPassed && !skippedWrongly ? 0 : 1);
