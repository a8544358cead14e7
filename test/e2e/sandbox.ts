/** A bocker with directories and a network namespace of its own, that leaves nothing behind. */
import { execFileSync, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Result {
  code: number;
  stdout: string;
  stderr: string;
}

export const BINARY = join(import.meta.dirname, "../../dist/bocker");

export class Sandbox {
  readonly directory = mkdtempSync(join(tmpdir(), "bocker-test-"));
  readonly data = join(this.directory, "data");
  readonly run = join(this.directory, "run");
  /** Its bridges, addresses and firewall are not the machine's. */
  readonly netns = `bocker-test-${randomBytes(4).toString("hex")}`;

  readonly binary = BINARY;

  readonly environment = { ...process.env, BOCKER_DATA: this.data, BOCKER_RUN: this.run };

  constructor() {
    execFileSync("ip", ["netns", "add", this.netns]);
    execFileSync("ip", ["-n", this.netns, "link", "set", "lo", "up"]);
  }

  /** A command line that runs `words` in the sandbox's network (and the machine's mounts and cgroups). */
  inside(words: string[]): [string, ...string[]] {
    return ["nsenter", `--net=/run/netns/${this.netns}`, "--", ...words];
  }

  /** Any program, in the sandbox's network and environment. */
  execute(words: string[], input: string | Uint8Array = ""): Result {
    const [program, ...rest] = this.inside(words);
    const { status, signal, stdout, stderr, error } = spawnSync(program, rest, {
      env: this.environment,
      input,
      encoding: "utf8",
      maxBuffer: 1 << 28,
      timeout: 100_000,
    });
    if (signal !== null || error !== undefined)
      throw new Error(`${words.join(" ")} was ended by ${signal ?? error}: ${stderr}`);
    return { code: status ?? -1, stdout, stderr };
  }

  bocker(words: string[], input: string | Uint8Array = ""): Result {
    return this.execute([BINARY, ...words], input);
  }

  /** As `bocker`, for what must work: its standard output without the last newline. */
  ok(words: string[], input: string | Uint8Array = ""): string {
    const { code, stdout, stderr } = this.bocker(words, input);
    if (code !== 0) throw new Error(`bocker ${words.join(" ")} exited with ${code}: ${stderr}`);
    return stdout.replace(/\n$/, "");
  }

  /** A test that failed may have left a container that writes without end: none outlives its sandbox. */
  remove(): void {
    const left = this.bocker(["ps", "-aq"]).stdout.split("\n").filter(Boolean);
    if (left.length > 0) this.bocker(["rm", "-f", "-v", ...left]);
    execFileSync("ip", ["netns", "del", this.netns]);
    rmSync(this.directory, { recursive: true, force: true });
  }
}
