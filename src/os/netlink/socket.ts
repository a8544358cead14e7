/**
 * A synchronous netlink socket. The kernel handles a request inside sendmsg, so every answer is already
 * queued when it returns: the socket is non-blocking and never waits.
 */
import { BockerError, type ErrorCode } from "../../base/errors.ts";
import {
  AF_NETLINK,
  NETLINK_NETFILTER,
  NETLINK_ROUTE,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_RAW,
} from "../constants.ts";
import { native } from "../native.ts";
import { codeOfErrno } from "../system-error.ts";
import {
  type NetlinkRequest,
  NLMSG_DONE,
  NLMSG_ERROR,
  parseAcknowledgement,
  parseMessages,
  type ReceivedMessage,
} from "./message.ts";

const SOL_NETLINK = 270;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;
const RECEIVE_BYTES = 64 * 1024;
const EPERM = 1;
const ENOENT = 2;
const EACCES = 13;
const EEXIST = 17;
const ENODEV = 19;
const EINVAL = 22;
const EOPNOTSUPP = 95;

function codeOf(errno: number): ErrorCode {
  if (errno === EPERM || errno === EACCES) return "denied";
  if (errno === EEXIST) return "conflict";
  if (errno === ENOENT || errno === ENODEV) return "not-found";
  if (errno === EINVAL) return "invalid";
  if (errno === EOPNOTSUPP) return "platform";
  return "start-failed";
}

/** The kernel refused a request; `errno` is positive. */
export class NetlinkError extends BockerError {
  readonly errno: number;

  constructor(errno: number, what: string, text?: string) {
    const detail = text === undefined ? "" : ` (${text})`;
    super(codeOf(errno), `${what}: ${codeOfErrno(errno)}${detail}`);
    this.name = "NetlinkError";
    this.errno = errno;
  }
}

const SUMMARY_LENGTH = 160;

/** Commands as one line for an error: whoever wants all of them asks for --explain. */
function summary(commands: readonly string[]): string {
  const line = commands.map((command) => command.split("\n", 2).join(" ")).join("; ");
  return line.length > SUMMARY_LENGTH ? `${line.slice(0, SUMMARY_LENGTH)}…` : line;
}

export class NetlinkSocket {
  private fd: number;
  private readonly buffer = new Uint8Array(RECEIVE_BYTES);

  /**
   * Closing an nf_tables socket right after a delete waits about 8 ms for RCU (reference/performance.md 2.6):
   * let the monitor, or a process nobody waits for, delete.
   */
  constructor(family: "route" | "nftables") {
    const protocol = family === "route" ? NETLINK_ROUTE : NETLINK_NETFILTER;
    this.fd = native().socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
    if (this.fd < 0) throw new NetlinkError(-this.fd, `open a netlink socket (${family})`);
    const on = Uint8Array.of(1, 0, 0, 0);
    native().setsockopt(this.fd, SOL_NETLINK, NETLINK_CAP_ACK, on);
    native().setsockopt(this.fd, SOL_NETLINK, NETLINK_EXT_ACK, on);
  }

  /** Sends the request and reads its acknowledgements. Throws NetlinkError for the first failure. */
  request(request: NetlinkRequest): void {
    this.send(request.bytes);
    let missing = request.acks;
    while (missing > 0) {
      for (const message of this.receive()) {
        if (message.type !== NLMSG_ERROR) continue;
        const { errno, text } = parseAcknowledgement(message);
        if (errno !== 0) {
          this.drain();
          throw new NetlinkError(errno, summary(request.describe), text);
        }
        missing -= 1;
      }
    }
  }

  /** Sends a GET and returns every message of the answer, of a dump until its end. `what` names it in errors. */
  query(bytes: Uint8Array, what: string): ReceivedMessage[] {
    this.send(bytes);
    const flags = new DataView(bytes.buffer, bytes.byteOffset).getUint16(6, true);
    const isDump = (flags & 0x300) === 0x300;
    const found: ReceivedMessage[] = [];
    for (;;) {
      // A copy: the next read reuses the buffer that the messages point into.
      for (const message of this.receive()) {
        if (message.type === NLMSG_DONE) return found;
        if (message.type === NLMSG_ERROR) {
          const { errno, text } = parseAcknowledgement(message);
          if (errno !== 0) throw new NetlinkError(errno, what, text);
          continue;
        }
        found.push({ ...message, payload: message.payload.slice() });
      }
      if (!isDump) return found;
    }
  }

  close(): void {
    if (this.fd >= 0) native().close(this.fd);
    this.fd = -1;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  private send(bytes: Uint8Array): void {
    const sent = native().write(this.fd, bytes, 0, bytes.length);
    if (sent < 0) throw new NetlinkError(-sent, "send to netlink");
  }

  private receive(): ReceivedMessage[] {
    const length = native().read(this.fd, this.buffer, 0, this.buffer.length);
    if (length < 0) throw new NetlinkError(-length, "read from netlink");
    return parseMessages(this.buffer.subarray(0, length));
  }

  /** Throws away the remaining answers of a request that failed. */
  private drain(): void {
    while (native().read(this.fd, this.buffer, 0, this.buffer.length) > 0);
  }
}
