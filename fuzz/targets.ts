/** All targets of the mutation fuzzer. */
import type { Target } from "./target.ts";
import {
  challenge,
  credentials,
  dockerArchive,
  imageConfig,
  manifest,
  profile,
} from "./targets/documents.ts";
import { logLines, monitorFiles, monitorPackets, mountinfo, netlink } from "./targets/kernel.ts";
import { tar, tarReader } from "./targets/tar.ts";
import { reference, template, values } from "./targets/text.ts";

/** One with a defect, to see that the fuzzer finds it: only by name. */
const planted: Target = {
  name: "planted-script",
  seeds: ["good"],
  codes: [],
  run(input) {
    return input.includes("//") ? input.readUInt8(input.length) : "read";
  },
};

export const TARGETS: readonly Target[] = [
  tar,
  tarReader,
  manifest,
  imageConfig,
  dockerArchive,
  profile,
  reference,
  values,
  template,
  challenge,
  credentials,
  netlink,
  monitorPackets,
  monitorFiles,
  mountinfo,
  logLines,
  planted,
];
