/** What ioctls tell about a network interface: netdevice(7). Quicker than netlink for one that has a name. */
import { BockerError } from "../base/errors.ts";
import { AF_INET, SOCK_CLOEXEC, SOCK_DGRAM } from "./constants.ts";
import { native } from "./native.ts";

export const SIOCGIFFLAGS = 0x8913;
export const SIOCGIFADDR = 0x8915;
export const SIOCGIFNETMASK = 0x891b;
export const SIOCGIFINDEX = 0x8933;
/** sizeof(struct ifreq). */
const IFREQ_BYTES = 40;
const NAME_BYTES = 16;

/** A struct ifreq, and the socket that says whose network is asked. */
export class InterfaceRequest implements Disposable {
  readonly #fd: number;
  readonly #request = new Uint8Array(IFREQ_BYTES);

  constructor() {
    this.#fd = native().socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (this.#fd < 0) throw new BockerError("platform", "cannot open a socket to look at network interfaces");
  }

  /** The answer, the union behind the name; undefined when there is no such interface, or it has no such thing. */
  ask(name: string, code: number): DataView | undefined {
    this.#request.fill(0);
    new TextEncoder().encodeInto(name, this.#request.subarray(0, NAME_BYTES - 1));
    if (native().ioctlBuffer(this.#fd, code, this.#request) < 0) return undefined;
    return new DataView(this.#request.buffer, NAME_BYTES);
  }

  [Symbol.dispose](): void {
    native().close(this.#fd);
  }
}
