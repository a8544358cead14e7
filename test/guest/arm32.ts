/**
 * A program for 32-bit ARM, whose system calls the kernel tells a filter as of another architecture. It is written in
 * machine code: no compiler of the tests makes it.
 */
const BASE = 0x10000;
const ELF_HEADER = 52;
const PROGRAM_HEADER = 32;

/** Exits with what keyctl(0, 0, …) answers, which is an error. */
const CODE = [
  0xe3a00000, // mov r0, #0
  0xe3a01000, // mov r1, #0
  0xe3007137, // movw r7, #311: keyctl
  0xef000000, // svc 0
  0xe2600000, // rsb r0, r0, #0
  0xe3a07001, // mov r7, #1: exit
  0xef000000, // svc 0
];

/** The file: an ELF header, one segment, the code. */
export function arm32Program(): Uint8Array {
  const start = ELF_HEADER + PROGRAM_HEADER;
  const bytes = Buffer.alloc(start + 4 * CODE.length);
  bytes.write("\x7fELF\x01\x01\x01", "latin1");
  // ET_EXEC, EM_ARM; sizes of the headers, and that there is one of a segment and none of a section.
  for (const [at, value] of [
    [16, 2],
    [18, 40],
    [40, ELF_HEADER],
    [42, PROGRAM_HEADER],
    [44, 1],
    [46, 40],
  ] as const)
    bytes.writeUInt16LE(value, at);
  const EABI5 = 0x05000000;
  for (const [index, value] of [1, BASE + start, ELF_HEADER, 0, EABI5].entries())
    bytes.writeUInt32LE(value, 20 + 4 * index);
  // PT_LOAD of the whole file, readable and executable.
  for (const [index, value] of [1, 0, BASE, BASE, bytes.length, bytes.length, 5, 0x1000].entries())
    bytes.writeUInt32LE(value, ELF_HEADER + 4 * index);
  for (const [index, word] of CODE.entries()) bytes.writeUInt32LE(word, start + 4 * index);
  return bytes;
}
