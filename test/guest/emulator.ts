/** What qemu is called, and how its machine is told, for the architecture of a guest. */
export interface Emulator {
  program: string;
  /** Debian's package of it. */
  package: string;
  words: string[];
  /** Its serial line, as the kernel calls it. */
  console: string;
}

export const X86_64: Emulator = {
  program: "qemu-system-x86_64",
  package: "qemu-system-x86",
  words: ["-cpu", "max"],
  console: "ttyS0",
};

/** A processor of 2016, without what later ones have: what runs on it runs on them. It knows 32-bit programs, too. */
export const AARCH64: Emulator = {
  program: "qemu-system-aarch64",
  package: "qemu-system-arm",
  words: ["-M", "virt", "-cpu", "cortex-a72"],
  console: "ttyAMA0",
};
