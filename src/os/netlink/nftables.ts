/**
 * nf_tables batches: include/uapi/linux/netfilter/{nfnetlink,nf_tables}.h. Pure.
 *
 * A batch is one transaction: all of it takes effect or none. Only its last command asks for an
 * acknowledgement, so a batch is answered by one reply, or by the errors of the commands that failed.
 * Numbers are big endian.
 */
import { BockerError } from "../../base/errors.ts";
import {
  listAttributes,
  MessageBuilder,
  type NetlinkRequest,
  NLA_F_NESTED,
  NLM_F_ACK,
  NLM_F_APPEND,
  NLM_F_CREATE,
  NLM_F_DUMP,
  NLM_F_EXCL,
  parseAttributes,
  type ReceivedMessage,
  readBe32,
} from "./message.ts";
import { dataValue, type Expression } from "./nft-expressions.ts";

const NFNL_MSG_BATCH_BEGIN = 0x10;
const NFNL_MSG_BATCH_END = 0x11;
const NFNL_SUBSYS_NFTABLES = 10;
const NFT_MSG_NEWTABLE = 0;
const NFT_MSG_NEWCHAIN = 3;
const NFT_MSG_GETCHAIN = 4;
const NFT_MSG_NEWRULE = 6;
const NFT_MSG_DELRULE = 8;
const NFT_MSG_NEWSET = 9;
const NFT_MSG_NEWSETELEM = 12;
const NFT_MSG_GETSETELEM = 13;
const NFT_MSG_DELSETELEM = 14;

const NFTA_SET_ELEM_KEY = 1;
const NFTA_SET_ELEM_DATA = 2;
const NFTA_SET_ELEM_FLAGS = 3;
const NFT_SET_INTERVAL = 0x4;
const NFT_SET_MAP = 0x8;
const NFT_SET_ELEM_INTERVAL_END = 0x1;

/** libnftnl's user data: type KEYBYTEORDER, length 4, BYTEORDER_HOST_ENDIAN. */
const KEY_IS_HOST_ENDIAN = Uint8Array.of(0, 4, 1, 0, 0, 0);

/** NFPROTO_IPV4: the family `ip` of nft. */
export const FAMILY_IPV4 = 2;

export const NF_INET_PRE_ROUTING = 0;
export const NF_INET_FORWARD = 2;
export const NF_INET_LOCAL_OUT = 3;
export const NF_INET_POST_ROUTING = 4;

/** Numbers of nft's own data types (nftables/include/datatype.h); the kernel only stores them. */
export const TYPE_IPV4 = 7;
export const TYPE_PROTOCOL = 12;
export const TYPE_SERVICE = 13;
export const TYPE_IFNAME = 41;

/** nft's number of a concatenation: six bits a member. */
export function concatenatedType(...types: number[]): number {
  return types.reduce((sum, type) => (sum << 6) | type, 0);
}

export interface Chain {
  readonly table: string;
  readonly name: string;
  /** Of a base chain. Priorities: raw -300, dstnat -100, filter 0, srcnat 100. */
  readonly hook?: { readonly number: number; readonly priority: number; readonly type: "filter" | "nat" };
}

export interface NftSet {
  readonly table: string;
  readonly name: string;
  readonly keyType: number;
  readonly keyBytes: number;
  /** Makes it a map. */
  readonly data?: { readonly type: number; readonly bytes: number };
  readonly interval?: boolean;
  /** The key is in the machine's byte order, as interface names are: only tells nft(8) how to print it. */
  readonly hostEndian?: boolean;
}

export interface Element {
  readonly key: Uint8Array;
  /** Of a map. Not needed to delete. */
  readonly data?: Uint8Array;
  /** In an interval set: this key is the first one after the interval. */
  readonly intervalEnd?: boolean;
}

/** One command of a batch. */
export interface Command {
  readonly type: number;
  readonly flags: number;
  readonly encode: (builder: MessageBuilder) => void;
}

/** struct nfgenmsg, the header of all netfilter messages. */
export function nfgenmsg(family: number, resource: number): Uint8Array {
  return Uint8Array.of(family, 0, resource >> 8, resource & 0xff);
}

/** The transaction of `commands`, in order. `describe` are the nft commands that do the same. */
export function nftBatch(commands: readonly Command[], describe: readonly string[]): NetlinkRequest {
  if (commands.length === 0) throw new BockerError("internal", "an empty nf_tables batch");
  const builder = new MessageBuilder();
  builder.message(NFNL_MSG_BATCH_BEGIN, 0, nfgenmsg(0, NFNL_SUBSYS_NFTABLES));
  commands.forEach((command, index) => {
    const flags = command.flags | (index === commands.length - 1 ? NLM_F_ACK : 0);
    builder.message((NFNL_SUBSYS_NFTABLES << 8) | command.type, flags, nfgenmsg(FAMILY_IPV4, 0));
    command.encode(builder);
  });
  builder.message(NFNL_MSG_BATCH_END, 0, nfgenmsg(0, NFNL_SUBSYS_NFTABLES));
  return { bytes: builder.finish(), acks: 1, describe };
}

/** Creates the table; one that exists is fine. */
export function addTable(name: string): Command {
  return { type: NFT_MSG_NEWTABLE, flags: NLM_F_CREATE, encode: (builder) => builder.string(1, name) };
}

