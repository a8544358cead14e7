/** Messages between the engine and a container's monitor (launcher/PROTOCOL.md). Each is one packet. */
import { BockerError } from "../base/errors.ts";

const ATTACH_STDIN = 1;
const ATTACH_STDOUT = 2;
const ATTACH_STDERR = 4;
const ATTACH_NO_DETACH = 8;

/** Descriptors of the caller that the monitor reads from and writes to directly. */
export interface Streams {
  stdin?: number | undefined;
  stdout?: number | undefined;
  stderr?: number | undefined;
}

/** "Attach me": the packet and the descriptors that go with it, in order. */
export function attachMessage(streams: Streams, detachable: boolean): { bytes: Uint8Array; fds: number[] } {
  const fds: number[] = [];
  let flags = detachable ? 0 : ATTACH_NO_DETACH;
  for (const [fd, flag] of [
    [streams.stdin, ATTACH_STDIN],
    [streams.stdout, ATTACH_STDOUT],
    [streams.stderr, ATTACH_STDERR],
  ] as const) {
    if (fd === undefined) continue;
    flags |= flag;
    fds.push(fd);
  }
  return { bytes: Uint8Array.of(0x41, flags), fds };
}

export function resizeMessage(rows: number, columns: number): Uint8Array {
  return Uint8Array.of(0x52, rows & 255, (rows >> 8) & 255, columns & 255, (columns >> 8) & 255);
}

/** Most bytes of input that fit into one packet. */
export const INPUT_LIMIT = 2048;

export function inputMessage(bytes: Uint8Array): Uint8Array {
  const message = new Uint8Array(bytes.length + 1);
  message[0] = 0x44;
  message.set(bytes, 1);
  return message;
}

export const INPUT_END = Uint8Array.of(0x45);

/** A container that has ended is done with: what its clients have not read by now they do not get. */
export const FINISH = Uint8Array.of(0x47);

export type MonitorEvent =
  | { type: "started"; pid: number }
  /** `operation` is the index in the plan; undefined when the plan itself could not be read. */
  | { type: "failed"; operation: number | undefined; errno: number }
  | { type: "exited"; code: number; oomKilled: boolean }
  | { type: "detached" }
  /** CLOCK_MONOTONIC nanoseconds after each operation; 0 for those not yet run. */
  | { type: "timings"; times: BigUint64Array };

/** It is signalled and looked up in /proc: 0 and -1 are not one process. */
function processId(value: number): number {
  if (value < 1 || value > PID_MAX)
    throw new BockerError("internal", `the monitor sent ${value} as a process`);
  return value;
}

/** How many bytes a packet of each kind has at least. */
const SIZES: Record<number, number> = { 83: 5, 70: 9, 88: 6, 84: 8 };
/** Linux's own limit. */
const PID_MAX = 2 ** 22;

/** Reads one packet; undefined for one that this version does not know. Throws "internal" for one that is cut off. */
export function parseEvent(packet: Uint8Array): MonitorEvent | undefined {
  if (packet.length < (SIZES[packet[0] ?? 0] ?? 0))
    throw new BockerError("internal", `the monitor sent ${packet.length} bytes of message ${packet[0]}`);
  const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength);
  switch (packet[0]) {
    case 0x53:
      return { type: "started", pid: processId(view.getUint32(1, true)) };
    case 0x46: {
      const operation = view.getUint32(1, true);
      return {
        type: "failed",
        operation: operation === 0xffffffff ? undefined : operation,
        errno: view.getInt32(5, true),
      };
    }
    case 0x58:
      return { type: "exited", code: view.getInt32(1, true), oomKilled: view.getUint8(5) !== 0 };
    case 0x51:
      return { type: "detached" };
    case 0x54: {
      const times = new BigUint64Array(Math.floor((packet.byteLength - 8) / 8));
      for (let i = 0; i < times.length; i++) times[i] = view.getBigUint64(8 + i * 8, true);
      return { type: "timings", times };
    }
    default:
      return undefined;
  }
}
