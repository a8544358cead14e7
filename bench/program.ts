/** Running programs: timed by the C stopwatch where milliseconds count, by the clock where seconds do. */
import { spawn, spawnSync } from "node:child_process";
import { addSample, type Row } from "./measurement.ts";

/** @throws Error with what the program said when it fails */
export function run(words: readonly string[], options: { input?: string; cwd?: string } = {}): string {
  const [program = "", ...rest] = words;
  const { status, signal, stdout, stderr, error } = spawnSync(program, rest, {
    encoding: "utf8",
    maxBuffer: 1 << 30,
    input: options.input ?? "",
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  if (status !== 0)
    throw new Error(`${words.join(" ")}: ${error ?? signal ?? `exit code ${status}`}: ${stderr.trim()}`);
  return stdout;
}

/** Milliseconds of one run with its output thrown away. @throws Error as `run` */
export function timed(words: readonly string[], options: { stdin?: number; cwd?: string } = {}): number {
  const [program = "", ...rest] = words;
  const from = performance.now();
  const { status, stderr } = spawnSync(program, rest, {
    stdio: [options.stdin ?? "ignore", "ignore", "pipe"],
    encoding: "utf8",
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  const took = performance.now() - from;
  if (status !== 0) throw new Error(`${words.join(" ")}: exit code ${status}: ${stderr.trim()}`);
  return took;
}

/** Resolves when it has ended well. Rejects with what it wrote to stderr. */
export function start(words: readonly string[]): Promise<void> {
  const [program = "", ...rest] = words;
  const child = spawn(program, rest, { stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text) => {
    said += text;
  });
  return new Promise((resolve, reject) =>
    child.once("exit", (code) => {
      // What it has left behind may keep stderr open.
      if (code === 0) resolve();
      else child.once("close", () => reject(new Error(`${words.join(" ")} exited with ${code}: ${said}`)));
    }),
  );
}

/** Microseconds between two commands: what the last has left to others to clean up is done by then. */
const PAUSE = 30_000;

/**
 * Times the commands side by side and adds the samples, milliseconds, to the row.
 * @throws Error when one of them fails
 */
export function interleave(
  row: Row,
  stopwatch: string,
  rounds: number,
  commands: Map<string, string[]>,
): void {
  const names = [...commands.keys()];
  const words = [...commands.values()].flatMap((command, index) =>
    index === 0 ? command : ["---", ...command],
  );
  const lines = run([stopwatch, String(rounds), String(PAUSE), ...words])
    .trim()
    .split("\n");
  lines.forEach((line, index) => {
    const [status, ...samples] = line.split(" ").map(Number);
    if (status !== 0) throw new Error(`${commands.get(names[index]!)?.join(" ")}: wait status ${status}`);
    for (const nanoseconds of samples) addSample(row, names[index]!, nanoseconds / 1e6);
  });
}
