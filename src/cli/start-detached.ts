/** Starting what nobody stays attached to. */
import type { Engine } from "../engine/engine.ts";
import { type StartAgain, startContainer } from "../engine/start.ts";
import type { ContainerRecord } from "../spec/container.ts";
import { parseDetachKeys } from "./values.ts";

/** Starts a container and leaves it to its monitor. */
export async function startDetached(
  engine: Engine,
  record: ContainerRecord,
  detachKeys: Uint8Array = parseDetachKeys(undefined),
  again?: StartAgain,
): Promise<void> {
  const { host, config } = record;
  const options = {
    disposable: host.autoRemove,
    terminal: config.tty ? { rows: 0, columns: 0 } : undefined,
    timings: false,
    detachKeys,
  };
  const started = await startContainer(engine, record, undefined, options, again);
  started.connection.close();
}
