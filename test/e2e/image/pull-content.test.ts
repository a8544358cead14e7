/** What `bocker pull` unpacks, held against what umoci unpacks of the same image. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { digestOf } from "../../../src/base/digest.ts";
import { chainIds } from "../../../src/engine/chain.ts";
import { lgetxattr, lsetxattr } from "../../../src/os/metadata.ts";
import { OVERLAY, Sandbox } from "../sandbox.ts";
import { imageOf, type Layer, layerOf, tarOf } from "./layout.ts";
import { Registry } from "./registry.ts";

let sandbox: Sandbox;
let registry: Registry;
beforeAll(async () => {
  sandbox = new Sandbox(undefined, OVERLAY);
  registry = await Registry.start(sandbox, "localhost:5000");
});
afterAll(async () => {
  await registry?.stop();
  sandbox.remove();
});

function shell(script: string, directory: string): void {
  execFileSync("sh", ["-euc", script], { cwd: directory, stdio: ["ignore", "ignore", "inherit"] });
}

const BASE = `
  mkdir -p bin etc var/cache owned/deep hidden/inside
  echo program > bin/program; chmod 4755 bin/program; ln bin/program bin/alias; ln -s program bin/link
  ln -s /nowhere bin/dangling
  echo config > etc/config; chown 12:34 etc/config; chmod 640 etc/config
  echo gone > var/cache/gone; echo stays > var/cache/stays; echo x > hidden/inside/x
  echo lower > owned/deep/lower; chown -R 1000:2000 owned; chmod 2750 owned; chmod 711 owned/deep
  mknod etc/null c 1 3; mknod etc/disk b 8 0; mkfifo etc/fifo; chmod 622 etc/fifo
  truncate -s 50M var/sparse; printf data | dd of=var/sparse bs=1 seek=20000000 conv=notrunc 2>/dev/null
  head -c 3000000 /dev/urandom > var/random
  : > var/empty; mkdir -m 1777 tmp; echo "odd" > "$(printf 'etc/a b\\n\\303\\244\\377')"
  touch -d '2001-02-03 04:05:06.123456789' etc/config bin/program
  touch -h -d '1969-12-31 23:59:58.5' bin/link
  touch -d '2010-01-01 00:00:00.000000001' var/cache owned/deep etc
`;

const SECOND = `
  mkdir -p var/cache hidden bin
  : > var/cache/.wh.gone; : > var/cache/.wh.never; echo new > var/cache/new
  : > hidden/.wh..wh..opq; echo after > hidden/after
  rm -rf bin/program; echo replaced > bin/dangling
  touch -d '2011-01-01' var/cache hidden bin
`;

/** Only this file is in the archive: its directories are implied. */
const THIRD = `mkdir -p owned/deep; echo upper > owned/deep/upper; chown 5:6 owned/deep/upper`;

/** A hard link to a file that only the first layer has: such an archive comes from no directory. */
function hardLinkArchive(): Buffer {
  const script = `mkdir etc owned && echo config > etc/config && ln etc/config etc/second &&
    tar --numeric-owner --owner=12 --group=34 --mode=640 --mtime='2001-02-03 04:05:06.123456789' --format=pax \
      -cf all.tar etc/config etc/second && tar --delete -f all.tar etc/config && rm -r etc owned`;
  let bytes = Buffer.alloc(0);
  tarOf((directory) => {
    execFileSync("sh", ["-ec", script], { cwd: directory });
    bytes = readFileSync(join(directory, "all.tar"));
  });
  return bytes;
}

function impliedArchive(): Buffer {
  let bytes = Buffer.alloc(0);
  tarOf((directory) => {
    shell(`${THIRD}; tar --numeric-owner -cf all.tar owned/deep/upper`, directory);
    bytes = readFileSync(join(directory, "all.tar"));
  });
  return bytes;
}

const ATTRIBUTES: [path: string, name: string, value: Buffer][] = [
  ["etc/config", "user.note", Buffer.from("hello")],
  ["etc", "trusted.note", Buffer.from("secret")],
  ["bin/alias", "security.capability", Buffer.from("0100000200040000000000000000000000000000", "hex")],
];

function fillBase(directory: string): void {
  shell(BASE, directory);
  for (const [path, name, value] of ATTRIBUTES) lsetxattr(join(directory, path), name, value);
}

/** Everything else about every file; directories' sizes and link counts are the filesystem's own business. */
const LISTING = `
  cd "$1"
  find . -mindepth 1 -type d -printf '%p %y %m %U %G %T@\\n' -o -printf '%p %y %m %U %G %s %T@ %l %n\\n' | sort
  find . -type b -exec stat -c '%n %t %T' {} + -o -type c -exec stat -c '%n %t %T' {} + | sort
  find . -type f -print0 | sort -z | xargs -0 sha256sum
`;

function list(script: string, ...words: string[]): string[] {
  const inNamespace = ["-m", "sh", "-euc", script, "sh", ...words];
  return execFileSync("unshare", inNamespace, { encoding: "latin1", maxBuffer: 1 << 26 }).split("\n");
}

test("owners, modes, times, attributes, links, devices, holes and whiteouts are umoci's", () => {
  const layers: Layer[] = [
    layerOf(tarOf(fillBase)),
    layerOf(tarOf((directory) => shell(SECOND, directory))),
    layerOf(hardLinkArchive()),
    layerOf(impliedArchive()),
  ];
  const name = registry.push("content", imageOf(layers));
  sandbox.ok(["pull", name]);

  const layout = join(sandbox.directory, "layout");
  const copy = ["skopeo", "copy", "--insecure-policy", "--src-tls-verify=false"];
  expect(sandbox.execute([...copy, `docker://${name}`, `oci:${layout}:a`])).toMatchObject({ code: 0 });
  const bundle = join(sandbox.directory, "bundle");
  execFileSync("umoci", ["unpack", "--image", `${layout}:a`, bundle], { stdio: "pipe" });

  const chain = chainIds(layers.map(({ tar }) => digestOf(tar)));
  const lowers = chain.map((id) => join(sandbox.data, "overlay", id.slice(7), "diff")).reverse();
  const mountPoint = join(sandbox.directory, "mounted");
  const mounted = list(
    `mkdir -p "$1"; mount -t overlay overlay -o ro,lowerdir="$2" "$1"; ${LISTING}`,
    mountPoint,
    lowers.join(":"),
  );
  const theirs = list(LISTING, join(bundle, "rootfs"));
  expect(mounted).toEqual(theirs);
  for (const [path, attribute, value] of ATTRIBUTES)
    for (const root of [lowers.at(-1)!, join(bundle, "rootfs")])
      expect([path, lgetxattr(join(root, path), attribute)]).toEqual([path, value]);
  expect(lgetxattr(join(lowers[1]!, "etc/second"), "user.note")?.toString()).toBe("hello");
  const [, allocated = ""] =
    /(\d+)/.exec(execFileSync("du", ["-k", join(lowers.at(-1)!, "var/sparse")], { encoding: "utf8" })) ?? [];
  expect(Number(allocated)).toBeLessThan(100);
});
