/**
 * The host's side of a bridge network: the bridge itself, its carrier, its sysctls and its firewall.
 * Everything here may run in several processes at once and may have been cut short before (setup.ts).
 */

import { BockerError } from "../../base/errors.ts";
import { writeFile } from "../../os/host-files.ts";
import {
  InterfaceRequest,
  SIOCGIFADDR,
  SIOCGIFFLAGS,
  SIOCGIFINDEX,
  SIOCGIFNETMASK,
} from "../../os/interface-request.ts";
import { getChain } from "../../os/netlink/nftables.ts";
import { IFF_UP } from "../../os/netlink/rtnetlink.ts";
import { NetlinkError, NetlinkSocket } from "../../os/netlink/socket.ts";
import { numberToAddress, type Subnet, subnetOf } from "../ipam.ts";
import { type BridgeSetup, type BridgeStep, checkSubnet, IP_FORWARD, planBridgeSetup } from "./setup.ts";
import { REVISION_CHAIN, TABLE } from "./table.ts";

/** The bridge of containers that ask for no network. */
export const DEFAULT_BRIDGE = "bocker0";

const ENOENT = 2;
const EEXIST = 17;
const MAX_ATTEMPTS = 3;

export interface BridgeOptions {
  readonly name: string;
  /** The network's own, or chosen from `SUBNET_CANDIDATES`. */
  readonly subnet?: Subnet;
  readonly gateway?: string;
  /** No way out of the host. */
  readonly internal?: boolean;
  readonly mtu?: number;
}

export interface Bridge {
  readonly name: string;
  readonly index: number;
  readonly subnet: Subnet;
  /** The bridge's own address. */
  readonly gateway: string;
}

/** What `ensureBridge` found or did, for the event log and for `--explain`. */
export interface EnsuredBridge extends Bridge {
  /**
   * The table was missing or older and is new now. If it was missing (someone flushed the ruleset), running
   * containers' ports are no longer published: publish them again.
   */
  readonly firewallInstalled: boolean;
  /** It was missing: containers that run (someone has deleted it under them) are to be its ports again. */
  readonly bridgeMade: boolean;
  /** net.ipv4.ip_forward was 0 and is 1 now. */
  readonly forwardingEnabled: boolean;
}

/** What four ioctls tell about an interface; undefined when there is none, or it has no address or is down. */
function probe(name: string): Bridge | undefined {
  using request = new InterfaceRequest();
  const flags = request.ask(name, SIOCGIFFLAGS)?.getInt16(0, true);
  if (flags === undefined || (flags & IFF_UP) === 0) return undefined;
  const index = request.ask(name, SIOCGIFINDEX)?.getInt32(0, true);
  // struct sockaddr_in: family, port, address.
  const address = request.ask(name, SIOCGIFADDR)?.getUint32(4, false);
  if (index === undefined || address === undefined) return undefined;
  const gateway = numberToAddress(address);
  const prefixLength = Math.clz32(~(request.ask(name, SIOCGIFNETMASK)?.getUint32(4, false) ?? 0));
  return { name, index, gateway, subnet: subnetOf(gateway, prefixLength) };
}

/** Is the table there, of this revision? One request. */
function firewallPresent(socket: NetlinkSocket): boolean {
  try {
    socket.query(getChain(TABLE, REVISION_CHAIN), "look for bocker's nf_tables table");
    return true;
  } catch (error) {
    if (error instanceof NetlinkError && error.errno === ENOENT) return false;
    throw error;
  }
}

/** Does one step. False when another process has made the same thing meanwhile. */
function perform(step: BridgeStep, sockets: { route: NetlinkSocket; nftables: NetlinkSocket }): boolean {
  if (step.kind === "setting") {
    writeSetting(step.path, step.value);
    return true;
  }
  try {
    sockets[step.family].request(step.request);
    return true;
  } catch (error) {
    if (!(error instanceof NetlinkError)) throw error;
    if (step.family === "nftables" && error.errno === ENOENT)
      throw new BockerError(
        "platform",
        "this kernel lacks an nf_tables module that bocker's network needs (nft_chain_nat, nft_nat, nft_masq, nft_ct, nft_fib_ipv4): load them, or use --network none or host",
        { cause: error },
      );
    if (error.errno !== EEXIST) throw error;
    return step.mayExist;
  }
}

/**
 * Makes sure that the bridge, its table and its sysctls are there. When they are, it costs five ioctls and one
 * request. Throws "conflict" when the bridge has another subnet than asked for or no subnet is free,
 * "denied" without CAP_NET_ADMIN.
 */
export function ensureBridge(options: BridgeOptions): EnsuredBridge {
  using nftables = new NetlinkSocket("nftables");
  for (let attempt = 0; ; attempt++) {
    const found = probe(options.name);
    const hasFirewall = firewallPresent(nftables);
    if (found !== undefined && hasFirewall) {
      checkSubnet(found, options);
      return { ...found, bridgeMade: false, firewallInstalled: false, forwardingEnabled: false };
    }
    using route = new NetlinkSocket("route");
    const { bridge, steps } = planBridgeSetup(route, options, found);
    const sockets = { route, nftables };
    if (steps.every((step) => perform(step, sockets)))
      return {
        ...bridge,
        bridgeMade: found === undefined,
        firewallInstalled: !hasFirewall,
        forwardingEnabled: steps.some((step) => step.kind === "setting" && step.path === IP_FORWARD),
      };
    // The bridge has another index than planned: somebody else made it. Once is enough, unless it is removed again.
    if (attempt === MAX_ATTEMPTS)
      throw new BockerError("conflict", `bridge ${options.name} comes and goes: who else makes it?`);
  }
}

/** What `ensureBridge` would do now, and the bridge as it would be. Changes nothing. */
export function previewBridge(options: BridgeOptions): BridgeSetup {
  const found = probe(options.name);
  using nftables = new NetlinkSocket("nftables");
  if (found !== undefined && firewallPresent(nftables)) {
    checkSubnet(found, options);
    return { bridge: found, steps: [] };
  }
  using route = new NetlinkSocket("route");
  return planBridgeSetup(route, options, found);
}

function writeSetting(path: string, value: string): void {
  try {
    writeFile(path, value);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "ENOENT") {
      throw new BockerError("denied", `cannot write ${value} to ${path}`, { cause });
    }
  }
}
