// The end of `npm run package`: the platform packages of other processors, where their cross compilers are installed.
import { execFileSync, spawnSync } from "node:child_process";
import { join } from "node:path";
import { root } from "./bun.mjs";
import { OTHERS } from "./target.mjs";

for (const [name, { compiler, packages }] of Object.entries(OTHERS)) {
  if (name === process.arch) continue;
  if (spawnSync(compiler, ["--version"]).status !== 0) {
    console.log(
      `packages/linux-${name} stays as it is, without a cross compiler: apt-get install ${packages}`,
    );
    continue;
  }
  for (const script of ["build.mjs", "package.mjs"])
    execFileSync("node", [join(root, "scripts", script), "--target", name], { stdio: "inherit" });
}
