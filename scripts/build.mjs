// Builds everything that is compiled into dist/: the addon, the launcher, the binary. `--target arm64` builds the same for
// arm64 into dist/arm64/.
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { bun, root } from "./bun.mjs";
import { chosenTarget } from "./target.mjs";

const { dist, compiler, bunWords } = chosenTarget(process.argv.slice(2));

function say(text) {
  process.stderr.write(`bocker: ${text}\n`);
}

function sources(folder) {
  return readdirSync(join(root, folder))
    .filter((name) => name.endsWith(".c"))
    .map((name) => join(root, folder, name));
}

/** Into a temporary name, then renamed: a build that is cut off leaves the old file. */
function produce(name, command, args) {
  const temporary = join(dist, `.${name}.${process.pid}`);
  execFileSync(command, [...args, temporary], { stdio: ["ignore", 2, 2], cwd: root });
  renameSync(temporary, join(dist, name));
}

function buildAddon() {
  say("building the system call addon");
  produce("syscalls.node", compiler, [
    ..."-std=gnu11 -shared -fPIC -O2 -Wall -Wextra -Werror -fvisibility=hidden -fstack-protector-strong".split(
      " ",
    ),
    ..."-Wl,-z,now -Wl,-z,relro -Wl,-z,noexecstack".split(" "),
    "-I",
    join(root, "node_modules/node-api-headers/include"),
    ...sources("native"),
    "-o",
  ]);
}

function buildLauncher() {
  say("building the launcher");
  produce("bocker-launcher", compiler, [
    ..."-std=gnu11 -O2 -Wall -Wextra -Werror -ffreestanding -fno-builtin -fno-stack-protector".split(" "),
    ..."-nostdlib -static -fno-pic -no-pie -fno-asynchronous-unwind-tables -s".split(" "),
    ..."-Wl,--build-id=none -Wl,-z,noexecstack -Wl,-z,noseparate-code".split(" "),
    ...sources("launcher"),
    "-o",
  ]);
}

function buildBinary() {
  say("compiling bocker");
  // bun writes the file itself and beside it; so it gets a name of its own, too.
  produce("bocker", bun(), [
    "build",
    "--compile",
    ...bunWords(),
    "--format=esm",
    "--bytecode",
    // What a command does not need is not loaded.
    "--splitting",
    "--minify-syntax",
    "--minify-whitespace",
    // Most commands are over before compiled code would have paid for itself; long ones get it later all the same.
    "--compile-jit-policy=50",
    // Files of the directory that root happens to be in must not change what bocker does.
    "--no-compile-autoload-dotenv",
    "--no-compile-autoload-bunfig",
    "src/main.ts",
    "--outfile",
  ]);
}

mkdirSync(dist, { recursive: true });
buildAddon();
buildLauncher();
buildBinary();
