/** A machine with a Debian on its disk whose first process is a real systemd; the test is one of its services. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeDisk } from "./disk.ts";
import { bockerFiles, firstRoot, runMachine, script, text } from "./guest.ts";
import type { Kernel } from "./kernel.ts";

const MODULES = ["virtio_pci", "virtio_blk", "overlay"];
const FILES = /\/(fs\/overlayfs|drivers\/virtio|drivers\/block\/virtio_blk)[/.]/;

const SERVICE = `[Unit]
Description=The test
Wants=dbus.socket
After=dbus.socket
SuccessAction=poweroff-immediate
FailureAction=poweroff-immediate
[Service]
Type=oneshot
Environment=PATH=/opt:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
StandardOutput=tty
StandardError=tty
TTYPath=/dev/ttyS0
ExecStart=/bin/sh /opt/test.sh
ExecStopPost=/bin/echo == end
`;

/** A filesystem with bocker and the test, which is made anew: the Debian stays as it is. */
function programDisk(directory: string, test: string): string {
  const files = [...bockerFiles("."), script("test.sh", test), text("the-test.service", SERVICE)];
  const disk = join(directory, "program.ext4");
  makeDisk(disk, files, { size: "256M", journal: false });
  return disk;
}

/**
 * The sections that a script of this directory prints there.
 * @param options the kernel's and systemd's: which cgroup hierarchies there are
 */
export async function runSystemd(
  kernel: Kernel,
  debian: string,
  test: string,
  options: string,
): Promise<Map<string, string>> {
  const directory = mkdtempSync(join(tmpdir(), "bocker-systemd-"));
  try {
    return await runMachine({
      kernel,
      initramfs: firstRoot(kernel, "systemd-init.sh", MODULES, FILES),
      memory: 512,
      disks: [{ path: debian }, { path: programDisk(directory, test) }],
      options: `systemd.unit=the-test.service systemd.show_status=no systemd.log_level=err ${options}`,
    });
  } finally {
    rmSync(directory, { recursive: true });
  }
}
