/** `ps --filter` (moby daemon/list.go). */
import { BockerError } from "../base/errors.ts";
import type { Engine } from "../engine/engine.ts";
import { parsePortRange } from "../network/ports.ts";
import type { ContainerRecord, ContainerState } from "../spec/container.ts";
import { readHealth } from "../state/health.ts";
import { stateName } from "../state/status.ts";
import { type Filters, hasLabel, parseFilters } from "./filters.ts";

type Test = (record: ContainerRecord, state: ContainerState) => boolean;

const STATUSES = ["created", "running", "exited", "paused", "restarting", "removing", "dead"];

const HEALTHS = ["starting", "healthy", "unhealthy", "none"];

function pattern(value: string): RegExp {
  try {
    return new RegExp(value);
  } catch {
    throw new BockerError("invalid", `invalid filter 'name=${value}': it is a regular expression`);
  }
}

/** Whether a port is one of "80", "80/udp" or "8000-8010/tcp". */
function portTest(value: string): (port: number, protocol: string) => boolean {
  const { protocol, first, last } = parsePortRange(value);
  return (port, own) => own === protocol && port >= first && port <= last;
}

/** Of one that does not run no port is there. */
function published({ attachment }: ContainerRecord, { status }: ContainerState) {
  return status === "running" ? (attachment?.published ?? []) : [];
}

/** What each filter's value asks of a container. */
const TESTS: Record<string, (value: string, engine: Engine) => Test> = {
  ancestor:
    (value) =>
    ({ config: { image }, imageId }) =>
      image === value ||
      image === `${value}:latest` ||
      `${image}:latest` === value ||
      imageId.startsWith(`sha256:${value}`),
  before: (value, engine) => {
    const { created } = engine.containers.find(value);
    return (record) => record.created < created;
  },
  exited: (value) => {
    if (!/^-?\d+$/.test(value)) throw new BockerError("invalid", `invalid filter 'exited=${value}'`);
    return (_, state) => state.status === "exited" && state.code === Number(value);
  },
  expose: (value) => {
    const isWanted = portTest(value);
    return (record, state) =>
      published(record, state).some((port) => isWanted(port.containerPort, port.protocol)) ||
      (state.status === "running" &&
        record.config.exposedPorts.some((text) => {
          const [port, own = "tcp"] = text.split("/");
          return isWanted(Number(port), own);
        }));
  },
  health: (value, engine) => {
    if (!HEALTHS.includes(value))
      throw new BockerError("invalid", `Unrecognised filter value for health: ${value}`);
    return ({ id, config }) =>
      (config.healthcheck && readHealth(engine.paths, id)?.status) === (value === "none" ? undefined : value);
  },
  id: (value) => (record) => record.id.startsWith(value),
  label: (value) => (record) => hasLabel(record.config.labels, value),
  name: (value) => {
    const wanted = pattern(value);
    return ({ name }) => wanted.test(name) || wanted.test(`/${name}`);
  },
  network: (value) => (record) => record.host.networkMode === value,
  publish: (value) => {
    const isWanted = portTest(value);
    return (record, state) => published(record, state).some((port) => isWanted(port.hostPort, port.protocol));
  },
  since: (value, engine) => {
    const { created } = engine.containers.find(value);
    return (record) => record.created > created;
  },
  status: (value) => {
    if (!STATUSES.includes(value)) throw new BockerError("invalid", `invalid filter 'status=${value}'`);
    return (_, state) => stateName(state) === value;
  },
  volume:
    (value) =>
    ({ mounts }) =>
      mounts.some(({ name, destination }) => name === value || destination === value),
};

/** Of these every value must hold; of others one is enough. */
const EVERY = new Set(["before", "label", "since"]);

export interface ContainerFilter {
  filters: Filters;
  matches: Test;
}

/** Throws "invalid" for filters and values that are none, "not-found" for a container that is not there. */
export function containerFilter(engine: Engine, texts: string[]): ContainerFilter {
  const filters = parseFilters(texts, Object.keys(TESTS));
  const tests = [...filters].map(([key, values]): Test => {
    const alternatives = values.map((value) => TESTS[key]!(value, engine));
    return EVERY.has(key)
      ? (record, state) => alternatives.every((test) => test(record, state))
      : (record, state) => alternatives.some((test) => test(record, state));
  });
  return { filters, matches: (record, state) => tests.every((test) => test(record, state)) };
}
