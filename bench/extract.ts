/** Applies one uncompressed tar to an empty directory by the engine's own code: `extract.ts TAR DIRECTORY`. */
import { createReadStream, mkdirSync, statSync } from "node:fs";
import { digestFromHex } from "../src/base/digest.ts";
import { unpackLayer } from "../src/images/layer/unpack.ts";
import { AT_FDCWD, O_DIRECTORY, O_RDONLY } from "../src/os/constants.ts";
import { openat } from "../src/os/files.ts";

const [tar = "", target = ""] = process.argv.slice(2);
mkdirSync(target);
await unpackLayer({
  source: createReadStream(tar, { highWaterMark: 1 << 20 }),
  // Without a store nothing is expected of the bytes; what they hash to is worked out all the same.
  expected: { digest: digestFromHex("0".repeat(64)), size: statSync(tar).size },
  directory: openat(AT_FDCWD, target, O_RDONLY | O_DIRECTORY),
  mode: "layer",
});
