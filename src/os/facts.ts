/**
 * Questions about this machine whose answers decide how a container is started. Every answer is text, so that it can be
 * kept, and compared with what the answer is another time.
 */
import { linesWith } from "../base/lines.ts";
import { exists, isDirectory, readText, readTextIfExists } from "./host-files.ts";
import { readRootFile } from "./root-files.ts";
import { isSystemError } from "./system-error.ts";

/** What a file that is missing is said to hold: no text has it. */
const MISSING = "\0";

function textOf(path: string): string {
  try {
    return readTextIfExists(path) ?? MISSING;
  } catch (error) {
    // A cgroup that was removed after its file was opened.
    if (isSystemError(error, "ENODEV")) return MISSING;
    throw error;
  }
}

function lineOf(text: string, beginning: string): string {
  const at = text.indexOf(beginning);
  return text.slice(at + beginning.length, text.indexOf("\n", at)).trim();
}

const QUESTIONS = {
  /** The text of a file. */
  text: textOf,
  /** Those lines of a file that have a text: "[path, text]" in JSON. */
  lines: (pathAndPart: string) => {
    const [path = "", part = ""] = JSON.parse(pathAndPart) as string[];
    return linesWith(readTextIfExists(path) ?? "", part).join("\n");
  },
  /** "file", "directory", or "" for a path at which nothing is. */
  kind: (path: string) => (isDirectory(path) ? "directory" : exists(path) ? "file" : ""),
  /** The capabilities that this process could give away, hexadecimal. */
  bounding: () => lineOf(readText("/proc/self/status"), "CapBnd:"),
  /** Soft and hard limit of open files, and the unit. */
  files: () => lineOf(readText("/proc/self/limits"), "Max open files"),
  /** A file of a root, by the layers of the root, the topmost first, and its path: "[layers, path]" in JSON. */
  layered: (layersAndPath: string) => readRootFile(...(JSON.parse(layersAndPath) as [string[], string])),
};

export type Question = keyof typeof QUESTIONS;

export type Answer = [question: Question, about: string, answer: string];

/** Asks, and remembers what was asked. */
export class Facts {
  readonly #answers = new Map<string, Answer>();

  #ask(question: Question, about = ""): string {
    const key = `${question} ${about}`;
    let known = this.#answers.get(key);
    if (known === undefined) {
      known = [question, about, QUESTIONS[question](about)];
      this.#answers.set(key, known);
    }
    return known[2];
  }

  /** The file's text; undefined where there is none. */
  text = (path: string): string | undefined => {
    const text = this.#ask("text", path);
    return text === MISSING ? undefined : text;
  };

  /** Those lines of a file that have `part`; the others may change. Nothing where there is no file. */
  lines(path: string, part: string): string {
    return this.#ask("lines", JSON.stringify([path, part]));
  }

  exists = (path: string): boolean => this.#ask("kind", path) !== "";

  isFile(path: string): boolean {
    return this.#ask("kind", path) === "file";
  }

  bounding(): bigint {
    return BigInt(`0x${this.#ask("bounding")}`);
  }

  openFiles(): number {
    const hard = this.#ask("files").split(/\s+/)[1] ?? "1024";
    return hard === "unlimited" ? Number.MAX_SAFE_INTEGER : Number(hard);
  }

  /** As readRootFile. */
  layered(layers: string[], path: string): string {
    return this.#ask("layered", JSON.stringify([layers, path]));
  }

  /** Everything that was asked so far. */
  answers(): Answer[] {
    return [...this.#answers.values()];
  }
}

/** Whether all of these questions would be answered in the same way now. */
export function stillTrue(answers: readonly Answer[]): boolean {
  return answers.every(([question, about, answer]) => QUESTIONS[question](about) === answer);
}
