/** The program: from the words of the command line to its exit code. wiring.ts builds what it works with. */
import { dispatch } from "./cli/dispatch.ts";
import { commandLine } from "./os/command-line.ts";
import { exitNow } from "./os/processes.ts";
import { VERSION } from "./version.ts";

exitNow(
  await dispatch(commandLine(), VERSION, async (options) => {
    const { makeEngine } = await import("./wiring.ts");
    return makeEngine(options);
  }),
);
