/** The process of the specification as operations, up to its program: limits, identity, capabilities, seccomp. */
import { BockerError } from "../../base/errors.ts";
import type { RuntimeProcess } from "../../spec/runtime.ts";
import { capabilityMask } from "../generate/capabilities.ts";
import type { Operation } from "./operation.ts";
import { RLIMITS } from "./rlimits.ts";

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
 * From a set-up container to where its program can be executed. Without no_new_privs the filter needs CAP_SYS_ADMIN to load,
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
  operations.push({
    op: "close_rest",
    phase: "container",
    group: "exec",
    what: "close every descriptor above 2",
    why: "before the program is looked up: no path may go by a descriptor of the launcher's (CVE-2024-21626)",
  });
  return operations;
}
