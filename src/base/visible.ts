/** Text that comes from elsewhere, on its way to a terminal. */

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this is about
const HIDDEN = /[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/;
const ALL_HIDDEN = new RegExp(HIDDEN, "g");

/** Whether `visible` would change nothing: asked of all at once, it takes less time than to ask for each. */
export function isVisible(text: string): boolean {
  return !HIDDEN.test(text);
}

/** Control characters of names, labels and errors as text: no title, colour or clipboard is set by an image. */
export function visible(text: string): string {
  return text.replace(ALL_HIDDEN, (character) => {
    const code = character.charCodeAt(0);
    return code === 9 ? " " : `\\u${code.toString(16).padStart(4, "0")}`;
  });
}
