/** The bench, small and without peers that need a daemon: every row has results, and nothing of it is left. */
import { afterAll, expect, test } from "bun:test";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../e2e/wait.ts";

const root = join(import.meta.dirname, "../..");
const directory = mkdtempSync(join(tmpdir(), "bocker-bench-test-"));
afterAll(() => rmSync(directory, { recursive: true }));

const environment = { ...process.env, BOCKER_BENCH_DIRECTORY: directory };
const words = ["scripts/bench.mjs", "--rounds", "2", "--engines", "umoci,crun"];

/** What a bench makes outside of its own namespaces: directories, cgroups. */
function left(): string[] {
  const cgroups = readdirSync("/sys/fs/cgroup").flatMap((name) => {
    const parent = join("/sys/fs/cgroup", name);
    return existsSync(join(parent, "cgroup.procs"))
      ? readdirSync(parent).map((entry) => join(parent, entry))
      : [];
  });
  return [...readdirSync(directory).map((name) => join(directory, name)), ...cgroups].filter((path) =>
    /\/bocker-bench-\d+$/.test(path),
  );
}

interface Result {
  rows: { part: string; name: string; unit: string; samples: Record<string, number[]> }[];
  goals: { met?: boolean }[];
}

test("all of it, fifty times smaller", () => {
  const [json, svg] = [join(directory, "result.json"), join(directory, "result.svg")];
  const { status, stdout, stderr } = spawnSync(
    "node",
    [...words, "--scale", "0.02", "--json", json, "--svg", svg],
    {
      cwd: root,
      env: environment,
      encoding: "utf8",
    },
  );
  expect([status, status === 0 ? "" : stderr]).toEqual([0, ""]);
  const { rows, goals } = JSON.parse(readFileSync(json, "utf8")) as Result;
  expect(rows.map(({ name }) => name)).toEqual([
    ...["version", "--help", "run none", "run bridge", "run full", "runtime alone", "exec", "full: returned"],
    ...["full: quiet", "rate", "run -d in a row", "run -d at once", "rm -f", "first answer", "stalls"],
    ...["per container", "pull", "extract, one CPU", "extract, two CPUs", "init", "import", "commit"],
    ...[
      "cp in",
      "cp out",
      "cp tree in",
      "cp tree out",
      "log written",
      "log read",
      "create",
      "ps -a",
      "images",
    ],
    ...["load", "images", "system df", "rmi", "image prune -a", "library"],
  ]);
  for (const { name, samples } of rows) {
    const own = samples["bocker"] ?? samples["Bun, with it"] ?? [];
    expect([name, own.length > 0]).toEqual([name, true]);
    for (const [engine, values] of Object.entries(samples))
      for (const value of values)
        expect([name, engine, Number.isFinite(value) && value >= 0]).toEqual([name, engine, true]);
    expect(stdout).toContain(`  ${name}: `);
  }
  const engines = (name: string) => Object.keys(rows.find((row) => row.name === name)!.samples).sort();
  expect(engines("run none")).toEqual(["bocker", "floor"]);
  expect(engines("runtime alone")).toEqual(["bocker", "crun"]);
  expect(engines("pull")).toEqual(["bocker", "skopeo+umoci"]);
  expect(engines("extract, one CPU")).toEqual(["GNU tar", "bocker"]);
  // Goals are about the whole size.
  expect(goals).toEqual([]);
  expect(readFileSync(svg, "utf8")).toMatch(/^<svg .*<rect .*<\/svg>\n$/s);
  expect(left()).toEqual([]);
}, 120_000);

/** A bench that is at work: its process, and whether anything of it still runs. */
async function begun() {
  const child = spawn("node", [...words, "--scale", "0.02", "detached"], {
    cwd: root,
    env: environment,
    stdio: "ignore",
  });
  const mark = `bocker-bench-${child.pid}`;
  const isRunning = () => spawnSync("pgrep", ["-f", `${mark}/run/bocker|${mark}/bocker`]).status === 0;
  await until(isRunning);
  return { child, isRunning };
}

test("what is killed in the middle leaves what the next one removes, and no process", async () => {
  const { child, isRunning } = await begun();
  child.kill("SIGKILL");
  await until(() => !isRunning());
  execFileSync("node", [...words, "--scale", "0.02", "version"], {
    cwd: root,
    env: environment,
    stdio: "ignore",
  });
  expect(left()).toEqual([]);
}, 60_000);

test("what is asked to end leaves nothing", async () => {
  const { child, isRunning } = await begun();
  const ended = new Promise((resolve) => child.on("close", resolve));
  child.kill("SIGTERM");
  expect(await ended).not.toBe(0);
  expect(isRunning()).toBe(false);
  expect(left()).toEqual([]);
}, 60_000);

test.each([
  [["nothing"], "no part nothing"],
  [["--rounds", "none"], "--rounds must be a positive number"],
  [["--what"], "--what"],
])("%p is refused in words", (wrong, message) => {
  const { status, stderr } = spawnSync("node", ["scripts/bench.mjs", ...wrong], {
    cwd: root,
    env: environment,
    encoding: "utf8",
  });
  expect(status).not.toBe(0);
  expect(stderr).toContain(message);
  expect(left()).toEqual([]);
});
