// The real programs that the tests compare with and exchange images with. As root on Debian they are installed;
// elsewhere it is said which are missing, and the tests that need them say that they are skipped.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";

const PEERS = [
  ["ip", "iproute2"],
  ["nft", "nftables"],
  ["unshare", "util-linux"],
  ["docker-registry", "docker-registry"],
  ["skopeo", "skopeo"],
  ["umoci", "umoci"],
  ["podman", "podman"],
  ["dockerd", "docker.io"],
  ["docker", "docker.io"],
  ["runc", "runc"],
  ["crun", "crun"],
  ["setpriv", "util-linux"],
  ["busybox", "busybox-static"],
  ["debootstrap", "debootstrap"],
  ["mkfs.ext4", "e2fsprogs"],
  ["mkfs.btrfs", "btrfs-progs"],
  ["mkfs.xfs", "xfsprogs"],
  ["htpasswd", "apache2-utils"],
  ["openssl", "openssl"],
  ["strace", "strace"],
  ["shellcheck", "shellcheck"],
  ["script", "bsdutils"],
  ["setfattr", "attr"],
  ["getcap", "libcap2-bin"],
  ["tar", "tar"],
  ["python3", "python3"],
  ["qemu-system-x86_64", "qemu-system-x86"],
  ["clang", "clang"],
  ...(process.arch === "x64"
    ? [
        ["qemu-system-aarch64", "qemu-system-arm"],
        ["aarch64-linux-gnu-gcc", "gcc-aarch64-linux-gnu"],
      ]
    : []),
];
const FILES = [
  ["/usr/lib/python3/dist-packages/seccomp.cpython-", "python3-seccomp"],
  // clang's sanitizers and its fuzzer; the version is Debian 12's.
  ["/usr/lib/llvm-14/lib/clang/14*/lib/linux/libclang_rt.fuzzer-", "libclang-rt-14-dev"],
  ...(process.arch === "x64" ? [["/usr/aarch64-linux-gnu/lib/libc.a", "libc6-dev-arm64-cross"]] : []),
];

const path = `${process.env.PATH}:/usr/sbin:/sbin`.split(":");
const isMissing = ([name]) => !path.some((directory) => existsSync(`${directory}/${name}`));

function missingPackages() {
  const files = FILES.filter(([prefix]) => spawnSync("sh", ["-c", `ls ${prefix}* 2>/dev/null`]).status !== 0);
  return [...PEERS.filter(isMissing), ...files].map(([, name]) => name);
}

function install(packages) {
  const options = {
    stdio: ["ignore", 2, 2],
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
  };
  const get = (...words) =>
    spawnSync("apt-get", ["-q", "-o", "Dpkg::Use-Pty=0", ...words], options).status === 0;
  const words = ["install", "-y", "--no-install-recommends", ...packages];
  return get(...words) || (get("update") && get(...words));
}

/** Installs what is missing where that is possible, and says what remains. */
export function ensurePeers() {
  let missing = missingPackages();
  if (missing.length === 0) return;
  const canInstall = process.getuid() === 0 && !isMissing(["apt-get"]);
  if (canInstall) {
    process.stderr.write(`bocker: installing for the tests: ${missing.join(" ")}\n`);
    install(missing);
    missing = missingPackages();
  }
  if (missing.length > 0)
    process.stderr.write(
      `bocker: these Debian packages are missing, tests that need them are skipped: apt-get install ${missing.join(" ")}\n`,
    );
}
