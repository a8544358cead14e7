/** The real docker-registry, on the loopback of the bench's own network. */
import { spawn } from "node:child_process";
import { openSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const ADDRESS = "127.0.0.1:5000";

/** Starts it and waits until it answers. It ends with the bench's pid namespace. */
export async function startRegistry(directory: string): Promise<string> {
  const configuration = join(directory, "registry.yml");
  writeFileSync(
    configuration,
    JSON.stringify({
      version: "0.1",
      log: { level: "error" },
      storage: { filesystem: { rootdirectory: join(directory, "registry") } },
      http: { addr: ADDRESS },
    }),
  );
  const log = openSync(join(directory, "registry.log"), "w");
  spawn("docker-registry", ["serve", configuration], { stdio: ["ignore", log, log] });
  for (let attempt = 0; attempt < 200; attempt++) {
    try {
      if ((await fetch(`http://${ADDRESS}/v2/`)).ok) return ADDRESS;
    } catch {
      await Bun.sleep(50);
    }
  }
  throw new Error("docker-registry does not start");
}
