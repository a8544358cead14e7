/**
 * Lines that change in place: one for each layer, as Docker draws them.
 *
 * Not the package cli-progress: each of its lines is a bar with a value and a total, redrawn by a timer of
 * its own, and more bars than the terminal has rows scroll away broken. Docker's lines are texts that
 * sometimes end in a bar, and an image may have more layers than a terminal has rows.
 */
import { windowSize } from "../os/terminal.ts";
import { humanSize } from "./human.ts";
import { visible } from "./output.ts";

/** Milliseconds between two drawings: more often than a screen shows is waste. */
const INTERVAL = 50;
const BAR_WIDTH = 50;
/** Below this width of the terminal there is no room for a bar. */
const NARROW = 110;

/** "[=====>      ]  1.2MB/3.4MB", without the bar on a narrow terminal. */
export function progressBar(current: number, total: number, columns: number): string {
  const numbers = `${humanSize(current, 4).padStart(8)}/${humanSize(total, 4)}`;
  if (columns <= NARROW) return numbers.trimStart();
  const filled = total === 0 ? BAR_WIDTH : Math.min(BAR_WIDTH, Math.floor((current / total) * BAR_WIDTH));
  const head = filled < BAR_WIDTH ? ">" : "";
  const rest = " ".repeat(BAR_WIDTH - filled - head.length);
  return `[${"=".repeat(filled)}${head}${rest}] ${numbers}`;
}

interface Line {
  text: string;
  done: boolean;
}

export class LiveLines {
  readonly #write: (text: string) => void;
  readonly #size: () => { rows: number; columns: number };
  readonly #lines = new Map<string, Line>();
  #drawn = 0;
  #timer: NodeJS.Timeout | undefined;

  /** `write` gets bytes for the terminal; `size` is asked before each drawing. */
  constructor(write: (text: string) => void, size = () => windowSize(1)) {
    this.#write = write;
    this.#size = size;
  }

  /** The terminal's width; 80 where it does not say. */
  get columns(): number {
    return this.#size().columns || 80;
  }

  /** Changes the line `key`, or adds it below the others. `done`: it will not change any more. */
  set(key: string, text: string, done: boolean): void {
    this.#lines.set(key, { text: visible(text), done });
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#draw(this.#shown());
    }, INTERVAL);
  }

  /** Draws every line a last time. What is written afterwards stands below. */
  end(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#lines.size > 0) this.#draw([...this.#lines.values()]);
    this.#lines.clear();
    this.#drawn = 0;
  }

  /** All lines, or where they are too many those that still change and as many others as fit. */
  #shown(): Line[] {
    const lines = [...this.#lines.values()];
    const room = Math.max(1, (this.#size().rows || 24) - 1);
    if (lines.length <= room) return lines;
    const active = lines.filter(({ done }) => !done);
    const finished = lines.filter(({ done }) => done);
    const spare = Math.max(0, room - active.length);
    return [...finished.slice(finished.length - spare), ...active].slice(0, room);
  }

  #draw(lines: Line[]): void {
    const { columns } = this;
    const up = this.#drawn === 0 ? "" : `\x1b[${this.#drawn}A`;
    const texts = lines.map(({ text }) => `\r\x1b[2K${text.slice(0, columns - 1)}\n`);
    // What was drawn below the last line, when fewer lines are shown than before.
    this.#write(`${up}${texts.join("")}\x1b[J`);
    this.#drawn = lines.length;
  }
}
