/** What is known of a container's health: kept by whoever checks it (engine/health.ts), as long as the machine is up. */
import { replaceFile } from "../os/replace-file.ts";
import type { ContainerRecord, ContainerState } from "../spec/container.ts";
import { containerPaths, type Paths } from "./paths.ts";
import { isCount, readJson, type Shape } from "./status.ts";

/** One check. */
export interface HealthResult {
  /** RFC 3339 with nanoseconds, as `end`. */
  start: string;
  end: string;
  /** 0 is healthy; -1: it could not be made, or was not done in time. */
  code: number;
  /** The beginning of what it has printed, on both outputs. */
  output: string;
}

export type HealthStatus = "starting" | "healthy" | "unhealthy";

export interface Health {
  status: HealthStatus;
  /** Checks that have failed since the last that has not. */
  streak: number;
  /** The last ones, the oldest first. */
  log: HealthResult[];
}

function isResult(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const { start, end, code, output } = value as Record<string, unknown>;
  const texts = [start, end, output];
  return texts.every((text) => typeof text === "string") && Number.isSafeInteger(code);
}

const HEALTH: Shape<Health> = {
  status: (value) => value === "starting" || value === "healthy" || value === "unhealthy",
  streak: isCount,
  log: (value) => Array.isArray(value) && value.every(isResult),
};

/** Undefined for a container that nobody checks. */
export function readHealth(paths: Paths, id: string): Health | undefined {
  return readJson(containerPaths(paths, id).health, HEALTH);
}

/** Of a container that runs, and is checked. */
export function healthStatus(
  paths: Paths,
  { id, config }: ContainerRecord,
  { status }: ContainerState,
): HealthStatus | undefined {
  const isChecked = config.healthcheck !== undefined && status === "running";
  return isChecked ? readHealth(paths, id)?.status : undefined;
}

export function writeHealth(paths: Paths, id: string, health: Health): void {
  replaceFile(containerPaths(paths, id).health, JSON.stringify(health));
}
