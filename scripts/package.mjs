// Puts what was built here into this machine's platform package, ready for `npm publish`. `--target arm64`: into arm64's.
import { copyFileSync, existsSync } from "node:fs";
import { join } from "node:path";
import { root } from "./bun.mjs";
import { chosenTarget } from "./target.mjs";

const { name, dist } = chosenTarget(process.argv.slice(2));
const target = join(root, "packages", `linux-${name}`);
if (!existsSync(target)) throw new Error(`bocker is not made for ${name}`);
for (const file of ["bocker", "bocker-launcher", "syscalls.node"])
  copyFileSync(join(dist, file), join(target, file));
console.log(`packages/linux-${name} is filled: npm publish ./packages/linux-${name}`);
