/** `bocker attach` */
import { BockerError } from "../base/errors.ts";
import { connectMonitor } from "../engine/attach.ts";
import { resizeMessage } from "../monitor/protocol.ts";
import { isTerminal, windowSize } from "../os/terminal.ts";
import { callerStreams, stayAttached, withTerminal } from "./attached.ts";
import type { Command } from "./command.ts";

export const attachCommand: Command = {
  name: "attach",
  usage: "[OPTIONS] CONTAINER",
  summary: "Attach local standard input, output, and error streams to a running container",
  flags: [
    { name: "detach-keys", kind: "string", help: "", unsupported: true },
    { name: "no-stdin", kind: "bool", help: "Do not attach STDIN" },
    { name: "sig-proxy", kind: "bool", help: "Proxy all received signals to the process (default true)" },
  ],
  repair: "boot",
  words: { least: 1, most: 1 },
  async run(values, engine) {
    const record = engine.containers.find(values.positional[0] ?? "");
    const { tty, openStdin } = record.config;
    const stdin = openStdin && !values.bool("no-stdin");
    if (tty && stdin && !isTerminal(0)) throw new BockerError("invalid", "the input device is not a TTY");
    const signals = values.bool("sig-proxy", true) && !tty;
    const ended = await withTerminal({ tty, stdin, signals }, async (relay) => {
      const { connection, pid } = connectMonitor(engine, record);
      connection.attach(callerStreams({ stdin, tty }), tty);
      if (tty && isTerminal(1)) {
        const { rows, columns } = windowSize(1);
        // One off and back: the program redraws even when the size is what it was.
        connection.send(resizeMessage(rows, columns + 1));
        connection.send(resizeMessage(rows, columns));
      }
      return stayAttached({ connection, pid, tty, stdin, relay });
    });
    if (ended.type === "detached") return ended.code;
    return ended.type === "exited" ? ended.code : 125;
  },
};
