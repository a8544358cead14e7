/** Why a start failed, in words, and with Docker's exit codes. */
import { BockerError } from "../base/errors.ts";
import type { MonitorEvent } from "../monitor/protocol.ts";
import { NETLINK_NETFILTER, NETLINK_ROUTE } from "../os/constants.ts";
import { messageOfErrno, SystemError } from "../os/system-error.ts";
import type { Operation, Plan } from "../runtime/plan/operation.ts";

/**
 * A start that failed at the container's cgroups. A parent that was there when the start was decided may be gone when
 * it is carried out, for it may be removed whenever it is empty; one that is made again has none of its settings.
 */
export class CgroupFailure extends BockerError {}

/** A start that failed because another container got its address, or its interface's number, at the same moment. */
export class AddressTaken extends BockerError {}

const EACCES = 13;
const ENOENT = 2;
const EBUSY = 16;
/** Of an element or a link that is there already. */
const EEXIST = 17;
const ENOTDIR = 20;
const ENOEXEC = 8;
const EROFS = 30;

function isHostNetlink(operation: Operation | undefined, protocol: number): boolean {
  return operation?.op === "netlink" && operation.phase === "host-after" && operation.protocol === protocol;
}

/** What has failed in a way that another attempt may not. */
function failureOf(operation: Operation, errno: number): typeof BockerError {
  if (operation.group === "cgroup" && operation.phase === "host") return CgroupFailure;
  const isTaken = errno === EEXIST || errno === EBUSY;
  return isTaken && isHostNetlink(operation, NETLINK_ROUTE) ? AddressTaken : BockerError;
}

/** An errno of setting up the container, in words. */
function reasonOf(operation: Operation | undefined, errno: number): string {
  const reason = messageOfErrno(errno);
  if (isHostNetlink(operation, NETLINK_NETFILTER) && errno === EEXIST) return "port is already allocated";
  // overlayfs does not fail without room for its work directory: it is mounted read-only.
  if (operation?.op !== "exec" && errno === EROFS)
    return `${reason}: the container's root is made so when there is no space left on device for it`;
  return reason;
}

/** Why the launcher could not go on, in words; for the program itself with Docker's exit codes. */
export function startError(plan: Plan, event: Extract<MonitorEvent, { type: "failed" }>): BockerError {
  const operation: Operation | undefined =
    event.operation === undefined ? undefined : plan.operations[event.operation];
  const reason = reasonOf(operation, event.errno);
  if (operation === undefined)
    return new BockerError("internal", `the launcher could not read its plan: ${reason}`);
  if (operation.op !== "exec") {
    const Failure = failureOf(operation, event.errno);
    const cause = new SystemError(event.errno, operation.op);
    return new Failure("start-failed", `failed to create the container: ${operation.what}: ${reason}`, {
      cause,
    });
  }
  const program = operation.argv[0] ?? "";
  if (event.errno === ENOENT || event.errno === ENOTDIR)
    return new BockerError(
      "command-not-found",
      program.includes("/")
        ? `exec: ${JSON.stringify(program)}: stat ${program}: ${reason}`
        : `exec: ${JSON.stringify(program)}: executable file not found in $PATH`,
    );
  if (event.errno === EACCES || event.errno === ENOEXEC)
    return new BockerError("not-executable", `exec: ${JSON.stringify(program)}: ${reason}`);
  return new BockerError("start-failed", `exec: ${JSON.stringify(program)}: ${reason}`);
}
