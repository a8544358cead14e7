/** `bocker search`: what a registry has, by its own search or by its catalog. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { busyboxSandbox } from "../busybox.ts";
import type { Sandbox } from "../sandbox.ts";
import { Registry, Service } from "./registry.ts";

const HOST = "127.0.0.1:5000";
const LOCKED = "127.0.0.1:5001";
const SEARCHING = "127.0.0.1:5002";

let sandbox: Sandbox;
const services: { stop(): Promise<void> }[] = [];
beforeAll(async () => {
  sandbox = busyboxSandbox();
  const registry = await Registry.start(sandbox, HOST);
  services.push(registry);
  for (const name of ["team/web", "team/web-old", "other/db"]) {
    sandbox.ok(["tag", "busybox", `${HOST}/${name}:1`]);
    sandbox.ok(["push", "-q", `${HOST}/${name}:1`]);
  }
  const htpasswd = join(sandbox.directory, "htpasswd");
  execFileSync("sh", ["-c", `htpasswd -Bbn alice secret >'${htpasswd}'`]);
  services.push(
    await Registry.start(sandbox, LOCKED, { auth: { htpasswd: { realm: "r", path: htpasswd } } }),
  );
  const stub = join(import.meta.dirname, "search-server.ts");
  services.push(await Service.start(sandbox, [process.execPath, stub, "5002"], "stub is up"));
});
afterAll(async () => {
  for (const service of services) await service.stop();
  sandbox.remove();
});

const lines = (words: string[]) => sandbox.ok(["search", ...words]).split("\n");
const names = (words: string[]) => lines(["--format", "{{.Name}}", ...words]);

describe("a registry with a catalog only", () => {
  test("names that have the term, as they can be pulled", () => {
    expect(names([`${HOST}/web`])).toEqual([`${HOST}/team/web`, `${HOST}/team/web-old`]);
    expect(names([`${HOST}/TEAM/WEB-`])).toEqual([`${HOST}/team/web-old`]);
    expect(names([`${HOST}/`])).toHaveLength(3);
    expect(names(["--limit", "2", `${HOST}/`])).toHaveLength(2);
    expect(lines([`${HOST}/none`])).toEqual(["NAME      DESCRIPTION   STARS     OFFICIAL"]);
    sandbox.ok(["pull", "-q", `${names([`${HOST}/db`])[0]}:1`]);
  });
  test("one that wants to know who asks", () => {
    const { code, stderr } = sandbox.bocker(["search", `${LOCKED}/x`]);
    expect([code, stderr]).toEqual([1, expect.stringContaining("'bocker login' first")]);
    const environment = ["env", `DOCKER_CONFIG=${sandbox.directory}`, sandbox.binary];
    expect(sandbox.execute([...environment, "login", "-u", "alice", "-p", "secret", LOCKED]).code).toBe(0);
    expect(sandbox.execute([...environment, "search", `${LOCKED}/x`]).code).toBe(0);
  });
});

describe("a registry that searches", () => {
  test("is asked in its own words; the table is Docker's, with what is untrusted made harmless", () => {
    const [head, first, second, third] = lines([`${SEARCHING}/some thing&n=9`]);
    expect(head).toMatch(/^NAME +DESCRIPTION +STARS +OFFICIAL$/);
    expect(first).toMatch(
      /^127.0.0.1:5002\/famous +The one that everybody takes, long beyond fo… +900 +\[OK\]$/,
    );
    expect(second).toMatch(/^127.0.0.1:5002\/who\/asked +q=some thing&n=9 n=25 +7 +$/);
    expect(third).toMatch(/^127.0.0.1:5002\/bad +a \\u001b\[31mred one +0 +$/);
  });
  test("--no-trunc, --limit, --format", () => {
    expect(lines(["--no-trunc", `${SEARCHING}/x`])[1]).toContain("long beyond forty-five characters");
    expect(lines(["--limit", "3", "--format", "{{.Description}}", `${SEARCHING}/x`])[1]).toBe("q=x n=3");
    expect(JSON.parse(lines(["--format", "json", `${SEARCHING}/x`])[0]!)).toEqual({
      Name: `${SEARCHING}/famous`,
      Description: "The one that everybody takes, long beyond fo…",
      StarCount: "900",
      IsOfficial: "true",
      IsAutomated: "false",
    });
  });
  test("--filter", () => {
    expect(names(["-f", "stars=7", `${SEARCHING}/x`])).toEqual([
      `${SEARCHING}/famous`,
      `${SEARCHING}/who/asked`,
    ]);
    expect(names(["-f", "stars=7", "-f", "is-official=false", `${SEARCHING}/x`])).toEqual([
      `${SEARCHING}/who/asked`,
    ]);
    expect(names(["-f", "is-automated=true", `${SEARCHING}/x`])).toEqual([`${SEARCHING}/bad`]);
  });
});

test.each<[string[], string]>([
  [["--limit", "101", "x"], "limit 101 is outside the range of [1, 100]"],
  [["--limit", "-1", "x"], "limit -1 is outside the range of [1, 100]"],
  [["--limit", "x", "x"], 'invalid argument "x" for "--limit" flag'],
  [["-f", "stars=many", "x"], "invalid filter 'stars=many'"],
  [["-f", "is-official=perhaps", "x"], "invalid filter 'is-official=perhaps'"],
  [["-f", "colour=red", "x"], "invalid filter 'colour'"],
  [[""], "the search term is empty"],
  [[`${SEARCHING}/nonsense`], "sent no list of repositories"],
  [["127.0.0.1:5999/x"], "connection refused"],
])("%p is refused: %s", (words, message) => {
  const { code, stderr } = sandbox.bocker(["search", ...words]);
  expect(code).not.toBe(0);
  expect(stderr).toContain(message);
});
