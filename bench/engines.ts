/** The engines that speak Docker's command line, each with roots of its own in the bench's directory. */
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, openSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "./program.ts";

export interface Engine {
  name: string;
  version: string;
  /** What comes before "run", "exec" and so on. */
  cli: string[];
  /** After `cli`: removes containers that run, at once. podman's rm -f would ask them to stop first, for ten seconds. */
  remove: string[];
  /** Arguments of pull for a registry without TLS. */
  insecure: string[];
  /** Pids that belong to the engine itself and not to a container. */
  daemons: number[];
}

/** Debian's package of each peer. */
const PACKAGES: Record<string, string> = {
  docker: "docker.io",
  podman: "podman",
  crun: "crun",
  runc: "runc",
  skopeo: "skopeo",
  umoci: "umoci",
  tar: "tar",
  "docker-registry": "docker-registry",
};

export function isInstalled(program: string): boolean {
  return `${process.env["PATH"]}:/usr/sbin:/sbin`.split(":").some((path) => existsSync(join(path, program)));
}

/** The peers that are not here, and the command that brings them. */
export function missingPeers(): string | undefined {
  const missing = Object.keys(PACKAGES).filter((program) => !isInstalled(program));
  if (missing.length === 0) return undefined;
  return `not installed: ${missing.join(", ")} (apt-get install ${missing.map((name) => PACKAGES[name]).join(" ")})`;
}

export function versionOf(program: string): string {
  return run([program, "--version"]).split("\n")[0]!.trim();
}

function bocker(directory: string, root: string): Engine {
  const binary = join(root, "dist/bocker");
  const roots = ["--data-root", join(directory, "bocker"), "--run-root", join(directory, "run/bocker")];
  return {
    name: "bocker",
    version: versionOf(binary),
    cli: [binary, ...roots],
    remove: ["rm", "-f"],
    insecure: [],
    daemons: [],
  };
}

/**
 * A daemon of its own, which ends with the namespaces.
 * @param over a directory like /usr, laid over it for the daemon and what it starts: another version than the machine's
 */
export async function docker(directory: string, over?: string): Promise<Engine> {
  const socket = `unix://${directory}/run/docker.sock`;
  const log = openSync(join(directory, "docker.log"), "w");
  const lay = `mount -t overlay -o "lowerdir=$0:/usr" overlay /usr && exec "$@"`;
  const [program = "", ...before] =
    over === undefined
      ? ["dockerd"]
      : ["unshare", "--mount", "--propagation", "slave", "sh", "-c", lay, over, "dockerd"];
  const daemon = spawn(
    program,
    [
      ...before,
      ...["--data-root", join(directory, "docker"), "--exec-root", join(directory, "run/docker")],
      ...["--pidfile", join(directory, "run/docker.pid"), "-H", socket, "--storage-driver", "overlay2"],
    ],
    { stdio: ["ignore", log, log] },
  );
  const cli = ["docker", "-H", socket];
  for (let attempt = 0; ; attempt++) {
    try {
      run([...cli, "version"]);
      break;
    } catch (error) {
      if (attempt === 100 || daemon.exitCode !== null) throw error;
      await Bun.sleep(100);
    }
  }
  const containerd = run(["pgrep", "-x", "containerd"]).trim().split("\n").map(Number);
  return {
    name: "docker",
    version: over === undefined ? versionOf("dockerd") : versionOf(join(over, "sbin/dockerd")),
    cli,
    remove: ["rm", "-f"],
    insecure: [],
    daemons: [daemon.pid!, ...containerd],
  };
}

function podman(directory: string): Engine {
  const configuration = join(directory, "containers.conf");
  // Without the right to raise limits, and without systemd.
  writeFileSync(
    configuration,
    '[containers]\ndefault_ulimits = []\n[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n',
  );
  process.env["CONTAINERS_CONF"] = configuration;
  const roots = ["--root", join(directory, "podman"), "--runroot", join(directory, "run/podman")];
  return {
    name: "podman",
    version: versionOf("podman"),
    cli: ["podman", ...roots, "--tmpdir", join(directory, "run/podman-tmp")],
    remove: ["rm", "-f", "-t", "0"],
    insecure: ["--tls-verify=false"],
    daemons: [],
  };
}

/** Those that are installed and wanted, started and ready; bocker first. */
export async function startEngines(directory: string, root: string, wanted: string[]): Promise<Engine[]> {
  const isWanted = (name: string) => wanted.length === 0 || wanted.includes(name);
  mkdirSync(join(directory, "run"), { recursive: true });
  const engines = [bocker(directory, root)];
  if (isWanted("docker") && isInstalled("dockerd") && isInstalled("docker"))
    engines.push(await docker(directory));
  if (isWanted("podman") && isInstalled("podman")) engines.push(podman(directory));
  return engines;
}
