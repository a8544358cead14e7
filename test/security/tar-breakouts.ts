/** The ways out of a root that containerd's TestBreakouts knows, by its names; and what a row of the corpus is. */
import { expect } from "bun:test";
import { existsSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { join } from "node:path";
import { archive, dir, entry, file, hardlink, symlink } from "./tar-bytes.ts";

export interface CorpusRow {
  id: number;
  name: string;
  bytes: Buffer | (() => Buffer);
  /**
   * "refused": an error, and nothing is left. "inside": an error, or something that stays inside the root; either is
   * safe. A function: it is accepted, and the unpacked root is as it says.
   */
  outcome: "refused" | "inside" | ((root: string) => void);
}

export const text = (root: string, path: string) => readFileSync(join(root, path), "utf8");
const isOneFile = (root: string, a: string, b: string) =>
  statSync(join(root, a)).ino === statSync(join(root, b)).ino;
const etc = [dir("etc"), file("etc/passwd", "inside")];

/** containerd's TestBreakouts, by its names. */
export const BREAKOUTS: Omit<CorpusRow, "id">[] = [
  {
    name: "SymlinkAbsolute",
    bytes: archive(dir("etc"), symlink("localetc", "/etc"), file("/localetc/unbroken")),
    outcome: (root) => expect(text(root, "etc/unbroken")).toBe("content"),
  },
  {
    name: "SymlinkUpAndOut",
    bytes: archive(
      dir("etc"),
      dir("dummy"),
      symlink("localetc", "/dummy/../etc"),
      file("/localetc/unbroken"),
    ),
    outcome: (root) => expect(text(root, "etc/unbroken")).toBe("content"),
  },
  {
    name: "SymlinkMultipleAbsolute",
    bytes: archive(dir("etc"), symlink("a", "/etc"), symlink("b", "/a"), file("b/unbroken")),
    outcome: (root) => expect(text(root, "etc/unbroken")).toBe("content"),
  },
  {
    name: "SymlinkMultipleRelative",
    bytes: archive(dir("etc"), symlink("a", "etc"), symlink("b", "a"), file("b/unbroken")),
    outcome: (root) => expect(text(root, "etc/unbroken")).toBe("content"),
  },
  {
    name: "SymlinkEmptyFile",
    bytes: archive(
      dir("etc"),
      file("etc/emptied"),
      symlink("localetc", "/etc"),
      file("localetc/emptied", ""),
    ),
    outcome: (root) => expect(text(root, "etc/emptied")).toBe(""),
  },
  {
    name: "HardlinkRelative",
    bytes: archive(
      ...etc,
      dir("breakouts"),
      symlink("breakouts/d1", "../../etc"),
      hardlink("/breakouts/d1/link", "etc/passwd"),
    ),
    outcome: (root) => expect(isOneFile(root, "etc/link", "etc/passwd")).toBe(true),
  },
  {
    name: "HardlinkDownAndOut",
    bytes: archive(
      ...etc,
      dir("breakouts"),
      dir("down"),
      symlink("breakouts/d1", "../down/../../etc"),
      hardlink("breakouts/d1/link", "etc/passwd"),
    ),
    outcome: (root) => expect(isOneFile(root, "etc/link", "etc/passwd")).toBe(true),
  },
  {
    name: "HardlinkAbsolute",
    bytes: archive(...etc, symlink("localetc", "/etc"), hardlink("localetc/localpasswd", "/etc/passwd")),
    outcome: (root) => expect(isOneFile(root, "etc/localpasswd", "etc/passwd")).toBe(true),
  },
  {
    name: "HardlinkRelativeLong",
    bytes: archive(
      ...etc,
      symlink("localetc", "../../../../../../../etc"),
      hardlink("localetc/localpasswd", "etc/passwd"),
    ),
    outcome: (root) => expect(isOneFile(root, "etc/localpasswd", "etc/passwd")).toBe(true),
  },
  {
    name: "HardlinkRelativeUpAndOut",
    bytes: archive(
      ...etc,
      symlink("localetc", "upandout/../../../etc"),
      hardlink("localetc/localpasswd", "etc/passwd"),
    ),
    outcome: "inside",
  },
  {
    name: "HardlinkDirectRelative",
    bytes: archive(...etc, hardlink("localpasswd", "../../../../../etc/passwd")),
    outcome: "inside",
  },
  {
    name: "HardlinkDirectAbsolute",
    bytes: archive(...etc, hardlink("localpasswd", "/etc/passwd")),
    outcome: (root) => expect(isOneFile(root, "localpasswd", "etc/passwd")).toBe(true),
  },
  { name: "SymlinkParentDirectory", bytes: archive(dir("etc"), symlink("..", "/etc")), outcome: "refused" },
  { name: "SymlinkEmptyFilename", bytes: archive(dir("etc"), symlink("", "/etc")), outcome: "inside" },
  {
    name: "SymlinkParentRelative",
    bytes: archive(dir("etc"), dir("localetc"), dir("localetc/sub"), symlink("localetc/sub/..", "/etc")),
    outcome: "inside",
  },
  {
    name: "SymlinkSlashEnded",
    bytes: archive(dir("etc"), dir("localetc"), symlink("localetc/", "/etc")),
    outcome: "inside",
  },
  {
    name: "SymlinkOverrideDirectory",
    bytes: archive(
      dir("etc"),
      dir("localetc"),
      file("localetc/x"),
      symlink("localetc", "/etc"),
      file("localetc/y"),
    ),
    outcome: "inside",
  },
  {
    name: "SymlinkOverrideDirectoryRelative",
    bytes: archive(dir("etc"), dir("localetc"), symlink("localetc", "etc"), file("localetc/y")),
    outcome: "inside",
  },
  {
    name: "DirectoryOverrideSymlink",
    bytes: archive(dir("etc"), symlink("localetc", "etc"), dir("localetc"), file("localetc/y")),
    outcome: (root) =>
      expect([existsSync(join(root, "etc/y")), text(root, "localetc/y")]).toEqual([false, "content"]),
  },
  {
    name: "DirectoryOverrideSymlinkAndHardlink",
    bytes: archive(
      ...etc,
      symlink("localetc", "etc"),
      hardlink("linked", "etc/passwd"),
      dir("localetc"),
      file("localetc/passwd", "other"),
    ),
    outcome: (root) =>
      expect([text(root, "linked"), text(root, "localetc/passwd")]).toEqual(["inside", "other"]),
  },
  { name: "WhiteoutRootParent", bytes: archive(dir("etc"), file(".wh...", "")), outcome: "refused" },
  { name: "WhiteoutParent", bytes: archive(dir("etc"), file("etc/.wh...", "")), outcome: "refused" },
  { name: "WhiteoutRoot", bytes: archive(dir("etc"), file(".wh..", "")), outcome: "refused" },
  { name: "WhiteoutCurrentDirectory", bytes: archive(dir("etc"), file("etc/.wh..", "")), outcome: "refused" },
  {
    name: "WhiteoutSymlink",
    bytes: archive(...etc, symlink("localetc", "/etc"), file(".wh.localetc", "")),
    outcome: (root) => expect(text(root, "etc/passwd")).toBe("inside"),
  },
  {
    name: "WhiteoutSymlinkPath",
    bytes: archive(dir("etc"), file("etc/kept"), symlink("localetc", "/etc"), file("localetc/.wh.other", "")),
    outcome: (root) => expect(text(root, "etc/kept")).toBe("content"),
  },
  { name: "WhiteoutDirectoryName", bytes: archive(dir("etc"), file(".wh.etc/somefile")), outcome: "inside" },
  {
    name: "WhiteoutDeadSymlinkParent",
    bytes: archive(symlink("dead", "/nowhere"), file("dead/.wh.x", "")),
    outcome: "inside",
  },
  { name: "WhiteoutRelativePath", bytes: archive(dir("etc"), file("dne/../.wh.etc", "")), outcome: "inside" },
  {
    name: "SymlinkOverridePath",
    bytes: archive(
      dir("foo"),
      dir("foo/tmp"),
      file("foo/tmp/breakout"),
      symlink("foo", "/"),
      file("foo/tmp/breakout", "again"),
      dir("foo"),
    ),
    outcome: "inside",
  },
  {
    name: "HardlinkSymlinkBeforeCreateTarget",
    bytes: archive(
      dir("etc"),
      symlink("link", "/etc/passwd"),
      hardlink("second", "link"),
      file("etc/passwd", "inside"),
    ),
    outcome: (root) => expect(readlinkSync(join(root, "second"))).toBe("/etc/passwd"),
  },
  {
    name: "HardlinkSymlinkRelative",
    bytes: archive(...etc, symlink("link", "etc/passwd"), hardlink("second", "link"), file("second", "new")),
    outcome: (root) => expect([text(root, "etc/passwd"), text(root, "second")]).toEqual(["inside", "new"]),
  },
  {
    name: "HardlinkSymlinkAbsolute",
    bytes: archive(...etc, symlink("link", "/etc/passwd"), hardlink("second", "link"), file("second", "new")),
    outcome: (root) => expect([text(root, "etc/passwd"), text(root, "second")]).toEqual(["inside", "new"]),
  },
  {
    name: "HardlinkSymlinkChmod",
    bytes: archive(
      dir("etc"),
      file("etc/passwd", "inside", { mode: 0o600 }),
      symlink("link", "/etc/passwd"),
      entry("second", "", { type: "1", link: "link", mode: 0o777 }),
    ),
    outcome: (root) => expect(statSync(join(root, "etc/passwd")).mode & 0o777).toBe(0o600),
  },
];
