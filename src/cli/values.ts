/** Values of flags: sizes, limits, environment files, security options, in Docker's notation and with its errors. */

import { BockerError } from "../base/errors.ts";
import { readText } from "../os/host-files.ts";
import { SIGNALS } from "../os/signals.ts";
import { RLIMITS } from "../runtime/plan/rlimits.ts";
import type { HostConfig, Ulimit } from "../spec/container.ts";
import type { FlagValues } from "./flags.ts";

const UNITS: Record<string, number> = {
  "": 1,
  b: 1,
  k: 2 ** 10,
  m: 2 ** 20,
  g: 2 ** 30,
  t: 2 ** 40,
  p: 2 ** 50,
};

/** "64m", "1.5g", "512" as bytes (docker/go-units RAMInBytes). */
export function parseSize(text: string): number {
  const match = /^(\d+(?:\.\d+)?) ?([bkmgtp]?)(?:ib|b)?$/i.exec(text);
  const bytes = Math.floor(Number(match?.[1]) * (UNITS[match?.[2]?.toLowerCase() ?? ""] ?? Number.NaN));
  if (match === null || !Number.isSafeInteger(bytes))
    throw new BockerError("invalid", `invalid size: '${text}'`);
  return bytes;
}

/** --cpus in billionths of a processor. */
export function parseCpus(text: string): number {
  if (!/^\d{1,6}(\.\d{1,9})?$|^\.\d{1,9}$/.test(text))
    throw new BockerError(
      "usage",
      `invalid argument ${JSON.stringify(text)} for "--cpus" flag: failed to parse ${text} as a rational number`,
    );
  return Math.round(Number(text) * 1e9);
}

/** name=soft[:hard]; -1 is unlimited. */
export function parseUlimit(text: string): Ulimit {
  const match = /^([a-z]+)=(-1|unlimited|\d{1,15})(?::(-1|unlimited|\d{1,15}))?$/.exec(text);
  if (match === null) throw new BockerError("invalid", `invalid ulimit argument: ${text}`);
  if (!(`RLIMIT_${match[1]!.toUpperCase()}` in RLIMITS))
    throw new BockerError("invalid", `invalid ulimit type: ${match[1]}`);
  const number = (value: string) => (value === "-1" || value === "unlimited" ? -1 : Number(value));
  const soft = number(match[2]!);
  const hard = match[3] === undefined ? soft : number(match[3]);
  if (hard !== -1 && (soft === -1 || soft > hard))
    throw new BockerError(
      "invalid",
      `ulimit soft limit must be less than or equal to hard limit: ${soft} > ${hard}`,
    );
  return { name: match[1]!, soft, hard };
}

/** KEY=VALUE, or KEY alone for the caller's own value; nothing when the caller has none. */
export function parseEnvironment(entries: string[]): string[] {
  return entries.flatMap((entry) => {
    if (entry.startsWith("=") || entry === "")
      throw new BockerError(
        "usage",
        `invalid argument ${JSON.stringify(entry)} for "-e, --env" flag: invalid environment variable: ${entry}`,
      );
    if (entry.includes("=")) return [entry];
    // Only variables: "toString" is a property that every object has.
    return Object.hasOwn(process.env, entry) ? [`${entry}=${process.env[entry]}`] : [];
  });
}

function readLines(path: string): string[] {
  try {
    return readText(path)
      .replace(/^\ufeff/, "")
      .split(/\r?\n/);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    throw new BockerError(
      "invalid",
      `open ${path}: ${code === "ENOENT" ? "no such file or directory" : code === "EISDIR" ? "is a directory" : String(code)}`,
    );
  }
}

/** --env-file: one variable a line, # comments, no quoting. */
export function readEnvironmentFile(path: string): string[] {
  const lines = readLines(path)
    .map((line) => line.trimStart())
    .filter((line) => line !== "" && !line.startsWith("#"));
  for (const line of lines)
    if (/\s/.test(line.split("=", 1)[0] ?? ""))
      throw new BockerError(
        "invalid",
        `invalid env file (${path}): variable '${line.split("=", 1)[0]}' contains whitespaces`,
      );
  return parseEnvironment(lines);
}

