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

const run = spawn(bun(), ["test", "--timeout=120000", ...process.argv.slice(2)], {
  cwd: root,
  stdio: ["ignore", "inherit", "pipe"],
});
// Shown as it comes: it takes a while. The counts are at its end.
let end = "";
run.stderr.setEncoding("utf8").on("data", (text) => {
  process.stderr.write(text);
  end = (end + text).slice(-4096);
});
const [status] = await once(run, "close");
const count = (word) => Number(new RegExp(`^\\s*(\\d+) ${word}$`, "m").exec(end)?.[1] ?? 0);
const failed = Math.max(count("fail"), status === 0 ? 0 : 1);
const skippedWrongly = process.env.BOCKER_NO_SKIP === "1" && count("skip") > 0;
if (skippedWrongly) console.error("bocker: tests were skipped that can run here (see SKIPPED above)");
console.log(`${count("pass")} passed, ${failed} failed, ${count("skip")} skipped`);
process.exit(failed === 0 && count("pass") > 0 && !skippedWrongly ? 0 : 1);
