/**
 * Netlink messages as bytes: include/uapi/linux/netlink.h. No I/O.
 *
 * A message is a 16-byte header (length, type, flags, sequence, port), a family-specific header
 * and attributes (u16 length, u16 type, payload, padding to 4). All of it in the machine's own byte
 * order, which is little endian on every machine bocker supports; payloads of nf_tables are big endian.
 *
 * An attribute's length is 16 bits: longer payloads are refused here, never wrapped (GHSA-g54h-m393-cpwq).
 */
import { BockerError } from "../../base/errors.ts";

const NLM_F_REQUEST = 0x1;
export const NLM_F_ACK = 0x4;
const NLM_F_ROOT = 0x100;
const NLM_F_MATCH = 0x200;
export const NLM_F_DUMP = NLM_F_ROOT | NLM_F_MATCH;
export const NLM_F_EXCL = 0x200;
export const NLM_F_CREATE = 0x400;
export const NLM_F_APPEND = 0x800;

export const NLMSG_ERROR = 2;
export const NLMSG_DONE = 3;
const NLM_F_CAPPED = 0x100;
const NLM_F_ACK_TLVS = 0x200;
const NLMSGERR_ATTR_MSG = 1;

export const NLA_F_NESTED = 0x8000;
const NLA_TYPE_MASK = 0x3fff;

/** u16 length of an attribute, less its own 4-byte header. */
export const MAX_ATTRIBUTE_PAYLOAD = 65531;
/** What one sendmsg may carry; beyond it the kernel answers EMSGSIZE for the default send buffer. */
const MAX_REQUEST_BYTES = 1 << 20;

const HEADER_BYTES = 16;

/** Something to send in one sendmsg, and what to expect back. */
export interface NetlinkRequest {
  /** One message or several, each 4-byte aligned. */
  readonly bytes: Uint8Array;
  /** How many NLMSG_ERROR replies with error 0 mean success. The first other one is the failure. */
  readonly acks: number;
  /** The iproute2 or nft commands that do the same, for `--explain=sh`. */
  readonly describe: readonly string[];
  /** Byte offset of the u32 that holds the number of a network namespace's descriptor. */
  readonly fdOffset?: number;
}

/** Builds messages one after another in a growing buffer. */
export class MessageBuilder {
  private buffer = new Uint8Array(512);
  private view = new DataView(this.buffer.buffer);
  private length = 0;
  private messageStart = 0;
  private sequence = 0;

  /** Starts a message; NLM_F_REQUEST is added to `flags`. Ends the one before. */
  message(type: number, flags: number, header: Uint8Array): this {
    this.finishMessage();
    this.messageStart = this.length;
    this.reserve(HEADER_BYTES);
    this.view.setUint16(this.messageStart + 4, type, true);
    this.view.setUint16(this.messageStart + 6, flags | NLM_F_REQUEST, true);
    this.sequence += 1;
    this.view.setUint32(this.messageStart + 8, this.sequence, true);
    this.raw(header);
    return this;
  }

  /** Bytes without an attribute header, padded to 4: a nested ifinfomsg. */
  raw(data: Uint8Array): this {
    const at = this.length;
    this.reserve((data.length + 3) & ~3);
    this.buffer.set(data, at);
    return this;
  }

  attribute(type: number, data: Uint8Array): this {
    if (data.length > MAX_ATTRIBUTE_PAYLOAD) {
      throw new BockerError(
        "invalid",
        `netlink attribute ${type & NLA_TYPE_MASK} is ${data.length} bytes long; the limit is ${MAX_ATTRIBUTE_PAYLOAD}`,
      );
    }
    const at = this.length;
    this.reserve((4 + data.length + 3) & ~3);
    this.view.setUint16(at, 4 + data.length, true);
    this.view.setUint16(at + 2, type, true);
    this.buffer.set(data, at + 4);
    return this;
  }

