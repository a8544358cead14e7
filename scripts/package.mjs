// `npm run package`: puts what was built here into this machine's platform package, ready for `npm publish`.
import { copyFileSync, existsSync } from "node:fs";
import { join } from "node:path";
import { root } from "./bun.mjs";

const target = join(root, "packages", `linux-${process.arch}`);
if (!existsSync(target)) throw new Error(`bocker is not made for ${process.arch}`);
for (const name of ["bocker", "bocker-launcher", "syscalls.node"])
  copyFileSync(join(root, "dist", name), join(target, name));
console.log(`packages/linux-${process.arch} is filled: npm publish ./packages/linux-${process.arch}`);
