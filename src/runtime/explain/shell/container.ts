/** The container's own part of the script: what runs in the new namespaces and becomes the program. */
import { S_IFBLK, S_IFCHR, S_IFIFO, S_IFMT } from "../../../os/constants.ts";
import type { Operation, Plan } from "../../plan/operation.ts";
import { operationsOf } from "../explanation.ts";
import { MountTranslator } from "./mounts.ts";
import { ProgramTranslator } from "./program.ts";
import { octalMode, quoted } from "./words.ts";
import { ScriptWriter } from "./writer.ts";

const NODE_TYPES = new Map([
  [S_IFCHR, "c"],
  [S_IFBLK, "b"],
  [S_IFIFO, "p"],
]);
/** Called by name before and after pivot_root. */
const TOOLS = ["mount", "umount", "mkdir", "mknod", "chown", "ln", "readlink", "ip"];

/** Finds the host's loader and its libraries, by paths relative to /usr. */
export const LOADER = `
# Once / is the container's these tools need not exist there. The working directory stays in the host's tree, so they
# are found by relative paths, and so are their loader and its libraries; nothing else of the host is kept open.
for loader in /lib64/ld-linux-x86-64.so.2 /lib/ld-linux-aarch64.so.1 /lib/ld-musl-*.so.1; do
	if [ -e "$loader" ]; then break; fi
done
loader=..$(realpath "$loader")
libraries=\${loader%/*}:../usr/\${loader#../}
libraries=\${libraries%/*}`;

const FUNCTIONS = `
program() {
	for directory in ../usr/bin ../usr/sbin ../bin ../sbin; do
		if [ -x "$directory/$1" ]; then
			printf '%s\\n' "$directory/$1"
			return
		fi
	done
	printf '%s: not found on the host\\n' "$1" >&2
	return 1
}
host() {
	tool=$(program "$1")
	shift
	"$loader" --library-path "$libraries" "$tool" "$@"
}`;

const MOUNT_FUNCTIONS = `
# Where a path of the container is, seen from here: as it stands, or with its links followed inside the root.
below_root() { printf '%s\\n' "$root$1"; }
inside_root() {
	rest=$1 path='' links=0
	while [ -n "$rest" ]; do
		name=\${rest%%/*}
		case $rest in */*) rest=\${rest#*/} ;; *) rest='' ;; esac
		case $name in
			'' | .) continue ;;
			..) path=\${path%/*} && continue ;;
		esac
		if [ "$links" -lt 40 ] && link=$(readlink "$root$path/$name"); then
			case $link in /*) path='' ;; esac
			rest=$link/$rest links=$((links + 1))
		else
			path=$path/$name
		fi
	done
	printf '%s\\n' "$root$path"
}
make_file() {
	if [ ! -e "$1" ]; then
		mkdir -p "\${1%/*}"
		: >"$1"
	fi
}
# mount(8) has no recursive remount before 2.39: each mount of the tree by itself.
remount_tree() {
	while read -r _ _ _ _ mounted _; do
		case $mounted in
			"$2" | "$2"/*) mount -o "remount,bind,$1" "$(printf '%b' "$mounted")" ;;
		esac
	done </proc/self/mountinfo
}
make_readonly() {
	if [ -e "$1" ]; then
		mount --rbind "$1" "$1"
		remount_tree ro "$1"
	fi
}
# One empty, read-only tmpfs for all directories that are covered; /dev/null for files.
empty=''
cover() {
	if [ ! -e "$1" ]; then
		return
	elif [ ! -d "$1" ]; then
		mount --bind /dev/null "$1"
	elif [ -n "$empty" ]; then
		mount --bind "$empty" "$1"
	else
		mount -t tmpfs -o ro,nr_blocks=1,nr_inodes=2 none "$1"
		empty=$1
	fi
}`;

const PIVOT = [
  "cd /usr",
  // The last line of the plan that finds these tools by their names.
  '(cd "$root" && pivot_root . .)',
  ...TOOLS.map((tool) => `${tool}() { host ${tool} "$@"; }`),
  "umount -l /",
];

function nodeLines(operation: Extract<Operation, { op: "mknod" }>): string[] {
  const { path, mode, major, minor, uid, gid } = operation;
  const type = NODE_TYPES.get(mode & S_IFMT) ?? "p";
  const numbers = type === "p" ? "" : ` ${major} ${minor}`;
  const make = `[ -e ${quoted(path)} ] || mknod -m ${octalMode(mode)} ${quoted(path)} ${type}${numbers}`;
  return uid === 0 && gid === 0 ? [make] : [make, `chown ${uid}:${gid} ${quoted(path)}`];
}

