/** The one message that a container without a network needs, ready made: rtnetlink.ts takes longer to load. */
import type { NetlinkRequest } from "./message.ts";

/** RTM_NEWLINK for interface 1, IFF_UP set: equal to `setLinkUp` of rtnetlink.ts (a test compares). */
export function loopbackUp(): NetlinkRequest {
  const header = [32, 0, 0, 0, 16, 0, 5, 0, 1, 0, 0, 0, 0, 0, 0, 0];
  const link = [0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0];
  return { bytes: new Uint8Array([...header, ...link]), acks: 1, describe: ["ip link set dev lo up"] };
}
