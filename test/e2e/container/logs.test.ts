/** `bocker logs`, and the file that the monitor writes. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { busyboxSandbox, IMAGE } from "../busybox.ts";
import type { Sandbox } from "../sandbox.ts";

let sandbox: Sandbox;
beforeAll(() => {
  sandbox = busyboxSandbox();
});
afterAll(() => sandbox.remove());

/** Runs a script to its end, in the background; removed with the sandbox. */
function ran(script: string, ...options: string[]): string {
  const id = sandbox.ok(["run", "-d", "--network", "none", ...options, IMAGE, "sh", "-c", script]);
  sandbox.ok(["wait", id]);
  return id;
}

function logPath(id: string): string {
  return sandbox.ok(["inspect", "-f", "{{.LogPath}}", id]);
}

function entries(id: string): { log: string; stream: string; time: string }[] {
  return readFileSync(logPath(id), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
}

describe("logs", () => {
  test("both streams, apart, in order", () => {
    const id = ran("echo out; echo err >&2; printf unfinished");
    expect(sandbox.bocker(["logs", id])).toEqual({ code: 0, stdout: "out\nunfinished", stderr: "err\n" });
    expect(
      entries(id)
        .map(({ stream }) => stream)
        .sort(),
    ).toEqual(["stderr", "stdout", "stdout"]);
    expect(statSync(logPath(id)).mode & 0o7777).toBe(0o640);
  });

  test("--tail, -t, --since and --until", () => {
    const id = ran("seq 1 5; sleep 0.05; echo late");
    expect(sandbox.ok(["logs", "--tail", "2", id])).toBe("5\nlate");
    expect(sandbox.ok(["logs", "--tail", "0", id])).toBe("");
    expect(sandbox.ok(["logs", "--tail", "all", id])).toBe("1\n2\n3\n4\n5\nlate");
    const stamped = sandbox.ok(["logs", "-t", id]).split("\n");
    expect(stamped[0]).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z 1$/);
    const last = stamped[5]?.split(" ")[0] ?? "";
    expect(sandbox.ok(["logs", "--since", last, id])).toBe("late");
    expect(sandbox.ok(["logs", "--until", stamped[4]?.split(" ")[0] ?? "", id])).toBe("1\n2\n3\n4\n5");
    expect(sandbox.ok(["logs", "--since", "1h", id])).toContain("late");
    expect(sandbox.bocker(["logs", "--tail", "x", id]).code).toBe(1);
  });

  test("-f goes on until the end, with what came before", async () => {
    const id = sandbox.ok([
      "run",
      "-di",
      "--network",
      "none",
      IMAGE,
      "sh",
      "-c",
      "echo before; read x; echo after",
    ]);
    const words = sandbox.inside([sandbox.binary, "logs", "-f", id]);
    const following = Bun.spawn(words, { env: sandbox.environment, stdout: "pipe" });
    const reader = following.stdout.getReader();
    let seen = "";
    while (!seen.includes("before")) seen += Buffer.from((await reader.read()).value ?? []).toString();
    sandbox.bocker(["attach", id], "\n");
    for (let part = await reader.read(); !part.done; part = await reader.read())
      seen += Buffer.from(part.value).toString();
    expect(seen).toBe("before\nafter\n");
    expect(await following.exited).toBe(0);
  });

  test("of a container that has never run, and of one that does not exist", () => {
    const id = sandbox.ok(["create", IMAGE]);
    expect(sandbox.ok(["logs", id])).toBe("");
    expect(sandbox.bocker(["logs", "nobody"])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("No such container: nobody"),
    });
  });

  test("lines of more than 16 KiB are cut in the file and whole in the output", () => {
    const id = ran(
      "head -c 40000 /dev/zero | tr '\\0' x; echo; echo é | tr -d '\\n'; head -c 16383 /dev/zero | tr '\\0' é; echo",
    );
    const lengths = entries(id)
      .slice(0, 3)
      .map(({ log }) => log.length);
    expect(lengths).toEqual([16384, 16384, 40001 - 2 * 16384]);
    expect(sandbox.ok(["logs", id]).split("\n")[0]).toBe("x".repeat(40000));
    expect(sandbox.ok(["logs", "--tail", "1", id]).length).toBeGreaterThan(0);
  });

  test("characters that JSON escapes, and bytes that are no UTF-8", () => {
    const id = ran(`printf '"\\\\\\t<&>\\001\\033 é\\342\\200\\250 \\377\\n'`);
    expect(entries(id)[0]?.log).toBe('"\\\t<&>\u0001\u001b é\u2028 \ufffd\n');
    const first = readFileSync(logPath(id), "utf8");
    expect(first).toContain("\\u003c\\u0026\\u003e");
    expect(first).toContain("\\u2028");
  });

  test("a second start appends", () => {
    const id = ran("echo again");
    sandbox.ok(["start", "-a", id]);
    expect(sandbox.ok(["logs", id])).toBe("again\nagain");
  });

  test("--log-opt max-size and max-file: the newest are kept, in order", () => {
    const id = ran("seq 1 5000", "--log-opt", "max-size=20k", "--log-opt", "max-file=3");
    const directory = dirname(logPath(id));
    const files = readdirSync(directory)
      .filter((name) => name.includes("-json.log"))
      .sort();
    expect(files).toEqual(["", ".1", ".2"].map((suffix) => `${id}-json.log${suffix}`));
    for (const file of files) expect(statSync(`${directory}/${file}`).size).toBeLessThanOrEqual(20 * 1024);
    const lines = sandbox.ok(["logs", id]).split("\n").map(Number);
    expect(lines.at(-1)).toBe(5000);
    expect(lines).toEqual(Array.from({ length: lines.length }, (_, index) => 5001 - lines.length + index));
    expect(sandbox.ok(["logs", "--tail", "3", id])).toBe("4998\n4999\n5000");
    sandbox.ok(["rm", id]);
    expect(readdirSync(dirname(directory))).not.toContain(id);
  });

  test("-f sees every line through rotations", async () => {
    const limit = ["--log-opt", "max-size=4k", "--log-opt", "max-file=2"];
    const slow =
      "i=0; while [ $i -lt 600 ]; do i=$((i+1)); echo $i; [ $((i % 20)) = 0 ] && usleep 20000; done; true";
    const id = sandbox.ok(["run", "-d", "--network", "none", ...limit, IMAGE, "sh", "-c", slow]);
    const lines = sandbox.ok(["logs", "-f", id]).split("\n").map(Number);
    expect(lines).toEqual(Array.from({ length: 600 }, (_, index) => index + 1));
  });

  test("--log-driver none", () => {
    const id = ran("echo nothing", "--log-driver", "none");
    expect(sandbox.bocker(["logs", id])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("configured logging driver does not support reading"),
    });
    expect(sandbox.bocker(["run", "--log-driver", "syslog", IMAGE]).stderr).toContain(
      "not supported yet by bocker",
    );
    expect(sandbox.bocker(["run", "--log-opt", "max-fish=1", IMAGE]).stderr).toContain(
      "unknown log opt 'max-fish'",
    );
  });
});
