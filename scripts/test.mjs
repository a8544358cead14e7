// `npm test`: builds what is missing, then runs the whole suite and prints one closing line.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { bun, root } from "./bun.mjs";
import { ensurePeers } from "./peers.mjs";

const built = spawnSync(join(root, "bocker"), ["--version"], {
  stdio: ["ignore", "ignore", "inherit"],
  cwd: root,
});
if (built.status !== 0) process.exit(1);

ensurePeers();

const run = spawnSync(bun(), ["test", "--timeout=120000", ...process.argv.slice(2)], {
  cwd: root,
  encoding: "utf8",
  maxBuffer: 1 << 30,
  stdio: ["ignore", "inherit", "pipe"],
});
process.stderr.write(run.stderr);
const count = (word) => Number(new RegExp(`^\\s*(\\d+) ${word}$`, "m").exec(run.stderr)?.[1] ?? 0);
const failed = Math.max(count("fail"), run.status === 0 ? 0 : 1);
const skippedWrongly = process.env.BOCKER_NO_SKIP === "1" && count("skip") > 0;
if (skippedWrongly) console.error("bocker: tests were skipped that can run here (see SKIPPED above)");
console.log(`${count("pass")} passed, ${failed} failed, ${count("skip")} skipped`);
process.exit(failed === 0 && count("pass") > 0 && !skippedWrongly ? 0 : 1);
