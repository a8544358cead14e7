/**
 * Sockets by raw sockaddr bytes, and descriptors passed over them.
 *
 * Promises: as files.ts; every descriptor that is made or received is close-on-exec.
 */
import { SOCK_CLOEXEC } from "./constants.ts";
import { native } from "./native.ts";
import { retried } from "./syscalls.ts";

export function socket(domain: number, type: number, protocol = 0): number {
  return retried(() => native().socket(domain, type | SOCK_CLOEXEC, protocol), "socket");
}

export function socketpair(domain: number, type: number, protocol = 0): [number, number] {
  const out = new Int32Array(2);
  retried(() => native().socketpair(domain, type | SOCK_CLOEXEC, protocol, out), "socketpair");
  return [out[0]!, out[1]!];
}

/** `address` is a sockaddr: family (host order) first. */
export function bind(fd: number, address: Uint8Array): void {
  retried(() => native().bind(fd, address), "bind");
}

export function connect(fd: number, address: Uint8Array): void {
  retried(() => native().connect(fd, address), "connect");
}

export function listen(fd: number, backlog = 128): void {
  retried(() => native().listen(fd, backlog), "listen");
}

export function accept(fd: number, flags = 0): number {
  return retried(() => native().accept4(fd, flags | SOCK_CLOEXEC), "accept4");
}

/** The local address as sockaddr bytes. */
export function getsockname(fd: number): Buffer {
  const out = Buffer.alloc(128);
  return out.subarray(
    0,
    retried(() => native().getsockname(fd, out), "getsockname"),
  );
}

export function setsockopt(fd: number, level: number, name: number, value: Uint8Array | number): void {
  const bytes = typeof value === "number" ? new Uint8Array(Int32Array.of(value).buffer) : value;
  retried(() => native().setsockopt(fd, level, name, bytes), "setsockopt");
}

/** At most `size` bytes of the option's value. */
export function getsockopt(fd: number, level: number, name: number, size = 4): Buffer {
  const out = Buffer.alloc(size);
  return out.subarray(
    0,
    retried(() => native().getsockopt(fd, level, name, out), "getsockopt"),
  );
}

/** Sends `data` (at least one byte) and copies of `fds` in one message. Returns the bytes sent. */
export function sendFds(fd: number, data: Uint8Array, fds: number[], flags = 0): number {
  return retried(() => native().sendFds(fd, data, fds, flags), "sendmsg");
}

/** One message into `data`, with at most `maximum` descriptors (others are closed); 0 bytes at the end. */
export function receiveFds(
  fd: number,
  data: Uint8Array,
  maximum: number,
  flags = 0,
): { length: number; fds: number[] } {
  const out = new Int32Array(maximum + 1);
  const length = retried(() => native().recvFds(fd, data, out, flags), "recvmsg");
  return { length, fds: [...out.subarray(1, 1 + out[0]!)] };
}

export function shutdown(fd: number, how: number): void {
  retried(() => native().shutdown(fd, how), "shutdown");
}
