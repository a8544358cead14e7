/** OCI bundles, for those peers that know nothing but bundles. */
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Bench } from "./bench.ts";
import { isInstalled } from "./engines.ts";
import { run } from "./program.ts";

/** The command that starts `true` in a bundle, by runtime: those of crun and runc that are wanted and installed. */
export function bundleCommands(bench: Bench, directory: string): Map<string, string[]> {
  const wanted = bench.options.engines;
  const commands = new Map<string, string[]>();
  for (const runtime of ["crun", "runc"].filter(isInstalled)) {
    if (wanted.length > 0 && !wanted.includes(runtime)) continue;
    const bundle = join(directory, runtime);
    mkdirSync(bundle, { recursive: true });
    cpSync(bench.image, join(bundle, "rootfs"), { recursive: true, verbatimSymlinks: true });
    run([runtime, "spec"], { cwd: bundle });
    const file = join(bundle, "config.json");
    const spec = JSON.parse(readFileSync(file, "utf8"));
    spec.process.args = ["true"];
    spec.process.terminal = false;
    // Raising limits takes a right that the bench may not have.
    delete spec.process.rlimits;
    writeFileSync(file, JSON.stringify(spec));
    const state = join(bench.directory, "run", runtime);
    commands.set(runtime, [runtime, "--root", state, "run", "--bundle", bundle, "bench"]);
  }
  return commands;
}
