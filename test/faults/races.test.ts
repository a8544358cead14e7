/** Many at once on one name, one container, one image, one network: exactly one wins, nobody waits for ever. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { busyboxSandbox } from "../e2e/busybox.ts";
import { imageOf, indexOf, layerOf, tarOf } from "../e2e/image/layout.ts";
import { Registry } from "../e2e/image/registry.ts";
import type { Result, Sandbox } from "../e2e/sandbox.ts";
import { dice } from "./dice.ts";

const LONG = process.env["BOCKER_LONG"] === "1";

let sandbox: Sandbox;
let registry: Registry;
beforeAll(async () => {
  sandbox = busyboxSandbox();
  registry = await Registry.start(sandbox, "127.0.0.1:5000");
});
afterAll(async () => {
  await registry?.stop();
  sandbox.remove();
});

/** As Sandbox.bocker, beside others. What takes longer than two minutes hangs. */
function start(words: string[]): Promise<Result> {
  const [program, ...rest] = sandbox.inside([sandbox.binary, ...words]);
  const child = spawn(program, rest, { env: sandbox.environment, timeout: 120_000, killSignal: "SIGKILL" });
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (data) => {
    stdout += data;
  });
  child.stderr.on("data", (data) => {
    stderr += data;
  });
  return new Promise((resolve, reject) =>
    child.once("close", (code) =>
      code === null ? reject(new Error(`${words.join(" ")} hangs`)) : resolve({ code, stdout, stderr }),
    ),
  );
}
const whole = () => expect(sandbox.bocker(["system", "check"]).stdout).toBe("Nothing found.\n");

test("F15: 32 create one name: one does, 31 are told by which container it is in use", async () => {
  const results = await Promise.all(
    Array.from({ length: 32 }, () => start(["create", "--name", "one", "busybox", "true"])),
  );
  const winners = results.filter(({ code }) => code === 0);
  expect(winners).toHaveLength(1);
  const id = winners[0]!.stdout.trim();
  for (const { code, stderr } of results.filter(({ code }) => code !== 0)) {
    expect(code).toBe(1);
    expect(stderr).toContain(`Conflict. The container name "/one" is already in use by container "${id}"`);
  }
  expect(sandbox.ok(["ps", "-aq", "--no-trunc"])).toBe(id);
  sandbox.ok(["rm", "one"]);
  whole();
});

test("F16: start, stop, kill, rm, exec, commit and inspect of one container, all at once", async () => {
  const seed = Number(process.env["BOCKER_SEED"] ?? randomBytes(4).readUInt32LE());
  console.error(`BOCKER_SEED=${seed}`);
  const roll = dice(seed);
  const verbs = [
    ["create", "--name", "all", "-p", "8000:80", "busybox", "sleep", "1000"],
    ["run", "-d", "--name", "all", "-p", "8000:80", "busybox", "sleep", "1000"],
    ["start", "all"],
    ["stop", "-t", "0", "all"],
    ["kill", "all"],
    ["rm", "all"],
    ["rm", "-f", "all"],
    ["exec", "all", "true"],
    ["commit", "all", "of-all"],
    ["inspect", "all"],
    ["ps", "-a"],
    ["logs", "all"],
  ];
  const known =
    /No such (object|container)|is not running|is already (running|in use)|is running|cannot remove|remove the running|removal of container .* is already in progress|removal in progress|is being removed|was removed|port is already allocated|address already in use|is in use by|is paused|has ended|ended before/i;
  const failures = new Set<string>();
  const worker = async (count: number) => {
    for (let i = 0; i < count; i++) {
      const words = verbs[roll(verbs.length)]!;
      const { code, stderr } = await start(words);
      // 137: the exec's program was killed with its container.
      if (code !== 0 && code !== 137 && !known.test(stderr))
        failures.add(`${words.join(" ")}: ${code} ${stderr}`);
    }
  };
  await Promise.all(Array.from({ length: 12 }, () => worker(LONG ? 500 : 30)));
  expect([...failures]).toEqual([]);
  sandbox.bocker(["rm", "-f", "all"]);
  sandbox.bocker(["rmi", "-f", "of-all"]);
  expect(sandbox.bocker(["system", "check", "--repair"]).stdout).not.toMatch(/lacks|lost|damaged|cannot/);
  whole();
}, 1_200_000);

test("F17: pulls of images that share layers beside their removal", async () => {
  const layer = (name: string) =>
    layerOf(tarOf((root) => writeFileSync(join(root, name), randomBytes(50_000))));
  const shared = [layer("shared1"), layer("shared2")];
  const images = ["a", "b", "c", "d"].map((name) =>
    registry.push(`race-${name}:1`, imageOf([...shared, layer(name)])),
  );
  const pulls = async (image: string) => {
    for (let i = 0; i < (LONG ? 50 : 6); i++) {
      expect(await start(["pull", "-q", image])).toMatchObject({ code: 0, stderr: "" });
      const { code, stderr } = await start(["rmi", image]);
      // Another one of the same image may have been faster.
      if (code !== 0) expect(stderr).toContain("No such image");
    }
  };
  await Promise.all([...images, ...images].map(pulls));
  whole();
  // Whole again for everybody, and gone with the last.
  for (const image of images) sandbox.ok(["pull", "-q", image]);
  for (const image of images) sandbox.ok(["rmi", image]);
  whole();
}, 600_000);

