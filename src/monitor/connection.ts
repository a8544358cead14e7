/** A connection to a monitor: the launcher's own socket, or the one a running container listens on. */
import {
  AF_UNIX,
  AT_FDCWD,
  O_CLOEXEC,
  O_DIRECTORY,
  O_PATH,
  POLLIN,
  SOCK_CLOEXEC,
  SOCK_SEQPACKET,
} from "../os/constants.ts";
import { close, openat, withFd } from "../os/files.ts";
import { poll, pollAsync } from "../os/processes.ts";
import { connect, receiveFds, sendFds, socket } from "../os/sockets.ts";
import { isSystemError } from "../os/system-error.ts";
import { attachMessage, type MonitorEvent, parseEvent, type Streams } from "./protocol.ts";

/** Larger than the longest packet, the timings of 4096 operations. */
const PACKET_SIZE = 40 * 1024;

export class MonitorConnection {
  readonly #fd: number;
  readonly #packet = Buffer.alloc(PACKET_SIZE);
  #closed = false;

  constructor(fd: number) {
    this.#fd = fd;
  }

  /** Connects to the socket of a running container; undefined when nobody listens there. */
  static open(path: string): MonitorConnection | undefined {
    const fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC);
    try {
      // Through a descriptor of the directory: sun_path holds 108 bytes only.
      const slash = path.lastIndexOf("/");
      withFd(openat(AT_FDCWD, path.slice(0, slash), O_PATH | O_DIRECTORY | O_CLOEXEC), (directory) => {
        const short = `/proc/self/fd/${directory}${path.slice(slash)}`;
        const address = Buffer.alloc(2 + Buffer.byteLength(short) + 1);
        address.writeUInt16LE(AF_UNIX, 0);
        address.write(short, 2);
        connect(fd, address);
      });
      return new MonitorConnection(fd);
    } catch (error) {
      close(fd);
      if (isSystemError(error, "ENOENT", "ECONNREFUSED")) return undefined;
      throw error;
    }
  }

  attach(streams: Streams, detachable: boolean): void {
    const { bytes, fds } = attachMessage(streams, detachable);
    sendFds(this.#fd, bytes, fds);
  }

  /** False when the monitor is gone. */
  send(message: Uint8Array): boolean {
    try {
      sendFds(this.#fd, message, []);
      return true;
    } catch (error) {
      if (isSystemError(error, "EPIPE", "ECONNRESET", "ENOTCONN", "EBADF")) return false;
      throw error;
    }
  }

  /**
   * A monitor that ends before it has read what we sent leaves ECONNRESET, and the kernel reports that
   * before the packets that are still there; it reports it once.
   */
  #receivePacket(descriptors = 0): { length: number; fds: number[] } {
    try {
      return receiveFds(this.#fd, this.#packet, descriptors);
    } catch (error) {
      if (!isSystemError(error, "ECONNRESET")) throw error;
      return receiveFds(this.#fd, this.#packet, descriptors);
    }
  }

  /** What the launcher hands over, or says instead; undefined when it has closed its end. The whole thread waits. */
  receiveDescriptor(): number | MonitorEvent | undefined {
    const { length, fds } = this.#receivePacket(1);
    if (fds[0] !== undefined) return fds[0];
    return length <= 0 ? undefined : parseEvent(this.#packet.subarray(0, length));
  }

  /** The next event, which must be there already; undefined when the monitor has closed its end. */
  receive(): MonitorEvent | undefined {
    for (;;) {
      const { length } = this.#receivePacket();
      if (length <= 0) return undefined;
      const event = parseEvent(this.#packet.subarray(0, length));
      if (event !== undefined) return event;
    }
  }

  /** The next event if it comes within so many milliseconds, for which the whole thread waits; else "none". */
  nextWithin(milliseconds: number): MonitorEvent | "none" | undefined {
    const events = poll([{ fd: this.#fd, events: POLLIN }], milliseconds);
    return events[0] === 0 ? "none" : this.receive();
  }

  /** The next event; undefined when the monitor has closed its end. Signals and timers go on meanwhile. */
  async next(): Promise<MonitorEvent | undefined> {
    await pollAsync([{ fd: this.#fd, events: POLLIN }], -1);
    return this.#closed ? undefined : this.receive();
  }

  /** As next(), but "unread" when nobody reads the pipe or socket `output` any more. */
  async nextWhileRead(output: number): Promise<MonitorEvent | "unread" | undefined> {
    const events = await pollAsync(
      [
        { fd: this.#fd, events: POLLIN },
        { fd: output, events: 0 },
      ],
      -1,
    );
    if (events[0] === 0) return "unread";
    return this.#closed ? undefined : this.receive();
  }

  /** Waits for an event, or for input on another descriptor, whichever is first. */
  async wait(input: number | undefined): Promise<"event" | "input"> {
    const watched = [{ fd: this.#fd, events: POLLIN }];
    if (input !== undefined) watched.push({ fd: input, events: POLLIN });
    const events = await pollAsync(watched, -1);
    return events[0] === 0 ? "input" : "event";
  }

  /** As next(), but the whole thread waits: for the moments in which nothing else may happen. */
  nextBlocking(): MonitorEvent | undefined {
    poll([{ fd: this.#fd, events: POLLIN }], -1);
    return this.receive();
  }

  close(): void {
    if (!this.#closed) close(this.#fd);
    this.#closed = true;
  }
}
