/** Values as words of a shell script, whatever is in them. */
import { visible } from "../../../base/visible.ts";

const PLAIN = /^[\w@%+:,./-]+$/;

/** Bytes that are not UTF-8 (lone surrogates, see encode.ts) can only be written as octal escapes. */
function octal(word: string): string {
  const text = [...word]
    .map((character) => {
      const code = character.charCodeAt(0);
      if (character.length === 1 && code >= 0xdc80 && code <= 0xdcff)
        return `\\${(code - 0xdc00).toString(8)}`;
      return character.replace(/\\/g, "\\\\").replace(/%/g, "%%").replace(/'/g, `'\\''`);
    })
    .join("");
  return `"$(printf '${text}')"`;
}

/** One word: as it is where no shell would touch it, else quoted. */
export function quoted(word: string): string {
  if (PLAIN.test(word)) return word;
  if (/[\udc80-\udcff]/.test(word) && !word.isWellFormed()) return octal(word);
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

export function words(list: string[]): string {
  return list.map(quoted).join(" ");
}

/** A comment of one line. */
export function comment(text: string): string {
  return `# ${visible(text)}`;
}

/** A here-document's delimiter that no line of the text is. */
export function delimiter(text: string, wanted: string): string {
  let name = wanted;
  const lines = new Set(text.split("\n"));
  while (lines.has(name)) name += "_";
  return name;
}

/** Mode bits as mkdir, chmod and mknod take them. */
export function octalMode(mode: number): string {
  return (mode & 0o7777).toString(8).padStart(4, "0");
}
