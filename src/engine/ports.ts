/** Published ports across containers: who holds them, and what is left of those that held them. */
import { BockerError } from "../base/errors.ts";
import { publishPorts, unpublishPorts } from "../network/bridge/firewall.ts";
import { type HeldPort, holdHostPort, listPublished } from "../network/bridge/host-port.ts";
import { NetlinkError, NetlinkSocket } from "../os/netlink/socket.ts";
import { pause } from "../os/pause.ts";
import type { ContainerRecord, PortBinding, PublishedPort } from "../spec/container.ts";
import { readState } from "../state/status.ts";
import type { Engine } from "./engine.ts";

/** Milliseconds: a container that has ended lets go of its ports this long after its client knew. */
const LETTING_GO = 500;
const PAUSE = 5;

function isRunning(engine: Engine, id: string): boolean {
  return readState(engine.paths, id).status === "running";
}

/** Does a container that runs have this very port? */
function isTaken(engine: Engine, { protocol, hostPortFirst }: PortBinding): boolean {
  return engine.containers
    .list()
    .some(
      ({ id, attachment }) =>
        attachment?.published.some(
          (port) => port.protocol === protocol && port.hostPort === hostPortFirst,
        ) === true && isRunning(engine, id),
    );
}

/**
 * As holdHostPort. A port that a container of bocker had until just now is waited for: `run --rm -p 80:80`
 * twice in a row must work, though the first one's monitor cleans up after its client has returned.
 */
function holdPort(engine: Engine, request: PortBinding, ip: string): HeldPort {
  const deadline = performance.now() + LETTING_GO;
  for (;;) {
    try {
      return holdHostPort(request, ip);
    } catch (error) {
      const isConflict = error instanceof BockerError && error.code === "conflict";
      const isOurs = isConflict && error.message.endsWith("port is already allocated");
      if (!isOurs || performance.now() > deadline || isTaken(engine, request)) throw error;
      pause(PAUSE);
    }
  }
}

/** Opens a socket for each port; the descriptors go to `held`, also when a later port fails. */
export function holdPorts(
  engine: Engine,
  record: ContainerRecord,
  ip: string,
  held: number[],
): PublishedPort[] {
  return record.host.ports.map((request) => {
    const { fd, hostPort } = holdPort(engine, request, ip);
    if (fd >= 0) held.push(fd);
    const { protocol, containerPort, hostIp } = request;
    return { protocol, containerPort, hostIp, hostPort };
  });
}

/** Sends one request after the other; what another process has done already is fine. */
function send(requests: ReturnType<typeof publishPorts>[]): void {
  if (requests.length === 0) return;
  using socket = new NetlinkSocket("nftables");
  for (const request of requests) {
    try {
      socket.request(request);
    } catch (error) {
      if (!(error instanceof NetlinkError) || (error.code !== "conflict" && error.code !== "not-found"))
        throw error;
    }
  }
}

/** Elements for ports that are held by us now: whoever added them was killed before it could remove them. */
export function dropStalePorts(held: PublishedPort[]): void {
  if (held.length === 0) return;
  const stale = listPublished().filter((element) =>
    held.some(
      (port) =>
        port.protocol === element.protocol &&
        port.hostPort === element.hostPort &&
        port.hostIp === element.hostIp,
    ),
  );
  send(stale.map((port) => unpublishPorts([port])));
}

/** A container's ports, when its monitor could not take them back. */
export function dropPublished({ attachment }: ContainerRecord): void {
  if (attachment === undefined) return;
  const { address, published } = attachment;
  send(published.map((port) => unpublishPorts([{ ...port, containerIp: address }])));
}

/** After somebody flushed the machine's rules: the running containers' ports, once more. */
export function republishPorts(engine: Engine): void {
  const requests = engine.containers.list().flatMap(({ id, attachment }) => {
    if (attachment === undefined || attachment.published.length === 0 || !isRunning(engine, id)) return [];
    const { address, published } = attachment;
    return published.map((port) => publishPorts([{ ...port, containerIp: address }]));
  });
  send(requests);
}
