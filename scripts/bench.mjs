// `npm run bench`: bocker and its peers, side by side, on a machine of their own made of namespaces.
import { join } from "node:path";
import { bun, root } from "./bun.mjs";
import { onOwnMachine, requireBockerAndRoot } from "./own-machine.mjs";

requireBockerAndRoot("bench");
process.exit(
  await onOwnMachine("bocker-bench-", process.env.BOCKER_BENCH_DIRECTORY ?? "/var/tmp", (directory) => [
    ...[bun(), join(root, "bench/main.ts"), directory, ...process.argv.slice(2)],
  ]),
);
