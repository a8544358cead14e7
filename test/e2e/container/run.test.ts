/** `bocker run`, held against the kernel. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { Sandbox } from "../sandbox.ts";

let sandbox: Sandbox;
beforeAll(() => {
  sandbox = new Sandbox();
});
afterAll(() => sandbox.remove());

describe("bocker run", () => {
  test("runs a command in a copy of the host that is thrown away", () => {
    const result = sandbox.bocker([
      "run",
      "--rm",
      "--network",
      "none",
      "host",
      "sh",
      "-c",
      "rm -rf /usr/share /etc; echo gone; ls /etc",
    ]);
    expect(result.stdout).toStartWith("gone\n");
    expect(existsSync("/etc/passwd")).toBe(true);
    expect(existsSync("/usr/share")).toBe(true);
  });

  test("gives the program's own exit code, 126 and 127", () => {
    const run = (...words: string[]) =>
      sandbox.bocker(["run", "--rm", "--network", "none", "host", ...words]);
    expect(run("sh", "-c", "exit 42").code).toBe(42);
    expect(run("sh", "-c", "sh -c 'kill -9 $$'; exit $?").code).toBe(137);
    const missing = run("no-such-program");
    expect(missing.code).toBe(127);
    expect(missing.stderr).toContain("executable file not found in $PATH");
    expect(run("/etc/passwd").code).toBe(126);
  });

  test("drops what Docker drops", () => {
    const { stdout } = sandbox.bocker([
      "run",
      "--rm",
      "--network",
      "none",
      "host",
      "cat",
      "/proc/self/status",
    ]);
    const field = (name: string) => new RegExp(`^${name}:\\s*(\\S+)$`, "m").exec(stdout)?.[1];
    expect(field("CapInh")).toBe("0000000000000000");
    expect(field("CapBnd")).toBe("00000000a80425fb");
    expect(field("CapEff")).toBe("00000000a80425fb");
    expect(field("CapAmb")).toBe("0000000000000000");
    expect(field("Seccomp")).toBe("2");
  });
});
