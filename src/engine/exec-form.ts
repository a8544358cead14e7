/** The two forms of a command in a Dockerfile. */

/** The words of `["a", "b"]`; undefined for a line that is for the shell. */
export function execForm(text: string): string[] | undefined {
  if (!text.startsWith("[")) return undefined;
  try {
    const words: unknown = JSON.parse(text);
    if (Array.isArray(words) && words.every((word) => typeof word === "string")) return words;
  } catch {
    // Docker, too, takes what is no JSON for a shell's line.
  }
  return undefined;
}
