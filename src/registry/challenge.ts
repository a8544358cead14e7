/** WWW-Authenticate (RFC 9110, 11.6.1): what a server wants to see before it answers. */

export interface Challenge {
  /** Lower case: "basic", "bearer" */
  scheme: string;
  /** Names in lower case. */
  parameters: Map<string, string>;
}

const TOKEN = /[A-Za-z0-9!#$%&'*+.^_`|~-]/;
const BLANK = /[ \t]/;

/** Reads one header value from left to right; stops quietly at the first thing that is not the grammar. */
class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  challenges(): Challenge[] {
    const found: Challenge[] = [];
    for (;;) {
      this.#skip(/[ \t,]/);
      const word = this.#take(TOKEN);
      if (word === "") return found;
      const value = this.#parameterValue();
      // "realm" behind a comma belongs to the scheme before it; a word without "=" is a new scheme.
      if (value !== undefined) found.at(-1)?.parameters.set(word.toLowerCase(), value);
      else found.push({ scheme: word.toLowerCase(), parameters: new Map() });
    }
  }

  #parameterValue(): string | undefined {
    const start = this.#at;
    this.#skip(BLANK);
    if (this.#text[this.#at] !== "=") {
      this.#at = start;
      return undefined;
    }
    this.#at++;
    this.#skip(BLANK);
    return this.#text[this.#at] === '"' ? this.#quoted() : this.#take(TOKEN);
  }

  #quoted(): string {
    let value = "";
    for (this.#at++; this.#at < this.#text.length; this.#at++) {
      const character = this.#text[this.#at]!;
      if (character === '"') {
        this.#at++;
        return value;
      }
      if (character === "\\") this.#at++;
      value += this.#text[this.#at] ?? "";
    }
    return value;
  }

  #take(kind: RegExp): string {
    const start = this.#at;
    this.#skip(kind);
    return this.#text.slice(start, this.#at);
  }

  #skip(kind: RegExp): void {
    while (this.#at < this.#text.length && kind.test(this.#text[this.#at]!)) this.#at++;
  }
}

/** The challenges of a header, several in one value or not; none for a header that says nothing. */
export function parseChallenges(header: string | undefined): Challenge[] {
  return header === undefined ? [] : new Reader(header).challenges();
}
