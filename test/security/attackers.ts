/** What attackers bring along: images made by hand, and programs that swap names while the engine looks. */
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Sandbox } from "../e2e/sandbox.ts";

/** As often as the tables of security.md ask for, or a tenth of it. */
export function times(full: number): number {
  return process.env["BOCKER_LONG"] === "1" ? full : Math.ceil(full / 10);
}

const RACER = `
#define _GNU_SOURCE
#include <fcntl.h>
#include <unistd.h>
#include <sys/syscall.h>
int main(int count, char **words)
{
	(void)count;
	for (;;)
		syscall(SYS_renameat2, AT_FDCWD, words[1], AT_FDCWD, words[2], 2 /* RENAME_EXCHANGE */);
}
`;

/** Compiles a static program. */
export function compile(source: string, target: string): string {
  mkdirSync(dirname(target), { recursive: true });
  execFileSync("cc", ["-O1", "-static", "-x", "c", "-", "-o", target], { input: source });
  return target;
}

/** A program that swaps its two arguments for ever. */
export function compileRacer(sandbox: Sandbox): string {
  return compile(RACER, join(sandbox.directory, "programs/racer"));
}

/** An image of what `fill` puts into a directory, besides busybox. */
export function hostileImage(sandbox: Sandbox, name: string, fill: (root: string) => void): string {
  const root = join(sandbox.directory, `root-${name}`);
  mkdirSync(join(root, "bin"), { recursive: true });
  execFileSync("cp", ["/bin/busybox", join(root, "bin")]);
  for (const applet of [
    "sh",
    "cat",
    "ls",
    "true",
    "sleep",
    "stat",
    "id",
    "mkdir",
    "rm",
    "ln",
    "grep",
    "mknod",
    "touch",
  ])
    execFileSync("ln", ["-s", "busybox", join(root, "bin", applet)]);
  fill(root);
  sandbox.ok(["init", root, name]);
  return name;
}

/** An image with a configuration of the attacker's own: the files of another, and what `commit --change` says. */
export function reconfigured(sandbox: Sandbox, from: string, name: string, changes: string[]): string {
  const id = sandbox.ok(["create", from, "true"]);
  sandbox.ok(["commit", ...changes.flatMap((change) => ["--change", change]), id, name]);
  sandbox.ok(["rm", id]);
  return name;
}

const SECRET = "the host's own secret, which no container may read";

/** A file of the host that only root may read, and whether it is still what it was. */
export class Canary {
  readonly directory: string;
  readonly file: string;

  constructor(sandbox: Sandbox) {
    this.directory = join(sandbox.directory, "host");
    this.file = join(this.directory, "CANARY");
    mkdirSync(this.directory, { mode: 0o700 });
    writeFileSync(this.file, SECRET, { mode: 0o600 });
  }

  /** Whether a text has the secret in it. */
  isIn(text: string): boolean {
    return text.includes(SECRET);
  }

  /** Names and contents of the directory, and the file's mode. */
  state(): string {
    return execFileSync(
      "sh",
      ["-c", 'cd "$1"; find . -printf "%p %m %s\\n" | sort; cat CANARY', "sh", this.directory],
      {
        encoding: "utf8",
      },
    );
  }
}
