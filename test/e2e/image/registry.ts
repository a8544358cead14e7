/** The real docker-registry in a sandbox's network, and images in it. */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Sandbox } from "../sandbox.ts";
import type { Blob, Image } from "./layout.ts";

const PUSH = join(import.meta.dirname, "push.ts");

/** A program in the sandbox's network that lives until `stop`. */
export class Service {
  readonly #process: ChildProcess;
  readonly #log: string;

  /** @param ready what its output has when it can be used */
  static async start(sandbox: Sandbox, words: string[], ready: string): Promise<Service> {
    const service = new Service(sandbox, words);
    for (let i = 0; i < 500; i++) {
      if (service.output.includes(ready)) return service;
      if (service.#process.exitCode !== null) break;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await service.stop();
    throw new Error(`${words.join(" ")} does not start: ${service.output}`);
  }

  private constructor(sandbox: Sandbox, words: string[]) {
    const [program, ...rest] = sandbox.inside(words);
    this.#log = join(mkdtempSync(join(sandbox.directory, "service-")), "log");
    // A file, not a pipe: nobody reads a pipe while a test waits for a command to end.
    const log = openSync(this.#log, "w");
    this.#process = spawn(program, rest, { env: sandbox.environment, stdio: ["ignore", log, log] });
    closeSync(log);
  }

  /** What it has printed. */
  get output(): string {
    return readFileSync(this.#log, "utf8");
  }

  /** @param signal what ends it: not SIGKILL for one that has others to end, or mounts to take away */
  async stop(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const ended = new Promise((resolve) => this.#process.once("exit", resolve));
    this.#process.kill(signal);
    await ended;
  }
}

export interface RegistryOptions {
  /** Of docker-registry's configuration. */
  auth?: object;
  tls?: { certificate: string; key: string };
  /** "127.0.0.1:5000" */
  address?: string;
}

export class Registry {
  readonly #sandbox: Sandbox;
  readonly #service: Service;
  /** "localhost:5000" or another name for the address. */
  readonly host: string;
  /** Where it keeps what it has. */
  readonly storage: string;
  readonly #origin: string;

  static async start(sandbox: Sandbox, host: string, options: RegistryOptions = {}): Promise<Registry> {
    const directory = mkdtempSync(join(sandbox.directory, "registry-"));
    const { tls } = options;
    const storage = join(directory, "data");
    const configuration = {
      version: 0.1,
      storage: { filesystem: { rootdirectory: storage }, delete: { enabled: true } },
      http: {
        addr: options.address ?? host.replace("localhost", "127.0.0.1"),
        ...(tls === undefined ? {} : { tls }),
      },
      ...(options.auth === undefined ? {} : { auth: options.auth }),
    };
    const path = join(directory, "config.json");
    // JSON is YAML, too.
    writeFileSync(path, JSON.stringify(configuration));
    const service = await Service.start(sandbox, ["docker-registry", "serve", path], "listening on");
    const scheme = tls === undefined ? "http" : "https";
    return new Registry(sandbox, service, host, scheme, storage);
  }

  private constructor(sandbox: Sandbox, service: Service, host: string, scheme: string, storage: string) {
    this.storage = storage;
    this.#sandbox = sandbox;
    this.#service = service;
    this.host = host;
    this.#origin = `${scheme}://${host}`;
  }

  /** What the registry has logged. */
  get log(): string {
    return this.#service.output;
  }

  /** Puts an image, or an index with its images, under REPOSITORY:TAG. Returns the reference. */
  push(name: string, top: Image | { index: Blob; images: Image[] }, credentials?: string): string {
    const [repository = "", tag = "latest"] = name.split(":");
    const images = "index" in top ? top.images : [top];
    const last = "index" in top ? top.index : top.manifest;
    const directory = mkdtempSync(join(this.#sandbox.directory, "push-"));
    const manifests = "index" in top ? [...images.map(({ manifest }) => manifest), last] : [last];
    for (const { digest, bytes } of [...images.flatMap(({ blobs }) => blobs), ...manifests])
      writeFileSync(join(directory, digest), bytes);
    writeFileSync(
      join(directory, "manifests.json"),
      JSON.stringify(
        manifests.map((manifest) => [
          manifest.digest,
          manifest.mediaType,
          manifest === last ? tag : manifest.digest,
        ]),
      ),
    );
    const words = [process.execPath, PUSH, this.#origin, repository, directory];
    const { code, stderr } = this.#sandbox.execute(
      credentials === undefined ? words : [...words, credentials],
    );
    rmSync(directory, { recursive: true });
    if (code !== 0) throw new Error(`cannot push ${name}: ${stderr}`);
    return `${this.host}/${name}`;
  }

  async stop(): Promise<void> {
    await this.#service.stop();
  }
}
