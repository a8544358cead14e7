/** `info`: this machine and what bocker has on it, in the fields of Docker's API (SystemInfo). */

import { totalmem } from "node:os";
import { readLayout } from "../cgroup/layout.ts";
import { exists, readText } from "../os/host-files.ts";
import { hostName, kernelRelease } from "../os/machine.ts";
import { readState, stateName } from "../state/status.ts";
import { VERSION } from "../version.ts";
import type { Engine } from "./engine.ts";

function operatingSystem(): string {
  const path = ["/etc/os-release", "/usr/lib/os-release"].find(exists);
  const text = path === undefined ? "" : readText(path);
  return /^PRETTY_NAME="?(.*?)"?$/m.exec(text)?.[1] ?? "Linux";
}

/** As `uname -m` prints it, which Docker shows here, not Go's name. */
const machineName = () => ({ x64: "x86_64", arm64: "aarch64" })[process.arch as string] ?? process.arch;

/** Numbers are of this moment; sizes in bytes. */
export function engineInfo(engine: Engine) {
  const layout = readLayout();
  const containers = engine.containers.list();
  const states = containers.map(({ id }) => stateName(readState(engine.paths, id)));
  const count = (name: string) => states.filter((state) => state === name).length;
  const [running, paused] = [count("running"), count("paused")];
  const has = (controller: string) => layout.unified !== undefined || layout.controllers.has(controller);
  return {
    ID: "",
    Containers: containers.length,
    ContainersRunning: running,
    ContainersPaused: paused,
    ContainersStopped: containers.length - running - paused,
    // The built-in one counts, too.
    Images: engine.images.list().length + 1,
    Driver: engine.driver.name,
    DriverStatus: engine.storage.log.map((line) => line.split(/: (.*)/s).slice(0, 2)),
    LoggingDriver: "json-file",
    CgroupDriver: "cgroupfs",
    CgroupVersion: layout.unified === undefined ? "1" : "2",
    MemoryLimit: has("memory"),
    CpuCfsQuota: has("cpu"),
    CPUShares: has("cpu"),
    CPUSet: has("cpuset"),
    PidsLimit: has("pids"),
    Plugins: { Volume: ["local"], Network: ["bridge", "host", "none"], Log: ["json-file", "none"] },
    SecurityOptions: ["name=seccomp,profile=builtin"],
    KernelVersion: kernelRelease(),
    OperatingSystem: operatingSystem(),
    OSType: "linux",
    Architecture: machineName(),
    NCPU: engine.machine.processors(),
    MemTotal: totalmem(),
    Name: hostName(),
    ServerVersion: VERSION,
    DockerRootDir: engine.paths.data,
    RunRoot: engine.paths.run,
    // Scripts ask whether there is a swarm before they do without one.
    Swarm: {
      NodeID: "",
      NodeAddr: "",
      LocalNodeState: "inactive",
      ControlAvailable: false,
      Error: "",
      RemoteManagers: null,
    },
    Warnings: null,
  };
}
