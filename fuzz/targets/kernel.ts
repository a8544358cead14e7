/** Targets that read what the kernel and the monitor say: netlink, messages, files of the run directory. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { parseLayout } from "../../src/cgroup/layout.ts";
import { parseLogEntry } from "../../src/engine/logs.ts";
import { parseEvent } from "../../src/monitor/protocol.ts";
import { parsePublished } from "../../src/network/bridge/firewall.ts";
import { NLMSG_ERROR, parseAcknowledgement, parseMessages } from "../../src/os/netlink/message.ts";
import { parseElements } from "../../src/os/netlink/nftables.ts";
import { dumpLinks, parseAddress, parseLink, parseRoute } from "../../src/os/netlink/rtnetlink.ts";
import { containerPaths, pathsOf } from "../../src/state/paths.ts";
import { monitorPid, readState, startedAt } from "../../src/state/status.ts";
import { Finding, type Target } from "../target.ts";

/** A message of netlink with attributes behind a header of its family. */
function message(type: number, header: number[], attributes: [type: number, payload: number[]][]): Buffer {
  const parts = attributes.flatMap(([attribute, payload]) => {
    const padding = Array<number>((4 - (payload.length % 4)) % 4).fill(0);
    return [payload.length + 4, 0, attribute, 0, ...payload, ...padding];
  });
  const bytes = Buffer.from([...Array<number>(16).fill(0), ...header, ...parts]);
  bytes.writeUInt32LE(bytes.length, 0);
  bytes.writeUInt16LE(type, 4);
  return bytes;
}

const zeros = (n: number) => Array<number>(n).fill(0);
const NEW_ELEMENTS = (10 << 8) | 12;
const KEY = [16, 0, 1, 0, 6, 0, 0, 0, 127, 0, 0, 1, 0, 80, 0, 0];

export const netlink: Target = {
  name: "netlink-messages",
  seeds: [
    message(NLMSG_ERROR, zeros(20), []),
    message(NLMSG_ERROR, [0xfe, 0xff, 0xff, 0xff, 20, 0, 0, 0, ...zeros(12)], [[1, [0x6e, 0x6f, 0]]]),
    message(16, zeros(16), [
      [3, [0x65, 0x30, 0]],
      [10, [1, 0, 0, 0]],
      [1, zeros(6)],
      [18, [8, 0, 1, 0, 0x61, 0x62, 0, 0]],
    ]),
    message(
      20,
      [2, 24, 0, 0, 3, 0, 0, 0],
      [
        [1, [10, 0, 0, 1]],
        [2, [10, 0, 0, 1]],
      ],
    ),
    message(
      24,
      [2, 24, 0, 0, 254, 0, 0, 1, 0, 0, 0, 0],
      [
        [1, [10, 0, 0, 0]],
        [5, [10, 0, 0, 1]],
        [4, [2, 0, 0, 0]],
      ],
    ),
    message(NEW_ELEMENTS, zeros(4), [[3, [24, 0, 1, 0, 20, 0, 1, 0, ...KEY]]]),
    message(10 << 8, zeros(4), [[1, [0x61, 0]]]),
    dumpLinks(),
  ],
  codes: ["internal"],
  run(input) {
    return parseMessages(input)
      .map((found) => {
        if (found.type === NLMSG_ERROR) return parseAcknowledgement(found).errno === 0;
        const elements = parseElements(found).map(parsePublished);
        return `${typeof parseLink(found)} ${typeof parseAddress(found)} ${typeof parseRoute(found)} ${elements.length}`;
      })
      .join();
  },
};

const packet = (...bytes: number[]) => Buffer.from(bytes);

export const monitorPackets: Target = {
  name: "monitor-packets",
  seeds: [
    packet(0x53, 1, 0, 0, 0),
    packet(0x46, 2, 0, 0, 0, 13, 0, 0, 0),
    packet(0x58, 1, 0, 0, 0, 1),
    packet(0x51),
    packet(0x54, ...zeros(23)),
  ],
  codes: ["internal"],
  run(input) {
    const event = parseEvent(input);
    if (event?.type === "started" && (event.pid < 1 || event.pid > 2 ** 22))
      throw new Finding(`a pid of ${event.pid}`);
    return event?.type;
  },
};

const ROOT = `/tmp/bocker-fuzz-${process.pid}-state`;
const ID = "a".repeat(64);
const STATE =
  '{"pid":1,"pidStart":5,"monitor":1,"monitorStart":5,"started":"2024-01-01T00:00:00.000000000Z"}\n';
const EXIT = '{"code":137,"oom":true,"finished":"2024-01-01T00:00:00.000000000Z"}\n';

export const monitorFiles: Target = {
  name: "monitor-files",
  seeds: [`${STATE}\0${EXIT}`, `${STATE}\0`, `\0${EXIT}`, "null\0null"],
  codes: ["corrupt"],
  run(input) {
    const files = containerPaths(pathsOf(`${ROOT}/data`, `${ROOT}/run`), ID);
    const [state = "", exit = ""] = input.toString("utf8").split("\0");
    for (const [path, text] of [
      [files.state, state],
      [files.exit, exit],
    ] as const) {
      mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true });
      if (text === "") rmSync(path, { force: true });
      else writeFileSync(path, text);
    }
    const paths = pathsOf(`${ROOT}/data`, `${ROOT}/run`);
    const found = readState(paths, ID);
    const numbers =
      found.status === "running" ? [found.pid, found.monitor] : found.status === "exited" ? [found.code] : [];
    if (!numbers.every(Number.isSafeInteger))
      throw new Finding(`numbers that are none: ${JSON.stringify(found)}`);
    if (found.status === "running" && (found.pid < 1 || found.monitor < 1))
      throw new Finding(`a pid of ${found.pid}`);
    const monitor = monitorPid(paths, ID);
    if (monitor !== undefined && !(monitor > 0)) throw new Finding(`a monitor of ${monitor}`);
    return `${found.status} ${typeof startedAt(paths, ID)}`;
  },
  close: () => rmSync(ROOT, { recursive: true, force: true }),
};

export const logLines: Target = {
  name: "log-lines",
  seeds: ['{"log":"a\\n","stream":"stdout","time":"2024-01-01T00:00:00.000000000Z"}', "null", '{"log":1}'],
  codes: [],
  run(input) {
    const entry = parseLogEntry(input.toString("utf8"));
    if (entry !== undefined && typeof entry.log !== "string") throw new Finding("an entry without text");
    return typeof entry;
  },
};

export const mountinfo: Target = {
  name: "mountinfo",
  seeds: [
    "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n\x000::/user.slice/a\\040b\n",
    "31 30 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\x009:memory:/\n",
  ],
  codes: ["platform", "corrupt", "internal"],
  run(input) {
    const [table = "", membership = ""] = input.toString("utf8").split("\0");
    return Object.keys(parseLayout(table, membership)).join();
  },
};
