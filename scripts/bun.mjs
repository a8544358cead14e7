// Finds the bun package's own binary: npm may have been told to run no install scripts.
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = join(dirname(fileURLToPath(import.meta.url)), "..");

export function bun() {
  const scope = join(root, "node_modules/@oven");
  for (const name of existsSync(scope) ? readdirSync(scope).sort() : []) {
    const binary = join(scope, name, "bin/bun");
    try {
      execFileSync(binary, ["--version"], { stdio: "ignore" });
      return binary;
    } catch {
      // Made for another processor or C library: the next one may do.
    }
  }
  throw new Error(`no bun for this machine in ${scope}: run npm install`);
}
