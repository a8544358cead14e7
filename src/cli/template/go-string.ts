/** Go's interpreted string literals and its character constants. */

const NAMED: Record<string, string> = {
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
  "\\": "\\",
  '"': '"',
  "'": "'",
};

const ESCAPE =
  /\\(?:([abfnrtv\\"'])|([0-7]{3})|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([\s\S]?))/g;

function isCodePoint(code: number): boolean {
  return code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
}

/** What a literal with its quotes stands for; undefined where Go knows an escape of it not. */
export function unquoteGo(literal: string): string | undefined {
  const quote = literal[0];
  let valid = !/\n/.test(literal);
  const text = literal
    .slice(1, -1)
    .replace(ESCAPE, (_, named?: string, octal?: string, hex?: string, short?: string, long?: string) => {
      if (named !== undefined) {
        // Only a literal's own quotes need to be escaped, and may be.
        valid &&= !/["']/.test(named) || named === quote;
        return NAMED[named]!;
      }
      const code =
        octal === undefined ? Number.parseInt(hex ?? short ?? long ?? "", 16) : Number.parseInt(octal, 8);
      const isByte = octal !== undefined || hex !== undefined;
      valid &&= isByte ? code <= 0xff : isCodePoint(code);
      return valid ? String.fromCodePoint(code) : "";
    });
  return valid ? text : undefined;
}
