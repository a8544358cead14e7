/** What a launcher is told that starts no container. */
import type { MonitorConfig } from "./operation.ts";

/** Nothing is kept of what it does. */
export const SESSION: MonitorConfig = {
  tty: false,
  stdin: false,
  stdinOnce: false,
  durable: false,
  session: true,
  logPath: "",
  logMaxSize: 0,
  logMaxFiles: 1,
  exitPath: "",
  runDirectory: "",
  oomPath: "",
  detachKeys: new Uint8Array(),
  locked: false,
  discardPath: "",
  callArgv: [],
  callEnv: [],
};