/** key=value words as a map without a prototype: labels may be called __proto__. */
export function parseMap(entries: string[]): Record<string, string> {
  const map: Record<string, string> = Object.create(null);
  for (const entry of entries) {
    const equals = entry.indexOf("=");
    map[equals < 0 ? entry : entry.slice(0, equals)] = equals < 0 ? "" : entry.slice(equals + 1);
  }
  return map;
}

/** Of --label-file and --label. Throws "usage" for a label without a name (docker/cli opts.ValidateLabel). */
export function parseLabels(values: FlagValues): Record<string, string> {
  const entries = [...values.list("label-file").flatMap(readLabelFile), ...values.list("label")];
  for (const entry of entries)
    if (entry === "" || entry.startsWith("="))
      throw new BockerError(
        "usage",
        `invalid argument "${entry}" for "--label" flag: invalid label '${entry}': empty name`,
      );
  return parseMap(entries);
}

export function readLabelFile(path: string): string[] {
  return readLines(path)
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"));
}

type SecurityOptions = Pick<HostConfig, "seccomp" | "noNewPrivileges" | "unmaskedPaths">;

export function parseSecurityOptions(options: string[]): SecurityOptions {
  const result: SecurityOptions = { seccomp: "default", noNewPrivileges: false, unmaskedPaths: false };
  for (const option of options) {
    const [, key = "", value = ""] = /^([^=:]+)[=:]?(.*)$/s.exec(option) ?? [];
    if (key === "no-new-privileges" && ["", "true", "false"].includes(value))
      result.noNewPrivileges = value !== "false";
    else if (key === "seccomp" && value === "builtin") result.seccomp = "default";
    else if (key === "seccomp" && value === "unconfined") result.seccomp = value;
    else if (key === "seccomp" && value !== "") result.seccomp = readLines(value).join("\n");
    else if (key === "systempaths" && value === "unconfined") result.unmaskedPaths = true;
    else if (["apparmor", "label"].includes(key))
      throw new BockerError("unsupported", `--security-opt ${key} is not supported yet by bocker`);
    else throw new BockerError("invalid", `invalid --security-opt: ${JSON.stringify(option)}`);
  }
  return result;
}

const CTRL_P = 0x10;
const CTRL_Q = 0x11;

/** Docker's notation: letters and ctrl-LETTER, separated by commas. "" turns detaching off. */
export function parseDetachKeys(text: string | undefined): Uint8Array {
  if (text === undefined) return new Uint8Array([CTRL_P, CTRL_Q]);
  if (text === "") return new Uint8Array();
  return Uint8Array.from(
    text.split(",").map((key) => {
      const control = /^ctrl-([a-z@[\\\]^_])$/i.exec(key)?.[1];
      if (control !== undefined) return control.toUpperCase().charCodeAt(0) & 0x1f;
      if (key.length === 1) return key.charCodeAt(0);
      throw new BockerError("invalid", `invalid detach keys (${text}): Unknown character: '${key}'`);
    }),
  );
}

/** "SIGTERM", "term", "15", "RTMIN+3" as a number. */
export function parseSignal(text: string): number {
  const name = text.toUpperCase().replace(/^SIG/, "");
  const realtime = /^RTMIN(?:\+(\d{1,2}))?$/.exec(name);
  const number = /^\d{1,2}$/.test(name)
    ? Number(name)
    : realtime === null
      ? SIGNALS.indexOf(name) + 1
      : 34 + Number(realtime[1] ?? 0);
  if (number < 1 || number > 64) throw new BockerError("invalid", `invalid signal: ${text}`);
  return number;
}

/** The options of a storage driver, of which there is one: size. Throws "unsupported" for others. */
export function parseStorageSize(options: string[], flag: string): number | undefined {
  let size: number | undefined;
  for (const option of options) {
    const [key = "", value = ""] = option.split(/=(.*)/s);
    if (key !== "size")
      throw new BockerError("unsupported", `${flag} ${key} is not supported by bocker: only size= is`);
    size = parseSize(value);
  }
  return size;
}
