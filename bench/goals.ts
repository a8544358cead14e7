/** What was to be reached, and whether it was. */
import { type Row, resultOf } from "./measurement.ts";

export interface Goal {
  text: string;
  /** As text, e.g. "14.2x"; undefined when it was not measured. */
  measured: string | undefined;
  met: boolean | undefined;
}

/** The medians that goals are about, by row and engine; undefined where something did not take part. */
class Results {
  readonly #rows: Map<string, Row>;

  constructor(rows: readonly Row[]) {
    this.#rows = new Map(rows.map((row) => [row.name, row]));
  }

  of(row: string, engine: string): number | undefined {
    return resultOf(this.#rows.get(row), engine);
  }

  /** The fastest of these. */
  best(row: string, engines: string[]): number | undefined {
    const found = engines.flatMap((engine) => this.of(row, engine) ?? []);
    return found.length === 0 ? undefined : Math.min(...found);
  }
}

const PEERS = ["docker", "podman"];

function atLeast(text: string, value: number | undefined, least: number, unit: string): Goal {
  return {
    text,
    measured: value === undefined ? undefined : `${value.toFixed(1)}${unit}`,
    met: value === undefined ? undefined : value >= least,
  };
}

function atMost(text: string, value: number | undefined, most: number, unit: string): Goal {
  return {
    text,
    measured: value === undefined ? undefined : `${value.toFixed(unit === "x" ? 2 : 1)}${unit}`,
    met: value === undefined ? undefined : value <= most,
  };
}

const ratio = (a: number | undefined, b: number | undefined) =>
  a === undefined || b === undefined ? undefined : a / b;
const difference = (a: number | undefined, b: number | undefined) =>
  a === undefined || b === undefined ? undefined : a - b;
const sum = (a: number | undefined, b: number | undefined) =>
  a === undefined || b === undefined ? undefined : a + b;

/** The goals of bocker's second stage. */
export function evaluateGoals(rows: readonly Row[]): Goal[] {
  const results = new Results(rows);
  const bocker = (row: string) => results.of(row, "bocker");
  const faster = (row: string, peers = PEERS) => ratio(results.best(row, peers), bocker(row));
  const empty = results.of("version", "empty Bun");
  const overFloor = (row: string) => ratio(bocker(row), sum(empty, results.of(row, "floor")));
  return [
    atLeast("run --rm, none: 12x the faster of docker and podman", faster("run none"), 12, "x"),
    atMost("run --rm, none: 1.5x (empty Bun + floor)", overFloor("run none"), 1.5, "x"),
    atLeast("run --rm, bridge + port + volume + limits: 20x", faster("run full"), 20, "x"),
    atMost("the same: 1.5x (empty Bun + floor)", overFloor("run full"), 1.5, "x"),
    atLeast("exec: 10x docker", faster("exec", ["docker"]), 10, "x"),
    atLeast("exec: 5x podman", faster("exec", ["podman"]), 5, "x"),
    atMost("exec: 1.5x (empty Bun + floor)", overFloor("exec"), 1.5, "x"),
    atLeast("first HTTP answer: 10x docker", faster("first answer", ["docker"]), 10, "x"),
    atMost("first answers that stall: none of 500", bocker("stalls"), 0, ""),
    atLeast("run --rm, bridge + port: 80 a second", bocker("rate"), 80, "/s"),
    atLeast("run -d in a row: 10x", faster("run -d in a row"), 10, "x"),
    atLeast("run -d at once: 8x", faster("run -d at once"), 8, "x"),
    atMost("memory for a container: 256 KiB", bocker("per container"), 256, " KiB"),
    atLeast("pull: 1.5x the fastest", faster("pull", [...PEERS, "skopeo+umoci"]), 1.5, "x"),
    atMost(
      "extraction: 1.5x GNU tar, one CPU",
      ratio(bocker("extract, one CPU"), results.of("extract, one CPU", "GNU tar")),
      1.5,
      "x",
    ),
    atMost(
      "extraction: less than GNU tar's, two CPUs",
      ratio(bocker("extract, two CPUs"), results.of("extract, two CPUs", "GNU tar")),
      1,
      "x",
    ),
    atLeast("commit: faster than docker", faster("commit", ["docker"]), 1, "x"),
    atLeast("import: faster than docker", faster("import", ["docker"]), 1, "x"),
    atMost("version: 3 ms over an empty Bun program", difference(bocker("version"), empty), 3, " ms"),
    atMost(
      "--help: 3 ms over an empty Bun program",
      difference(bocker("--help"), results.of("--help", "empty Bun")),
      3,
      " ms",
    ),
    atMost("ps -a of 1,000: 25 ms over version", difference(bocker("ps -a"), bocker("version")), 25, " ms"),
  ];
}
