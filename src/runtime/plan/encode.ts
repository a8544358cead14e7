/** A plan as the bytes that the launcher reads (launcher/PROTOCOL.md). */
import { BockerError } from "../../base/errors.ts";
import { type MonitorConfig, OPERATIONS, type Operation, PHASES, type Plan } from "./operation.ts";

const MAGIC = 0x324b4342;
const HEADER_SIZE = 16;
const OPERATION_HEADER_SIZE = 16;
const FLAG_OPTIONAL = 1;
const PLAN_TIMINGS = 1;
export const MAX_OPERATIONS = 4096;
const U32 = 0x100000000;

type Value = string | number | bigint | boolean | Uint8Array | Value[];

/** Grows as needed; every argument starts at a multiple of eight bytes. */
class Writer {
  bytes = Buffer.alloc(4096);
  length = 0;

  reserve(size: number): number {
    const at = this.length;
    if (at + size > this.bytes.length) {
      const larger = Buffer.alloc(Math.max(this.bytes.length * 2, at + size));
      this.bytes.copy(larger, 0, 0, at);
      this.bytes = larger;
    }
    this.length = at + size;
    return at;
  }

  int(value: number | bigint): void {
    const at = this.reserve(8);
    if (typeof value === "number" && value >= 0 && value <= Number.MAX_SAFE_INTEGER) {
      this.bytes.writeUInt32LE(value % U32, at);
      this.bytes.writeUInt32LE(Math.floor(value / U32), at + 4);
    } else this.bytes.writeBigUInt64LE(BigInt.asUintN(64, BigInt(value)), at);
  }

  data(value: Uint8Array): void {
    this.int(value.length);
    const at = this.reserve((value.length + 1 + 7) & ~7);
    this.bytes.set(value, at);
  }

  string(value: string): void {
    if (value.includes("\0"))
      throw new BockerError("invalid", `a NUL byte is not allowed: ${JSON.stringify(value)}`);
    this.data(decodeRawBytes(value));
  }

  value(value: Value): void {
    if (typeof value === "string") this.string(value);
    else if (typeof value === "boolean") this.int(value ? 1 : 0);
    else if (typeof value === "number" || typeof value === "bigint") this.int(value);
    else if (value instanceof Uint8Array) this.data(value);
    else {
      this.int(value.length);
      // A pair (a filesystem's option) is two values, not a list with a count of its own.
      for (const item of value) {
        if (Array.isArray(item)) for (const part of item) this.value(part);
        else this.value(item);
      }
    }
  }
}

/** Arguments that were not UTF-8 travel as lone surrogates U+DC80..U+DCFF (PEP 383); here they are bytes again. */
function decodeRawBytes(value: string): Uint8Array {
  if (!/[\udc80-\udcff]/.test(value)) return Buffer.from(value, "utf8");
  const parts: Buffer[] = [];
  for (const character of value) {
    const code = character.charCodeAt(0);
    const raw = character.length === 1 && code >= 0xdc80 && code <= 0xdcff;
    parts.push(raw ? Buffer.from([code - 0xdc00]) : Buffer.from(character, "utf8"));
  }
  return Buffer.concat(parts);
}

function writeOperation(writer: Writer, operation: Operation): void {
  const { code, fields } = OPERATIONS[operation.op];
  const at = writer.reserve(OPERATION_HEADER_SIZE);
  const values = operation as unknown as Record<string, Value>;
  for (const field of fields) writer.value(values[field as string] as Value);
  writer.bytes.writeUInt16LE(code, at);
  writer.bytes.writeUInt8(PHASES.indexOf(operation.phase), at + 2);
  writer.bytes.writeUInt8(operation.optional === true ? FLAG_OPTIONAL : 0, at + 3);
  writer.bytes.writeUInt16LE(operation.tolerate ?? 0, at + 4);
  writer.bytes.writeUInt32LE(writer.length - at - OPERATION_HEADER_SIZE, at + 8);
}

function monitorFlags(monitor: MonitorConfig): number {
  return (
    (monitor.tty ? 1 : 0) |
    (monitor.stdin ? 2 : 0) |
    (monitor.stdinOnce ? 4 : 0) |
    (monitor.durable ? 8 : 0) |
    (monitor.session ? 16 : 0) |
    (monitor.locked ? 32 : 0)
  );
}

/** The first bytes of a plan: its header, and what the monitor is told. Throws "invalid" for a NUL byte in a string. */
export function encodeBeginning(plan: Pick<Plan, "monitor" | "timings">): Uint8Array {
  const writer = new Writer();
  writer.reserve(HEADER_SIZE);
  const { monitor } = plan;
  const values: Value[] = [
    monitorFlags(monitor),
    monitor.logPath,
    monitor.logMaxSize,
    monitor.logMaxFiles,
    monitor.exitPath,
    monitor.runDirectory,
    monitor.oomPath,
    monitor.detachKeys,
    monitor.discardPath,
    monitor.callArgv,
    monitor.callEnv,
  ];
  for (const value of values) writer.value(value);
  const { bytes, length } = writer;
  bytes.writeUInt32LE(MAGIC, 0);
  bytes.writeUInt32LE(plan.timings ? PLAN_TIMINGS : 0, 4);
  bytes.writeUInt32LE(length - HEADER_SIZE, 8);
  return bytes.subarray(0, length);
}

/** Operations as they follow in a plan, in any number of parts. Throws "invalid" for a NUL byte in a string. */
export function encodeOperations(operations: readonly Operation[]): Uint8Array {
  const writer = new Writer();
  for (const operation of operations) writeOperation(writer, operation);
  return writer.bytes.subarray(0, writer.length);
}

/** The bytes of a whole plan. Throws BockerError "invalid" for a NUL byte in a string, or too many operations. */
export function encodePlan(plan: Plan): Uint8Array {
  if (plan.operations.length > MAX_OPERATIONS)
    throw new BockerError("invalid", `too many steps for one container: ${plan.operations.length}`);
  return Buffer.concat([encodeBeginning(plan), encodeOperations(plan.operations)]);
}
