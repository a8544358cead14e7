// What is built for: this machine, or, with `--target arm64`, another one.
import { join } from "node:path";
import { root } from "./bun.mjs";
import { foreignBun } from "./foreign-bun.mjs";

/** What cross compiles for other processors, by Node's names of them. Debian's packages, for who lacks the compiler. */
export const OTHERS = {
  arm64: {
    compiler: "aarch64-linux-gnu-gcc",
    packages: "gcc-aarch64-linux-gnu libc6-dev-arm64-cross",
    bun: "aarch64",
  },
};

/**
 * Its name, where the results lie, what compiles C, and what bun is told. The bytecode is the same for all: it is bun's
 * version that makes it valid, not the processor.
 */
export function chosenTarget(words) {
  const at = words.indexOf("--target");
  const name = at < 0 ? process.arch : words[at + 1];
  if (name === process.arch)
    return {
      name,
      dist: join(root, "dist"),
      compiler: process.env.CC ?? "cc",
      bunWords: () => ["--target=bun"],
    };
  const other = OTHERS[name];
  if (other === undefined) throw new Error(`bocker is not cross compiled for ${name}`);
  return {
    name,
    dist: join(root, "dist", name),
    compiler: other.compiler,
    // Without the path bun would fetch its own runtime.
    bunWords: () => [`--target=bun-linux-${name}`, "--compile-executable-path", foreignBun(other.bun)],
  };
}
