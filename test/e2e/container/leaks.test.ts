/** A hundred containers leave nothing; and what is killed in the middle is put right by the next command. */
import { Database } from "bun:sqlite";
import { afterAll, beforeAll, expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { busyboxSandbox } from "../busybox.ts";
import { cgroupNames } from "../cgroups.ts";
import { BINARY, type Sandbox } from "../sandbox.ts";
import { settled, until } from "../wait.ts";

let sandbox: Sandbox;
beforeAll(() => {
  sandbox = busyboxSandbox();
  sandbox.ok(["run", "--rm", "-p", "7000:80", "-v", "data:/data", "busybox", "true"]);
});
afterAll(() => sandbox.remove());

const files = (directory: string) =>
  readdirSync(directory, { recursive: true, encoding: "utf8" })
    .filter((path) => !/^(state\.db|locks|seccomp|plans)/.test(path))
    .sort();

const cgroups = (ids: Set<string>) => cgroupNames().filter((name) => ids.has(name));

interface Inventory {
  mounts: string;
  links: string;
  rules: string;
  data: string[];
  run: string[];
  processes: string[];
}

function inventory(): Inventory {
  return {
    mounts: readFileSync("/proc/self/mountinfo", "utf8")
      .split("\n")
      .filter((line) => line.includes(sandbox.directory))
      .join("\n"),
    links: sandbox.execute(["sh", "-c", "ip -o link | sed 's/^[0-9]*: //' | cut -d' ' -f1"]).stdout,
    rules: sandbox.execute(["nft", "list", "ruleset"]).stdout,
    data: files(sandbox.data),
    run: files(sandbox.run),
    processes: sandbox.processes(),
  };
}

/** As it is when no monitor cleans up any more. */
async function quiet(): Promise<Inventory> {
  let now = inventory();
  for (;;) {
    await Bun.sleep(300);
    const next = inventory();
    if (Bun.deepEquals(now, next)) return now;
    now = next;
  }
}

function start(port: number, ...words: string[]) {
  const [program, ...rest] = sandbox.inside([
    BINARY,
    "run",
    "--rm",
    "--cidfile",
    join(sandbox.directory, `cid${port}`),
    "-p",
    `${port}:80`,
    "-v",
    "data:/data",
    "-m",
    "32m",
    ...words,
  ]);
  return spawn(program, rest, { env: sandbox.environment, stdio: "ignore" });
}
const ended = (child: ReturnType<typeof start>) =>
  new Promise<number | null>((resolve) => child.once("exit", (code) => resolve(code)));
const idsBetween = (from: number, to: number) =>
  new Set(
    Array.from({ length: to - from }, (_, at) => {
      try {
        return readFileSync(join(sandbox.directory, `cid${from + at}`), "utf8");
      } catch {
        return "";
      }
    }).filter(Boolean),
  );

test("a hundred runs, several at a time, leave nothing", async () => {
  const before = await quiet();
  const codes: (number | null)[] = [];
  const ports = Array.from({ length: 100 }, (_, at) => 10000 + at).values();
  await Promise.all(
    Array.from({ length: 6 }, async () => {
      for (const port of ports) codes.push(await ended(start(port, "busybox", "true")));
    }),
  );
  expect(codes).toEqual(Array(100).fill(0));
  expect(await settled(inventory, before)).toEqual(before);
  const ids = idsBetween(10000, 10100);
  expect(ids.size).toBe(100);
  expect(cgroups(ids)).toEqual([]);
});

test("killed clients leave nothing that the next command does not put right", async () => {
  const before = await quiet();
  for (let at = 0; at < 24; at++) {
    const child = start(11000 + at, "busybox", "sleep", "0.05");
    await Bun.sleep(at * 2);
    child.kill("SIGKILL");
    await ended(child);
  }
  await until(() => sandbox.ok(["ps", "-q"]) === "");
  // Created and never started: the kill came between the two, and a record is a record.
  for (const id of sandbox.ok(["ps", "-aq", "-f", "status=created"]).split("\n").filter(Boolean))
    sandbox.ok(["rm", id]);
  sandbox.ok(["ps"]);
  expect(await settled(inventory, before)).toEqual(before);
  expect(cgroups(idsBetween(11000, 11024))).toEqual([]);
  sandbox.ok(["run", "--rm", "-p", "11000:80", "busybox", "true"]);
});

test("a killed monitor takes its container along, and the next command says so", () => {
  const id = sandbox.ok(["run", "-d", "--name", "lost", "-p", "12000:80", "busybox", "sleep", "1000"]);
  const { pid, monitor } = JSON.parse(readFileSync(join(sandbox.run, "containers", id, "state"), "utf8"));
  process.kill(monitor, "SIGKILL");
  for (let i = 0; i < 200; i++) {
    try {
      process.kill(pid, 0);
      Bun.sleepSync(10);
    } catch {
      break;
    }
  }
  const { stdout, stderr } = sandbox.bocker(["ps", "-a", "--format", "{{.Names}} {{.Status}}"]);
  expect(stderr).toBe(
    `bocker: repaired: container lost (${id.slice(0, 12)}) went down with its monitor; it is recorded as exited (255)\n`,
  );
  expect(stdout).toStartWith("lost Exited (255) ");
  expect(sandbox.execute(["nft", "list", "ruleset"]).stdout).not.toContain("12000");
  expect(cgroups(new Set([id]))).toEqual([]);
  expect(sandbox.bocker(["ps", "-a"]).stderr).toBe("");
  sandbox.ok(["start", "lost"]);
  sandbox.ok(["rm", "-f", "lost"]);
});

test("volumes of a container that never came to be are removed, those kept by rm are not", () => {
  const database = new Database(join(sandbox.data, "state.db"));
  const unfinished = sandbox.ok(["create", "-v", "/data", "busybox", "true"]);
  const kept = sandbox.ok(["create", "-v", "/data", "busybox", "true"]);
  const volumeOf = (id: string) => sandbox.ok(["inspect", "-f", "{{(index .Mounts 0).Name}}", id]);
  const [lost, left] = [volumeOf(unfinished), volumeOf(kept)];
  sandbox.ok(["rm", kept]);
  // As if the client had been killed between making the volume and recording the container.
  database.run("DELETE FROM containers WHERE id = ?", [unfinished]);
  database.close();
  mkdirSync(join(sandbox.data, "volumes/never-recorded/_data"), { recursive: true });
  const { stderr } = sandbox.bocker(["ps"]);
  expect(stderr).toContain(
    `bocker: repaired: volume ${lost.slice(0, 12)} was made for a container that never came to be; it is removed\n`,
  );
  expect(readdirSync(join(sandbox.data, "volumes")).sort()).toEqual(["data", left].sort());
  expect(sandbox.bocker(["ps"]).stderr).toBe("");
});

/** Monitors of containers that run in the sandbox: the state files name them. */
function monitors(): number[] {
  const directory = join(sandbox.run, "containers");
  return readdirSync(directory).flatMap((id) => {
    try {
      return [Number(JSON.parse(readFileSync(join(directory, id, "state"), "utf8")).monitor)];
    } catch {
      return []; // It has not started yet, or has just ended.
    }
  });
}

test("clients and monitors killed at any moment: the next command repairs, and says so", async () => {
  const before = await quiet();
  const said: string[] = [];
  for (let at = 0; at < 20; at++) {
    const child = start(11500 + at, "busybox", "sleep", "1000");
    await Bun.sleep(at * 4);
    child.kill("SIGKILL");
    await ended(child);
    // A launcher whose client has gone may still be on its way to a container.
    for (let round = 0; round < 4; round++) {
      for (const pid of monitors())
        try {
          process.kill(pid, "SIGKILL");
        } catch {
          // Ended by itself.
        }
      // At once: what the dying hold is still held.
      said.push(sandbox.bocker(["ps", "-a"]).stderr);
      await Bun.sleep(round * 20);
    }
  }
  expect(said.join("")).toContain("bocker: repaired: ");
  for (const id of sandbox.ok(["ps", "-aq"]).split("\n").filter(Boolean)) sandbox.ok(["rm", "-f", "-v", id]);
  expect(await settled(inventory, before)).toEqual(before);
  expect(cgroups(idsBetween(11500, 11520))).toEqual([]);
  expect(sandbox.bocker(["ps"]).stderr).toBe("");
  sandbox.ok(["run", "--rm", "-p", "11500:80", "-v", "data:/data", "-m", "32m", "busybox", "true"]);
});
