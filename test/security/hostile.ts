/** What an attacker brings along: images that lie, programs that race, and what of the machine they must not reach. */
import { expect } from "bun:test";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fillRoot } from "../e2e/busybox.ts";
import { BINARY, type Sandbox } from "../e2e/sandbox.ts";

/** BOCKER_LONG=1: as many rounds as the table in docs/security.md was made with; else enough to see a hole that is wide. */
const LONG = process.env["BOCKER_LONG"] === "1";

export function rounds(long: number, short = Math.max(8, Math.ceil(long / 25))): number {
  return LONG ? long : short;
}

/** The same numbers in every run, spread over a range: 3, 4, … where all are tried. */
export function numbers(first: number, last: number, short: number): number[] {
  const all = Array.from({ length: last - first + 1 }, (_, index) => first + index);
  // The low ones are those that are open in a program that does nothing.
  return LONG ? all : [...all.slice(0, short), ...all.slice(short).filter((n) => n % 64 === 0)];
}

const SECRET = "c4n4ry";

/** A file of the machine's that no container may read, change, or put anything beside. */
export class Canary {
  readonly path: string;
  readonly secret: string;
  readonly #programs: string;
  readonly #before: string;

  constructor(sandbox: Sandbox) {
    const directory = mkdtempSync(join(sandbox.directory, "canary-"));
    this.path = join(directory, "secret");
    this.secret = `${SECRET}-${createHash("sha256").update(directory).digest("hex").slice(0, 16)}`;
    writeFileSync(this.path, this.secret, { mode: 0o600 });
    this.#before = this.#look();
    this.#programs = programs();
  }

  get directory(): string {
    return dirname(this.path);
  }

  #look(): string {
    const { mode, uid, nlink, mtimeMs } = lstatSync(this.path);
    const content = readFileSync(this.path, "utf8");
    const directory = [lstatSync(this.directory).mode, readdirSync(this.directory).sort()];
    return JSON.stringify([mode, uid, nlink, mtimeMs, content, directory]);
  }

  /** It, its directory and bocker's own programs are as they were, and `outputs` do not have it. */
  expectUntouched(...outputs: string[]): void {
    expect(this.#look()).toBe(this.#before);
    expect(programs()).toBe(this.#programs);
    for (const output of outputs) expect(output).not.toContain(this.secret);
  }
}

/** What the machine runs for bocker, by its content. */
function programs(): string {
  const directory = dirname(BINARY);
  const hash = (name: string) =>
    createHash("sha256")
      .update(readFileSync(join(directory, name)))
      .digest("hex");
  return ["bocker", "bocker-launcher", "syscalls.node"].map(hash).join(" ");
}

/** Compiles a C program that needs nothing of the image it will run in. Returns its path. */
export function compile(sandbox: Sandbox, name: string, source: string): string {
  const path = join(mkdtempSync(join(sandbox.directory, "program-")), name);
  writeFileSync(`${path}.c`, source);
  execFileSync("cc", ["-static", "-O1", "-Wall", "-Werror", "-o", path, `${path}.c`], { stdio: "pipe" });
  return path;
}

/** Exchanges its two arguments for ever. */
export const RACER = `
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <unistd.h>
int main(int argc, char **argv)
{
	for (;;)
		syscall(SYS_renameat2, -100, argv[1], -100, argv[argc - 1], 2);
}
`;

/** A new directory with busybox in it, as IMAGE has; `spoil` makes it what the test needs. */
export function hostileRoot(sandbox: Sandbox, spoil: (root: string) => void): string {
  const root = mkdtempSync(join(sandbox.directory, "root-"));
  fillRoot(root);
  spoil(root);
  return root;
}

/** An image of such a root. `changes` are Dockerfile instructions: "VOLUME /x". */
export function hostileImage(
  sandbox: Sandbox,
  name: string,
  spoil: (root: string) => void,
  changes: string[] = [],
): string {
  const root = hostileRoot(sandbox, spoil);
  sandbox.ok(["import", ...changes.flatMap((change) => ["-c", change]), root, name]);
  rmSync(root, { recursive: true });
  return name;
}

/** A new directory of the machine's. */
export function hostDirectory(sandbox: Sandbox, name: string): string {
  const path = join(mkdtempSync(join(sandbox.directory, "host-")), name);
  mkdirSync(path);
  return path;
}

/** Runs lines of shell in the sandbox's network, with $BOCKER for the program: many commands for one process. */
export function shell(sandbox: Sandbox, text: string): { code: number; stdout: string; stderr: string } {
  return sandbox.execute(["sh", "-c", `BOCKER=${sandbox.binary}\n${text}`]);
}
