// `npm run compare-defaults`: what a container gets from docker and from bocker when nobody asks for anything, line by
// line, on a machine of their own made of namespaces. Writes docs/security.md and scripts/compare-defaults/docker.json.
import { join } from "node:path";
import { bun, root } from "./bun.mjs";
import { onOwnMachine, requireBockerAndRoot } from "./own-machine.mjs";

requireBockerAndRoot("compare-defaults");
process.exit(
  await onOwnMachine("bocker-compare-", "/var/tmp", (directory) => [
    ...[bun(), join(root, "scripts/compare-defaults/main.ts"), directory, ...process.argv.slice(2)],
  ]),
);
