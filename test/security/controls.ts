/** Old engines on which an attack works: a test that none of them fails would prove nothing. */
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Sandbox } from "../e2e/sandbox.ts";

interface Bundle {
  process: { args: string[]; terminal: boolean; rlimits?: object[] };
  root: { path: string; readonly: boolean };
  mounts: { destination: string }[];
}

export interface OldEngine {
  /** Runs /bin/true in `root` by a bundle that `change` has made worse. Returns the exit code. */
  run(sandbox: Sandbox, root: string, change: (spec: Bundle) => void): number;
}

/** The runtime, if it is installed and of this version; said loudly if not. */
export function oldEngine(program: string, version: string): OldEngine | undefined {
  const { stdout, error } = spawnSync(program, ["--version"], { encoding: "utf8" });
  if (error !== undefined || !stdout.includes(`version ${version}`)) {
    console.error(`SKIPPED: the control needs ${program} ${version}x (apt-get install ${program})`);
    return undefined;
  }
  return {
    run(sandbox, root, change) {
      const bundle = join(sandbox.directory, `bundle-${program}`);
      mkdirSync(bundle, { recursive: true });
      cpSync(root, join(bundle, "rootfs"), { recursive: true, verbatimSymlinks: true });
      spawnSync(program, ["spec"], { cwd: bundle });
      const file = join(bundle, "config.json");
      const spec = JSON.parse(readFileSync(file, "utf8")) as Bundle;
      spec.process = { ...spec.process, args: ["/bin/true"], terminal: false };
      delete spec.process.rlimits;
      spec.root.readonly = false;
      change(spec);
      writeFileSync(file, JSON.stringify(spec));
      const words = [
        "--root",
        join(sandbox.directory, "old"),
        "run",
        "--bundle",
        bundle,
        `control-${process.pid}`,
      ];
      return spawnSync(program, words, { encoding: "utf8" }).status ?? -1;
    },
  };
}
