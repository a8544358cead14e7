/**
 * bocker's nf_tables table `ip bocker`: its rules never change while containers come and go. What changes are
 * elements of its sets and maps: one per published port, a few per bridge. Other tables are not touched.
 *
 *   bridges    bocker's bridges                     outbound  those whose containers may leave the host
 *   links      (in . out) bridge pairs that talk    subnets   their containers' addresses
 *   ports      (protocol . host address . port) -> (container address . port)
 *   ports_any  (protocol . port) -> the same, for 0.0.0.0
 *
 * The text of every rule stands beside its code; a test compares both through nft(8).
 */
import * as x from "../../os/netlink/nft-expressions.ts";
import {
  type Chain,
  concatenatedType,
  NF_INET_FORWARD,
  NF_INET_LOCAL_OUT,
  NF_INET_POST_ROUTING,
  NF_INET_PRE_ROUTING,
  type NftSet,
  TYPE_IFNAME,
  TYPE_IPV4,
  TYPE_PROTOCOL,
  TYPE_SERVICE,
} from "../../os/netlink/nftables.ts";

export const TABLE = "bocker";
/** Raise it with every change of rules, sets or chains: a host with an older table gets the new one. */
export const FIREWALL_REVISION = 1;
/** An empty chain whose presence says that the table is there, and of this revision. */
export const REVISION_CHAIN = `revision_${FIREWALL_REVISION}`;

const ADDRESS_AND_PORT = { type: concatenatedType(TYPE_IPV4, TYPE_SERVICE), bytes: 8 };

export const SETS: readonly (NftSet & { readonly text: string })[] = [
  {
    table: TABLE,
    name: "bridges",
    keyType: TYPE_IFNAME,
    keyBytes: 16,
    hostEndian: true,
    text: "set bridges { type ifname; }",
  },
  {
    table: TABLE,
    name: "outbound",
    keyType: TYPE_IFNAME,
    keyBytes: 16,
    hostEndian: true,
    text: "set outbound { type ifname; }",
  },
  {
    table: TABLE,
    name: "links",
    keyType: concatenatedType(TYPE_IFNAME, TYPE_IFNAME),
    keyBytes: 32,
    text: "set links { type ifname . ifname; }",
  },
  {
    table: TABLE,
    name: "subnets",
    keyType: TYPE_IPV4,
    keyBytes: 4,
    interval: true,
    text: "set subnets { type ipv4_addr; flags interval; }",
  },
  {
    table: TABLE,
    name: "ports",
    keyType: concatenatedType(TYPE_PROTOCOL, TYPE_IPV4, TYPE_SERVICE),
    keyBytes: 12,
    data: ADDRESS_AND_PORT,
    text: "map ports { type inet_proto . ipv4_addr . inet_service : ipv4_addr . inet_service; }",
  },
  {
    table: TABLE,
    name: "ports_any",
    keyType: concatenatedType(TYPE_PROTOCOL, TYPE_SERVICE),
    keyBytes: 8,
    data: ADDRESS_AND_PORT,
    text: "map ports_any { type inet_proto . inet_service : ipv4_addr . inet_service; }",
  },
];

export const CHAINS: readonly Chain[] = [
  { table: TABLE, name: REVISION_CHAIN },
  { table: TABLE, name: "published" },
  { table: TABLE, name: "raw", hook: { number: NF_INET_PRE_ROUTING, priority: -300, type: "filter" } },
  { table: TABLE, name: "prerouting", hook: { number: NF_INET_PRE_ROUTING, priority: -100, type: "nat" } },
  { table: TABLE, name: "output", hook: { number: NF_INET_LOCAL_OUT, priority: -100, type: "nat" } },
  { table: TABLE, name: "forward", hook: { number: NF_INET_FORWARD, priority: 0, type: "filter" } },
  { table: TABLE, name: "postrouting", hook: { number: NF_INET_POST_ROUTING, priority: 100, type: "nat" } },
];

interface Rule {
  readonly chain: string;
  readonly text: string;
  readonly why: string;
  readonly expressions: readonly x.Expression[];
}

const ZERO_U32 = new Uint8Array(4);
const SADDR = 12;
const DADDR = 16;

const address = (offset: number, register: number) =>
  x.payload(x.NFT_PAYLOAD_NETWORK_HEADER, offset, 4, register);

/** ip saddr or daddr 127.0.0.0/8, by its first byte as nft does for a prefix of whole bytes. */
const loopback = (offset: number, operation: number) => [
  x.payload(x.NFT_PAYLOAD_NETWORK_HEADER, offset, 1, x.NFT_REG_1),
  x.compare(x.NFT_REG_1, operation, Uint8Array.of(127)),
];

const inSet = (key: number, set: string, inverted = false) => [
  x.meta(key, x.NFT_REG_1),
  x.lookup(set, x.NFT_REG_1, { inverted }),
];

const ctHas = (key: number, bits: number) => [
  x.ct(key, x.NFT_REG_1),
  x.bitwise(x.NFT_REG_1, x.hostU32(bits), ZERO_U32),
  x.compare(x.NFT_REG_1, x.NFT_CMP_NEQ, ZERO_U32),
];

const toLocal = [
  x.fibDestinationType(x.NFT_REG_1),
  x.compare(x.NFT_REG_1, x.NFT_CMP_EQ, x.hostU32(x.RTN_LOCAL)),
];
const destinationPort = (register: number) => x.payload(x.NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, register);
const translate = (map: string) => [
  x.lookup(map, x.word(0), { dataRegister: x.word(0) }),
  x.dnat(x.word(0), x.word(1)),
];

