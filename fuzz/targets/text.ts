/** Targets that read what people type: references, values of flags, templates, dates. */

import { rmSync, writeFileSync } from "node:fs";
import { parseDigest } from "../../src/base/digest.ts";
import { parseDuration } from "../../src/base/duration.ts";
import { formatReference, parseReference, withDefaultTag } from "../../src/base/reference.ts";
import { parseFilters } from "../../src/cli/filters.ts";
import { parseMount, parseTmpfs, parseVolume } from "../../src/cli/mounts.ts";
import { compileTemplate } from "../../src/cli/template/render.ts";
import { parseTimestamp } from "../../src/cli/time-values.ts";
import {
  parseCpus,
  parseDetachKeys,
  parseEnvironment,
  parseMap,
  parseSignal,
  parseSize,
  parseUlimit,
  readEnvironmentFile,
  readLabelFile,
} from "../../src/cli/values.ts";
import { parseAddHost } from "../../src/network/files.ts";
import { parseExposed, parsePublish } from "../../src/network/ports.ts";
import { capabilityMask, selectCapabilities } from "../../src/runtime/generate/capabilities.ts";
import { resolveUser } from "../../src/runtime/generate/user.ts";
import { Finding, type Target } from "../target.ts";

const DIGEST = `sha256:${"0123456789abcdef".repeat(4)}`;

export const reference: Target = {
  name: "reference",
  seeds: ["alpine", "a.example:5000/b/c:1.2", `localhost/a@${DIGEST}`, "[::1]:5000/a__b/c-d:tag", DIGEST],
  codes: ["invalid"],
  run(input) {
    const text = input.toString("utf8");
    if (text.startsWith("sha256:")) return parseDigest(text);
    const parsed = withDefaultTag(parseReference(text));
    const again = parseReference(formatReference(parsed));
    if (formatReference(again) !== formatReference(parsed))
      throw new Finding(`${formatReference(parsed)} is read as ${formatReference(again)}`);
    return Object.keys(parsed).join();
  },
};

const whole = (value: number) => {
  if (!Number.isSafeInteger(value)) throw new Finding(`${value} is no whole number`);
  return value < 0 ? "negative" : "number";
};

/** A file for those that read one. */
const FILE = `/tmp/bocker-fuzz-${process.pid}.env`;

function throughFile(input: Buffer, read: (path: string) => string[]): string {
  writeFileSync(FILE, input);
  return String(read(FILE).length > 0);
}

/** The first word of an input says which value it is. */
const VALUES: Record<string, (text: string, input: Buffer) => unknown> = {
  size: (text) => whole(parseSize(text)),
  cpus: (text) => whole(parseCpus(text)),
  ulimit: (text) => {
    const { soft, hard } = parseUlimit(text);
    return [BigInt(soft), BigInt(hard)].length;
  },
  signal: (text) => whole(parseSignal(text)),
  keys: (text) => parseDetachKeys(text).length,
  env: (text) => parseEnvironment([text]).length,
  map: (text) => Object.keys(parseMap([text])).length,
  envfile: (_, input) => throughFile(input, readEnvironmentFile),
  labelfile: (_, input) => throughFile(input, readLabelFile),
  volume: (text) => parseVolume(text).type,
  mount: (text) => parseMount(text).type,
  tmpfs: (text) => parseTmpfs(text).type,
  publish: (text) => {
    for (const port of parsePublish(text))
      if (
        port.containerPort < 1 ||
        port.containerPort > 65535 ||
        port.hostPortFirst < 0 ||
        port.hostPortLast > 65535
      )
        throw new Finding(`${text} is ${JSON.stringify(port)}`);
    return "ports";
  },
  expose: (text) => parseExposed(text).length > 0,
  duration: (text) => typeof parseDuration(text),
  timestamp: (text) => parseTimestamp(text, 1_700_000_000_000).length,
  filter: (text) => parseFilters([text], ["name", "label"]).size,
  host: (text) => typeof parseAddHost(text, "10.0.0.1"),
  user: (text) => {
    const [user = "", passwd = "", group = ""] = text.split("|");
    const found = resolveUser(user, passwd, group);
    return [found.uid, found.gid, ...found.groups].map(whole).join();
  },
  cap: (text) =>
    capabilityMask(
      selectCapabilities({ add: text.split(","), drop: [], privileged: false }, (1n << 41n) - 1n),
    ) > 0n,
};

