/** A bocker with directories and a network namespace of its own, that leaves nothing behind. */
import { execFileSync, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, readlinkSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { removeEmptyParents } from "./cgroups.ts";

export interface Result {
  code: number;
  stdout: string;
  stderr: string;
}

export const BINARY = join(import.meta.dirname, "../../dist/bocker");

/** Variables of a sandbox whose tests look at the driver's own files: BOCKER_STORAGE_DRIVER=vfs may be there for all others. */
export const OVERLAY = { BOCKER_STORAGE_DRIVER: "overlay" };

export class Sandbox {
  readonly directory: string;
  readonly data: string;
  readonly run: string;
  /** Its bridges, addresses and firewall are not the machine's. */
  readonly netns = `bocker-test-${randomBytes(4).toString("hex")}`;

  readonly binary = BINARY;

  readonly environment: NodeJS.ProcessEnv;

  /** @param parent a directory on the filesystem that it is to be on */
  constructor(parent = tmpdir(), variables: Record<string, string> = {}) {
    this.directory = mkdtempSync(join(parent, "bocker-test-"));
    this.data = join(this.directory, "data");
    this.run = join(this.directory, "run");
    this.environment = { ...process.env, ...variables, BOCKER_DATA: this.data, BOCKER_RUN: this.run };
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

  /** Pids of the processes in the sandbox's network: monitors, and whatever else was started there. */
  processes(): string[] {
    const network = `net:[${statSync(`/run/netns/${this.netns}`).ino}]`;
    return readdirSync("/proc").filter((name) => {
      if (!/^\d+$/.test(name)) return false;
      try {
        return readlinkSync(`/proc/${name}/ns/net`) === network;
      } catch {
        return false;
      }
    });
  }

  /** As `bocker`, for what must work: its standard output without the last newline. */
  ok(words: string[], input: string | Uint8Array = ""): string {
    const { code, stdout, stderr } = this.bocker(words, input);
    if (code !== 0) throw new Error(`bocker ${words.join(" ")} exited with ${code}: ${stderr}`);
    return stdout.replace(/\n$/, "");
  }

  /** What a failed test has left running goes, too: it would outlive everything that knows of it. */
  remove(): void {
    const left = this.bocker(["ps", "-aq"]).stdout.split("\n").filter(Boolean);
    if (left.length > 0) this.bocker(["rm", "-f", "-v", ...left]);
    removeEmptyParents();
    execFileSync("ip", ["netns", "del", this.netns]);
    rmSync(this.directory, { recursive: true, force: true });
  }
}
