/** The containers that are compared, and how the probe gets into them: the same words for every engine. */
import { execFileSync } from "node:child_process";
import { chownSync, copyFileSync, mkdirSync, readdirSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { syscallTable } from "../../src/runtime/seccomp/syscalls.ts";
import { type Facts, factName, parseFacts } from "./facts.ts";
import { filterFacts, parseFilters } from "./filters.ts";

export const IMAGE = "probe";
const PROGRAM = "/probe";

export interface Scenario {
  name: string;
  options: string[];
  /** The probe is not the container's first process. */
  exec?: string[];
}

/** @param directory of the machine's that containers are given */
export function scenarios(directory: string): Scenario[] {
  return [
    { name: "run", options: [] },
    { name: "run -i", options: ["-i"] },
    { name: "run -t", options: ["-t"] },
    { name: "run -u", options: ["-u", "ada"] },
    { name: "run --privileged", options: ["--privileged"] },
    { name: "run --read-only", options: ["--read-only"] },
    { name: "run --network none", options: ["--network", "none"] },
    {
      name: "run --security-opt no-new-privileges",
      options: ["--security-opt", "no-new-privileges"],
    },
    { name: "run --cap-drop ALL", options: ["--cap-drop", "ALL"] },
    { name: "run --cap-add ALL", options: ["--cap-add", "ALL"] },
    {
      name: "run -v --tmpfs --device",
      options: [
        ...["-v", `${directory}:/bind`, "-v", `${directory}:/bind-ro:ro`, "-v", "named:/volume"],
        ...["--tmpfs", "/tmpfs", "--device", "/dev/net/tun"],
      ],
    },
    {
      name: "run with limits",
      options: [
        ...[
          "-m",
          "64m",
          "--memory-reservation",
          "32m",
          "--cpus",
          "1",
          "--cpu-shares",
          "512",
          "--cpuset-cpus",
          "0",
        ],
        ...["--pids-limit", "50", "--ulimit", "nofile=100:200", "--shm-size", "8m", "--hostname", "name"],
        ...[
          "--sysctl",
          "net.core.somaxconn=99",
          "--sysctl",
          "kernel.msgmax=1000",
          "-w",
          "/home",
          "-e",
          "A=B",
        ],
      ],
    },
    {
      name: "run --security-opt systempaths=unconfined",
      options: ["--security-opt", "systempaths=unconfined"],
    },
    { name: "run --security-opt seccomp=unconfined", options: ["--security-opt", "seccomp=unconfined"] },
    { name: "exec", options: [], exec: [] },
    { name: "exec -t", options: [], exec: ["-t"] },
    { name: "exec -u", options: [], exec: ["-u", "ada"] },
    { name: "exec --privileged", options: [], exec: ["--privileged"] },
  ];
}

/** An engine as the comparison needs it. */
export interface Side {
  /** Runs the engine with these words, its standard input an empty pipe. @throws Error when it fails */
  run: (words: string[]) => string;
  /** Runs a program where process ids are those that the engine says. */
  bytesOf: (words: string[]) => Uint8Array;
}

/** Compiles the probe. It is static: the image has nothing else. */
export function compileProbe(target: string, compiler = process.env["CC"] ?? "cc"): void {
  const sources = join(import.meta.dirname, "probe");
  const files = readdirSync(sources)
    .filter((name) => name.endsWith(".c"))
    .map((name) => join(sources, name));
  const flags = ["-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-static", "-D_GNU_SOURCE"];
  execFileSync(compiler, [...flags, "-o", target, ...files]);
}

/** The image's root directory: the probe, users, and nothing that the engines would have to make. */
export function fillRoot(root: string, probe: string): void {
  for (const name of ["etc", "home", "home/ada"]) mkdirSync(join(root, name), { recursive: true });
  chownSync(join(root, "home/ada"), 1000, 1000);
  copyFileSync(probe, join(root, PROGRAM));
  writeFileSync(
    join(root, "etc/passwd"),
    "root:x:0:0:root:/root:/bin/sh\nada:x:1000:1000:Ada:/home/ada:/bin/sh\n",
  );
  writeFileSync(join(root, "etc/group"), "root:x:0:\ntty:x:5:\nada:x:1000:\nmathematicians:x:2000:ada\n");
}

/** Numbers of the probe become names. */
function withNames(facts: Facts): Facts {
  const names = new Map([...syscallTable("x86_64")].map(([name, number]) => [String(number), name]));
  const result: Facts = new Map();
  for (const [name, value] of facts) {
    const [group = "", key = ""] = name.split("\t");
    result.set(group === "calls" ? factName(group, names.get(key) ?? key) : name, value);
  }
  return result;
}

/**
 * All facts of a container of that kind.
 * @param probe the program, on the machine's side
 */
export function collect(side: Side, scenario: Scenario, probe: string, directory: string): Facts {
  const namespaces = readdirSync("/proc/self/ns").map((name) => readlinkSync(`/proc/self/ns/${name}`));
  const words = [PROGRAM, "facts", ...new Set(namespaces)];
  const container = side.run(["run", "-d", ...scenario.options, IMAGE, PROGRAM, "wait"]).trim();
  try {
    const text =
      scenario.exec === undefined
        ? side.run(["run", "--rm", ...scenario.options, IMAGE, ...words])
        : side.run(["exec", ...scenario.exec, container, ...words]);
    const facts = withNames(parseFacts(text, directory));
    if (scenario.exec !== undefined) return facts;
    const pid = side.run(["inspect", "-f", "{{.State.Pid}}", container]).trim();
    const filters = parseFilters(side.bytesOf([probe, "filter", pid]));
    return new Map([...facts, ...filterFacts(filters)]);
  } finally {
    side.run(["rm", "-f", "-v", container]);
  }
}
