/** SHA-256. node:crypto takes 2.5 ms to load, so it is loaded by the first who hashes. */
import type { Hash } from "node:crypto";

/** A hash to be fed. */
export function createSha256(): Hash {
  return process.getBuiltinModule("node:crypto").createHash("sha256");
}