  u8(type: number, value: number): this {
    return this.attribute(type, Uint8Array.of(value));
  }

  u32(type: number, value: number): this {
    const data = new Uint8Array(4);
    new DataView(data.buffer).setUint32(0, value, true);
    return this.attribute(type, data);
  }

  /** Big endian, as nf_tables wants its numbers. */
  be32(type: number, value: number): this {
    const data = new Uint8Array(4);
    new DataView(data.buffer).setUint32(0, value, false);
    return this.attribute(type, data);
  }

  /** NUL-terminated. A NUL inside would cut the name short in the kernel, so it is refused. */
  string(type: number, value: string): this {
    if (value.includes("\0"))
      throw new BockerError("invalid", `a name contains a NUL byte: ${JSON.stringify(value)}`);
    return this.attribute(type, Buffer.from(`${value}\0`));
  }

  /** An attribute whose payload is what `body` adds. Pass `type | NLA_F_NESTED` where the family wants it. */
  nest(type: number, body: () => void): this {
    const at = this.length;
    this.reserve(4);
    body();
    const size = this.length - at;
    if (size - 4 > MAX_ATTRIBUTE_PAYLOAD) {
      throw new BockerError(
        "invalid",
        `netlink attribute ${type & NLA_TYPE_MASK} holds ${size - 4} bytes; the limit is ${MAX_ATTRIBUTE_PAYLOAD}`,
      );
    }
    this.view.setUint16(at, size, true);
    this.view.setUint16(at + 2, type, true);
    return this;
  }

  /** Where the next byte will go: to remember the place of a value that is patched later. */
  get offset(): number {
    return this.length;
  }

  /** Everything so far, the last message's length filled in. */
  finish(): Uint8Array {
    this.finishMessage();
    return this.buffer.slice(0, this.length);
  }

  private finishMessage(): void {
    if (this.length === 0) return;
    this.view.setUint32(this.messageStart, this.length - this.messageStart, true);
  }

  private reserve(bytes: number): void {
    const wanted = this.length + bytes;
    if (wanted > MAX_REQUEST_BYTES) {
      throw new BockerError("invalid", `a netlink request of more than ${MAX_REQUEST_BYTES} bytes`);
    }
    if (wanted > this.buffer.length) {
      const grown = new Uint8Array(Math.max(wanted, this.buffer.length * 2));
      grown.set(this.buffer);
      this.buffer = grown;
      this.view = new DataView(grown.buffer);
    }
    this.length = wanted;
  }
}

/** Several requests as one sendmsg. At most one may carry a descriptor to patch. */
export function joinRequests(requests: readonly NetlinkRequest[]): NetlinkRequest {
  let total = 0;
  for (const request of requests) total += request.bytes.length;
  const bytes = new Uint8Array(total);
  const view = new DataView(bytes.buffer);
  let at = 0;
  let acks = 0;
  let sequence = 0;
  let fdOffset: number | undefined;
  for (const request of requests) {
    bytes.set(request.bytes, at);
    for (let start = at; start < at + request.bytes.length; ) {
      sequence += 1;
      view.setUint32(start + 8, sequence, true);
      start += (view.getUint32(start, true) + 3) & ~3;
    }
    if (request.fdOffset !== undefined) {
      if (fdOffset !== undefined) throw new BockerError("internal", "two descriptors in one netlink request");
      fdOffset = at + request.fdOffset;
    }
    at += request.bytes.length;
    acks += request.acks;
  }
  const describe = requests.flatMap((request) => request.describe);
  return fdOffset === undefined ? { bytes, acks, describe } : { bytes, acks, describe, fdOffset };
}

/** One received message; `payload` starts after the 16-byte header. */
export interface ReceivedMessage {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  readonly payload: Uint8Array;
}

