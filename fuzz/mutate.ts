/** Mutations of an input: the same number gives the same inputs, on every machine. */

/** A generator of whole numbers below a bound (mulberry32). */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  below(bound: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % bound;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }
}

const INPUT_MAX = 64 * 1024;

/** What parsers have stumbled over before. */
const WORDS = [
  ..."\0 \n \r\n , : = / .. . - -1 0 1 65535 65536 4294967295 4294967296 9007199254740993 1e999 \" ' \\ {{ }} [ ] { }".split(
    " ",
  ),
  ..."null true NaN Infinity __proto__ constructor toString length % $ @ sha256: ../ // \ufeff \ud800 é 😀 ".split(
    " ",
  ),
  " ",
  "\t",
];

type Mutation = (input: Buffer, random: Random, other: Buffer) => Buffer;

const replaced = (input: Buffer, from: number, to: number, by: Buffer) =>
  Buffer.concat([input.subarray(0, from), by, input.subarray(to)]);

function span(input: Buffer, random: Random): [from: number, to: number] {
  const from = random.below(input.length + 1);
  return [from, from + random.below(Math.min(input.length - from, 64) + 1)];
}

const MUTATIONS: readonly Mutation[] = [
  function flipBit(input, random) {
    const changed = Buffer.from(input);
    const at = random.below(input.length + 1);
    if (at < input.length) changed[at] = changed[at]! ^ (1 << random.below(8));
    return changed;
  },
  function setByte(input, random) {
    const changed = Buffer.from(input);
    const at = random.below(input.length + 1);
    if (at < input.length) changed[at] = random.below(256);
    return changed;
  },
  function removeSpan(input, random) {
    return replaced(input, ...span(input, random), Buffer.alloc(0));
  },
  function repeatSpan(input, random) {
    const [from, to] = span(input, random);
    const chunk = input.subarray(from, to);
    return replaced(
      input,
      to,
      to,
      Buffer.concat(Array.from({ length: 1 + random.below(random.pick([4, 4, 300])) }, () => chunk)),
    );
  },
  function insertWord(input, random) {
    const at = random.below(input.length + 1);
    return replaced(input, at, at, Buffer.from(random.pick(WORDS)));
  },
  function replaceByWord(input, random) {
    return replaced(input, ...span(input, random), Buffer.from(random.pick(WORDS)));
  },
  function changeNumber(input, random) {
    const text = input.toString("latin1");
    const numbers = [...text.matchAll(/\d+/g)];
    if (numbers.length === 0) return input;
    const { 0: digits, index } = random.pick(numbers);
    const value = random.pick([
      `${BigInt(digits) + 1n}`,
      `-${digits}`,
      `${digits}0000`,
      "0",
      `0${digits}`,
      `${digits}.5`,
      "18446744073709551616",
    ]);
    return replaced(input, index, index + digits.length, Buffer.from(value));
  },
  function changeBinaryNumber(input, random) {
    const changed = Buffer.from(input);
    if (input.length < 4) return changed;
    const value = random.pick([
      0,
      1,
      3,
      4,
      15,
      16,
      0x7fffffff,
      0x80000000,
      0xffffffff,
      input.length,
      random.below(0x10000),
    ]);
    const at = random.below(input.length - 3);
    if (random.below(2) === 0) changed.writeUInt32LE(value, at);
    else changed.writeUInt16LE(value & 0xffff, at);
    return changed;
  },
  function cutOff(input, random) {
    return input.subarray(0, random.below(input.length + 1));
  },
  function splice(input, random, other) {
    return Buffer.concat([
      input.subarray(0, random.below(input.length + 1)),
      other.subarray(random.below(other.length + 1)),
    ]);
  },
  function transplant(input, random, other) {
    const at = random.below(input.length + 1);
    return replaced(input, at, at, other.subarray(...span(other, random)));
  },
];

/** One to six mutations of `input`, some of them with pieces of `other`. */
export function mutated(input: Buffer, random: Random, other: Buffer): Buffer {
  let result = input;
  for (let count = 1 + random.below(6); count > 0; count--)
    result = random.pick(MUTATIONS)(result, random, other);
  return result.subarray(0, INPUT_MAX);
}