/** Creates the chain; one that exists with the same hook is fine. */
export function addChain(chain: Chain): Command {
  return {
    type: NFT_MSG_NEWCHAIN,
    flags: NLM_F_CREATE,
    encode: (builder) => {
      builder.string(1, chain.table).string(3, chain.name);
      const hook = chain.hook;
      if (hook === undefined) return;
      builder.nest(4 | NLA_F_NESTED, () => builder.be32(1, hook.number).be32(2, hook.priority >>> 0));
      builder.string(7, hook.type);
    },
  };
}

/** Deletes every rule of the table; chains, sets and elements stay. */
export function flushRules(table: string): Command {
  return { type: NFT_MSG_DELRULE, flags: 0, encode: (builder) => builder.string(1, table) };
}

export function addRule(table: string, chain: string, expressions: readonly Expression[]): Command {
  return {
    type: NFT_MSG_NEWRULE,
    flags: NLM_F_CREATE | NLM_F_APPEND,
    encode: (builder) => {
      builder.string(1, table).string(2, chain);
      builder.nest(4 | NLA_F_NESTED, () => {
        for (const expression of expressions) {
          builder.nest(1 | NLA_F_NESTED, () => {
            builder.string(1, expression.name);
            builder.nest(2 | NLA_F_NESTED, () => expression.encode(builder));
          });
        }
      });
    },
  };
}

/** Creates the set or map; one that exists with the same types is fine. `id` is unique in the batch. */
export function addSet(set: NftSet, id: number): Command {
  return {
    type: NFT_MSG_NEWSET,
    flags: NLM_F_CREATE,
    encode: (builder) => {
      const flags = (set.interval === true ? NFT_SET_INTERVAL : 0) | (set.data ? NFT_SET_MAP : 0);
      builder.string(1, set.table).string(2, set.name).be32(3, flags);
      builder.be32(4, set.keyType).be32(5, set.keyBytes);
      if (set.data !== undefined) builder.be32(6, set.data.type).be32(7, set.data.bytes);
      builder.be32(10, id);
      if (set.hostEndian === true) builder.attribute(13, KEY_IS_HOST_ENDIAN);
    },
  };
}

/**
 * Adds elements. `exclusive`: EEXIST when a key is there already; otherwise an equal element is
 * fine and only other data under the same key is EEXIST.
 */
export function addElements(
  table: string,
  set: string,
  elements: readonly Element[],
  options: { exclusive: boolean },
): Command {
  return {
    type: NFT_MSG_NEWSETELEM,
    flags: NLM_F_CREATE | (options.exclusive ? NLM_F_EXCL : 0),
    encode: (builder) => encodeElements(builder, table, set, elements),
  };
}

/** Deletes elements by key: ENOENT when one is missing. */
export function deleteElements(table: string, set: string, elements: readonly Element[]): Command {
  return {
    type: NFT_MSG_DELSETELEM,
    flags: 0,
    encode: (builder) => encodeElements(builder, table, set, elements),
  };
}

function encodeElements(
  builder: MessageBuilder,
  table: string,
  set: string,
  elements: readonly Element[],
): void {
  builder.string(1, table).string(2, set);
  builder.nest(3 | NLA_F_NESTED, () => {
    for (const element of elements) {
      builder.nest(1 | NLA_F_NESTED, () => {
        dataValue(builder, NFTA_SET_ELEM_KEY, element.key);
        if (element.data !== undefined) dataValue(builder, NFTA_SET_ELEM_DATA, element.data);
        if (element.intervalEnd === true) builder.be32(NFTA_SET_ELEM_FLAGS, NFT_SET_ELEM_INTERVAL_END);
      });
    }
  });
}

/** Answered by one message, or ENOENT. */
export function getChain(table: string, chain: string): Uint8Array {
  const builder = new MessageBuilder();
  builder.message((NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_GETCHAIN, 0, nfgenmsg(FAMILY_IPV4, 0));
  return builder.string(1, table).string(3, chain).finish();
}

/** All elements of a set: ENOENT when there is no such set. */
export function dumpElements(table: string, set: string): Uint8Array {
  const builder = new MessageBuilder();
  builder.message((NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_GETSETELEM, NLM_F_DUMP, nfgenmsg(FAMILY_IPV4, 0));
  return builder.string(1, table).string(2, set).finish();
}

/** The elements in one message of an answer to `dumpElements`. */
export function parseElements(message: ReceivedMessage): Element[] {
  if (message.type !== ((NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_NEWSETELEM)) return [];
  const list = parseAttributes(message.payload.subarray(4)).get(3);
  if (list === undefined) return [];
  return listAttributes(list).map(([, payload]) => {
    const attributes = parseAttributes(payload);
    const key = readDataValue(attributes.get(NFTA_SET_ELEM_KEY));
    if (key === undefined) throw new BockerError("internal", "an nf_tables element without a key");
    const data = readDataValue(attributes.get(NFTA_SET_ELEM_DATA));
    const end = ((readBe32(attributes.get(NFTA_SET_ELEM_FLAGS)) ?? 0) & NFT_SET_ELEM_INTERVAL_END) !== 0;
    return { key, ...(data !== undefined && { data }), ...(end && { intervalEnd: true }) };
  });
}

function readDataValue(payload: Uint8Array | undefined): Uint8Array | undefined {
  return payload === undefined ? undefined : parseAttributes(payload).get(1);
}