/** The messages of one datagram. A length that does not fit is an error: the kernel never sends one. */
export function parseMessages(datagram: Uint8Array): ReceivedMessage[] {
  const view = new DataView(datagram.buffer, datagram.byteOffset, datagram.byteLength);
  const messages: ReceivedMessage[] = [];
  for (let at = 0; at + HEADER_BYTES <= datagram.length; ) {
    const length = view.getUint32(at, true);
    if (length < HEADER_BYTES || at + length > datagram.length) {
      throw new BockerError("internal", `netlink message of ${length} bytes in ${datagram.length - at}`);
    }
    messages.push({
      type: view.getUint16(at + 4, true),
      flags: view.getUint16(at + 6, true),
      sequence: view.getUint32(at + 8, true),
      payload: datagram.subarray(at + HEADER_BYTES, at + length),
    });
    at += (length + 3) & ~3;
  }
  return messages;
}

/** Attributes by type (the nested and byte-order bits removed); of several with one type, the last. */
export type Attributes = ReadonlyMap<number, Uint8Array>;

export function parseAttributes(data: Uint8Array): Attributes {
  const attributes = new Map<number, Uint8Array>();
  for (const [type, payload] of listAttributes(data)) attributes.set(type, payload);
  return attributes;
}

/** Attributes in order: for lists, whose members share a type. */
export function listAttributes(data: Uint8Array): [type: number, payload: Uint8Array][] {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const list: [number, Uint8Array][] = [];
  for (let at = 0; at + 4 <= data.length; ) {
    const length = view.getUint16(at, true);
    if (length < 4 || at + length > data.length) {
      throw new BockerError("internal", `netlink attribute of ${length} bytes in ${data.length - at}`);
    }
    list.push([view.getUint16(at + 2, true) & NLA_TYPE_MASK, data.subarray(at + 4, at + length)]);
    at += (length + 3) & ~3;
  }
  return list;
}

export function readU32(data: Uint8Array | undefined): number | undefined {
  if (data === undefined || data.length < 4) return undefined;
  return new DataView(data.buffer, data.byteOffset, 4).getUint32(0, true);
}

export function readBe32(data: Uint8Array | undefined): number | undefined {
  if (data === undefined || data.length < 4) return undefined;
  return new DataView(data.buffer, data.byteOffset, 4).getUint32(0, false);
}

/** Text up to the first NUL. */
export function readString(data: Uint8Array | undefined): string | undefined {
  if (data === undefined) return undefined;
  const end = data.indexOf(0);
  return Buffer.from(end < 0 ? data : data.subarray(0, end)).toString("utf8");
}

/** Throws "internal" for a message that ends before what each of its kind has: the kernel never sends one. */
export function requirePayload(message: ReceivedMessage, bytes: number): void {
  if (message.payload.length < bytes) {
    throw new BockerError(
      "internal",
      `netlink message of type ${message.type} with ${message.payload.length} bytes; it has at least ${bytes}`,
    );
  }
}

/** An NLMSG_ERROR reply: errno 0 is an acknowledgement; `text` is the kernel's extended ack. */
export interface Acknowledgement {
  readonly errno: number;
  readonly text?: string;
}

export function parseAcknowledgement(message: ReceivedMessage): Acknowledgement {
  // With the header that it answers, which is not always read.
  requirePayload(message, 4 + HEADER_BYTES);
  const view = new DataView(message.payload.buffer, message.payload.byteOffset, message.payload.byteLength);
  const errno = -view.getInt32(0, true);
  if ((message.flags & NLM_F_ACK_TLVS) === 0) return { errno };
  // struct nlmsgerr: error, then the offending header, and its payload too unless it was capped.
  const quoted = (message.flags & NLM_F_CAPPED) !== 0 ? HEADER_BYTES : (view.getUint32(4, true) + 3) & ~3;
  const text = readString(parseAttributes(message.payload.subarray(4 + quoted)).get(NLMSGERR_ATTR_MSG));
  return text === undefined ? { errno } : { errno, text };
}
