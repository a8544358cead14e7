/** `info`: this machine and what bocker has on it, in the fields of Docker's API (SystemInfo). */
import { existsSync, readFileSync } from "node:fs";
import { hostname, release, totalmem } from "node:os";
import { readLayout } from "../cgroup/layout.ts";
import { readState } from "../state/status.ts";
import { VERSION } from "../version.ts";
import type { Engine } from "./engine.ts";
import { LOCAL_ARCHITECTURE } from "./image.ts";

function operatingSystem(): string {
  const path = ["/etc/os-release", "/usr/lib/os-release"].find(existsSync);
  const text = path === undefined ? "" : readFileSync(path, "utf8");
  return /^PRETTY_NAME="?(.*?)"?$/m.exec(text)?.[1] ?? "Linux";
}

/** Numbers are of this moment; sizes in bytes. */
export function engineInfo(engine: Engine) {
  const layout = readLayout();
  const containers = engine.containers.list();
  const running = containers.filter(({ id }) => readState(engine.paths, id).status === "running").length;
  const has = (controller: string) => layout.unified !== undefined || layout.controllers.has(controller);
  return {
    ID: "",
    Containers: containers.length,
    ContainersRunning: running,
    ContainersPaused: 0,
    ContainersStopped: containers.length - running,
    // The built-in one counts, too.
    Images: engine.images.list().length + 1,
    Driver: engine.driver.name,
    LoggingDriver: "json-file",
    CgroupDriver: "none",
    CgroupVersion: layout.unified === undefined ? "1" : "2",
    MemoryLimit: has("memory"),
    CpuCfsQuota: has("cpu"),
    CPUShares: has("cpu"),
    CPUSet: has("cpuset"),
    PidsLimit: has("pids"),
    Plugins: { Volume: ["local"], Network: ["bridge", "host", "none"], Log: ["json-file", "none"] },
    SecurityOptions: ["name=seccomp,profile=builtin"],
    KernelVersion: release(),
    OperatingSystem: operatingSystem(),
    OSType: "linux",
    Architecture: LOCAL_ARCHITECTURE,
    NCPU: engine.machine.processors,
    MemTotal: totalmem(),
    Name: hostname(),
    ServerVersion: VERSION,
    DockerRootDir: engine.paths.data,
    RunRoot: engine.paths.run,
  };
}