export const values: Target = {
  name: "values",
  seeds: [
    "size 64m",
    "size 1.5gib",
    "cpus 1.25",
    "ulimit nofile=1024:2048",
    "ulimit core=-1",
    "signal SIGRTMIN+3",
    "keys ctrl-p,ctrl-q",
    "env KEY=value",
    "env PATH",
    "map a=b=c",
    "envfile A=1\n# comment\nB\n\tC=2\r\n",
    "labelfile a=b\n",
    "volume /tmp:/data:ro,Z",
    "volume name:/v:nocopy",
    "mount type=bind,source=/tmp,target=/x,readonly",
    "mount type=tmpfs,target=/x,tmpfs-size=64m,tmpfs-mode=1770",
    'mount "type=volume,src=v",dst=/a,volume-opt=o=b',
    "tmpfs /run:rw,size=64m,mode=755",
    "publish 127.0.0.1:8000-8010:80-90/udp",
    "publish published=8080,target=80,protocol=udp",
    "publish [::1]:80:80",
    "expose 7000-7010/tcp",
    "duration 1h2m3.5s",
    "timestamp 2024-02-29T12:30:00.123456789+01:00",
    "timestamp 1700000000.5",
    "timestamp 10m",
    "filter label=a=b",
    "host db:10.0.0.2",
    "host a:host-gateway",
    "user me:wheel|root:x:0:0::/:/bin/sh\nme:x:5:6:c:/home:/sh|wheel:x:7:me,root\n",
    "user 1000:1000||",
    "cap NET_ADMIN,ALL,CAP_SYS_TIME",
  ],
  codes: ["invalid", "usage", "unsupported", "not-found", "start-failed"],
  run(input) {
    const space = input.indexOf(0x20);
    const kind = input.subarray(0, Math.max(space, 0)).toString("latin1");
    const rest = input.subarray(space + 1);
    const read = Object.hasOwn(VALUES, kind) ? VALUES[kind] : undefined;
    return read === undefined ? "nothing" : `${kind} ${String(read(rest.toString("utf8"), rest))}`;
  },
  close: () => rmSync(FILE, { force: true }),
};

const DATA = {
  ID: "abc",
  Names: ["a", "b"],
  Labels: { x: "1", __proto__: "2" },
  Size: 12,
  Nothing: null,
  State: { Running: true },
};

export const template: Target = {
  name: "template",
  seeds: [
    "{{.ID}}",
    "table {{.ID}}\t{{.Names}}",
    "{{range $i, $n := .Names}}{{$i}}={{$n}},{{else}}none{{end}}",
    "{{json .Labels}}",
    '{{if and .State.Running (eq .Size 12)}}{{index .Labels "x"}}{{else if .Nothing}}{{end}}',
    '{{with .State}}{{printf "%s %d" .Running 1}}{{end}}',
    '{{- .ID | upper | printf "%-10s" -}}',
    '{{/* c */}}{{len .Names}}{{join .Names ","}}{{split .ID "b"}}',
    "{{slice .ID 0 2}}{{`raw`}}{{$x := 1}}{{$x}}",
    "{{println (not .Nothing) \"\\u00e9\\n\" 0x1f 1.5 'a'}}",
    '{{define "x"}}{{.}}{{if .}}{{template "x" (slice . 1)}}{{end}}{{end}}{{block "y" .ID}}{{template "x" .}}{{end}}',
    "{{0x_1p-2}} {{1_000}} {{017}} {{lt 1.5 2.0}} {{ne `a` nil}}",
  ],
  codes: ["invalid", "unsupported"],
  run(input) {
    const text = compileTemplate(input.toString("utf8"))(DATA);
    if (typeof text !== "string") throw new Finding(`a template makes ${typeof text}`);
    return text.length > 0;
  },
};
