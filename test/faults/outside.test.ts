/** F29: what somebody deletes under running containers that they share: the bridge, the table. */
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { busyboxSandbox } from "../e2e/busybox.ts";
import type { Sandbox } from "../e2e/sandbox.ts";

let sandbox: Sandbox;
beforeAll(() => {
  sandbox = busyboxSandbox();
});
afterEach(() => {
  sandbox.bocker(["rm", "-f", "web", "next"]);
});
afterAll(() => sandbox.remove());

const SERVE = "echo hello > /tmp/index.html; exec httpd -f -p 80 -h /tmp";
const serve = () => {
  sandbox.ok(["run", "-d", "--name", "web", "-p", "7080:80", "busybox", "sh", "-c", SERVE]);
  Bun.sleepSync(300);
};
const FETCH =
  "console.log(await (await fetch('http://127.0.0.1:7080/', { signal: AbortSignal.timeout(1000) })).text())";
const fetched = () => sandbox.execute([process.execPath, "-e", FETCH]).stdout.trim();
/** From the container out to its gateway, which it remembers by its hardware address. */
const dialled = () => {
  const gateway = sandbox.ok(["inspect", "-f", "{{.NetworkSettings.Gateway}}", "web"]);
  return sandbox.bocker(["exec", "web", "ping", "-c", "1", "-W", "2", gateway]).code;
};

const DELETIONS = {
  "the bridge": ["ip link del bocker0"],
  "the table": ["nft delete table ip bocker"],
  "the whole ruleset": ["nft flush ruleset"],
  both: ["ip link del bocker0", "nft delete table ip bocker"],
};

for (const [what, commands] of Object.entries(DELETIONS)) {
  const remove = () => {
    serve();
    expect([fetched(), dialled()]).toEqual(["hello", 0]);
    for (const command of commands) expect(sandbox.execute(command.split(" ")).code).toBe(0);
    expect(fetched()).toBe("");
  };

  test(`F29: ${what} is deleted: the next start gives running containers back what they had`, () => {
    remove();
    sandbox.ok(["run", "-d", "--name", "next", "busybox", "sleep", "1000"]);
    expect([fetched(), dialled()]).toEqual(["hello", 0]);
    expect(sandbox.bocker(["system", "check"]).stdout).toBe("Nothing found.\n");
  });

  test(`F29: ${what} is deleted: system check names it, and --repair mends it`, () => {
    remove();
    expect(sandbox.bocker(["system", "check"])).toMatchObject({
      code: 1,
      stdout: expect.stringContaining("bridge bocker0 or its firewall is gone"),
    });
    sandbox.bocker(["system", "check", "--repair"]);
    expect(sandbox.bocker(["system", "check"]).stdout).toBe("Nothing found.\n");
    expect([fetched(), dialled()]).toEqual(["hello", 0]);
  });

  test(`F29: ${what} is deleted: the container ends and goes as ever`, () => {
    remove();
    expect(sandbox.bocker(["stop", "-t", "0", "web"])).toMatchObject({ code: 0, stderr: "" });
    expect(sandbox.bocker(["rm", "web"])).toMatchObject({ code: 0, stderr: "" });
    expect(sandbox.bocker(["system", "check"]).stdout).toBe("Nothing found.\n");
  });
}

test("F29: a container's interface that is taken from the bridge is named, and put back", () => {
  serve();
  const links = sandbox.execute(["ip", "-o", "link", "show", "master", "bocker0"]).stdout;
  const port = /veth[0-9a-f]{7}/.exec(links)![0];
  sandbox.execute(["ip", "link", "set", port, "nomaster"]);
  expect(fetched()).toBe("");
  const { stdout } = sandbox.bocker(["system", "check", "--repair"]);
  expect(stdout).toContain(`interface ${port} is a running container's, and no port of bocker0`);
  expect(fetched()).toBe("hello");
});
