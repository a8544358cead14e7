/**
 * Plays the engine and the launcher in a network namespace of a test: makes a bridge, attaches namespaces to it, and
 * sends the firewall's requests. Started with `ip netns exec`. Two arguments: JSON, see `Task`, and the caller's own
 * network namespace, in which it refuses to run. Prints JSON.
 */
import { closeSync, openSync, readlinkSync, writeFileSync } from "node:fs";
import { planAttachment } from "../../src/network/bridge/attach.ts";
import { type BridgeOptions, ensureBridge } from "../../src/network/bridge/bridge.ts";
import { publishPorts, unpublishPorts } from "../../src/network/bridge/firewall.ts";
import { holdHostPort, listPublished } from "../../src/network/bridge/host-port.ts";
import type { PortRequest, PublishedPort } from "../../src/network/ports.ts";
import { CLONE_NEWNET } from "../../src/os/constants.ts";
import { native } from "../../src/os/native.ts";
import { NetlinkSocket } from "../../src/os/netlink/socket.ts";

interface Task {
  readonly bridge?: BridgeOptions;
  /** How often to ensure the bridge again, for the time it takes. */
  readonly repeat?: number;
  readonly attach?: readonly { readonly netns: string; readonly ip: string; readonly number?: number }[];
  readonly publish?: readonly PublishedPort[];
  readonly unpublish?: readonly PublishedPort[];
  readonly hold?: PortRequest;
}

if (readlinkSync("/proc/self/ns/net") === (process.argv[3] ?? readlinkSync("/proc/self/ns/net"))) {
  throw new Error("this must run in a network namespace of its own");
}

function attach(task: Task, bridge: ReturnType<typeof ensureBridge>): void {
  for (const { netns, ip, number = 0 } of task.attach ?? []) {
    const plan = planAttachment({ bridge, ip, number });
    const fd = openSync(`/run/netns/${netns}`, "r");
    const own = openSync("/proc/self/ns/net", "r");
    const bytes = plan.host.bytes.slice();
    new DataView(bytes.buffer).setUint32(plan.host.fdOffset as number, fd, true);
    using outside = new NetlinkSocket("route");
    outside.request({ ...plan.host, bytes });
    for (const { path, value } of plan.hostSysctls) writeFileSync(path, value);
    if (native().setns(fd, CLONE_NEWNET) < 0) throw new Error(`setns to ${netns}`);
    for (const { path, value } of plan.insideSysctls) writeFileSync(path, value);
    using inside = new NetlinkSocket("route");
    inside.request(plan.inside);
    if (native().setns(own, CLONE_NEWNET) < 0) throw new Error("setns back");
    closeSync(fd);
    closeSync(own);
  }
}

const task = JSON.parse(process.argv[2] ?? "{}") as Task;
const answer: Record<string, unknown> = {};
if (task.bridge !== undefined) {
  const bridge = ensureBridge(task.bridge);
  answer.bridge = bridge;
  const times: number[] = [];
  for (let i = 0; i < (task.repeat ?? 0); i++) {
    const start = performance.now();
    ensureBridge(task.bridge);
    times.push((performance.now() - start) * 1000);
  }
  answer.microseconds = times.sort((a, b) => a - b)[times.length >> 1];
  attach(task, bridge);
}
using nftables = new NetlinkSocket("nftables");
if (task.publish !== undefined) nftables.request(publishPorts(task.publish));
if (task.unpublish !== undefined) nftables.request(unpublishPorts(task.unpublish));
if (task.hold !== undefined) {
  try {
    answer.held = holdHostPort(task.hold, "172.30.0.2");
  } catch (error) {
    answer.error = String(error);
  }
}
answer.published = listPublished();
console.log(JSON.stringify(answer));
