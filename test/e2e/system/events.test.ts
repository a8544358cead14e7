/** `events`: what is told of everything that happens, by whom it happens, and what a reader gets of it. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { busyboxSandbox } from "../busybox.ts";
import { SLEEP } from "../container/running.ts";
import { Registry } from "../image/registry.ts";
import { BINARY, type Sandbox } from "../sandbox.ts";
import { fromNow, until, untilSync } from "../wait.ts";

interface Told {
  Type: string;
  Action: string;
  Actor: { ID: string; Attributes: Record<string, string> };
  status?: string;
  id?: string;
  from?: string;
  scope: string;
  time: number;
  timeNano: number;
}

let sandbox: Sandbox;
beforeAll(() => {
  sandbox = busyboxSandbox();
});
afterAll(() => {
  for (const id of sandbox.ok(["ps", "-aq"]).split("\n").filter(Boolean)) sandbox.bocker(["rm", "-f", id]);
  sandbox.remove();
});

const journal = () => join(sandbox.run, "events");

/** What has been told since, `--until` now. */
function told(since: string, ...flags: string[]): Told[] {
  const lines = sandbox.ok(["events", "--since", since, "--until", "0s", "--format", "json", ...flags]);
  return lines
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line));
}

const withoutNetworks = (events: Told[]) => events.filter(({ Type }) => Type !== "network");
const short = ({ Type, Action }: Told) => `${Type} ${Action}`;

/** What is told while `body` does something. */
function during(body: () => void): Told[] {
  // Of other tests nothing: their last event may be of this millisecond.
  Bun.sleepSync(5);
  const since = fromNow();
  body();
  return told(since);
}

/** Until the monitor has told of a container's end, and has gone. */
function awaitTold(container: string, action: string, since: string): void {
  for (let i = 0; i < 500; i++) {
    if (told(since, "-f", `container=${container}`).some(({ Action }) => Action === action)) return;
    Bun.sleepSync(20);
  }
  throw new Error(`nobody told of ${container}: ${action}`);
}

/** `bocker events` in the background. */
class Follower {
  readonly child: ChildProcess;
  output = "";
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;

  constructor(...flags: string[]) {
    const [program, ...rest] = sandbox.inside([BINARY, "events", ...flags]);
    this.child = spawn(program, rest, { env: sandbox.environment, stdio: ["ignore", "pipe", "inherit"] });
    this.child.stdout!.on("data", (chunk) => {
      this.output += chunk;
    });
    this.ended = new Promise((resolve) =>
      this.child.once("close", (code, signal) => resolve({ code, signal })),
    );
  }

  async until(text: string): Promise<void> {
    await until(() => this.output.includes(text));
    expect(this.output).toContain(text);
  }

  /** Until it listens: then it tells of a volume that is made for that. */
  async listening(): Promise<this> {
    for (let i = 0; i < 200 && !this.output.includes("volume create marker"); i++) {
      sandbox.ok(["volume", "create", `marker${i}`]);
      sandbox.ok(["volume", "rm", `marker${i}`]);
      await Bun.sleep(20);
    }
    expect(this.output).toContain("volume create marker");
    return this;
  }
}

