/** Control characters of names, labels and errors as text: no title, colour or clipboard is set by an image. */
export function visible(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this is about
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, (character) => {
    const code = character.charCodeAt(0);
    return code === 9 ? " " : `\\u${code.toString(16).padStart(4, "0")}`;
  });
}
