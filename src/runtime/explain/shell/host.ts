/** The part of the script that runs on the host: bocker's own steps, the launcher's, the monitor's. */
import {
  CLONE_NEWCGROUP,
  CLONE_NEWIPC,
  CLONE_NEWNET,
  CLONE_NEWNS,
  CLONE_NEWPID,
  CLONE_NEWUTS,
} from "../../../os/constants.ts";
import type { Operation, Plan } from "../../plan/operation.ts";
import type { Step } from "../../plan/step.ts";
import { type Explanation, operationsOf } from "../explanation.ts";
import { containerScript, LOADER } from "./container.ts";
import { delimiter, octalMode, quoted } from "./words.ts";
import { ScriptWriter } from "./writer.ts";

const NAMESPACE_OPTIONS: [number, string][] = [
  [CLONE_NEWNS, "--mount"],
  [CLONE_NEWUTS, "--uts"],
  [CLONE_NEWIPC, "--ipc"],
  [CLONE_NEWPID, "--pid"],
  [CLONE_NEWNET, "--net"],
];

function fileLines(step: Extract<Step, { step: "file" }>): string[] {
  const path = quoted(step.path);
  const lines = step.content.endsWith("\n")
    ? (() => {
        const end = delimiter(step.content, "EOF");
        return [`cat >${path} <<'${end}'`, ...step.content.slice(0, -1).split("\n"), end];
      })()
    : [`printf '%s' ${quoted(step.content)} >${path}`];
  return [...lines, `chmod ${octalMode(step.mode)} ${path}`];
}

function stepLines(step: Step): string[] {
  switch (step.step) {
    case "directory":
      return [`mkdir -p -m ${octalMode(step.mode)} ${quoted(step.path)}`];
    case "clone":
      return [step.command.map(quoted).join(" ")];
    case "file":
      return fileLines(step);
    case "setting":
      return [`if [ -e ${quoted(step.path)} ]; then echo ${quoted(step.value)} >${quoted(step.path)}; fi`];
    case "netlink":
      return step.commands;
    case "cgroup":
      return [`mkdir -p ${quoted(step.path)}`];
    case "evacuate":
      return [`evacuate ${quoted(step.from)} ${quoted(step.to)}`];
    case "launch":
      // The script is in the monitor's place.
      return step.cgroup === "" ? [] : [`echo 0 >${quoted(`${step.cgroup}/cgroup.procs`)}`];
    case "remove":
      return [`rm -rf ${quoted(step.path)}`];
    default:
      return [];
  }
}

const STEP_NOTES: Partial<Record<Step["step"], string>> = {
  record: "a script keeps no records, and bocker does not know of its containers",
  launch: "the rest of this script is in its place",
};

function hostLines(operation: Operation): string[] {
  const line = () => {
    switch (operation.op) {
      case "mkdir":
        return [`mkdir -m ${octalMode(operation.mode)} ${quoted(operation.path)}`];
      case "write":
        return [`printf '%s' ${quoted(operation.data)} >${quoted(operation.path)}`];
      case "netlink":
      case "await_link":
        return operation.commands ?? [];
      case "signal":
        return [`echo >"$scratch/network"`];
      case "wait":
        return [`read -r _ <"$scratch/ready"`];
      case "rmdir":
        return [`remove_cgroup ${quoted(operation.path)}`];
      case "unlink":
        return [`rm -f ${quoted(operation.path)}`];
      default:
        return [];
    }
  };
  if (operation.tolerate === undefined && operation.optional !== true) return line();
  return line().map((text) => `{ ${text}; } 2>/dev/null || :`);
}

const HOST_NOTES: Partial<Record<Operation["op"], string>> = {
  bpf_device: "no tool of util-linux attaches a program to a cgroup; devices stay allowed",
  events: "a script keeps no journal: nobody is told of what it does",
  open_ns: "a script holds no descriptors of namespaces; ip(8) finds it by the process id",
};

const CLEANUP = `
scratch=$(mktemp -d)
monitor=''
# A cgroup stays busy until the kernel has put away its last task, and until those made below it are gone.
remove_cgroup() {
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		if rmdir "$1" 2>/dev/null || [ ! -e "$1" ]; then return; fi
		find "$1" -mindepth 1 -depth -type d -exec rmdir {} + 2>/dev/null || :
		sleep 0.05
	done
}`;

const EVACUATE = `
# What is moved may make processes meanwhile; the shell itself is among them.
evacuate() {
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		pids=$(cat "$1/cgroup.procs")
		if [ -z "$pids" ]; then return; fi
		for pid in $pids; do
			{ echo "$pid" >"$2/cgroup.procs"; } 2>/dev/null || :
		done
	done
}`;

const TRAPS = `trap clean_up EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM`;

const AWAIT_PID = `# The number of the container's first process, as the host sees it.
while [ ! -s "$scratch/pid" ]; do
	kill -0 "$monitor"
	sleep 0.01
done
read -r NETNS_PID <"$scratch/pid"
export NETNS_PID`;

function cleanUp(explanation: Explanation): string[] {
  const writer = new ScriptWriter();
  for (const { operation } of operationsOf(explanation.plan, "cleanup"))
    writer.explained(
      operation,
      hostLines(operation).map((line) => line.replace(/(?<!\|\| :)$/, " || :")),
    );
  for (const step of explanation.after) writer.explained(step, stepLines(step), STEP_NOTES[step.step]);
  const inner = writer.lines.map((line) => (line === "" ? "" : `\t${line}`));
  return [
    "clean_up() {",
    "\ttrap '' HUP INT TERM",
    // The container's first process dies with unshare.
    '\tif [ -n "$monitor" ]; then',
    '\t\tkill -KILL "$monitor" 2>/dev/null || :',
    '\t\twait "$monitor" 2>/dev/null || :',
    "\tfi",
    ...inner,
    '\trm -rf "$scratch"',
    "}",
  ];
}

