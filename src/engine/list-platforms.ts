/** The platforms that an entry of a manifest list may be said to be for (docker/cli, command/manifest). */

const ARCHITECTURES: Record<string, readonly string[]> = {
  darwin: ["386", "amd64", "arm", "arm64"],
  dragonfly: ["amd64"],
  freebsd: ["386", "amd64", "arm"],
  linux: ["386", "amd64", "arm", "arm64", "mips64", "mips64le", "ppc64le", "riscv64", "s390x"],
  netbsd: ["386", "amd64", "arm"],
  openbsd: ["386", "amd64", "arm"],
  plan9: ["386", "amd64"],
  solaris: ["amd64"],
  windows: ["386", "amd64"],
};

/** Whether Docker knows this architecture of this operating system. */
export function isListablePlatform(os: string, architecture: string): boolean {
  return Object.hasOwn(ARCHITECTURES, os) && ARCHITECTURES[os]!.includes(architecture);
}
