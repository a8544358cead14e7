// `npm run fuzz -- [target…] [--seconds N] [--seed N]`: builds and runs the fuzzers of fuzz/, prints one line for each.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { bun, root } from "./bun.mjs";

const out = join(root, "dist/fuzz");
const crashes = join(out, "crashes");
const harnesses = join(root, "fuzz/launcher");
const NATIVE = ["plan", "monitor", "log", "netlink"];
/** Found by name only: they have a bug, to see that one is found. */
const PLANTED = ["planted", "planted-script"];
const LONGEST_INPUT = 6000;

const compiler = () => ["clang", "clang-14"].find((name) => spawnSync(name, ["--version"]).status === 0);

const cFiles = (directory) =>
  readdirSync(directory)
    .filter((name) => /\.[ch]$/.test(name))
    .map((name) => join(directory, name));

/** The launcher's own sources with a harness and its kernel; what is built and newer than all of them stays. */
function build(name, clang) {
  const binary = join(out, "bin", name);
  const launcher = cFiles(join(root, "launcher"));
  const newest = Math.max(...[...launcher, ...cFiles(harnesses)].map((path) => statSync(path).mtimeMs));
  if (existsSync(binary) && statSync(binary).mtimeMs > newest) return binary;
  mkdirSync(join(out, "bin"), { recursive: true });
  const flags =
    "-std=gnu11 -g -O2 -Wall -Wextra -Werror -DSYSTEM_CALLS_ELSEWHERE -fno-sanitize-recover=all -fsanitize=fuzzer,address,undefined";
  const sources = launcher.filter((path) => path.endsWith(".c") && !path.endsWith("/main.c"));
  const files = [join(harnesses, `${name}.c`), join(harnesses, "kernel.c"), ...sources];
  const { status } = spawnSync(clang, [...flags.split(" "), ...files, "-o", binary], {
    stdio: ["ignore", 2, 2],
  });
  if (status !== 0) throw new Error(`the fuzzer ${name} cannot be built`);
  return binary;
}

const run = (command, words) =>
  new Promise((resolve) => {
    const child = spawn(command, words, { cwd: root });
    let text = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8");
      stream.on("data", (chunk) => {
        text = `${text}${chunk}`.slice(-100_000);
      });
    }
    child.on("close", (status) => resolve({ status, text }));
  });

/** New inputs go to dist/fuzz/corpus; what is kept in the repository is read besides. */
async function runNative(name, { seconds, seed, clang }) {
  const binary = build(name, clang);
  const grown = join(out, "corpus", name);
  const kept = join(root, "fuzz/corpus", name);
  mkdirSync(grown, { recursive: true });
  mkdirSync(crashes, { recursive: true });
  const before = readdirSync(grown).length;
  const { status, text } = await run(binary, [
    `-max_total_time=${seconds}`,
    `-max_len=${LONGEST_INPUT}`,
    `-seed=${seed}`,
    // Of wall time: a long run shares the machine with whatever else goes on there.
    `-timeout=${Math.max(10, Math.ceil(seconds / 10))}`,
    `-artifact_prefix=${crashes}/${name}-`,
    grown,
    ...(existsSync(kept) ? [kept] : []),
  ]);
  const last = (pattern) => [...text.matchAll(pattern)].at(-1)?.[1];
  const executions = Number(last(/^#(\d+)\s/gm) ?? 0);
  const result = {
    target: name,
    executions,
    edges: Number(last(/ cov: (\d+) /g) ?? 0),
    found: readdirSync(grown).length - before,
  };
  if (status === 0) return result;
  return {
    ...result,
    crash: last(/Test unit written to (\S+)/g) ?? "(none)",
    message: /^(bug: .*|.*(ERROR|runtime error): .*)$/m.exec(text)?.[0] ?? text.slice(-500),
  };
}

async function runScript(name, { seconds, seed }) {
  const { text } = await run(bun(), [
    join(root, "fuzz/main.ts"),
    name,
    String(seconds),
    String(seed),
    crashes,
  ]);
  try {
    return JSON.parse(
      text
        .trim()
        .split("\n")
        .findLast((line) => line.startsWith("{")) ?? "",
    );
  } catch {
    return { target: name, executions: 0, found: 0, crash: "(none)", message: text.slice(-1000) };
  }
}

function scriptTargets() {
  const { stdout } = spawnSync(bun(), [join(root, "fuzz/list.ts")], { encoding: "utf8" });
  return stdout
    .trim()
    .split("\n")
    .filter((name) => !PLANTED.includes(name));
}

function line({ target, executions, edges, found, crash, message }) {
  const reached = edges === undefined ? "" : `, ${edges} edges`;
  const end =
    crash === undefined ? "" : `\n  CRASH ${crash}\n  ${message.split("\n").slice(0, 8).join("\n  ")}`;
  return `${target.padEnd(18)} ${String(executions).padStart(10)} executions${reached}, ${found} new inputs${end}`;
}

function options(words) {
  const number = (flag, standard) => {
    const at = words.indexOf(flag);
    if (at < 0) return standard;
    const value = Number(words.splice(at, 2)[1]);
    if (!Number.isInteger(value) || value < 1) throw new Error(`${flag} needs a whole number`);
    return value;
  };
  const seconds = number("--seconds", 10);
  const seed = number("--seed", 1 + (Date.now() % 1_000_000));
  return { seconds, seed, names: words };
}

const { seconds, seed, names } = options(process.argv.slice(2));
const script = scriptTargets();
const known = [...NATIVE, ...script, ...PLANTED];
for (const name of names)
  if (!known.includes(name)) {
    console.error(`bocker: no such target: ${name}; there are ${known.join(" ")}`);
    process.exit(2);
  }
const clang = compiler();
let failed = false;
console.log(`seed ${seed}, ${seconds} s for each`);
for (const name of names.length > 0 ? names : [...NATIVE, ...script]) {
  const isNative = NATIVE.includes(name) || name === "planted";
  if (isNative && clang === undefined) {
    console.log(`${name.padEnd(18)} SKIPPED: clang is missing (apt-get install clang libclang-rt-14-dev)`);
    continue;
  }
  const result = await (isNative ? runNative : runScript)(name, { seconds, seed, clang });
  failed ||= result.crash !== undefined || result.executions === 0;
  console.log(line(result));
}
process.exit(failed ? 1 : 0);