/** The namespaces that the process does not make but joins: nsenter's options. */
function joined(explanation: Explanation): string {
  const [inherited = ""] = explanation.inherited;
  const joins = explanation.plan.operations.some(({ op, phase }) => op === "setns" && phase === "container");
  return joins ? `nsenter --net=${quoted(inherited)} ` : "";
}

/** Whether a running container's namespaces are joined; else one is started. */
function joinsContainer(plan: Plan): boolean {
  return plan.operations.some(({ op }) => op === "succeed");
}

/**
 * An exec: the new process enters the cgroups first, by paths of the host, and the namespaces then. nsenter
 * keeps the working directory open in the host's tree, where the container's script finds its tools; the shell
 * complains of a directory that has no name there, so its errors come back a line later.
 */
function execLines(explanation: Explanation, cgroup: string | undefined): string[] {
  const { plan, inherited } = explanation;
  const body = containerScript(plan);
  const end = delimiter(body, "CONTAINER");
  const [pid = ""] = inherited;
  const entered = operationsOf(plan, "container").flatMap(({ operation }) =>
    operation.op === "write" && operation.group === "cgroup" ? [operation.path] : [],
  );
  const tasks = [...entered, ...(cgroup === undefined ? [] : [`${cgroup}/cgroup.procs`])];
  const input = plan.monitor.stdin ? ["exec 5<&0"] : [];
  return [
    ...LOADER.split("\n"),
    "export loader libraries",
    ...input,
    "(",
    "\t# This subshell becomes the process; it enters the container's cgroups and namespaces.",
    ...tasks.map((path) => `\techo 0 >${quoted(path)}`),
    `\texec nsenter --target ${quoted(pid)} --mount --uts --ipc --net --pid --cgroup --wd=/usr \\`,
    `\t\t"$loader" --library-path "$libraries" ../bin/sh /proc/self/fd/3 ${plan.monitor.stdin ? "<&5 5<&-" : "</dev/null"} 6>&2 2>/dev/null 3<<'${end}'`,
    ...body.split("\n"),
    end,
    ") &",
    "monitor=$!",
  ];
}

function cloneLines(explanation: Explanation, flags: number, cgroup: string | undefined): string[] {
  const { plan } = explanation;
  const body = containerScript(plan);
  const end = delimiter(body, "CONTAINER");
  const options = NAMESPACE_OPTIONS.filter(([flag]) => flags & flag).map(([, option]) => option);
  const command = `unshare ${options.join(" ")} --propagation unchanged --fork --kill-child`;
  // In cgroup v2 the process enters its cgroup first, and then makes that the root of what it sees.
  const shell =
    cgroup === undefined
      ? '/bin/sh /dev/fd/3 "$scratch"'
      : `/bin/sh -c 'echo 0 >"$1/cgroup.procs"; ${flags & CLONE_NEWCGROUP ? "exec unshare --cgroup" : "exec"} /bin/sh /dev/fd/3 "$2"' sh ${quoted(cgroup)} "$scratch"`;
  // A background process loses its input before its own redirections count.
  const input = plan.monitor.stdin ? "<&5 5<&-" : "</dev/null";
  return [
    ...(plan.monitor.stdin ? ["exec 5<&0"] : []),
    `${joined(explanation)}${command} \\`,
    `\t${shell} ${input} 3<<'${end}' &`,
    ...body.split("\n"),
    end,
    "monitor=$!",
    ...AWAIT_PID.split("\n"),
  ];
}

/** What the cgroup slot is open for: the directory that clone3 puts the process into. */
function cgroupDirectory(plan: Plan): string | undefined {
  const clone = plan.operations.find((operation) => operation.op === "clone");
  const open = plan.operations.findLast(
    (operation) => operation.op === "open" && clone?.op === "clone" && operation.slot === clone.cgroup,
  );
  return open?.op === "open" ? open.path : undefined;
}

/** The script of a container's start, from the first directory to the last removal. */
export function hostScript(explanation: Explanation): string {
  const { plan, before, meanwhile } = explanation;
  const writer = new ScriptWriter();
  writer.add(...CLEANUP.split("\n").slice(1), ...cleanUp(explanation), ...TRAPS.split("\n"));
  if (before.some(({ step }) => step === "evacuate")) writer.add(...EVACUATE.split("\n"));
  for (const step of [...before, ...meanwhile])
    writer.explained(step, stepLines(step), STEP_NOTES[step.step]);
  if (plan.operations.some(({ op }) => op === "wait"))
    writer.add(
      "",
      "# Here the container and this script wait for each other.",
      'mkfifo "$scratch/network" "$scratch/ready"',
    );
  const isExec = joinsContainer(plan);
  for (const { operation } of operationsOf(plan, "host")) {
    const lines =
      operation.op === "clone" && isExec
        ? execLines(explanation, cgroupDirectory(plan))
        : operation.op === "clone"
          ? cloneLines(explanation, operation.flags, cgroupDirectory(plan))
          : hostLines(operation);
    writer.explained(operation, lines, HOST_NOTES[operation.op]);
  }
  for (const { operation } of operationsOf(plan, "host-after"))
    writer.explained(operation, hostLines(operation), HOST_NOTES[operation.op]);
  writer.add("", "# The script ends as the container does.", "code=0", 'wait "$monitor" || code=$?');
  writer.add("monitor=''", 'exit "$code"');
  return writer.lines.join("\n");
}
