/** A program at a terminal of its own, typed at and read by a test. */
import type { Sandbox } from "./sandbox.ts";

export interface WindowSize {
  rows: number;
  cols: number;
}

export class TerminalSession {
  /** Everything that was shown so far. */
  output = "";
  readonly #process: Bun.Subprocess;
  readonly #terminal: Bun.Terminal;
  readonly #decoder = new TextDecoder();
  #wake: () => void = () => {};
  /** Once nobody has the terminal open any more and everything was read. */
  readonly #closed: Promise<void>;

  constructor(sandbox: Sandbox, words: string[], size: WindowSize = { rows: 24, cols: 80 }) {
    let closed = () => {};
    this.#closed = new Promise((resolve) => {
      closed = resolve;
    });
    this.#process = Bun.spawn(sandbox.inside(words), {
      env: sandbox.environment,
      terminal: {
        ...size,
        data: (_, bytes) => {
          this.output += this.#decoder.decode(bytes, { stream: true });
          this.#wake();
        },
        exit: () => closed(),
      },
    });
    this.#terminal = this.#process.terminal!;
    this.#process.exited.then(() => this.#wake());
  }

  /** Resolves with the text up to and with what `wanted` matches, and takes it from `output`. Throws when it ends first. */
  async expect(wanted: string | RegExp): Promise<string> {
    for (;;) {
      const match = typeof wanted === "string" ? this.output.indexOf(wanted) : this.output.search(wanted);
      if (match >= 0) {
        const length =
          typeof wanted === "string" ? wanted.length : (wanted.exec(this.output)?.[0].length ?? 0);
        const seen = this.output.slice(0, match + length);
        this.output = this.output.slice(match + length);
        return seen;
      }
      if (this.#process.exitCode !== null)
        throw new Error(
          `ended with ${this.#process.exitCode}; wanted ${wanted}, got ${JSON.stringify(this.output)}`,
        );
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  type(text: string): void {
    this.#terminal.write(text);
  }

  resize({ rows, cols }: WindowSize): void {
    this.#terminal.resize(cols, rows);
  }

  /** The exit code, once it has ended. */
  async ended(): Promise<number> {
    const code = await this.#process.exited;
    await this.#closed;
    this.#terminal.close();
    return code;
  }

  /** The terminal goes away, as when its window is closed. */
  async hangUp(): Promise<void> {
    this.#terminal.close();
    await this.#process.exited;
  }
}
