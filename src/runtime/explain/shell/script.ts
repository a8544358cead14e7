/** A plan as a shell script that makes the same container with util-linux, iproute2 and nft. */
import type { Explanation } from "../explanation.ts";
import { hostScript } from "./host.ts";
import { comment } from "./words.ts";

/**
 * A script for /bin/sh and root. It does what the plan does, in the same order, as far as there are tools for it; what
 * there is no tool for is said in a comment that begins with "Not here".
 */
export function explainShell(explanation: Explanation): string {
  const { id, name, image } = explanation;
  const heading = [
    "#!/bin/sh",
    comment(
      `The container ${name === "" ? id.slice(0, 12) : name}, from the image ${image?.reference ?? "-"}.`,
    ),
    "# Made by bocker --explain=sh: every step of the plan that bocker would carry out, as commands of util-linux,",
    "# iproute2 and nft. Save it and run it as root; it removes what it made when the container has ended.",
    "#",
    "# Not here: the monitor's work (the log, attaching, events, the record of the exit), sockets that hold",
    "# published ports, and what is marked below.",
    // mkdir -p with a mode for the last directory, $ in quoted values, functions called by the names of tools.
    "# shellcheck disable=SC2016,SC2174,SC2317",
    "set -eu",
    "umask 022",
  ];
  return [...heading, "", hostScript(explanation)].join("\n");
}
