/** A bocker with directories of its own, that leaves nothing behind. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Result {
  code: number;
  stdout: string;
  stderr: string;
}

const BINARY = join(import.meta.dirname, "../../dist/bocker");

export class Sandbox {
  readonly directory = mkdtempSync(join(tmpdir(), "bocker-test-"));
  readonly data = join(this.directory, "data");
  readonly run = join(this.directory, "run");

  readonly environment = { ...process.env, BOCKER_DATA: this.data, BOCKER_RUN: this.run };

  bocker(words: string[], input = ""): Result {
    const { status, signal, stdout, stderr } = spawnSync(BINARY, words, {
      env: this.environment,
      input,
      encoding: "utf8",
      maxBuffer: 1 << 28,
      timeout: 100_000,
    });
    if (signal !== null) throw new Error(`bocker ${words.join(" ")} was ended by ${signal}: ${stderr}`);
    return { code: status ?? -1, stdout, stderr };
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}
