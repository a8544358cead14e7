/** The commands, each loaded only when it is called. */
import type { Command } from "./command.ts";

interface Entry {
  /** A word, or two of which the first is the group's. */
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
    name: "container prune",
    summary: "Remove all stopped containers",
    load: async () => (await import("./prune.ts")).containerPruneCommand,
  },
  {
    name: "cp",
    summary: "Copy files/folders between a container and the local filesystem",
    load: async () => (await import("./cp.ts")).cpCommand,
  },
  {
    name: "create",
    summary: "Create a new container",
    load: async () => (await import("./create.ts")).createCommand,
  },
  {
    name: "diff",
    summary: "Inspect changes to files or directories on a container's filesystem",
    load: async () => (await import("./diff.ts")).diffCommand,
  },
  {
    name: "events",
    summary: "Get real time events from bocker",
    load: async () => (await import("./events.ts")).eventsCommand,
  },
  {
    name: "exec",
    summary: "Execute a command in a running container",
    load: async () => (await import("./exec.ts")).execCommand,
  },
  {
    name: "export",
    summary: "Export a container's filesystem as a tar archive",
    load: async () => (await import("./export.ts")).exportCommand,
  },
  {
    name: "fork",
    summary: "Create new containers with a copy of a container's files as they are now",
    load: async () => (await import("./fork.ts")).forkCommand,
  },
  {
    name: "history",
    summary: "Show the history of an image",
    load: async () => (await import("./history.ts")).historyCommand,
  },
  {
    name: "image prune",
    summary: "Remove unused images",
    load: async () => (await import("./prune.ts")).imagePruneCommand,
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
    name: "load",
    summary: "Load an image from a tar archive or STDIN",
    load: async () => (await import("./load.ts")).loadCommand,
  },
  {
    name: "login",
    summary: "Authenticate to a registry",
    load: async () => (await import("./login.ts")).loginCommand,
  },
  {
    name: "logout",
    summary: "Log out from a registry",
    load: async () => (await import("./logout.ts")).logoutCommand,
  },
  {
    name: "logs",
    summary: "Fetch the logs of a container",
    load: async () => (await import("./logs.ts")).logsCommand,
  },
  {
    name: "manifest annotate",
    summary: "Add additional information to a local image manifest",
    load: async () => (await import("./manifest.ts")).manifestAnnotateCommand,
  },
  {
    name: "manifest create",
    summary: "Create a local manifest list for annotating and pushing to a registry",
    load: async () => (await import("./manifest.ts")).manifestCreateCommand,
  },
  {
    name: "manifest inspect",
    summary: "Display an image manifest, or manifest list",
    load: async () => (await import("./manifest.ts")).manifestInspectCommand,
  },
  {
    name: "manifest push",
    summary: "Push a manifest list to a repository",
    load: async () => (await import("./manifest.ts")).manifestPushCommand,
  },
  {
    name: "manifest referrers",
    summary: "List what refers to an image in its registry: signatures, SBOMs and the like",
    load: async () => (await import("./manifest.ts")).manifestReferrersCommand,
  },
  {
    name: "manifest rm",
    summary: "Delete one or more manifest lists from local storage",
    load: async () => (await import("./manifest.ts")).manifestRemoveCommand,
  },
  {
    name: "pause",
    summary: "Pause all processes within one or more containers",
    load: async () => (await import("./pause.ts")).pauseCommand,
  },
  {
    name: "port",
    summary: "List port mappings or a specific mapping for the container",
    load: async () => (await import("./port.ts")).portCommand,
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
    name: "push",
    summary: "Upload an image to a registry",
    load: async () => (await import("./push.ts")).pushCommand,
  },
  {
    name: "rename",
    summary: "Rename a container",
    load: async () => (await import("./rename.ts")).renameCommand,
  },
  {
    name: "restart",
    summary: "Restart one or more containers",
    load: async () => (await import("./restart.ts")).restartCommand,
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
    name: "save",
    summary: "Save one or more images to a tar archive (streamed to STDOUT by default)",
    load: async () => (await import("./save.ts")).saveCommand,
  },
  {
    name: "search",
    summary: "Search Docker Hub or, with HOST/TERM, another registry for images",
    load: async () => (await import("./search.ts")).searchCommand,
  },
  {
    name: "start",
    summary: "Start one or more stopped containers",
    load: async () => (await import("./start.ts")).startCommand,
  },
  {
    name: "stats",
    summary: "Display a live stream of container(s) resource usage statistics",
    load: async () => (await import("./stats.ts")).statsCommand,
  },
  {
    name: "stop",
    summary: "Stop one or more running containers",
    load: async () => (await import("./stop.ts")).stopCommand,
  },
  {
    name: "storage pool create",
    summary: "Make a btrfs in a file and keep everything on it: snapshots on any filesystem",
    load: async () => (await import("./storage-pool.ts")).storagePoolCreateCommand,
  },
  {
    name: "storage pool rm",
    summary: "Remove the pool with all images, containers and volumes in it",
    load: async () => (await import("./storage-pool.ts")).storagePoolRemoveCommand,
  },
  {
    name: "system check",
    summary: "Check that everything of bocker's is there, is whole and belongs to something",
    load: async () => (await import("./system-check.ts")).systemCheckCommand,
  },
  {
    name: "system df",
    summary: "Show disk usage",
    load: async () => (await import("./system-df.ts")).systemDfCommand,
  },
  {
    name: "system prune",
    summary: "Remove unused data",
    load: async () => (await import("./prune.ts")).systemPruneCommand,
  },
  {
    name: "tag",
    summary: "Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE",
    load: async () => (await import("./tag.ts")).tagCommand,
  },
  {
    name: "top",
    summary: "Display the running processes of a container",
    load: async () => (await import("./top.ts")).topCommand,
  },
  {
    name: "undo",
    summary: "Give a container's files back as they were before its last exec",
    load: async () => (await import("./undo.ts")).undoCommand,
  },
  {
    name: "unpause",
    summary: "Unpause all processes within one or more containers",
    load: async () => (await import("./pause.ts")).unpauseCommand,
  },
  {
    name: "update",
    summary: "Update configuration of one or more containers",
    load: async () => (await import("./update.ts")).updateCommand,
  },
  {
    name: "version",
    summary: "Show the bocker version information",
    load: async () => (await import("./version.ts")).versionCommand,
  },
  {
    name: "volume clone",
    summary: "Create a volume with a copy of what is in another",
    load: async () => (await import("./volume-copies.ts")).volumeCloneCommand,
  },
  {
    name: "volume create",
    summary: "Create a volume",
    load: async () => (await import("./volume.ts")).volumeCreateCommand,
  },
  {
    name: "volume inspect",
    summary: "Display detailed information on one or more volumes",
    load: async () => (await import("./volume.ts")).volumeInspectCommand,
  },
  {
    name: "volume ls",
    summary: "List volumes",
    load: async () => (await import("./volume.ts")).volumeListCommand,
  },
  {
    name: "volume prune",
    summary: "Remove unused local volumes",
    load: async () => (await import("./volume.ts")).volumePruneCommand,
  },
  {
    name: "volume rename",
    summary: "Rename a volume that no container has",
    load: async () => (await import("./volume-copies.ts")).volumeRenameCommand,
  },
  {
    name: "volume rm",
    summary: "Remove one or more volumes",
    load: async () => (await import("./volume.ts")).volumeRemoveCommand,
  },
  {
    name: "volume rollback",
    summary: "Give a volume the contents of one of its snapshots again; what it has now is lost",
    load: async () => (await import("./volume-copies.ts")).volumeRollbackCommand,
  },
  {
    name: "volume snapshot",
    summary: "Keep what is in a volume now, as a read-only volume (VOLUME.1 and so on)",
    load: async () => (await import("./volume-copies.ts")).volumeSnapshotCommand,
  },
  {
    name: "wait",
    summary: "Block until one or more containers stop, then print their exit codes",
    load: async () => (await import("./wait.ts")).waitCommand,
  },
  {
    name: "attend",
    summary: "See to a container (called by its monitor)",
    hidden: true,
    load: async () => (await import("./attend.ts")).attendCommand,
  },
];

/** Groups of commands whose names have two words. */
export const GROUPS: ReadonlyMap<string, string> = new Map([
  ["container", "Manage containers"],
  ["image", "Manage images"],
  ["manifest", "Manage image manifests and manifest lists"],
  ["storage", "Manage where images and containers are kept"],
  ["system", "Manage bocker"],
  ["volume", "Manage volumes"],
]);

/** The command that these words begin with, and the words behind its name. */
export function findCommand(words: readonly string[]): { entry: Entry; rest: string[] } | undefined {
  for (const length of [3, 2, 1]) {
    const name = words.slice(0, length).join(" ");
    const entry = COMMANDS.find((candidate) => candidate.name === name);
    if (entry !== undefined) return { entry, rest: words.slice(length) };
  }
  return undefined;
}

/** The commands of a group. */
export function commandsOf(group: string): Entry[] {
  return COMMANDS.filter(({ name }) => name.startsWith(`${group} `));
}
