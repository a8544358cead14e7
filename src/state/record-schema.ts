/** The shape of what the database keeps: a record that is not of it was damaged, or written by something else. */
import * as v from "valibot";
import { platformSchema, stringMapSchema } from "../spec/descriptor.ts";

const strings = v.array(v.string());
const count = v.pipe(v.number(), v.safeInteger());
const portFields = {
  protocol: v.picklist(["tcp", "udp", "sctp"]),
  containerPort: count,
  hostIp: v.string(),
};

const containerSchema = v.looseObject({
  id: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)),
  name: v.pipe(v.string(), v.nonEmpty()),
  created: v.string(),
  imageId: v.string(),
  layers: strings,
  config: v.looseObject({
    hostname: v.string(),
    user: v.string(),
    tty: v.boolean(),
    openStdin: v.boolean(),
    env: strings,
    cmd: strings,
    entrypoint: strings,
    image: v.string(),
    labels: stringMapSchema,
    workingDir: v.string(),
    stopSignal: v.string(),
    stopTimeout: v.number(),
    exposedPorts: strings,
  }),
  host: v.looseObject({
    autoRemove: v.boolean(),
    networkMode: v.string(),
    ports: v.array(v.looseObject({ ...portFields, hostPortFirst: count, hostPortLast: count })),
    capAdd: strings,
    capDrop: strings,
    privileged: v.boolean(),
    noNewPrivileges: v.boolean(),
    seccomp: v.string(),
    readonlyRoot: v.boolean(),
    sysctls: stringMapSchema,
  }),
  mounts: v.array(
    v.looseObject({
      type: v.picklist(["bind", "volume", "tmpfs"]),
      name: v.string(),
      source: v.string(),
      destination: v.string(),
      readOnly: v.boolean(),
    }),
  ),
  attachment: v.optional(
    v.looseObject({
      network: v.string(),
      address: v.pipe(v.string(), v.ipv4()),
      published: v.array(v.looseObject({ ...portFields, hostPort: count })),
    }),
  ),
});

const imageSchema = v.looseObject({
  id: v.string(),
  created: v.string(),
  architecture: v.string(),
  os: v.string(),
  manifest: v.optional(v.string()),
  chain: strings,
  size: count,
  blobs: strings,
  config: v.looseObject({}),
});

const indexSchema = v.looseObject({
  digest: v.string(),
  mediaType: v.string(),
  size: count,
  entries: v.array(
    v.looseObject({
      digest: v.string(),
      mediaType: v.string(),
      blobs: strings,
      image: v.optional(v.looseObject({ id: v.string(), platform: platformSchema })),
    }),
  ),
});

const volumeSchema = v.looseObject({
  name: v.string(),
  created: v.string(),
  labels: stringMapSchema,
  anonymous: v.boolean(),
  owner: v.optional(v.string()),
  rename: v.optional(v.looseObject({ from: v.string(), to: v.string() })),
});

/** By table. */
const SCHEMAS = {
  containers: containerSchema,
  images: imageSchema,
  indexes: indexSchema,
  volumes: volumeSchema,
};

export type RecordTable = keyof typeof SCHEMAS;

/** What is wrong with a record's text; undefined when nothing is. */
export function faultOfRecord(table: RecordTable, text: string): string | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return "is no JSON";
  }
  const result = v.safeParse(SCHEMAS[table], value);
  if (result.success) return undefined;
  const [issue] = result.issues;
  return `is not as it was written: ${v.getDotPath(issue) ?? "record"}: ${issue.message}`;
}
