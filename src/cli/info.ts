/** `bocker info` */
import { engineInfo } from "../engine/info.ts";
import type { Command } from "./command.ts";
import { print } from "./output.ts";

const GIBIBYTE = 2 ** 30;

function text(info: ReturnType<typeof engineInfo>): string {
  return [
    `Containers: ${info.Containers}`,
    ` Running: ${info.ContainersRunning}`,
    ` Paused: ${info.ContainersPaused}`,
    ` Stopped: ${info.ContainersStopped}`,
    `Images: ${info.Images}`,
    `Server Version: ${info.ServerVersion} (no daemon)`,
    `Storage Driver: ${info.Driver}`,
    ...info.DriverStatus.map(([name, found]) => ` ${name}: ${found}`),
    `Logging Driver: ${info.LoggingDriver}`,
    `Cgroup Version: ${info.CgroupVersion}`,
    "Plugins:",
    ` Volume: ${info.Plugins.Volume.join(" ")}`,
    ` Network: ${info.Plugins.Network.join(" ")}`,
    ` Log: ${info.Plugins.Log.join(" ")}`,
    "Security Options:",
    " seccomp",
    "  Profile: builtin",
    `Kernel Version: ${info.KernelVersion}`,
    `Operating System: ${info.OperatingSystem}`,
    `OSType: ${info.OSType}`,
    `Architecture: ${info.Architecture}`,
    `CPUs: ${info.NCPU}`,
    `Total Memory: ${(info.MemTotal / GIBIBYTE).toFixed(2)}GiB`,
    `Name: ${info.Name}`,
    `Root Dir: ${info.DockerRootDir}`,
    `Run Dir: ${info.RunRoot}`,
  ].join("\n");
}

export const infoCommand: Command = {
  name: "info",
  usage: "[OPTIONS]",
  summary: "Display system-wide information",
  flags: [{ name: "format", short: "f", kind: "string", help: "Format output: 'json' or a Go template" }],
  words: { least: 0, most: 0 },
  async run(values, engine) {
    const info = engineInfo(engine);
    const format = values.string("format");
    if (format !== undefined && format !== "") {
      const { printDocument } = await import("./documents.ts");
      const { INFO_ZEROS, infoDocument } = await import("./info-document.ts");
      await printDocument(infoDocument(info), INFO_ZEROS, format);
    } else print(text(info));
    return 0;
  },
};
