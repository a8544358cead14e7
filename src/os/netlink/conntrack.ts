/**
 * What the kernel's connection tracking remembers: include/uapi/linux/netfilter/nfnetlink_conntrack.h. IPv4. Pure.
 *
 * An entry has the addresses of the first packet (its original tuple) and those that an answer will have, which are others
 * where the packets are translated.
 */
import {
  MessageBuilder,
  type NetlinkRequest,
  NLA_F_NESTED,
  NLM_F_ACK,
  NLM_F_DUMP,
  parseAttributes,
  type ReceivedMessage,
} from "./message.ts";
import { FAMILY_IPV4, nfgenmsg } from "./nftables.ts";

const NFNL_SUBSYS_CTNETLINK = 1;
const IPCTNL_MSG_CT_NEW = 0;
const IPCTNL_MSG_CT_GET = 1;
const IPCTNL_MSG_CT_DELETE = 2;
const CTA_TUPLE_ORIG = 1;
const CTA_TUPLE_REPLY = 2;
const CTA_ID = 12;
const CTA_ZONE = 18;
const CTA_TUPLE_IP = 1;
const CTA_TUPLE_PROTO = 2;
const CTA_IP_V4_SRC = 1;
const CTA_IP_V4_DST = 2;
const CTA_PROTO_NUM = 1;
const CTA_PROTO_DST_PORT = 3;
const HEADER = nfgenmsg(FAMILY_IPV4, 0);

export interface TrackedConnection {
  /** IPPROTO_* */
  readonly protocol: number;
  /** Where the first packet was sent. */
  readonly destination: string;
  readonly destinationPort: number;
  /** Who answers it: somebody else than `destination` where it is translated. */
  readonly answeredBy: string;
  /** What tells it from others, as the kernel wants it back. */
  readonly key: readonly (readonly [attribute: number, payload: Uint8Array])[];
}

export function dumpConnections(): Uint8Array {
  const builder = new MessageBuilder();
  return builder.message((NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_GET, NLM_F_DUMP, HEADER).finish();
}

const addressOf = (bytes: Uint8Array | undefined) => (bytes?.length === 4 ? bytes.join(".") : undefined);

/** One entry of an answer to `dumpConnections`; undefined for what has no ports, or is no entry. */
export function parseConnection(message: ReceivedMessage): TrackedConnection | undefined {
  if (message.type !== ((NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_NEW)) return undefined;
  const attributes = parseAttributes(message.payload.subarray(HEADER.length));
  const part = (tuple: number, kind: number) => {
    const outer = attributes.get(tuple);
    const inner = outer === undefined ? undefined : parseAttributes(outer).get(kind);
    return inner === undefined ? undefined : parseAttributes(inner);
  };
  const protocol = part(CTA_TUPLE_ORIG, CTA_TUPLE_PROTO);
  const number = protocol?.get(CTA_PROTO_NUM)?.[0];
  const port = protocol?.get(CTA_PROTO_DST_PORT);
  const destination = addressOf(part(CTA_TUPLE_ORIG, CTA_TUPLE_IP)?.get(CTA_IP_V4_DST));
  const answeredBy = addressOf(part(CTA_TUPLE_REPLY, CTA_TUPLE_IP)?.get(CTA_IP_V4_SRC));
  if (number === undefined || port?.length !== 2 || destination === undefined || answeredBy === undefined)
    return undefined;
  const key = [CTA_TUPLE_ORIG, CTA_ID, CTA_ZONE].flatMap((attribute) => {
    const payload = attributes.get(attribute);
    return payload === undefined ? [] : [[attribute, payload] as const];
  });
  return { protocol: number, destination, destinationPort: (port[0]! << 8) | port[1]!, answeredBy, key };
}

/** Forgets it. ENOENT when it is over already. */
export function deleteConnection({ key, destination, destinationPort }: TrackedConnection): NetlinkRequest {
  const builder = new MessageBuilder();
  builder.message((NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_DELETE, NLM_F_ACK, HEADER);
  for (const [attribute, payload] of key)
    builder.attribute(attribute === CTA_TUPLE_ORIG ? attribute | NLA_F_NESTED : attribute, payload);
  return {
    bytes: builder.finish(),
    acks: 1,
    describe: [`conntrack -D --orig-dst ${destination} --dport ${destinationPort}`],
  };
}
