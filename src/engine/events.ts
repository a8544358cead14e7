/** `events`: what the journal has, and what it gains (state/events.ts). */
import { AT_FDCWD, O_CLOEXEC, O_NOFOLLOW, O_RDONLY } from "../os/constants.ts";
import { close, lseek, openat } from "../os/files.ts";
import { LineReader } from "../os/line-reader.ts";
import { fstat, statatIfExists } from "../os/metadata.ts";
import { isSystemError } from "../os/system-error.ts";
import { DirectoryWatch } from "../os/watch.ts";
import { journalPath } from "../state/events.ts";
import type { Engine } from "./engine.ts";

export interface EventMessage {
  type: string;
  action: string;
  id: string;
  attributes: Record<string, string>;
  /** Nanoseconds since 1970. */
  time: bigint;
}

/** Times as nanoseconds since 1970, both inclusive. */
export interface EventQuery {
  /** With either of the two, what has been; undefined: from the beginning, or what comes only. */
  since: bigint | undefined;
  /** undefined: for ever. */
  until: bigint | undefined;
}

/** With what every line begins; a quoted text has no such thing in it. */
const BEGINNING = '{"Type":"';
const TIME = /"timeNano":(\d{1,19})\}$/;
const SEEK_END = 2;
const PER_MILLISECOND = 1_000_000n;

/** One line of the journal; undefined for one that was cut off, or that is none of bocker's. */
export function parseEvent(line: string): EventMessage | undefined {
  // A full disk may have cut off the line before in its middle, without its end.
  const text = line.slice(Math.max(0, line.lastIndexOf(BEGINNING)));
  const time = TIME.exec(text)?.[1];
  if (time === undefined) return undefined;
  try {
    const { Type, Action, Actor } = JSON.parse(text) as Record<string, unknown>;
    const { ID, Attributes } = Actor as Record<string, unknown>;
    const attributes = Attributes as Record<string, string>;
    const texts = [Type, Action, ID, ...Object.values(attributes)];
    if (!texts.every((value) => typeof value === "string")) return undefined;
    return {
      type: Type as string,
      action: Action as string,
      id: ID as string,
      attributes,
      time: BigInt(time),
    };
  } catch {
    return undefined;
  }
}

/** A file of the journal, read from its beginning. */
class JournalFile {
  readonly identity: string;
  readonly #fd: number;
  readonly #lines = new LineReader();

  private constructor(fd: number) {
    this.#fd = fd;
    this.identity = fstat(fd).identity;
  }

  /** Undefined where there is none. */
  static open(path: string): JournalFile | undefined {
    try {
      return new JournalFile(openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    } catch (error) {
      if (isSystemError(error, "ENOENT")) return undefined;
      throw error;
    }
  }

  skip(): void {
    lseek(this.#fd, 0, SEEK_END);
  }

  /** What has come since the last call. */
  *messages(): Generator<EventMessage, void, void> {
    for (let lines = this.#lines.next(this.#fd); lines !== undefined; lines = this.#lines.next(this.#fd))
      for (const line of lines) {
        const message = parseEvent(line);
        if (message !== undefined) yield message;
      }
  }

  close(): void {
    close(this.#fd);
  }
}

/** The journal as its files come and go. */
class Journal {
  /** The newest last. Whoever had opened the one before when it was renamed may still write to it. */
  #files: JournalFile[] = [];
  readonly #path: string;

  /** @param past with what it has by now; else only what it gains */
  constructor(path: string, past: boolean) {
    this.#path = path;
    this.#advance();
    if (!past) for (const file of this.#files) file.skip();
  }

  /** What has come since the last call. */
  *messages(): Generator<EventMessage, void, void> {
    for (;;) {
      for (const file of this.#files) yield* file.messages();
      const named = statatIfExists(AT_FDCWD, this.#path);
      if (named === undefined || named.identity === this.#files.at(-1)?.identity) return;
      this.#advance();
    }
  }

  /** Goes on to the file that has the name now. */
  #advance(): void {
    // In this order none is missed when they are rotated meanwhile; one may be found twice.
    const newest = JournalFile.open(this.#path);
    const older = JournalFile.open(`${this.#path}.1`);
    const files = [...this.#files];
    for (const file of [older, newest]) {
      if (file === undefined) continue;
      if (files.some(({ identity }) => identity === file.identity)) file.close();
      else files.push(file);
    }
    this.#files = files.slice(-2);
    for (const file of files.slice(0, -2)) file.close();
  }

  close(): void {
    for (const file of this.#files) file.close();
  }
}

function now(): bigint {
  return BigInt(Date.now()) * PER_MILLISECOND;
}

/** Events in their order, as they come; ends at `until`. */
export async function* readEvents(
  { paths }: Engine,
  { since, until }: EventQuery,
): AsyncGenerator<EventMessage[], void, void> {
  const isWanted = ({ time }: EventMessage) =>
    (since === undefined || time >= since) && (until === undefined || time <= until);
  // First of all: what comes while the rest is read is not missed then.
  const watch = new DirectoryWatch(paths.run);
  const journal = new Journal(journalPath(paths), since !== undefined || until !== undefined);
  try {
    for (;;) {
      // Asked before the last look: what has come until then is seen.
      const isOver = until !== undefined && now() > until;
      yield [...journal.messages()].filter(isWanted);
      if (isOver) return;
      // A millisecond more: the clock has to be past it.
      await watch.changed(until === undefined ? undefined : Number((until - now()) / PER_MILLISECOND) + 1);
    }
  } finally {
    watch.close();
    journal.close();
  }
}