describe("of a container", () => {
  test("run, with a network, a volume and labels: all in Docker's order", () => {
    const events = during(() =>
      sandbox.ok("run --rm --name told -v data:/data -v /anonymous -l a=b -l c=d busybox true".split(" ")),
    );
    expect(events.map(short)).toEqual([
      "volume create",
      "volume create",
      "container create",
      "container attach",
      "volume mount",
      "volume mount",
      "network connect",
      "container start",
      "container die",
      "network disconnect",
      "volume unmount",
      "volume unmount",
      "volume destroy",
      "container destroy",
    ]);
    const [id] = events.filter(({ Type }) => Type === "container").map(({ Actor }) => Actor.ID);
    expect(id).toMatch(/^[0-9a-f]{64}$/);
    const own = { image: "busybox", name: "told", a: "b", c: "d" };
    for (const event of events.filter(({ Type }) => Type === "container")) {
      expect(event).toMatchObject({ id, from: "busybox", status: event.Action, scope: "local" });
      expect(event.Actor).toEqual({
        ID: id!,
        Attributes: event.Action === "die" ? { ...own, execDuration: "0", exitCode: "0" } : own,
      });
    }
    const attributes = (action: string) => events.find((event) => short(event) === action)?.Actor;
    expect(attributes("volume create")).toEqual({ ID: "data", Attributes: { driver: "local" } });
    expect(attributes("volume mount")).toEqual({
      ID: "data",
      Attributes: {
        container: id!,
        destination: "/data",
        driver: "local",
        propagation: "",
        "read/write": "true",
      },
    });
    expect(attributes("volume unmount")).toEqual({
      ID: "data",
      Attributes: { container: id!, driver: "local" },
    });
    const bridge = { ID: "bridge", Attributes: { container: id!, name: "bridge", type: "bridge" } };
    expect(attributes("network connect")).toEqual(bridge);
    expect(attributes("network disconnect")).toEqual(bridge);
    const times = events.map(({ timeNano }) => timeNano);
    expect(times).toEqual(times.toSorted());
    for (const { time, timeNano } of events) expect(Math.floor(timeNano / 1e9)).toBe(time);
    sandbox.ok(["volume", "rm", "data"]);
  });

  test("networks: the host's and none are told of, another container's is not", () => {
    const owner = sandbox.ok(["run", "-d", "--network", "none", "busybox", ...SLEEP]);
    const events = during(() => {
      for (const network of ["host", "none", `container:${owner}`])
        sandbox.ok(["run", "--rm", "--network", network, "busybox", "true"]);
      sandbox.ok(["rm", "-f", owner]);
    }).filter(({ Type }) => Type === "network");
    expect(events.map(({ Action, Actor: { ID, Attributes } }) => [Action, ID, Attributes["type"]])).toEqual([
      ["connect", "host", "host"],
      ["disconnect", "host", "host"],
      ["connect", "none", "null"],
      ["disconnect", "none", "null"],
      ["disconnect", "none", "null"],
    ]);
  });

  test("create, start, exec, kill, stop, rm", () => {
    const events = withoutNetworks(
      during(() => {
        sandbox.ok(["create", "--name", "steps", "--network", "none", "busybox", ...SLEEP]);
        sandbox.ok(["start", "steps"]);
        expect(sandbox.bocker(["exec", "steps", "sh", "-c", "exit 3"]).code).toBe(3);
        expect(sandbox.bocker(["exec", "steps", "missing"]).code).toBe(127);
        sandbox.ok(["kill", "-s", "USR1", "steps"]);
        sandbox.ok(["stop", "-t", "0", "steps"]);
        sandbox.ok(["start", "steps"]);
        sandbox.ok(["rm", "-f", "steps"]);
      }),
    );
    expect(events.map(short)).toEqual(
      [
        "create",
        "start",
        "exec_create: sh -c exit 3",
        "exec_start: sh -c exit 3",
        "exec_die",
        "exec_create: missing ",
        "exec_start: missing ",
        "kill",
        "kill",
        "kill",
        "die",
        "stop",
        "start",
        "kill",
        "die",
        "destroy",
      ].map((action) => `container ${action}`),
    );
    const attributes = (action: string) =>
      events.filter(({ Action }) => Action.startsWith(action)).map(({ Actor }) => Actor.Attributes);
    expect(attributes("kill").map(({ signal }) => signal)).toEqual(["10", "15", "9", "9"]);
    expect(attributes("die").map(({ exitCode }) => exitCode)).toEqual(["137", "137"]);
    const [execID] = attributes("exec_create").map((given) => given["execID"]);
    expect(execID).toMatch(/^[0-9a-f]{64}$/);
    const own = { image: "busybox", name: "steps" };
    expect(attributes("exec_start")[0]).toEqual({ ...own, execID: execID! });
    expect(attributes("exec_die")).toEqual([{ ...own, execID: execID!, exitCode: "3" }]);
  });

  test("attach, start -a", () => {
    const events = withoutNetworks(
      during(() => {
        sandbox.ok(["run", "-d", "--name", "watched", "--network", "none", "busybox", "sleep", "1"]);
        sandbox.ok(["attach", "watched"]);
        sandbox.ok(["start", "-a", "watched"]);
        sandbox.ok(["rm", "watched"]);
      }),
    );
    expect(events.map(({ Action }) => Action)).toEqual([
      "create",
      "start",
      "attach",
      "die",
      "attach",
      "start",
      "die",
      "destroy",
    ]);
    const seconds = events.flatMap(({ Actor }) => Actor.Attributes["execDuration"] ?? []);
    for (const duration of seconds) expect(Number(duration)).toBeGreaterThanOrEqual(1);
    expect(seconds).toHaveLength(2);
  });

  test("commit, export, fork", () => {
    sandbox.ok(["run", "--name", "source", "--network", "none", "-l", "x=y", "busybox", "true"]);
    const events = during(() => {
      sandbox.ok(["commit", "-m", "why", "source", "made:1"]);
      sandbox.execute(["sh", "-c", `${BINARY} export source >/dev/null`]);
      sandbox.ok(["fork", "--name", "forked", "source"]);
      sandbox.ok(["rm", "source", "forked"]);
    });
    expect(events.map(short)).toEqual([
      "image tag",
      "container commit",
      "container export",
      "container create",
      "container destroy",
      "container destroy",
    ]);
    const [tag, commit] = events;
    expect(tag!.Actor).toEqual({
      ID: expect.stringMatching(/^sha256:/) as unknown as string,
      Attributes: { name: "made:1", x: "y" },
    });
    expect(commit!.Actor.Attributes).toEqual({
      comment: "why",
      image: "busybox",
      imageID: tag!.Actor.ID,
      imageRef: "made:1",
      name: "source",
      x: "y",
    });
    sandbox.ok(["rmi", "made:1"]);
  });

  test("out of memory", () => {
    const events = withoutNetworks(
      during(() =>
        sandbox.bocker([
          "run",
          "--rm",
          "-m",
          "16m",
          "--network",
          "none",
          "busybox",
          "sh",
          "-c",
          "tail /dev/zero",
        ]),
      ),
    );
    const actions = events.map(({ Action }) => Action);
    expect(actions.slice(-3)).toEqual(["oom", "die", "destroy"]);
    expect(events.find(({ Action }) => Action === "oom")?.Actor.Attributes["exitCode"]).toBeUndefined();
  });

  test("a start that fails is told of as far as it came", () => {
    const events = during(() => {
      expect(sandbox.bocker(["run", "--rm", "busybox", "no-such-program"]).code).toBe(127);
    });
    expect(events.map(({ Action }) => Action)).toEqual(["create", "attach", "destroy"]);
  });

  test("a detached one that ends while nobody is there, with --rm and without", () => {
    const since = fromNow();
    sandbox.ok(["run", "-d", "--name", "stays", "--network", "none", "busybox", "sh", "-c", "exit 7"]);
    sandbox.ok(["run", "-d", "--rm", "--name", "goes", "--network", "none", "busybox", "sh", "-c", "exit 8"]);
    awaitTold("goes", "destroy", since);
    awaitTold("stays", "die", since);
    expect(told(since, "-f", "container=goes").map(({ Action }) => Action)).toEqual([
      "create",
      "start",
      "die",
      "destroy",
    ]);
    const codes = told(since, "-f", "event=die").map(({ Actor }) => Actor.Attributes["exitCode"]);
    expect(codes.toSorted()).toEqual(["7", "8"]);
    sandbox.ok(["rm", "stays"]);
  });

  test("whose monitor was killed: the next command tells", () => {
    const since = fromNow();
    sandbox.ok(["run", "-d", "--name", "lost", "--network", "none", "busybox", ...SLEEP]);
    const id = sandbox.ok(["inspect", "-f", "{{.Id}}", "lost"]);
    const { monitor, pid } = JSON.parse(readFileSync(join(sandbox.run, "containers", id, "state"), "utf8"));
    process.kill(monitor, "SIGKILL");
    untilSync(() => !existsSync(`/proc/${pid}/root/bin`));
    sandbox.bocker(["rm", "lost"]);
    const events = told(since, "-f", "container=lost");
    expect(events.map(({ Action }) => Action)).toEqual(["create", "start", "die", "destroy"]);
    expect(events[2]!.Actor.Attributes["exitCode"]).toBe("255");
  });

  test("kept plans: each is told of by its own name and labels", () => {
    const events = during(() => {
      for (const name of ["first", "second", "third"])
        sandbox.ok([
          "run",
          "--rm",
          "--name",
          name,
          "-l",
          `own=${name}`,
          "--network",
          "none",
          "busybox",
          "true",
        ]);
    });
    const dead = events.filter(({ Action }) => Action === "die").map(({ Actor }) => Actor);
    expect(dead.map(({ Attributes: { name, own } }) => `${name} ${own}`)).toEqual([
      "first first",
      "second second",
      "third third",
    ]);
    expect(new Set(dead.map(({ ID }) => ID)).size).toBe(3);
  });
});

