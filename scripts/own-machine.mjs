// A machine made of namespaces, for what must not meet this one's networks, mounts and cgroups: container engines that
// are measured or compared. This is the outside: it owns the directory and the cgroups, and removes them however the
// inside ends.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { root } from "./bun.mjs";

/** Where the cgroup hierarchies are mounted. */
function hierarchies() {
  return readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .filter((line) => line.includes(" - cgroup"))
    .map((line) => line.split(" ")[4]);
}

function removeCgroups(directory) {
  if (!existsSync(directory)) return;
  for (const entry of readdirSync(directory, { withFileTypes: true }))
    if (entry.isDirectory()) removeCgroups(join(directory, entry.name));
  for (let attempt = 0; existsSync(directory) && attempt < 100; attempt++) {
    try {
      rmdirSync(directory);
    } catch {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20); // The kernel is taking its processes down.
    }
  }
}

function makeCgroup(directory) {
  mkdirSync(directory);
  // v1's cpuset takes no process before it says where it may run.
  for (const file of ["cpuset.cpus", "cpuset.mems"])
    if (existsSync(join(directory, file)) && existsSync(join(directory, "cgroup.clone_children")))
      writeFileSync(join(directory, file), readFileSync(join(directory, "..", file)));
}

function remove(parent, name) {
  for (const mount of hierarchies()) removeCgroups(join(mount, name));
  rmSync(join(parent, name), { recursive: true, force: true });
}

/** Whether the script of that process id is still at work. */
function isAlive(pid, script) {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(script);
  } catch {
    return false;
  }
}

/** Builds bocker where that is needed. Ends the process where it fails, and where nobody is root. */
export function requireBockerAndRoot(name) {
  const built = spawnSync(join(root, "bocker"), ["--version"], { stdio: ["ignore", "ignore", "inherit"] });
  if (built.status !== 0) process.exit(1);
  if (process.getuid() !== 0) {
    console.error(`${name}: it starts container engines, so it has to run as root`);
    process.exit(1);
  }
}

/**
 * Runs a command in new namespaces and cgroups, and removes all of it. What a killed run of the same script has left
 * goes first.
 * @param prefix of the directory in `parent` and of the cgroups; the process id follows
 * @param command from the directory; its exit code is what comes back
 */
export async function onOwnMachine(prefix, parent, command) {
  const script = basename(process.argv[1]);
  for (const name of readdirSync(parent).filter((entry) => entry.startsWith(prefix))) {
    const pid = name.slice(prefix.length);
    if (/^\d+$/.test(pid) && !isAlive(pid, script)) remove(parent, name);
  }
  const name = `${prefix}${process.pid}`;
  const directory = join(parent, name);
  const cgroups = hierarchies().map((mount) => join(mount, name));
  let inside;
  // All of the inside ends with it. Ctrl-C has reached that, too, as it is of the same terminal.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => inside?.kill("SIGKILL"));
  try {
    mkdirSync(join(directory, "run"), { recursive: true, mode: 0o700 });
    for (const cgroup of cgroups) makeCgroup(cgroup);
    const enter = 'while [ "$1" != -- ]; do echo $$ >"$1/cgroup.procs"; shift; done; shift; exec "$@"';
    const namespaces = ["--mount", "--net", "--ipc", "--pid", "--cgroup", "--fork", "--kill-child"];
    inside = spawn(
      "setpriv",
      [
        ...["--pdeathsig", "KILL", "sh", "-c", enter, "sh", ...cgroups, "--"],
        ...["unshare", ...namespaces, join(root, "bench/enclosure.sh"), directory, ...command(directory)],
      ],
      { stdio: "inherit", cwd: root },
    );
    return await new Promise((resolve, reject) => {
      inside.on("error", reject);
      inside.on("close", (status) => resolve(status ?? 1));
    });
  } finally {
    remove(parent, name);
  }
}
