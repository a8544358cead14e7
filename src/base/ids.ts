/** Identifiers: 64 hexadecimal digits, and Docker's kind of generated names. */
import { randomBytes } from "./random.ts";

/** Digits of an id. The name of a volume that nobody has named is one. */
export const ID_LENGTH = 64;

/** ID_LENGTH hexadecimal digits. Docker never makes one whose first twelve are all decimal (they look like numbers). */
export function newId(): string {
  for (;;) {
    const id = randomBytes(32).toString("hex");
    if (!/^\d{12}/.test(id)) return id;
  }
}

export function shortId(id: string): string {
  return id.startsWith("sha256:") ? id.slice(7, 19) : id.slice(0, 12);
}

/** Docker's rule for container and volume names. */
export const NAME_PATTERN = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;

const MOODS =
  "able agile amber ample apt awake bold brave breezy bright brisk calm candid careful cheery clear clever cozy " +
  "curious dapper daring deft eager earnest easy elated epic exact fair fancy fleet fond frank fresh gentle glad " +
  "golden grand happy hardy honest jolly keen kind lively loyal lucid lucky mellow merry mild modest neat nimble " +
  "noble patient placid plucky polite proud quick quiet rapid ready robust rosy serene sharp shiny silent smart " +
  "snug solid spry steady sunny swift tender tidy trusty upbeat valid vivid warm wise witty zesty";

const PEOPLE =
  "allen babbage bartik boole borg clarke cerf church codd cook curie dahl dijkstra engelbart erdos euler feinler " +
  "floyd gauss goedel goldberg granville hamilton hamming hoare hollerith holberton hopper iverson jacquard " +
  "johnson kahan karp kay keller kernighan knuth lamarr lamport leibniz liskov lovelace mccarthy mcilroy meitner " +
  "minsky moore naur neumann newell noether nygaard pascal perlis perlman postel rabin ritchie sammet shannon " +
  "simon stallman sutherland tarjan thompson torvalds turing wilkes wilkinson wing wirth wozniak yao zuse";

/** A name such as `calm_hopper`; later attempts carry a digit, so that one is found in the end. */
export function newName(attempt: number): string {
  const pick = (text: string) => {
    const words = text.split(" ");
    return words[randomBytes(2).readUInt16LE() % words.length];
  };
  return `${pick(MOODS)}_${pick(PEOPLE)}${attempt > 0 ? randomBytes(1).readUInt8() % 10 : ""}`;
}
