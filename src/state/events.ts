/**
 * The journal of events: what happened to containers, images, networks and volumes, a line of JSON each, in the shape
 * of Docker's API. Whoever does something appends what it was, once it is true; `events` reads it (engine/events.ts).
 *
 * Lines of one moment are one write with O_APPEND: the kernel puts it behind those of others as a whole, whatever its
 * size. The monitors write, too (launcher/ops_events.c has the same rules).
 */
import {
  AT_FDCWD,
  LOCK_EX,
  LOCK_NB,
  O_APPEND,
  O_CLOEXEC,
  O_CREAT,
  O_NOFOLLOW,
  O_WRONLY,
} from "../os/constants.ts";
import { close, flock, openat, write } from "../os/files.ts";
import { rename } from "../os/host-files.ts";
import { extent, fstat, statatIfExists } from "../os/metadata.ts";
import { clockGettime } from "../os/processes.ts";
import type { Paths } from "./paths.ts";

export interface Event {
  type: "container" | "image" | "network" | "volume";
  action: string;
  id: string;
  /** At least one. What would make the line too long is left out. */
  attributes: Readonly<Record<string, string>>;
  /** Further ones, which give way to `attributes`. */
  labels?: Readonly<Record<string, string>> | undefined;
}

/** Bytes after which the journal becomes `.1`, in place of the one before. */
export const JOURNAL_LIMIT = 1 << 20;
const LINE_MAX = 16_384;
/** What is behind a head is shorter, and what is before the actor. */
const TAIL_MAX = 256;
const HEAD_MAX = 6144;
/** Of an action characters; each is six bytes at most. */
const ACTION_MAX = 1000;
const ATTEMPTS = 4;

export function journalPath({ run }: Paths): string {
  return `${run}/events`;
}

/** Of an event's line what says whom it is of, until where the attributes may go on. */
export function actorText({ id, attributes, labels = {} }: Omit<Event, "type" | "action">): string {
  let text = `"Actor":{"ID":${JSON.stringify(id)},"Attributes":{`;
  let room = LINE_MAX - HEAD_MAX - TAIL_MAX;
  let comma = "";
  const add = (key: string, value: string) => {
    const attribute = `${comma}${JSON.stringify(key)}:${JSON.stringify(value)}`;
    const size = Buffer.byteLength(attribute);
    if (size > room) return;
    room -= size;
    comma = ",";
    text += attribute;
  };
  for (const key in attributes) add(key, attributes[key]!);
  for (const key in labels) if (!Object.hasOwn(attributes, key)) add(key, labels[key]!);
  return text;
}

/** An event's line until where its attributes may go on. @param actor of actorText */
export function headText(type: Event["type"], action: string, actor: string): string {
  return `{"Type":"${type}","Action":${JSON.stringify(action.slice(0, ACTION_MAX))},${actor}`;
}

export function eventHead(event: Event): string {
  return headText(event.type, event.action, actorText(event));
}

function eventTail(): string {
  const { sec, nsec } = clockGettime(0);
  return `}},"scope":"local","time":${sec},"timeNano":${sec}${String(nsec).padStart(9, "0")}}\n`;
}

/** Of those who find the journal full one renames it: who holds the lock of the file that has the name. */
function rotate(fd: number, path: string): void {
  if (flock(fd, LOCK_EX | LOCK_NB) && statatIfExists(AT_FDCWD, path)?.identity === fstat(fd).identity)
    rename(path, `${path}.1`);
}

/** @param limit for tests */
export function appendEvents(path: string, lines: string, limit = JOURNAL_LIMIT): void {
  const bytes = Buffer.from(lines);
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const fd = openat(AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0o600);
    try {
      write(fd, bytes);
      const { size, nlink } = extent(fd);
      // Else it has been rotated away twice since it was opened.
      if (nlink > 0) {
        if (size > limit) rotate(fd, path);
        return;
      }
    } finally {
      close(fd);
    }
  }
}

/** Says what has happened, a head each. What cannot be written, as on a full disk, is never a failure of what has. */
export function recordHeads(paths: Paths, heads: readonly string[]): void {
  if (heads.length === 0) return;
  try {
    const tail = eventTail();
    appendEvents(journalPath(paths), heads.join(tail) + tail);
  } catch {
    // There is nobody who could be told.
  }
}

/** As recordHeads, of events. */
export function recordEvents(paths: Paths, events: readonly Event[]): void {
  recordHeads(paths, events.map(eventHead));
}
