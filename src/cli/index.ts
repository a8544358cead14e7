/** The commands, each loaded only when it is called. */
import type { Command } from "./command.ts";

interface Entry {
  name: string;
  summary: string;
  /** Not shown in the overview. */
  hidden?: true;
  load: () => Promise<Command>;
}

export const COMMANDS: readonly Entry[] = [
  {
    name: "attach",
    summary: "Attach local standard input, output, and error streams to a running container",
    load: async () => (await import("./attach.ts")).attachCommand,
  },
  {
    name: "commit",
    summary: "Create a new image from a container's changes",
    load: async () => (await import("./commit.ts")).commitCommand,
  },
  {
    name: "create",
    summary: "Create a new container",
    load: async () => (await import("./create.ts")).createCommand,
  },
  {
    name: "exec",
    summary: "Execute a command in a running container",
    load: async () => (await import("./exec.ts")).execCommand,
  },
  {
    name: "images",
    summary: "List images",
    load: async () => (await import("./images.ts")).imagesCommand,
  },
  {
    name: "import",
    summary: "Import the contents from a tarball to create a filesystem image",
    load: async () => (await import("./import.ts")).importCommand,
  },
  {
    name: "info",
    summary: "Display system-wide information",
    load: async () => (await import("./info.ts")).infoCommand,
  },
  {
    name: "init",
    summary: "Create an image from a directory or a tarball",
    load: async () => (await import("./init.ts")).initCommand,
  },
  {
    name: "inspect",
    summary: "Return low-level information on containers and images",
    load: async () => (await import("./inspect.ts")).inspectCommand,
  },
  {
    name: "kill",
    summary: "Kill one or more running containers",
    load: async () => (await import("./kill.ts")).killCommand,
  },
  {
    name: "logs",
    summary: "Fetch the logs of a container",
    load: async () => (await import("./logs.ts")).logsCommand,
  },
  {
    name: "ps",
    summary: "List containers",
    load: async () => (await import("./ps.ts")).psCommand,
  },
  {
    name: "pull",
    summary: "Download an image from a registry",
    load: async () => (await import("./pull.ts")).pullCommand,
  },
  {
    name: "rm",
    summary: "Remove one or more containers",
    load: async () => (await import("./rm.ts")).rmCommand,
  },
  {
    name: "rmi",
    summary: "Remove one or more images",
    load: async () => (await import("./rmi.ts")).rmiCommand,
  },
  {
    name: "run",
    summary: "Create and run a new container from an image",
    load: async () => (await import("./run.ts")).runCommand,
  },
  {
    name: "start",
    summary: "Start one or more stopped containers",
    load: async () => (await import("./start.ts")).startCommand,
  },
  {
    name: "stop",
    summary: "Stop one or more running containers",
    load: async () => (await import("./stop.ts")).stopCommand,
  },
  {
    name: "version",
    summary: "Show the bocker version information",
    load: async () => (await import("./version.ts")).versionCommand,
  },
  {
    name: "wait",
    summary: "Block until one or more containers stop, then print their exit codes",
    load: async () => (await import("./wait.ts")).waitCommand,
  },
  {
    name: "cleanup",
    summary: "Remove a --rm container that has ended (called by its monitor)",
    hidden: true,
    load: async () => (await import("./cleanup.ts")).cleanupCommand,
  },
];