describe("of images and volumes", () => {
  test("tag, untag, delete, save, load, import, prune", () => {
    const archive = join(sandbox.directory, "archive.tar");
    const tar = join(sandbox.directory, "root.tar");
    writeFileSync(join(sandbox.directory, "file"), "");
    execFileSync("tar", ["-C", sandbox.directory, "-cf", tar, "file"]);
    const events = during(() => {
      sandbox.ok(["import", "-c", "LABEL l=m", tar, "imported:1"]);
      sandbox.ok(["tag", "imported:1", "localhost:5000/again"]);
      sandbox.ok(["save", "-o", archive, "imported:1"]);
      sandbox.ok(["rmi", "localhost:5000/again"]);
      sandbox.ok(["rmi", "imported:1"]);
      sandbox.ok(["load", "-q", "-i", archive]);
      sandbox.ok(["rmi", "--dry-run", "imported:1"]);
      sandbox.ok(["rmi", "imported:1"]);
      sandbox.ok(["image", "prune", "-f"]);
    });
    expect(events.map(short)).toEqual(
      ["tag", "import", "tag", "save", "untag", "untag", "delete", "load", "untag", "delete", "prune"].map(
        (action) => `image ${action}`,
      ),
    );
    const [first] = events;
    const ID = first!.Actor.ID;
    expect(events.map(({ Actor }) => Actor.Attributes["name"])).toEqual([
      "imported:1",
      ID,
      "localhost:5000/again:latest",
      ID,
      ID,
      ID,
      ID,
      ID,
      ID,
      ID,
      undefined,
    ] as string[]);
    for (const { Actor, status } of events.slice(0, -1)) {
      expect(Actor.ID).toBe(ID);
      // Gone with the image, where it is.
      expect(Actor.Attributes["l"]).toBe(status === "delete" ? (undefined as unknown as string) : "m");
      expect(status).toBeDefined();
    }
    expect(events.at(-1)!.Actor).toEqual({ ID: "", Attributes: { reclaimed: "0" } });
  });

  test("push, pull", async () => {
    const registry = await Registry.start(sandbox, "127.0.0.1:5000");
    try {
      const events = during(() => {
        sandbox.ok(["tag", "busybox", "localhost:5000/box:2"]);
        sandbox.ok(["push", "-q", "localhost:5000/box:2"]);
        sandbox.ok(["pull", "-q", "localhost:5000/box:2"]);
      });
      expect(events.map(({ Action, Actor }) => [Action, Actor.ID, Actor.Attributes["name"]])).toEqual([
        ["tag", expect.stringMatching(/^sha256:/), "localhost:5000/box:2"],
        ["push", "localhost:5000/box:2", "localhost:5000/box"],
        ["pull", "localhost:5000/box:2", "localhost:5000/box"],
      ]);
      sandbox.ok(["rmi", "localhost:5000/box:2"]);
    } finally {
      await registry.stop();
    }
  });

  test("volumes, and every kind of prune", () => {
    const events = during(() => {
      sandbox.ok(["volume", "create", "v1"]);
      sandbox.ok(["volume", "create", "v1"]);
      sandbox.ok(["volume", "clone", "v1", "v2"]);
      sandbox.ok(["volume", "rename", "v2", "v3"]);
      sandbox.ok(["volume", "rm", "v1"]);
      sandbox.ok(["volume", "prune", "-a", "-f"]);
      sandbox.ok(["create", "--name", "pruned", "busybox", "true"]);
      sandbox.ok(["container", "prune", "-f", "--dry-run"]);
      sandbox.ok(["container", "prune", "-f"]);
      sandbox.ok(["system", "prune", "-f", "--volumes"]);
    });
    expect(events.map((event) => `${short(event)} ${event.Actor.ID.slice(0, 2)}`.trimEnd())).toEqual([
      "volume create v1",
      "volume create v2",
      "volume rename v3",
      "volume destroy v1",
      "volume destroy v3",
      "volume prune",
      `container create ${events[6]!.Actor.ID.slice(0, 2)}`,
      `container destroy ${events[6]!.Actor.ID.slice(0, 2)}`,
      "container prune",
      "container prune",
      "volume prune",
      "image prune",
    ]);
    expect(events[2]!.Actor.Attributes).toEqual({ driver: "local", oldName: "v2" });
  });
});

