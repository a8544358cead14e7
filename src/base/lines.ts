/** Lines of long texts, of which few are wanted. */

/** The lines that have `part`, which is within one line. */
export function linesWith(text: string, part: string): string[] {
  const lines: string[] = [];
  for (let at = text.indexOf(part); at >= 0; ) {
    const end = text.indexOf("\n", at);
    lines.push(text.slice(text.lastIndexOf("\n", at) + 1, end < 0 ? undefined : end));
    at = end < 0 ? -1 : text.indexOf(part, end);
  }
  return lines;
}
