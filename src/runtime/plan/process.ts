/** The process of the specification as operations: limits, identity, capabilities, seccomp, exec. */
import { BockerError } from "../../base/errors.ts";
import type { RuntimeProcess } from "../../spec/runtime.ts";
import { capabilityMask } from "../generate/capabilities.ts";
import { DEFAULT_PATH } from "../generate/defaults.ts";
import type { Operation } from "./operation.ts";

/** getrlimit(2) numbers (include/uapi/asm-generic/resource.h). */
export const RLIMITS: Record<string, number> = {
  RLIMIT_CPU: 0,
  RLIMIT_FSIZE: 1,
  RLIMIT_DATA: 2,
  RLIMIT_STACK: 3,
  RLIMIT_CORE: 4,
  RLIMIT_RSS: 5,
  RLIMIT_NPROC: 6,
  RLIMIT_NOFILE: 7,
  RLIMIT_MEMLOCK: 8,
  RLIMIT_AS: 9,
  RLIMIT_LOCKS: 10,
  RLIMIT_SIGPENDING: 11,
  RLIMIT_MSGQUEUE: 12,
  RLIMIT_NICE: 13,
  RLIMIT_RTPRIO: 14,
  RLIMIT_RTTIME: 15,
};

/** The paths execve is tried with, as execvp(3) would: PATH is the container's own. */
export function execCandidates(program: string, env: string[]): string[] {
  if (program.includes("/")) return [program];
  const path = env.findLast((entry) => entry.startsWith("PATH="))?.slice(5) ?? DEFAULT_PATH;
  return path.split(":").map((directory) => `${directory === "" ? "." : directory}/${program}`);
}

/** -1 is the kernel's RLIM_INFINITY. */
function limitText(value: number): string {
  return value === -1 ? "unlimited" : String(value);
}

function limitOperations(process: RuntimeProcess): Operation[] {
  return process.rlimits.map(({ type, soft, hard }) => {
    const resource = RLIMITS[type];
    if (resource === undefined) throw new BockerError("invalid", `invalid ulimit type: ${type}`);
    return {
      op: "rlimit",
      phase: "container",
      group: "identity",
      what: `set ${type} to ${limitText(soft)} (hard ${limitText(hard)})`,
      why: "limits are the container's, not those of whoever called bocker",
      resource,
      soft: BigInt(soft),
      hard: BigInt(hard),
    };
  });
}

function seccompOperation(program: Uint8Array): Operation {
  return {
    op: "seccomp",
    phase: "container",
    group: "identity",
    what: `load the system call filter (${program.length / 8} BPF instructions)`,
    why: "what is not on the profile's list is refused by the kernel before it runs",
    flags: 0,
    program,
  };
}

function identityOperations(process: RuntimeProcess): Operation[] {
  const { uid, gid, additionalGids, umask } = process.user;
  const sets = process.capabilities;
  return [
    {
      op: "identity",
      phase: "container",
      group: "identity",
      what: `become uid ${uid}, gid ${gid}, groups ${additionalGids.join(",")}`,
      why: "groups first, then gid, then uid: after the last there is no right to change the others",
      uid,
      gid,
      groups: additionalGids,
    },
    {
      op: "chdir",
      phase: "container",
      group: "exec",
      what: `change to the working directory ${process.cwd}`,
      why: "and check that it lies inside the root: a leaked descriptor must not lead out (CVE-2024-21626)",
      path: process.cwd,
    },
    {
      op: "capset",
      phase: "container",
      group: "identity",
      what: `set the capabilities: ${sets.effective.length} effective, none inheritable`,
      why: "an inheritable set would raise what file capabilities give (CVE-2022-24769)",
      effective: capabilityMask(sets.effective),
      permitted: capabilityMask(sets.permitted),
      inheritable: capabilityMask(sets.inheritable),
      ambient: capabilityMask(sets.ambient),
    },
    {
      op: "umask",
      phase: "container",
      group: "identity",
      what: `set the umask to 0${umask.toString(8).padStart(3, "0")}`,
      why: "new files are not writable by everybody",
      mask: umask,
    },
  ];
}

/**
 * From a set-up container to its program. Without no_new_privs the filter needs CAP_SYS_ADMIN to load,
 * so it comes before the capabilities go; with it, last (runc's order).
 */
export function processOperations(
  process: RuntimeProcess,
  seccomp: Uint8Array | undefined,
  init: boolean,
): Operation[] {
  const operations = limitOperations(process);
  const bounding = capabilityMask(process.capabilities.bounding);
  operations.push({
    op: "cap_bound",
    phase: "container",
    group: "identity",
    what: `drop all but ${process.capabilities.bounding.length} capabilities from the bounding set`,
    why: "what is not in it can never be gained again, by no set-uid program either",
    keep: bounding,
  });
  if (seccomp !== undefined && !process.noNewPrivileges) operations.push(seccompOperation(seccomp));
  operations.push(...identityOperations(process));
  operations.push({
    op: "deathsig",
    phase: "container",
    group: "exec",
    what: "ask for SIGKILL when the monitor ends",
    why: "no container runs without somebody who reads its output and records its end",
  });
  if (process.noNewPrivileges) {
    operations.push({
      op: "no_new_privs",
      phase: "container",
      group: "identity",
      what: "set no_new_privs",
      why: "set-uid programs and file capabilities give nothing any more",
    });
    if (seccomp !== undefined) operations.push(seccompOperation(seccomp));
  }
  if (init)
    operations.push({
      op: "reaper",
      phase: "container",
      group: "exec",
      what: "split off a small init as pid 1",
      why: "--init: it passes signals on and reaps orphans",
    });
  const program = process.args[0];
  if (program === undefined) throw new BockerError("invalid", "no command specified");
  operations.push(
    {
      op: "cloexec",
      phase: "container",
      group: "exec",
      what: "mark every descriptor above 2 close-on-exec",
      why: "nothing of the host may be reachable through a forgotten descriptor (CVE-2024-21626)",
    },
    {
      op: "exec",
      phase: "container",
      group: "exec",
      what: `execute ${process.args.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : JSON.stringify(word))).join(" ")}`,
      why: "the launcher's image is replaced by the container's program",
      argv: process.args,
      env: process.env,
      candidates: execCandidates(program, process.env),
    },
  );
  return operations;
}