test("F17: images of several platforms that share layers, pulled, changed, run and removed at once", async () => {
  const shared = layerOf(tarOf((root) => writeFileSync(join(root, "shared"), randomBytes(50_000))));
  const platforms = ["amd64", "arm64", "s390x"];
  const names = ["a", "b"].map((name) => {
    const images = platforms.map((architecture) => {
      const own = layerOf(tarOf((root) => writeFileSync(join(root, `${name}-${architecture}`), "x")));
      return imageOf([shared, own], { config: { architecture } });
    });
    const index = indexOf(Object.fromEntries(images.map((image, at) => [`linux/${platforms[at]}`, image])));
    return registry.push(`race-whole-${name}:1`, { index, images });
  });
  // What another process may have done first; `save` may have begun.
  const isLate =
    /No such image|does not (provide|match) the specified platform|by another process|is using its/;
  const isCutOff = /No such image|is not in the store|lacks its content/;
  const cycle = async (name: string, commands: string[][]) => {
    for (let i = 0; i < (LONG ? 30 : 4); i++)
      for (const words of commands) {
        const { code, stderr } = await start(words);
        const reason = words[0] === "save" ? isCutOff : isLate;
        if (code !== 0) expect([words, stderr]).toEqual([words, expect.stringMatching(reason)]);
      }
    return name;
  };
  await Promise.all(
    names.flatMap((name) => [
      cycle(name, [
        ["pull", "-q", "--all-platforms", name],
        ["rmi", "-f", name],
      ]),
      cycle(name, [
        ["pull", "-q", "--platform", "linux/arm64,linux/s390x", name],
        ["rmi", "--platform", "linux/s390x", name],
        ["tag", name, `${name}-other`],
        ["rmi", "-f", `${name}-other`],
      ]),
      cycle(name, [
        ["create", "--pull", "never", "--platform", "linux/s390x", name, "true"],
        ["save", "-o", join(sandbox.directory, `${name.replaceAll("/", "-")}.tar`), name],
      ]),
    ]),
  );
  sandbox.ok(["container", "prune", "-f"]);
  whole();
  for (const name of names) sandbox.ok(["pull", "-q", "--all-platforms", name]);
  for (const name of names) sandbox.ok(["save", "-o", join(sandbox.directory, "whole.tar"), name]);
  for (const name of names) sandbox.ok(["rmi", "-f", name]);
  sandbox.ok(["image", "prune", "-f"]);
  whole();
}, 600_000);

test("F18: many runs at once get addresses of their own", async () => {
  const count = LONG ? 64 : 24;
  const names = Array.from({ length: count }, (_, at) => `address-${at}`);
  const results = await Promise.all(
    names.map((name) => start(["run", "-d", "--name", name, "busybox", "sleep", "1000"])),
  );
  expect(results.filter(({ code }) => code !== 0)).toEqual([]);
  const addresses = sandbox.ok(["inspect", "-f", "{{.NetworkSettings.IPAddress}}", ...names]).split("\n");
  expect(new Set(addresses).size).toBe(count);
  sandbox.ok(["rm", "-f", ...names]);
  whole();
}, 600_000);

test("F18: containers of several data roots share a network: addresses and ports of their own", async () => {
  const roots = Array.from({ length: 6 }, (_, at) => {
    const directory = join(sandbox.directory, `root-${at}`);
    return ["--data-root", join(directory, "data"), "--run-root", join(directory, "run")];
  });
  try {
    // At the same moment, so that they choose the same address; then one after the other.
    const run = ["run", "-d", "--name", "same", "-p", "8080-8085:80", "host", "sleep", "1000"];
    const results = await Promise.all(roots.map((root) => start([...root, ...run])));
    expect(results.filter(({ code }) => code !== 0)).toEqual([]);
    for (const root of roots) sandbox.ok([...root, "run", "-d", "--name", "next", "host", "sleep", "1000"]);
    const format = ["inspect", "-f", "{{.NetworkSettings.IPAddress}} {{json .NetworkSettings.Ports}}"];
    const all = roots.flatMap((root) => sandbox.ok([...root, ...format, "same", "next"]).split("\n"));
    expect(new Set(all.map((line) => line.split(" ")[0])).size).toBe(2 * roots.length);
    const ports = all.flatMap((line) => /"HostPort":"(\d+)"/.exec(line)?.[1] ?? []);
    expect(ports.sort()).toEqual(["8080", "8081", "8082", "8083", "8084", "8085"]);
    for (const root of roots) {
      expect(sandbox.ok([...root, "exec", "same", "ip", "-4", "addr", "show", "eth0"])).toContain(
        sandbox.ok([...root, "inspect", "-f", "inet {{.NetworkSettings.IPAddress}}/", "same"]),
      );
      expect(sandbox.ok([...root, "system", "check"])).toBe("Nothing found.");
    }
  } finally {
    for (const root of roots) sandbox.bocker([...root, "rm", "-f", "same", "next"]);
  }
}, 600_000);
