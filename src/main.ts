/** The composition root: the only place that builds drivers and wires rooms together. */
import { dispatch } from "./cli/dispatch.ts";
import { Engine } from "./engine/engine.ts";
import { commandLine } from "./os/command-line.ts";
import { pathsOf } from "./state/paths.ts";
import { OverlayDriver } from "./storage/overlay/driver.ts";
import { VERSION } from "./version.ts";

const DEFAULT_DATA = "/var/lib/bocker";
const DEFAULT_RUN = "/run/bocker";

function makeEngine(data: string | undefined, run: string | undefined): Engine {
  const paths = pathsOf(
    data ?? process.env["BOCKER_DATA"] ?? DEFAULT_DATA,
    run ?? process.env["BOCKER_RUN"] ?? DEFAULT_RUN,
  );
  return new Engine(paths, ({ layers, trash }) => new OverlayDriver(layers, trash), [process.execPath]);
}

process.exitCode = await dispatch(commandLine(), VERSION, makeEngine);