function optionally(operation: Operation, line: string): string {
  return operation.optional === true || operation.tolerate !== undefined ? `${line} || :` : line;
}

function writeLines(operation: Extract<Operation, { op: "write" }>): string[] {
  const line = `printf '%s' ${quoted(operation.data)} >${quoted(operation.path)}`;
  return [optionally(operation, operation.tolerate === undefined ? line : `{ ${line}; } 2>/dev/null`)];
}

const NOTES: Partial<Record<Operation["op"], string>> = {
  seccomp: "util-linux cannot load a system call filter, so the program runs without one",
  keyring: "util-linux cannot make a keyring; the caller's stays",
  reaper: "util-linux has no small init; the program is pid 1",
  close_rest: "descriptors above 9 that the script's caller left open; /bin/sh cannot name them",
  bpf_device: "no tool of util-linux attaches a program to a cgroup; devices stay allowed",
};

/** Translates the container's operations, in the plan's order. */
class ContainerTranslator {
  readonly #mounts = new MountTranslator();
  readonly #program = new ProgramTranslator();

  lines(operation: Operation): string[] {
    if (this.#program.take(operation)) return [];
    switch (operation.op) {
      case "exec":
        return this.#program.lines(operation);
      case "close_rest":
        return ["exec 3<&- 4<&- 5<&- 6<&- 7<&- 8<&- 9<&-"];
      case "write":
        return writeLines(operation);
      case "mknod":
        return nodeLines(operation);
      case "symlink": {
        const path = quoted(operation.path);
        return [`[ -e ${path} ] || [ -L ${path} ] || ln -s ${quoted(operation.target)} ${path}`];
      }
      case "umask":
        return [`umask ${octalMode(operation.mask)}`];
      case "sethostname":
        return [`printf '%s' ${quoted(operation.name)} >/proc/sys/kernel/hostname`];
      case "setdomainname":
        return [`printf '%s' ${quoted(operation.name)} >/proc/sys/kernel/domainname`];
      case "wait":
        return ["read -r _ <&4"];
      case "signal":
        return ["echo >&7"];
      case "netlink":
        return operation.commands ?? [];
      default:
        return this.#mountLines(operation);
    }
  }

  #mountLines(operation: Operation): string[] {
    switch (operation.op) {
      case "fsmount":
        return this.#mounts.fsmount(operation);
      case "open_tree":
        return this.#mounts.openTree(operation);
      case "mount_setattr":
        return this.#mounts.setAttributes(operation);
      case "move_mount":
        return this.#mounts.moveMount(operation);
      case "mount":
        return this.#mounts.mount(operation);
      case "open_root":
        return this.#mounts.openRoot(operation);
      case "propagation":
        return this.#mounts.propagation(operation);
      case "pivot_root":
        this.#mounts.pivoted();
        return PIVOT;
      case "mask":
        return [`cover ${quoted(operation.path)}`];
      case "readonly":
        return [`make_readonly ${quoted(operation.path)}`];
      case "mkdir_in_root":
        return [`mkdir -p "$(inside_root ${quoted(operation.path)})"`];
      default:
        return [];
    }
  }
}

/** Does the container find its own root, or does it join one that is set up (an exec)? */
function hasOwnRoot(plan: Plan): boolean {
  return plan.operations.some(({ op }) => op === "pivot_root");
}

/** The script that the new process runs; its first argument is a directory it shares with the monitor's. */
export function containerScript(plan: Plan): string {
  const writer = new ScriptWriter();
  const operations = operationsOf(plan, "container");
  const ownRoot = hasOwnRoot(plan);
  writer.add("set -eu", ownRoot ? "exec 3<&-" : "exec 3<&- 2>&6 6>&-");
  if (ownRoot) {
    const waits = operations.some(({ operation }) => operation.op === "wait");
    writer.add(waits ? 'exec 4<>"$1/network"' : "exec 4</dev/null");
    if (operations.some(({ operation }) => operation.op === "signal")) writer.add('exec 7<>"$1/ready"');
    // This procfs is still the host's, and so is the number in it.
    writer.add("read -r pid _ </proc/self/stat", 'printf \'%s\\n\' "$pid" >"$1/pid"');
  }
  // An exec's process is born behind the container's root: it was told where they are.
  if (ownRoot) writer.add(...LOADER.split("\n"));
  writer.add(...FUNCTIONS.slice(1).split("\n"));
  if (ownRoot) writer.add(...MOUNT_FUNCTIONS.split("\n"));
  const translator = new ContainerTranslator();
  for (const { operation } of operations.filter((one) => ownRoot || one.operation.group !== "cgroup"))
    writer.explained(operation, translator.lines(operation), NOTES[operation.op]);
  return writer.lines.join("\n");
}
