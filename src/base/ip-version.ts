/** Whether a text is an IP address, and of which kind. */
import { tryParseIpv4 } from "./ipv4.ts";

/** 4, 6, or 0 for what is none. */
export function ipVersion(text: string): 0 | 4 | 6 {
  if (tryParseIpv4(text) !== undefined) return 4;
  // node:net is loaded only for what can be an address of the other kind.
  return text.includes(":") && process.getBuiltinModule("node:net").isIPv6(text) ? 6 : 0;
}
