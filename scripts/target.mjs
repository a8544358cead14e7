// What is built for: this machine, or, with `--target arm64`, another one.
import { join } from "node:path";
import { root } from "./bun.mjs";
import { foreignBun } from "./foreign-bun.mjs";

const OTHERS = { arm64: { compiler: "aarch64-linux-gnu-gcc", bun: "aarch64" } };

/**
 * Where the results lie, what compiles C, and what bun is told. The bytecode is the same for both: bun's version makes
 * it valid, not the processor.
 */
export function chosenTarget(words) {
  const at = words.indexOf("--target");
  const name = at < 0 ? process.arch : words[at + 1];
  if (name === process.arch)
    return {
      dist: join(root, "dist"),
      compiler: process.env.CC ?? "cc",
      compile: ["--target=bun"],
    };
  const other = OTHERS[name];
  if (other === undefined) throw new Error(`bocker is not cross compiled for ${name}`);
  return {
    dist: join(root, "dist", name),
    compiler: other.compiler,
    compile: [`--target=bun-linux-${name}`, "--compile-executable-path", foreignBun(other.bun)],
  };
}
