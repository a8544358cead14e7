/** Class L of docs/security.md: what an image or a registry says cannot speak to the terminal that bocker prints to. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { busyboxSandbox, IMAGE } from "../e2e/busybox.ts";
import type { Sandbox } from "../e2e/sandbox.ts";
import { TerminalSession } from "../e2e/terminal.ts";
import { hostileImage } from "./hostile.ts";

/** A title, a cleared screen, the clipboard; the 8-bit form of an escape; text that is written backwards. */
const ATTACK = "\x1b]0;pwn\x07\x1b[2J\x1b]52;c;ZXZpbA==\x07\x9b31m\x7f\u202etxt.exe\u2066";
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this is about
const CONTROL = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/;

let sandbox: Sandbox;
let image: string;
beforeAll(() => {
  sandbox = busyboxSandbox();
  image = hostileImage(sandbox, "talkative", () => {}, [
    `LABEL x="${ATTACK}" "${ATTACK}"=y`,
    `CMD ${JSON.stringify(["/bin/sh", "-c", `: ${ATTACK}`])}`,
    `ENV A="${ATTACK}"`,
    `WORKDIR /${ATTACK}`,
  ]);
  sandbox.ok(["create", "--name", "one", "--label", `y=${ATTACK}`, image]);
});
afterAll(() => sandbox.remove());

const LISTINGS = [
  ["ps", "-a", "--no-trunc"],
  ["ps", "-a"],
  ["ps", "-a", "--format", "json"],
  ["ps", "-a", "--format", "table {{.Labels}}\\t{{.Command}}"],
  ["ps", "-a", "--format", "{{json .}}"],
  ["images"],
  ["images", "--format", "json"],
  ["inspect", "one"],
  ["inspect", "-f", "json", "one"],
  ["inspect", "-f", "{{json .Config}}", "one"],
  ["inspect", "--type", "image", "talkative"],
  ["run", "--explain", "talkative"],
  ["run", "--explain=json", "talkative"],
];

test.each(LISTINGS)("L1 CVE-2021-25743: %s %s %s prints no control character", (...words) => {
  const { code, stdout, stderr } = sandbox.bocker(words);
  expect(code).toBe(0);
  expect(stdout).not.toMatch(CONTROL);
  expect(stderr).not.toMatch(CONTROL);
});

test("L1 CVE-2021-25743: JSON loses nothing by it", () => {
  const [document] = JSON.parse(sandbox.ok(["inspect", "one"]));
  expect(document.Config.Labels.y).toBe(ATTACK);
  expect(sandbox.ok(["ps", "-a", "--format", "json"])).toContain("pwn");
});

test("L2 CVE-2021-25743: a template's result is exact in a pipe, and harmless at a terminal", async () => {
  const words = ["inspect", "-f", "{{.Config.Labels.y}}\\t|", "one"];
  expect(sandbox.ok(words)).toContain(ATTACK);
  for (const command of [words, ["ps", "-a", "--format", "{{.Labels}}"]]) {
    const session = new TerminalSession(sandbox, [sandbox.binary, ...command]);
    expect(await session.ended()).toBe(0);
    expect(session.output).toContain("pwn");
    expect(session.output.replaceAll("\r\n", "\n")).not.toMatch(CONTROL);
  }
});

test("L3 CVE-2021-25743: errors show what they are about, harmlessly", () => {
  const errors = [
    ["run", ATTACK],
    ["run", "--name", ATTACK, IMAGE],
    ["run", "-v", `${ATTACK}:/x`, IMAGE],
    ["run", "-w", ATTACK, IMAGE],
    ["run", "--network", ATTACK, IMAGE],
    ["run", "-u", ATTACK, IMAGE, "true"],
    ["run", "--rm", "--network", "none", IMAGE, ATTACK],
    ["run", "--env-file", ATTACK, IMAGE],
    ["run", `--${ATTACK}`, IMAGE],
    [`--${ATTACK}`],
    [ATTACK],
    ["inspect", ATTACK],
    ["rm", ATTACK],
    ["rmi", ATTACK],
    ["logs", ATTACK],
    ["exec", ATTACK, "true"],
    ["stop", ATTACK],
    ["tag", IMAGE, ATTACK],
    ["import", `/${ATTACK}`],
    ["pull", `localhost:1/${ATTACK}`],
    ["ps", "--filter", `${ATTACK}=1`],
    ["ps", "--format", `{{.${ATTACK}}}`],
    ["container", ATTACK],
    ["system", ATTACK],
  ];
  for (const words of errors) {
    const { code, stdout, stderr } = sandbox.bocker(words);
    expect([words[0], code === 0]).toEqual([words[0], false]);
    expect(stderr.replaceAll("\n", "")).not.toMatch(CONTROL);
    expect(stdout).not.toMatch(CONTROL);
  }
});

test("L4 CVE-2021-25743: nor does what a registry answers reach the terminal as it is", async () => {
  const body = JSON.stringify({ errors: [{ code: "DENIED", message: ATTACK, detail: ATTACK }] });
  const server = createServer((request, response) => {
    if (request.url === "/v2/") response.writeHead(200).end("{}");
    else response.writeHead(403, { "content-type": "application/json" }).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  // On this machine's loopback, where the server is: a pull needs nothing of the sandbox's network.
  const port = (server.address() as AddressInfo).port;
  const pull = Bun.spawn([sandbox.binary, "pull", `127.0.0.1:${port}/a/b`], {
    env: sandbox.environment,
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, err] = await Promise.all([new Response(pull.stdout).text(), new Response(pull.stderr).text()]);
  server.close();
  expect(await pull.exited).toBe(1);
  expect(err).toContain("pwn");
  expect((out + err).replaceAll("\n", "")).not.toMatch(CONTROL);
});

test("L5 output of the container's own is not touched: it is the program's", () => {
  const { stdout } = sandbox.bocker([
    "run",
    "--network",
    "none",
    "--name",
    "loud",
    IMAGE,
    "printf",
    "%s",
    ATTACK,
  ]);
  expect(stdout).toBe(ATTACK);
  expect(sandbox.bocker(["logs", "loud"]).stdout).toBe(ATTACK);
});
