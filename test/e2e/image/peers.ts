/** Other engines of a test's own: their directories are in the sandbox's, and they leave nothing. */
import { mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Result, Sandbox } from "../sandbox.ts";
import { Service } from "./registry.ts";

function succeed(sandbox: Sandbox, words: string[]): string {
  const { code, stdout, stderr }: Result = sandbox.execute(words);
  if (code !== 0) throw new Error(`${words.join(" ")} exited with ${code}: ${stderr}`);
  return stdout.trim();
}

/** The tool must succeed; its standard output. */
export const skopeo = (sandbox: Sandbox, ...words: string[]) => succeed(sandbox, ["skopeo", ...words]);
export const umoci = (sandbox: Sandbox, ...words: string[]) => succeed(sandbox, ["umoci", ...words]);

/** podman with a store of its own. */
export function podmanIn(sandbox: Sandbox): (...words: string[]) => string {
  const directory = mkdtempSync(join(sandbox.directory, "podman-"));
  const at = (name: string) => join(directory, name);
  // Without systemd, and without a journal of the machine's.
  writeFileSync(
    at("conf"),
    '[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "none"\nlock_type = "file"\n',
  );
  const roots = ["--root", at("root"), "--runroot", at("run"), "--tmpdir", at("tmp")];
  const cli = ["env", `CONTAINERS_CONF=${at("conf")}`, "podman", ...roots, "--storage-driver", "vfs"];
  return (...words) => succeed(sandbox, [...cli, ...words]);
}

/** What dockerd and its containerd write outside of their directories (/etc/docker/key.json, /opt/containerd) goes with them. */
const ENCLOSE = `mount -t tmpfs none /opt && mkdir /opt/.etc /opt/.work &&
mount -t overlay -o lowerdir=/etc,upperdir=/opt/.etc,workdir=/opt/.work overlay /etc && exec "$@"`;

/** A dockerd with directories, mounts and a network of its own, that starts no containers. */
export class Dockerd {
  readonly #sandbox: Sandbox;
  readonly #service: Service;
  readonly #socket: string;

  static async start(sandbox: Sandbox): Promise<Dockerd> {
    const directory = mkdtempSync(join(sandbox.directory, "docker-"));
    const at = (name: string) => join(directory, name);
    const socket = `unix://${at("socket")}`;
    const enclosed = ["unshare", "--mount", "--propagation", "private", "sh", "-c", ENCLOSE, "sh"];
    const places = [
      "--data-root",
      at("data"),
      "--exec-root",
      at("exec"),
      "--pidfile",
      at("pid"),
      "-H",
      socket,
    ];
    const network = ["--bridge=none", "--iptables=false", "--ip-masq=false"];
    const words = ["dockerd", ...places, ...network, "--storage-driver", "overlay2"];
    const service = await Service.start(sandbox, [...enclosed, ...words], "API listen on");
    return new Dockerd(sandbox, service, socket);
  }

  private constructor(sandbox: Sandbox, service: Service, socket: string) {
    this.#sandbox = sandbox;
    this.#service = service;
    this.#socket = socket;
  }

  /** The docker CLI; its standard output. */
  docker(...words: string[]): string {
    return succeed(this.#sandbox, ["docker", "-H", this.#socket, ...words]);
  }

  /** It ends its containerd, too. */
  async stop(): Promise<void> {
    await this.#service.stop("SIGTERM");
  }
}
