/** From create to rm, and the commands that tell of it. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { busyboxSandbox, IMAGE } from "../busybox.ts";
import type { Sandbox } from "../sandbox.ts";
import { mountsOf, statusField } from "./kernel.ts";
import { pidOf, runDetached, SLEEP, withRunning } from "./running.ts";

let sandbox: Sandbox;
beforeAll(() => {
  sandbox = busyboxSandbox();
});
afterAll(() => sandbox.remove());

function state(container: string): string {
  return sandbox.ok(["inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", container]);
}

function create(...words: string[]): string {
  return sandbox.ok(["create", "--network", "none", ...words]);
}

describe("create and start", () => {
  test("created, running, exited, and again with what was written", () => {
    const id = create(IMAGE, "sh", "-c", "echo x >> /file; wc -l < /file; exit 3");
    expect(id).toMatch(/^[0-9a-f]{64}$/);
    expect(state(id)).toBe("created 0");
    expect(sandbox.bocker(["start", "-a", id])).toMatchObject({ code: 3, stdout: "1\n" });
    expect(state(id)).toBe("exited 3");
    expect(sandbox.bocker(["start", "-a", id])).toMatchObject({ code: 3, stdout: "2\n" });
    expect(sandbox.ok(["rm", id])).toBe(id);
  });

  test("start -i gives stdin to a container that has it open", () => {
    const id = create("-i", IMAGE, "cat");
    expect(sandbox.bocker(["start", "-a", "-i", id], "hello\n").stdout).toBe("hello\n");
    sandbox.ok(["rm", id]);
  });

  test("several at once; what runs already is no error; what cannot start is", () => {
    const ids = [create(IMAGE, ...SLEEP), create(IMAGE, ...SLEEP)];
    expect(sandbox.ok(["start", ...ids])).toBe(ids.join("\n"));
    expect(sandbox.ok(["start", ...ids])).toBe(ids.join("\n"));
    sandbox.ok(["rm", "-f", ...ids]);
    const broken = create(IMAGE, "no-such");
    expect(sandbox.bocker(["start", broken])).toMatchObject({
      stderr: expect.stringContaining("not found in $PATH"),
    });
    expect(sandbox.bocker(["start", broken]).code).not.toBe(0);
    sandbox.ok(["rm", broken]);
    expect(sandbox.bocker(["start", "nobody"])).toMatchObject({ code: 1 });
  });

  test("run -d prints the id and comes back; the process is a child of its monitor", () =>
    withRunning(sandbox, [], ({ id, pid }) => {
      expect(id).toMatch(/^[0-9a-f]{64}$/);
      expect(state(id)).toBe("running 0");
      const parent = Number(statusField(pid, "PPid"));
      expect(readFileSync(`/proc/${parent}/cmdline`, "utf8")).toStartWith(
        `bocker-monitor ${id.slice(0, 12)}`,
      );
      expect(statusField(parent, "PPid")).toBe("1");
    }));
});

describe("wait", () => {
  test("for one that has ended, one that runs, several, and none", async () => {
    const ended = create(IMAGE, "sh", "-c", "exit 4");
    sandbox.bocker(["start", "-a", ended]);
    const running = sandbox.ok(["run", "-di", "--network", "none", IMAGE, "sh", "-c", "read x; exit 5"]);
    const words = sandbox.inside([sandbox.binary, "wait", ended, running]);
    const waiting = Bun.spawn(words, { env: sandbox.environment, stdout: "pipe" });
    sandbox.bocker(["attach", running], "\n");
    expect(await new Response(waiting.stdout).text()).toBe("4\n5\n");
    expect(sandbox.bocker(["wait", "nobody"])).toMatchObject({
      code: 1,
      stderr: "Error: No such container: nobody\n",
    });
    sandbox.ok(["rm", ended, running]);
  });
});

describe("rm", () => {
  test("a running one only with -f", () => {
    const { id } = runDetached(sandbox, ["--name", "runs"]);
    expect(sandbox.bocker(["rm", "runs"])).toMatchObject({
      code: 1,
      stderr:
        'Error: cannot remove container "runs": container is running: stop the container before removing or force remove\n',
    });
    expect(sandbox.ok(["rm", "-f", "runs"])).toBe("runs");
    expect(sandbox.bocker(["inspect", id]).code).toBe(1);
    expect(readdirSync(join(sandbox.data, "containers"))).not.toContain(id);
    expect(existsSync(join(sandbox.run, "containers", id))).toBe(false);
  });

  test("what does not exist is an error, with -f it is not", () => {
    expect(sandbox.bocker(["rm", "nobody"]).code).toBe(1);
    expect(sandbox.bocker(["rm", "-f", "nobody"])).toMatchObject({
      code: 0,
      stderr: expect.stringContaining("No such container: nobody"),
    });
  });

  test("--rm of a detached container is its monitor's", async () => {
    const id = sandbox.ok(["run", "-d", "--rm", "--network", "none", IMAGE, "sh", "-c", "exit 3"]);
    while (readdirSync(join(sandbox.data, "containers")).includes(id)) await Bun.sleep(10);
    expect(sandbox.ok(["ps", "-aq"])).toBe("");
    const killed = runDetached(sandbox, ["--rm"]);
    sandbox.ok(["kill", killed.id]);
    while (readdirSync(join(sandbox.data, "containers")).includes(killed.id)) await Bun.sleep(10);
  });
});

describe("names and ids", () => {
  test("a name that is taken, Docker's words", () => {
    const id = create("--name", "taken", IMAGE);
    expect(sandbox.bocker(["create", "--name", "taken", IMAGE])).toMatchObject({
      code: 125,
      stderr: expect.stringContaining(
        `Conflict. The container name "/taken" is already in use by container "${id}". You have to remove (or rename) that container to be able to reuse that name.`,
      ),
    });
    expect(sandbox.bocker(["run", "--name", "-no", IMAGE]).stderr).toContain("Invalid container name (-no)");
    sandbox.ok(["rm", "/taken"]);
    sandbox.ok(["rm", create("--name", "taken", IMAGE)]);
  });

  test("prefixes, and those of several", () => {
    const ids = Array.from({ length: 17 }, () => create(IMAGE));
    const first = ids[0] ?? "";
    expect(sandbox.ok(["inspect", "-f", "{{.Id}}", first.slice(0, 12)])).toBe(first);
    // Of seventeen, two begin with the same of sixteen digits.
    const digits = ids.map((id) => id[0] ?? "");
    const shared = digits.find((digit, index) => digits.indexOf(digit) !== index) ?? "";
    expect(sandbox.bocker(["start", shared])).toMatchObject({
      code: 1,
      stderr: `Error: multiple IDs found with provided prefix: ${shared}\n`,
    });
    sandbox.ok(["rm", ...ids]);
  });
});

describe("ps", () => {
  test("columns, filters, formats", () => {
    const labelled = runDetached(sandbox, ["--name", "first", "-l", "a=1", "-l", "b=2", "-v", "vol:/v"]);
    const ended = create("--name", "second", "-l", "a=1", IMAGE, "sh", "-c", "exit 9");
    sandbox.bocker(["start", "-a", ended]);
    create("--name", "third", IMAGE);
    const names = (...words: string[]) =>
      sandbox
        .ok(["ps", "--format", "{{.Names}}", ...words])
        .split("\n")
        .filter(Boolean)
        .sort();
    expect(names()).toEqual(["first"]);
    expect(names("-a")).toEqual(["first", "second", "third"]);
    expect(names("-a", "-f", "label=a")).toEqual(["first", "second"]);
    expect(names("-a", "-f", "label=a=1", "-f", "label=b")).toEqual(["first"]);
    expect(names("-f", "status=created")).toEqual(["third"]);
    expect(names("-f", "status=exited", "-f", "status=running")).toEqual(["first", "second"]);
    expect(names("-f", "exited=9")).toEqual(["second"]);
    expect(names("-a", "-f", "name=ir")).toEqual(["first", "third"]);
    expect(names("-a", "-f", `id=${ended.slice(0, 6)}`)).toEqual(["second"]);
    expect(names("-a", "-f", `ancestor=${IMAGE}`)).toHaveLength(3);
    expect(names("-f", "volume=vol")).toEqual(["first"]);
    expect(names("-l")).toEqual(["third"]);
    expect(names("-n", "2")).toEqual(["second", "third"]);
    expect(sandbox.ok(["ps", "-q", "--no-trunc"])).toBe(labelled.id);
    const [head = "", line = ""] = sandbox.ok(["ps"]).split("\n");
    expect(head).toMatch(/^CONTAINER ID {3}IMAGE {5}COMMAND +CREATED +STATUS +PORTS +NAMES$/);
    expect(line).toMatch(
      new RegExp(`^${labelled.id.slice(0, 12)} {3}busybox {3}"sleep 100000" +.*Up .* +first$`),
    );
    const document = JSON.parse(sandbox.ok(["ps", "--format", "json"]));
    expect(document).toMatchObject({ Names: "first", State: "running", Image: IMAGE });
    expect(sandbox.bocker(["ps", "-f", "colour=red"])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("invalid filter"),
    });
    sandbox.ok(["rm", "-f", "first", "second", "third"]);
  });
});

describe("inspect", () => {
  test("what it says is what the kernel says", () => {
    withRunning(sandbox, ["-e", "A=1", "-m", "64m", "--network", "bridge"], ({ id, pid }) => {
      const [document] = JSON.parse(sandbox.ok(["inspect", id]));
      expect(document.State).toMatchObject({
        Status: "running",
        Running: true,
        Pid: pid,
        ExitCode: 0,
        OOMKilled: false,
      });
      expect(document.Config.Env).toContain("A=1");
      expect(document.HostConfig.Memory).toBe(64 << 20);
      const root = mountsOf(pid).find(({ target }) => target === "/");
      expect(root?.superOptions).toContain(`upperdir=${document.GraphDriver.Data.UpperDir}`);
      const addresses = sandbox.ok(["exec", id, "ip", "-4", "addr", "show", "eth0"]);
      expect(addresses).toContain(
        `${document.NetworkSettings.IPAddress}/${document.NetworkSettings.IPPrefixLen}`,
      );
      expect(sandbox.ok(["exec", id, "cat", "/sys/class/net/eth0/address"])).toBe(
        document.NetworkSettings.MacAddress,
      );
      expect(pidOf(sandbox, id)).toBe(pid);
    });
    expect(sandbox.bocker(["inspect", "nobody"])).toMatchObject({
      code: 1,
      stdout: "[]\n",
      stderr: "Error: No such object: nobody\n",
    });
  });
});