describe("a reader", () => {
  test("gets Docker's lines, json, templates; the longer name is the same", () => {
    const since = fromNow();
    sandbox.ok(["volume", "create", "lines"]);
    sandbox.ok(["volume", "rm", "lines"]);
    const past = (...flags: string[]) =>
      sandbox.ok(["system", "events", "--since", since, "--until", "0s", ...flags]).split("\n");
    const zone = "(Z|[+-]\\d\\d:\\d\\d)";
    for (const [line, action] of [
      [past()[0], "create"],
      [past()[1], "destroy"],
    ] as const)
      expect(line).toMatch(
        new RegExp(
          `^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{9}${zone} volume ${action} lines \\(driver=local\\)$`,
        ),
      );
    expect(past("--format", "{{.Type}}:{{.Action}}:{{.Actor.Attributes.driver}}")).toEqual([
      "volume:create:local",
      "volume:destroy:local",
    ]);
    const [json = ""] = past("--format", "json", "-f", "event=create");
    expect(json).toMatch(
      /^\{"Type":"volume","Action":"create","Actor":\{"ID":"lines","Attributes":\{"driver":"local"\}\},"scope":"local","time":\d{10},"timeNano":\d{19}\}$/,
    );
    expect(past("--format", "{{json .}}", "-f", "event=create")).toEqual([json]);
    expect(past("-f", "volume=lin", "-f", "event=destroy")).toHaveLength(1);
    expect(past("-f", "type=container")).toEqual([""]);
    const nano = json.slice(-20, -1);
    const exact = `${nano.slice(0, 10)}.${nano.slice(10)}`;
    const bounds = (from: string, to: string) =>
      sandbox.ok(["events", "--since", from, "--until", to, "--format", "{{.Action}}", "-f", "volume=lines"]);
    expect(bounds(exact, exact)).toBe("create");
    expect(bounds("1h", "0s")).toBe("create\ndestroy");
    expect(bounds("2000-01-01", "2001-01-01")).toBe("");
  });

  test("is refused what makes no sense", () => {
    const refused = (...flags: string[]) => sandbox.bocker(["events", ...flags]);
    expect(refused("--since", "soon")).toMatchObject({ code: 1, stdout: "" });
    expect(refused("--since", "1m", "--until", "2m").stderr).toMatch(
      /`since` time \(\d+\.\d{9}\) cannot be after `until` time \(\d+\.\d{9}\)/,
    );
    expect(refused("--filter", "node=x")).toMatchObject({ code: 1 });
    expect(refused("--filter", "x").stderr).toContain("bad format of filter");
    expect(refused("--format", "{{.Nothing}}")).toMatchObject({ code: 64, stdout: "" });
    expect(refused("--format", "{{").stderr).toContain("Error parsing format: ");
    expect(refused("word").code).toBe(1);
  });

  test("follows containers as they come and go, from now on, and ends by SIGINT", async () => {
    sandbox.ok(["volume", "create", "before"]);
    const follower = await new Follower().listening();
    await Promise.all(
      ["one", "two", "three"].map(async (name) => {
        const [program, ...rest] = sandbox.inside([
          BINARY,
          "run",
          "--rm",
          "--name",
          name,
          "--network",
          "none",
          "busybox",
          "true",
        ]);
        const child = spawn(program, rest, { env: sandbox.environment, stdio: "ignore" });
        await new Promise((resolve) => child.once("exit", resolve));
        await follower.until(`name=${name}`);
      }),
    );
    for (const name of ["one", "two", "three"]) {
      const line = new RegExp(` container destroy [0-9a-f]{64} \\(image=busybox, name=${name}\\)`);
      await until(() => line.test(follower.output));
      const own = follower.output.split("\n").filter((text) => text.includes(`name=${name})`));
      expect(own.map((text) => text.split(" ")[2])).toEqual(["create", "attach", "start", "die", "destroy"]);
    }
    expect(follower.output).not.toContain("before");
    follower.child.kill("SIGINT");
    expect(await follower.ended).toEqual({ code: null, signal: "SIGINT" });
    sandbox.ok(["volume", "rm", "before"]);
  });

  test("with --since and no end gets both, each once; --until ends it", async () => {
    const since = fromNow();
    sandbox.ok(["volume", "create", "past"]);
    const follower = new Follower("--since", since, "--until=-3s", "-f", "type=volume");
    await follower.until("volume create past");
    sandbox.ok(["volume", "rm", "past"]);
    await follower.until("volume destroy past");
    expect(await follower.ended).toEqual({ code: 0, signal: null });
    expect(follower.output.trimEnd().split("\n")).toHaveLength(2);
  });

  test("copes with rotation: past and future in two files, nothing twice", async () => {
    const filler = readFileSync(journal(), "utf8").split("\n")[0]!;
    const room = (1 << 20) - statSync(journal()).size;
    const lines = Math.floor(room / (filler.length + 1));
    writeFileSync(journal(), `${filler}\n`.repeat(lines), { flag: "a" });
    const follower = await new Follower("-f", "type=volume").listening();
    const since = fromNow();
    const names = Array.from({ length: 8 }, (_, at) => `turn${at}`);
    for (const name of names) sandbox.ok(["volume", "create", name]);
    for (const name of names) await follower.until(`create ${name} `);
    expect(statSync(`${journal()}.1`).size).toBeGreaterThan(1 << 20);
    expect(statSync(journal()).size).toBeLessThan(10_000);
    const created = (text: string) =>
      text.split("\n").flatMap((line) => /create (turn\d) /.exec(line)?.[1] ?? []);
    expect(created(follower.output)).toEqual(names);
    expect(created(sandbox.ok(["events", "--since", since, "--until", "0s"]))).toEqual(names);
    follower.child.kill("SIGTERM");
    await follower.ended;
    sandbox.ok(["volume", "rm", ...names]);
  });

  test("the monitor rotates, too", () => {
    const filler = readFileSync(journal(), "utf8").split("\n")[0]!;
    const id = sandbox.ok(["create", "--network", "none", "busybox", "true"]);
    const room = (1 << 20) - statSync(journal()).size;
    writeFileSync(journal(), `${filler}\n`.repeat(Math.ceil(room / (filler.length + 1))), { flag: "a" });
    rmSync(`${journal()}.1`, { force: true });
    const since = fromNow();
    sandbox.ok(["start", "-a", id]);
    sandbox.ok(["rm", id]);
    expect(existsSync(`${journal()}.1`)).toBe(true);
    expect(statSync(`${journal()}.1`).mode & 0o777).toBe(0o600);
    expect(withoutNetworks(told(since)).map(({ Action }) => Action)).toEqual([
      "attach",
      "start",
      "die",
      "destroy",
    ]);
  });
});

