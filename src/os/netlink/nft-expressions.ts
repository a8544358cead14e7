/**
 * Expressions of nf_tables rules: include/uapi/linux/netfilter/nf_tables.h. A rule is a list of them; each
 * loads a register, compares one, looks one up in a set, or acts. A comparison that fails ends the rule.
 *
 * Registers: 0 is the verdict; NFT_REG_1 … 4 are 16 bytes each, numbered 1 to 4; NFT_REG32_00 … 15 are the same
 * 64 bytes in words, numbered 8 to 23. A concatenation is loaded into consecutive words.
 */
import { type MessageBuilder, NLA_F_NESTED } from "./message.ts";

export interface Expression {
  readonly name: string;
  /** Adds the attributes of NFTA_EXPR_DATA. */
  readonly encode: (builder: MessageBuilder) => void;
}

const NFT_REG_VERDICT = 0;
export const NFT_REG_1 = 1;
export const NFT_REG_2 = 2;
/** The n-th 4-byte word. */
export function word(n: number): number {
  return 8 + n;
}

export const NFT_META_IIFNAME = 6;
export const NFT_META_OIFNAME = 7;
export const NFT_META_L4PROTO = 16;

export const NFT_PAYLOAD_NETWORK_HEADER = 1;
export const NFT_PAYLOAD_TRANSPORT_HEADER = 2;

export const NFT_CMP_EQ = 0;
export const NFT_CMP_NEQ = 1;

export const NFT_CT_STATE = 0;
export const NFT_CT_STATUS = 2;
/** NF_CT_STATE_BIT(IP_CT_ESTABLISHED) and (IP_CT_RELATED). */
export const CT_STATE_ESTABLISHED = 2;
export const CT_STATE_RELATED = 4;
/** IPS_DST_NAT. */
export const CT_STATUS_DNAT = 0x20;

export const RTN_LOCAL = 2;
const NFT_FIB_RESULT_ADDRTYPE = 3;
const NFTA_FIB_F_DADDR = 2;
const NFT_NAT_DNAT = 1;
const NFPROTO_IPV4 = 2;
const NFT_LOOKUP_F_INV = 1;

export const NF_DROP = 0;
export const NF_ACCEPT = 1;
export const NFT_JUMP = -3;

const NFTA_DATA_VALUE = 1;
const NFTA_DATA_VERDICT = 2;
const NFTA_VERDICT_CODE = 1;
const NFTA_VERDICT_CHAIN = 2;

/** struct nft_data: a value below the attribute `type`. */
export function dataValue(builder: MessageBuilder, type: number, value: Uint8Array): void {
  builder.nest(type | NLA_F_NESTED, () => builder.attribute(NFTA_DATA_VALUE, value));
}

/** A u32 in the machine's order: how ct, fib and meta leave their numbers in a register. */
export function hostU32(value: number): Uint8Array {
  const data = new Uint8Array(4);
  new DataView(data.buffer).setUint32(0, value, true);
  return data;
}

/** An interface name as meta iifname leaves it: 16 bytes, NUL padded. */
export function interfaceName(name: string): Uint8Array {
  const data = new Uint8Array(16);
  data.set(new TextEncoder().encode(name).subarray(0, 15));
  return data;
}

export function meta(key: number, register: number): Expression {
  return { name: "meta", encode: (builder) => builder.be32(1, register).be32(2, key) };
}

export function payload(base: number, offset: number, length: number, register: number): Expression {
  return {
    name: "payload",
    encode: (builder) => builder.be32(1, register).be32(2, base).be32(3, offset).be32(4, length),
  };
}

export function compare(register: number, operation: number, value: Uint8Array): Expression {
  return {
    name: "cmp",
    encode: (builder) => {
      builder.be32(1, register).be32(2, operation);
      dataValue(builder, 3, value);
    },
  };
}

/** dreg = (sreg & mask) ^ xor. */
export function bitwise(register: number, mask: Uint8Array, xor: Uint8Array): Expression {
  return {
    name: "bitwise",
    encode: (builder) => {
      builder.be32(1, register).be32(2, register).be32(3, mask.length);
      dataValue(builder, 4, mask);
      dataValue(builder, 5, xor);
    },
  };
}

/** Is the register's value in the set (or not, `inverted`)? Of a map the data goes to `dataRegister`. */
export function lookup(
  set: string,
  register: number,
  options: { dataRegister?: number; inverted?: boolean } = {},
): Expression {
  return {
    name: "lookup",
    encode: (builder) => {
      builder.string(1, set).be32(2, register);
      if (options.dataRegister !== undefined) builder.be32(3, options.dataRegister);
      if (options.inverted === true) builder.be32(5, NFT_LOOKUP_F_INV);
    },
  };
}

export function immediate(register: number, value: Uint8Array): Expression {
  return {
    name: "immediate",
    encode: (builder) => {
      builder.be32(1, register);
      dataValue(builder, 2, value);
    },
  };
}

/** NF_ACCEPT, NF_DROP, or NFT_JUMP with a chain. */
export function verdict(code: number, chain?: string): Expression {
  return {
    name: "immediate",
    encode: (builder) => {
      builder.be32(1, NFT_REG_VERDICT);
      builder.nest(2 | NLA_F_NESTED, () =>
        builder.nest(NFTA_DATA_VERDICT | NLA_F_NESTED, () => {
          builder.be32(NFTA_VERDICT_CODE, code >>> 0);
          if (chain !== undefined) builder.string(NFTA_VERDICT_CHAIN, chain);
        }),
      );
    },
  };
}

/** Destination NAT to the address and the port in two registers. */
export function dnat(addressRegister: number, portRegister: number): Expression {
  return {
    name: "nat",
    encode: (builder) =>
      builder.be32(1, NFT_NAT_DNAT).be32(2, NFPROTO_IPV4).be32(3, addressRegister).be32(5, portRegister),
  };
}

export function masquerade(): Expression {
  return { name: "masq", encode: () => undefined };
}

/** What kind of address the destination is in the routing tables: RTN_LOCAL and so on. */
export function fibDestinationType(register: number): Expression {
  return {
    name: "fib",
    encode: (builder) => builder.be32(1, register).be32(2, NFT_FIB_RESULT_ADDRTYPE).be32(3, NFTA_FIB_F_DADDR),
  };
}

export function ct(key: number, register: number): Expression {
  return { name: "ct", encode: (builder) => builder.be32(1, register).be32(2, key) };
}

export function counter(): Expression {
  return { name: "counter", encode: () => undefined };
}
