/** Whoever interrupts a container does not want its restart policy to start it again. */
import type { Engine } from "../engine/engine.ts";
import { forgetRestart } from "../engine/restart-policy.ts";
import type { ContainerRecord } from "../spec/container.ts";
import type { SignalRelay } from "./attached.ts";

/** SIGHUP, SIGINT, SIGQUIT, SIGTERM */
const ENDING = new Set([1, 2, 3, 15]);

/** By a signal that is passed on to it, and by which somebody means to end it. */
export function endRestartsBy(relay: SignalRelay, engine: Engine, { id }: ContainerRecord): void {
  relay.passing = (signal) => {
    if (ENDING.has(signal)) forgetRestart(engine, id);
  };
}
