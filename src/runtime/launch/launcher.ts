/** Starts the launcher with a plan. What it runs from, and what it is given, cannot be changed by anybody. */
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
  O_RDONLY,
  O_RDWR,
  POLLIN,
  SOCK_CLOEXEC,
  SOCK_SEQPACKET,
} from "../../os/constants.ts";
import { close, fcntl, memfdCreate, openat, readAll, withFd, writeAll } from "../../os/files.ts";
import { libraryDirectory } from "../../os/native.ts";
import { openProcess, pollAsync, spawn, waitpid } from "../../os/processes.ts";
import { sendFds, socketpair } from "../../os/sockets.ts";

/** It is smaller; one read is enough. */
const LAUNCHER_BYTES = 128 * 1024;

const ALL_SEALS = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;

/** A file's bytes in memory that nobody can write to any more, this process included. */
function sealedCopy(path: string): number {
  const fd = memfdCreate("bocker-launcher", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  withFd(openat(AT_FDCWD, path, O_RDONLY), (file) => writeAll(fd, readAll(file, undefined, LAUNCHER_BYTES)));
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
 * Starts the launcher, which waits for its plan. It runs from a sealed copy in memory: a container that gets
 * hold of /proc/PID/exe finds nothing it could overwrite (CVE-2019-5736).
 * @param cgroup descriptor of the cgroup v2 directory that it is born in; -1: this process's
 * @param prepare called with this end of the socket before the launcher exists, to attach streams
 */
export function launch(title: string, cgroup: number, prepare: (socket: number) => void): Launched {
  const [ours, theirs] = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC);
  const executable = sealedCopy(`${libraryDirectory()}/bocker-launcher`);
  const null_ = openat(AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC);
  try {
    prepare(ours);
    const fds = [null_, null_, null_, theirs];
    return { pid: spawn(executable, [title], [], fds, true, cgroup), socket: ours };
  } catch (error) {
    close(ours);
    throw error;
  } finally {
    for (const fd of [theirs, executable, null_]) close(fd);
  }
}

const PLAN_PART = 0x50;
const LAST_PART = 1;
const PART_HEAD = 8;
/** Well below what a socket takes at once, and what the launcher has room for. */
const PART_BYTES = 64 * 1024;
const PART_DESCRIPTORS = 64;

/**
 * Sends bytes of a plan to a launcher, which carries out the operations in them at once.
 * @param fds the next descriptors of the plan (slots from SLOT_INHERITED on); they stay open here
 * @param last whether the plan ends here
 */
export function sendPart({ socket }: Launched, bytes: Uint8Array, fds: number[], last: boolean): void {
  let at = 0;
  let sent = 0;
  do {
    const size = Math.min(PART_BYTES, bytes.length - at);
    const some = fds.slice(sent, sent + PART_DESCRIPTORS);
    at += size;
    sent += some.length;
    const packet = Buffer.alloc(PART_HEAD + size);
    packet[0] = PLAN_PART;
    packet[1] = last && at === bytes.length && sent === fds.length ? LAST_PART : 0;
    packet.set(bytes.subarray(at - size, at), PART_HEAD);
    sendFds(socket, packet, some);
  } while (at < bytes.length || sent < fds.length);
}

/** Gives up a start whose plan is not complete: the launcher undoes what it has done, and ends. */
export function abandon({ pid, socket }: Launched): void {
  close(socket);
  waitpid(pid);
}

/** As `abandon`, but it may take its time for it: nobody waits, though somebody takes note of its end. */
export function dismiss({ pid, socket }: Launched): void {
  close(socket);
  const pidfd = openProcess(pid);
  if (pidfd === undefined) return;
  const note = () => {
    close(pidfd);
    waitpid(pid);
  };
  void pollAsync([{ fd: pidfd, events: POLLIN }], -1).then(note);
}
