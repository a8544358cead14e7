/** A machine whose plug is pulled while bocker works, and what has to be true of its store after it. */
import { execFileSync, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { imageOf, layerOf, tarOf } from "../e2e/image/layout.ts";
import { Registry } from "../e2e/image/registry.ts";
import { BINARY, Sandbox } from "../e2e/sandbox.ts";
import { libraries } from "./busybox.ts";
import type { GuestFile } from "./cpio.ts";
import { makeDisk } from "./disk.ts";
import { bockerFiles, file, firstRoot, link, PoweredMachine, script, text, treeFiles } from "./guest.ts";
import type { Kernel } from "./kernel.ts";

const MODULES = ["virtio_pci", "virtio_blk", "overlay", "nf_tables"];
const FILES =
  /\/(fs\/(overlayfs|ext4|jbd2|mbcache)|net\/netfilter\/.*|lib\/.*crc32c|crypto\/crc32c\w*|drivers\/virtio|drivers\/block\/virtio_blk)[/.]/;
const REGISTRY = "/usr/bin/docker-registry";
const APPLETS =
  "sh cat cp cut date echo grep head ip ln mkdir mount poweroff seq sleep sort tail umount".split(" ");
const BOOT_MS = 120_000;
const WORK_MS = 120_000;

/** When the plug is pulled: so many commands have reported success, and then so much time has passed. */
export interface Cut {
  commands: number;
  /** Milliseconds. */
  later: number;
}

/** What docker-registry keeps of two images that share a layer. */
async function registryFiles(): Promise<GuestFile[]> {
  const sandbox = new Sandbox();
  try {
    const registry = await Registry.start(sandbox, "127.0.0.1:5000");
    const layer = (fill: (root: string) => void) => layerOf(tarOf(fill));
    const shared = layer((root) => {
      execFileSync("cp", ["/bin/busybox", join(root, "cat")]);
      execFileSync("mkdir", [join(root, "bin")]);
      execFileSync("mv", [join(root, "cat"), join(root, "bin/cat")]);
    });
    const own = (name: string) =>
      layer((root) => {
        writeFileSync(join(root, "number"), name);
        writeFileSync(join(root, "noise"), randomBytes(200_000));
      });
    for (const name of ["a", "b"]) registry.push(`power-${name}:1`, imageOf([shared, own(name)]));
    const files = treeFiles(registry.storage, "registry");
    await registry.stop();
    return files;
  } finally {
    sandbox.remove();
  }
}

/** A store that outlives its machines. */
export class Store {
  readonly #kernel: Kernel;
  readonly #directory: string;
  readonly #expected = new Map<string, string | undefined>();
  /** Nobody knows whether the command that was cut off has had its effect. */
  #uncertain = new Set<string>();

  static async make(kernel: Kernel): Promise<Store> {
    const store = new Store(kernel);
    const registry = {
      version: 0.1,
      storage: { filesystem: { rootdirectory: "/registry" }, maintenance: { readonly: { enabled: true } } },
      http: { addr: "127.0.0.1:5000" },
    };
    const directories = ["proc", "sys", "dev", "run", "tmp", "var/lib/bocker"];
    const files = [
      script("start", "power-start.sh"),
      script("test.sh", "power.sh"),
      file("bin/busybox", "/bin/busybox"),
      ...APPLETS.map((name) => link(`bin/${name}`, "busybox")),
      file("opt/docker-registry", REGISTRY),
      text("etc/registry.json", JSON.stringify(registry)),
      text("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"),
      ...directories.map((path) => text(`${path}/.here`, "")),
      ...bockerFiles("opt"),
      ...libraries(BINARY),
      ...(await registryFiles()),
    ];
    makeDisk(store.#program, files, { size: "320M", journal: false });
    makeDisk(store.#disk, [], { size: "512M", journal: true });
    return store;
  }

  private constructor(kernel: Kernel) {
    this.#kernel = kernel;
    this.#directory = mkdtempSync(join(tmpdir(), "bocker-power-"));
  }

  get #program(): string {
    return join(this.#directory, "program.ext4");
  }

  get #disk(): string {
    return join(this.#directory, "store.ext4");
  }

  /**
   * A machine with this store.
   *
   * A SIGKILL of qemu is its power cut: what the guest has written to its disk stays in the host's page cache and so in
   * the file, as if the disk had a battery; what the guest's kernel has in its own page cache is gone. That is what fsync
   * is for, and its order. A disk that loses what it has acknowledged, or loses its own cache, is not tried.
   * @param options of ext4: how often it writes by itself
   */
  boot(options: string): PoweredMachine {
    return new PoweredMachine({
      kernel: this.#kernel,
      initramfs: [...firstRoot(this.#kernel, "power-init.sh", MODULES, FILES), text("etc/store", options)],
      memory: 768,
      disks: [{ path: this.#program }, { path: this.#disk, kept: true }],
      options: "cgroup_no_v1=all",
    });
  }

  /** Boots, holds what is there against what was promised, works, and pulls the plug. Returns what is wrong. */
  async round(options: string, { commands, later }: Cut): Promise<Round> {
    const machine = this.boot(options);
    let problems: string[];
    try {
      await machine.until(/^== work/gm, 1, BOOT_MS);
      problems = this.#judge(machine.sections());
      await machine.until(/^(has|not) .*\r?\n/gm, commands, WORK_MS);
      await Bun.sleep(later);
    } finally {
      await machine.cut();
    }
    const work = machine.sections().get("work") ?? "";
    const done = this.#remember(work);
    problems.push(...work.split("\n").filter((line) => !/^(try|has|not) /.test(line) && line !== ""));
    const { status, stdout } = spawnSync("e2fsck", ["-fp", this.#disk], { encoding: "utf8" });
    // 1: the journal was replayed, and what was deleted while open is freed.
    if (status !== 0 && status !== 1) problems.push(`e2fsck: ${status} ${stdout}`);
    return { problems, done, repaired: machine.sections().get("repair") ?? "" };
  }

  remove(): void {
    rmSync(this.#directory, { recursive: true });
  }

  #judge(sections: Map<string, string>): string[] {
    const section = (name: string) => sections.get(name) ?? `no section ${name}`;
    const problems: string[] = [];
    if (!/^(Nothing found\.|(\d+) found, \2 repaired\.)$/.test(section("check")))
      problems.push(`system check --repair: ${section("check")}`);
    if (section("check again") !== "Nothing found.") problems.push(`system check: ${section("check again")}`);
    if (section("whole") !== "") problems.push(`not whole: ${section("whole")}`);
    const found = new Map<string, string>();
    for (const [kind, name] of [
      ["image", "images"],
      ["container", "containers"],
      ["volume", "volumes"],
    ] as const)
      for (const line of section(name).split("\n").filter(Boolean)) {
        const [object = "", id = "-"] = line.split(" ");
        found.set(`${kind} ${object}`, id);
      }
    for (const [object, id] of this.#expected) {
      if (this.#uncertain.has(object)) continue;
      if (found.get(object) !== id) problems.push(`${object}: ${found.get(object)} instead of ${id}`);
    }
    for (const object of found.keys())
      if (!this.#expected.has(object) && !this.#uncertain.has(object)) problems.push(`${object}: unexpected`);
    // What is there now is what counts from here on.
    this.#expected.clear();
    for (const [object, id] of found) this.#expected.set(object, id);
    this.#uncertain = new Set();
    return problems;
  }

  /** How many commands have reported success. A last line that is cut off counts for nothing. */
  #remember(work: string): number {
    let done = 0;
    for (const line of work.split("\n")) {
      const [verb, kind, name, id] = line.trim().split(" ");
      const object = `${kind} ${name}`;
      if (verb === "try") this.#uncertain = new Set([object]);
      if (verb === "has" && id !== undefined && id !== "") this.#expected.set(object, id);
      else if (verb === "not") this.#expected.set(object, undefined);
      else continue;
      this.#uncertain.delete(object);
      done++;
    }
    return done;
  }
}

export interface Round {
  problems: string[];
  /** Commands that have reported success before the cut. */
  done: number;
  /** What the first command after the boot has said. */
  repaired: string;
}
