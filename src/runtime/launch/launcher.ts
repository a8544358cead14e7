/** Starts the launcher with a plan. What it runs from, and what it is given, cannot be changed by anybody. */
import { join } from "node:path";
import {
  AF_UNIX,
  AT_FDCWD,
  F_ADD_SEALS,
  F_SEAL_GROW,
  F_SEAL_SEAL,
  F_SEAL_SHRINK,
  F_SEAL_WRITE,
  MFD_ALLOW_SEALING,
  MFD_CLOEXEC,
  O_CLOEXEC,
  O_RDWR,
  SOCK_CLOEXEC,
  SOCK_SEQPACKET,
} from "../../os/constants.ts";
import { close, fcntl, memfdCreate, openat, readFileAt, writeAll } from "../../os/files.ts";
import { libraryDirectory } from "../../os/native.ts";
import { spawn } from "../../os/processes.ts";
import { socketpair } from "../../os/sockets.ts";

const ALL_SEALS = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;

/** Bytes in memory that nobody can write to any more, this process included. */
function sealed(name: string, bytes: Uint8Array): number {
  const fd = memfdCreate(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
  writeAll(fd, bytes);
  fcntl(fd, F_ADD_SEALS, ALL_SEALS);
  return fd;
}

/** What this is called among the phases of a start (--timings). */
export const LAUNCHED = "start the launcher";

export interface Launched {
  /** The launcher's, then the monitor's, process id: a child of this process. */
  pid: number;
  /** This end of the message socket (monitor/protocol.ts). */
  socket: number;
}

/**
 * Starts the launcher. It runs from a sealed copy in memory: a container that gets hold of
 * /proc/PID/exe finds nothing it could overwrite (CVE-2019-5736).
 * @param plan encoded plan
 * @param inherited descriptors for the first slots; they stay open here
 * @param prepare called with this end of the socket before the launcher exists, to attach streams
 */
export function launch(
  plan: Uint8Array,
  title: string,
  inherited: number[],
  prepare: (socket: number) => void,
): Launched {
  const [ours, theirs] = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC);
  const executable = sealed(
    "bocker-launcher",
    readFileAt(AT_FDCWD, join(libraryDirectory(), "bocker-launcher")),
  );
  const planFd = sealed("bocker-plan", plan);
  const null_ = openat(AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC);
  try {
    prepare(ours);
    const fds = [null_, null_, null_, theirs, planFd, ...inherited];
    return { pid: spawn(executable, [title], [], fds, true), socket: ours };
  } catch (error) {
    close(ours);
    throw error;
  } finally {
    for (const fd of [theirs, executable, planFd, null_]) close(fd);
  }
}
