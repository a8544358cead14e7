/** What happens to the layers of an image that is pulled or pushed: moving bars at a terminal, else a line for each event. */
import { type Digest, shortDigest } from "../base/digest.ts";
import { isTerminal } from "../os/terminal.ts";
import { writeFully } from "./output.ts";
import { LiveLines, progressBar } from "./progress.ts";

export class LayerLines {
  readonly #output: number;
  readonly #live: LiveLines | undefined;
  readonly #moving: readonly string[];
  readonly #last: readonly string[];

  /**
   * @param moving what is told again and again, with more bytes each time: not for pipes and logs
   * @param last how the words begin after which nothing more comes for a layer
   */
  constructor(output: number, moving: readonly string[], last: readonly string[]) {
    this.#output = output;
    this.#live = isTerminal(output) ? new LiveLines((raw) => writeFully(output, raw)) : undefined;
    this.#moving = moving;
    this.#last = last;
  }

  show(digest: Digest, status: string, current?: number, total?: number): void {
    const id = shortDigest(digest);
    if (this.#live === undefined) {
      if (!this.#moving.includes(status)) writeFully(this.#output, `${id}: ${status}\n`);
      return;
    }
    const bar = total === undefined ? "" : ` ${progressBar(current ?? 0, total, this.#live.columns)}`;
    const isLast = this.#last.some((word) => status.startsWith(word));
    this.#live.set(digest, `${id}: ${status}${bar}`, isLast);
  }

  end(): void {
    this.#live?.end();
  }
}
