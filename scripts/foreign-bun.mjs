// The bun of another processor, which a program for it is compiled around. `node scripts/foreign-bun.mjs aarch64`
// prints where it is.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { root } from "./bun.mjs";

/** Unpacks a package as npm would install it, which it does not for another processor: the lock file's, or nothing. */
function unpack(name, version, integrity, directory) {
  const words = ["pack", `${name}@${version}`, "--silent", "--pack-destination", directory];
  const archive = join(directory, execFileSync("npm", words, { cwd: root, encoding: "utf8" }).trim());
  const found = `sha512-${createHash("sha512").update(readFileSync(archive)).digest("base64")}`;
  if (found !== integrity) throw new Error(`${name}@${version} is not what package-lock.json says: ${found}`);
  execFileSync("tar", ["-xzf", archive, "-C", directory, "package/bin/bun"]);
  return join(directory, "package/bin/bun");
}

/** Fetched from npm once, in the version of the bun that compiles. `processor`: bun's name of it. */
export function foreignBun(processor) {
  const name = `@oven/bun-linux-${processor}`;
  const lock = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8"));
  const { version, integrity } = lock.packages[`node_modules/${name}`];
  const cache = join(root, "node_modules/.cache");
  const kept = join(cache, `bun-linux-${processor}-${version}`);
  if (existsSync(kept)) return kept;
  mkdirSync(cache, { recursive: true });
  const directory = mkdtempSync(join(cache, ".bun-"));
  try {
    renameSync(unpack(name, version, integrity, directory), kept);
  } finally {
    rmSync(directory, { recursive: true });
  }
  return kept;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) console.log(foreignBun(process.argv[2]));
