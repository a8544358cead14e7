/** A time in RFC 3339 without its fraction, as Docker's API gives some. */
export const wholeSeconds = (time: string): string => time.replace(/\.\d+/, "");