test("labels that no line has room for are left out, in the monitor's lines, too", () => {
  const events = during(() =>
    sandbox.ok([
      "run",
      "--rm",
      "--network",
      "none",
      "-l",
      `long=${"x".repeat(20_000)}`,
      "-l",
      `wide=${"y".repeat(9000)}`,
      "busybox",
      "true",
    ]),
  );
  expect(withoutNetworks(events)).toHaveLength(5);
  for (const { Actor } of withoutNetworks(events)) {
    expect(Actor.Attributes["long"]).toBeUndefined();
    expect(Actor.Attributes["wide"]).toHaveLength(9000);
  }
});

test("on a full disk everything goes on, and what has room again is told", () => {
  const disk = busyboxSandbox();
  try {
    rmSync(disk.run, { recursive: true, force: true });
    mkdirSync(disk.run);
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m,mode=0710", "tmpfs", disk.run]);
    try {
      const run = ["run", "--rm", "--network", "none", "-l", `l=${"x".repeat(3000)}`, "busybox", "true"];
      disk.ok(run);
      // Room for the files of a start, none for what is told of it: the journal has filled its pages.
      const events = join(disk.run, "events");
      const page = 4096 - (statSync(events).size % 4096);
      writeFileSync(events, `${"#".repeat(page - 1)}\n`, { flag: "a" });
      expect(() => writeFileSync(join(disk.run, "ballast"), Buffer.alloc(1 << 20))).toThrow("ENOSPC");
      disk.ok(["volume", "create", "vol"]);
      rmSync(join(disk.run, "ballast"));
      disk.ok(["volume", "rm", "vol"]);
      const text = disk.ok(["events", "--since", "1h", "--until", "0s", "--format", "{{.Type}} {{.Action}}"]);
      expect(text.split("\n").slice(-2)).toEqual(["container destroy", "volume destroy"]);
    } finally {
      execFileSync("umount", [disk.run]);
    }
  } finally {
    disk.remove();
  }
});
