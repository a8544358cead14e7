/** Packages of the machine's Debian mirror, unpacked without being installed: also those of another architecture. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Debian's names. */
export type Architecture = "amd64" | "arm64";

const TIMEOUT_MS = 300_000;
const OWN: Record<string, Architecture> = { x64: "amd64", arm64: "arm64" };

export class Mirror {
  readonly #directory = mkdtempSync(join(tmpdir(), "bocker-debian-"));
  readonly #options: string[] = [];

  constructor(architecture: Architecture) {
    if (OWN[process.arch] !== architecture) this.#keepListsApart(architecture);
  }

  /** Lists of their own: dpkg --add-architecture would change what the machine installs from now on. */
  #keepListsApart(architecture: Architecture): void {
    const state = join(this.#directory, "state");
    mkdirSync(join(state, "lists/partial"), { recursive: true });
    mkdirSync(join(this.#directory, "cache/archives/partial"), { recursive: true });
    writeFileSync(join(state, "status"), "");
    const settings = [
      `APT::Architecture=${architecture}`,
      `APT::Architectures::=${architecture}`,
      `Dir::State=${state}`,
      `Dir::State::status=${join(state, "status")}`,
      `Dir::Cache=${join(this.#directory, "cache")}`,
    ];
    this.#options.push(...settings.flatMap((setting) => ["-o", setting]));
    this.#run("apt-get", ["update"]);
  }

  #run(program: string, words: string[]) {
    return spawnSync(program, [...this.#options, ...words], {
      cwd: this.#directory,
      encoding: "utf8",
      timeout: TIMEOUT_MS,
    });
  }

  /** What a package that is only a name depends on. */
  dependency(name: string, pattern: RegExp): string | undefined {
    const depends: string | null = this.#run("apt-cache", ["depends", name]).stdout;
    return (depends ?? "")
      .split("\n")
      .map((line) => line.replace(/^ *Depends: /, ""))
      .find((word) => pattern.test(word));
  }

  /** Their files. False without apt or a mirror. */
  unpack(names: string[], into: string): boolean {
    if (this.#run("apt-get", ["download", ...names]).status !== 0) return false;
    const archives = readdirSync(this.#directory).filter((name) => name.endsWith(".deb"));
    mkdirSync(into, { recursive: true });
    return archives.every(
      (archive) => spawnSync("dpkg-deb", ["-x", join(this.#directory, archive), into]).status === 0,
    );
  }

  close(): void {
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
