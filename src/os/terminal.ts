/** The caller's terminal: size and raw mode (ioctl_tty(2), termios(3)). */
import { ioctlBuffer } from "./files.ts";
import { isSystemError } from "./system-error.ts";

const TCGETS = 0x5401;
const TCSETS = 0x5402;
const TIOCGWINSZ = 0x5413;
/** struct termios of the kernel: four flag words, c_line, 19 control characters. */
const TERMIOS_SIZE = 60;
const VTIME = 5;
const VMIN = 6;
const CONTROL_CHARACTERS = 17;

export function isTerminal(fd: number): boolean {
  try {
    ioctlBuffer(fd, TCGETS, Buffer.alloc(TERMIOS_SIZE));
    return true;
  } catch {
    return false;
  }
}

export function windowSize(fd: number): { rows: number; columns: number } {
  const size = Buffer.alloc(8);
  try {
    ioctlBuffer(fd, TIOCGWINSZ, size);
  } catch (error) {
    if (!isSystemError(error, "ENOTTY")) throw error;
  }
  return { rows: size.readUInt16LE(0), columns: size.readUInt16LE(2) };
}

/** Every byte as it is typed, as cfmakeraw(3) does. Returns what puts the terminal back. */
export function makeRaw(fd: number): () => void {
  const before = Buffer.alloc(TERMIOS_SIZE);
  ioctlBuffer(fd, TCGETS, before);
  const raw = Buffer.from(before);
  const clear = (offset: number, bits: number) =>
    raw.writeUInt32LE((raw.readUInt32LE(offset) & ~bits) >>> 0, offset);
  clear(0, 0o1 | 0o2 | 0o10 | 0o40 | 0o100 | 0o200 | 0o400 | 0o2000);
  clear(4, 0o1);
  clear(12, 0o1 | 0o2 | 0o10 | 0o100 | 0o100000);
  raw.writeUInt32LE(((raw.readUInt32LE(8) & ~(0o60 | 0o400)) | 0o60) >>> 0, 8);
  raw[CONTROL_CHARACTERS + VMIN] = 1;
  raw[CONTROL_CHARACTERS + VTIME] = 0;
  ioctlBuffer(fd, TCSETS, raw);
  return () => {
    ioctlBuffer(fd, TCSETS, before);
  };
}