export const RULES: readonly Rule[] = [
  {
    chain: "raw",
    text: "iifname @bridges ip daddr 127.0.0.0/8 drop",
    why: "route_localnet is on for the bridges: without this a container reaches the host's loopback",
    expressions: [
      ...inSet(x.NFT_META_IIFNAME, "bridges"),
      ...loopback(DADDR, x.NFT_CMP_EQ),
      x.verdict(x.NF_DROP),
    ],
  },
  {
    chain: "raw",
    text: "iifname @bridges ip saddr 127.0.0.0/8 drop",
    why: "nor may it pretend to be the host's loopback",
    expressions: [
      ...inSet(x.NFT_META_IIFNAME, "bridges"),
      ...loopback(SADDR, x.NFT_CMP_EQ),
      x.verdict(x.NF_DROP),
    ],
  },
  {
    chain: "prerouting",
    text: "ip daddr != 127.0.0.0/8 fib daddr type local jump published",
    why: "published ports from outside and from containers; those of 127.0.0.1 from the host itself only",
    expressions: [...loopback(DADDR, x.NFT_CMP_NEQ), ...toLocal, x.verdict(x.NFT_JUMP, "published")],
  },
  {
    chain: "output",
    text: "fib daddr type local jump published",
    why: "published ports from the host, by any of its addresses",
    expressions: [...toLocal, x.verdict(x.NFT_JUMP, "published")],
  },
  {
    chain: "published",
    text: "dnat ip to meta l4proto . ip daddr . th dport map @ports",
    why: "a port of one host address",
    expressions: [
      x.meta(x.NFT_META_L4PROTO, x.word(0)),
      address(DADDR, x.word(1)),
      destinationPort(x.word(2)),
      ...translate("ports"),
    ],
  },
  {
    chain: "published",
    text: "dnat ip to meta l4proto . th dport map @ports_any",
    why: "a port of every host address",
    expressions: [
      x.meta(x.NFT_META_L4PROTO, x.word(0)),
      destinationPort(x.word(1)),
      ...translate("ports_any"),
    ],
  },
  {
    chain: "forward",
    text: "iifname != @bridges oifname != @bridges accept",
    why: "nothing of bocker's",
    expressions: [
      ...inSet(x.NFT_META_IIFNAME, "bridges", true),
      ...inSet(x.NFT_META_OIFNAME, "bridges", true),
      x.verdict(x.NF_ACCEPT),
    ],
  },
  {
    chain: "forward",
    text: "ct state established,related accept",
    why: "answers",
    expressions: [
      ...ctHas(x.NFT_CT_STATE, x.CT_STATE_ESTABLISHED | x.CT_STATE_RELATED),
      x.verdict(x.NF_ACCEPT),
    ],
  },
  {
    chain: "forward",
    text: "ct status dnat accept",
    why: "came by a published port",
    expressions: [...ctHas(x.NFT_CT_STATUS, x.CT_STATUS_DNAT), x.verdict(x.NF_ACCEPT)],
  },
  {
    chain: "forward",
    text: "iifname . oifname @links accept",
    why: "containers of one network, when the bridge's frames pass here (br_netfilter)",
    expressions: [
      x.meta(x.NFT_META_IIFNAME, x.NFT_REG_1),
      x.meta(x.NFT_META_OIFNAME, x.NFT_REG_2),
      x.lookup("links", x.NFT_REG_1),
      x.verdict(x.NF_ACCEPT),
    ],
  },
  {
    chain: "forward",
    text: "iifname @outbound oifname != @bridges accept",
    why: "from a container to the world",
    expressions: [
      ...inSet(x.NFT_META_IIFNAME, "outbound"),
      ...inSet(x.NFT_META_OIFNAME, "bridges", true),
      x.verdict(x.NF_ACCEPT),
    ],
  },
  {
    chain: "forward",
    text: "drop",
    why: "between networks, out of an internal one, or a neighbour that routes straight to a container",
    expressions: [x.verdict(x.NF_DROP)],
  },
  {
    chain: "postrouting",
    text: "ip saddr 127.0.0.0/8 oifname @bridges masquerade",
    why: "a container cannot answer 127.0.0.1",
    expressions: [...loopback(SADDR, x.NFT_CMP_EQ), ...inSet(x.NFT_META_OIFNAME, "bridges"), x.masquerade()],
  },
  {
    chain: "postrouting",
    text: "ct status dnat ip saddr @subnets oifname @bridges masquerade",
    why: "a container that used a published port must get its answer through the host",
    expressions: [
      ...ctHas(x.NFT_CT_STATUS, x.CT_STATUS_DNAT),
      address(SADDR, x.NFT_REG_1),
      x.lookup("subnets", x.NFT_REG_1),
      ...inSet(x.NFT_META_OIFNAME, "bridges"),
      x.masquerade(),
    ],
  },
  {
    chain: "postrouting",
    text: "ip saddr @subnets oifname != @bridges masquerade",
    why: "the world sees the host's address",
    expressions: [
      address(SADDR, x.NFT_REG_1),
      x.lookup("subnets", x.NFT_REG_1),
      ...inSet(x.NFT_META_OIFNAME, "bridges", true),
      x.masquerade(),
    ],
  },
];

/** The whole table in nft(8)'s language. */
export function firewallText(): string {
  const hooks = ["prerouting", "input", "forward", "output", "postrouting"];
  const chains = CHAINS.map(({ name, hook }) => {
    const lines = RULES.filter(({ chain }) => chain === name).map(({ text }) => `    ${text}`);
    const base =
      hook === undefined
        ? []
        : [`    type ${hook.type} hook ${hooks[hook.number]} priority ${hook.priority}; policy accept;`];
    return [`  chain ${name} {`, ...base, ...lines, "  }"].join("\n");
  });
  return [`table ip ${TABLE} {`, ...SETS.map(({ text }) => `  ${text}`), ...chains, "}"].join("\n");
}
