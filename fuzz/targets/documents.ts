/** Targets that read documents of others: images, registries, Docker's configuration, profiles. */
import { rmSync, writeFileSync } from "node:fs";
import { parseChallenges } from "../../src/registry/challenge.ts";
import { findCredentials } from "../../src/registry/credentials.ts";
import { faultsOf, faultText, retryAfterOf } from "../../src/registry/failure.ts";
import { parseProfile } from "../../src/runtime/seccomp/parse.ts";
import { parseDockerArchive } from "../../src/spec/docker-archive.ts";
import { parseImageConfig } from "../../src/spec/image-config.ts";
import { parseManifest } from "../../src/spec/image-manifest.ts";
import type { Target } from "../target.ts";

const DIGEST = `sha256:${"0123456789abcdef".repeat(4)}`;
const OCI = "application/vnd.oci.image";

const descriptor = (type: string) => ({ mediaType: `${OCI}.${type}`, digest: DIGEST, size: 123 });

const MANIFEST = {
  schemaVersion: 2,
  mediaType: `${OCI}.manifest.v1+json`,
  config: descriptor("config.v1+json"),
  layers: [
    descriptor("layer.v1.tar+gzip"),
    { ...descriptor("layer.v1.tar"), annotations: { a: "b" }, urls: [] },
  ],
};
const INDEX = {
  schemaVersion: 2,
  mediaType: `${OCI}.index.v1+json`,
  manifests: [
    {
      ...descriptor("manifest.v1+json"),
      platform: { architecture: "arm64", os: "linux", variant: "v8", "os.features": ["x"] },
    },
  ],
};
const CONFIG = {
  architecture: "amd64",
  os: "linux",
  created: "2024-01-01T00:00:00Z",
  config: {
    Env: ["A=b"],
    Cmd: ["sh"],
    Entrypoint: null,
    ExposedPorts: { "80/tcp": {} },
    Volumes: { "/v": {} },
    User: "1:2",
    WorkingDir: "/",
    Labels: { l: "m" },
    Healthcheck: { Test: ["NONE"], Interval: 5 },
    StopSignal: "TERM",
  },
  rootfs: { type: "layers", diff_ids: [DIGEST] },
  history: [{ created: "2024-01-01T00:00:00Z", created_by: "RUN x", empty_layer: true }],
};

function jsonTarget(
  name: string,
  seeds: unknown[],
  codes: Target["codes"],
  read: (input: Buffer) => unknown,
): Target {
  return {
    name,
    seeds: seeds.map((seed) => JSON.stringify(seed)),
    codes,
    run: (input) => Object.keys(read(input) ?? {}).join(),
  };
}

export const manifest = jsonTarget(
  "manifest",
  [MANIFEST, INDEX, { ...MANIFEST, mediaType: undefined }],
  ["corrupt", "invalid", "unsupported", "registry"],
  (input) => parseManifest(input),
);
export const imageConfig = jsonTarget(
  "image-config",
  [CONFIG],
  ["corrupt", "invalid", "unsupported"],
  (input) => parseImageConfig(input),
);
export const dockerArchive = jsonTarget(
  "docker-archive",
  [[{ Config: "a.json", RepoTags: ["a:1"], Layers: ["l/layer.tar"] }]],
  ["corrupt", "invalid", "unsupported"],
  (input) => parseDockerArchive(input),
);

const PROFILE = {
  defaultAction: "SCMP_ACT_ERRNO",
  defaultErrnoRet: 1,
  archMap: [{ architecture: "SCMP_ARCH_X86_64", subArchitectures: ["SCMP_ARCH_X86"] }],
  syscalls: [
    {
      names: ["read"],
      action: "SCMP_ACT_ALLOW",
      args: [{ index: 0, value: 1, valueTwo: 2, op: "SCMP_CMP_MASKED_EQ" }],
      includes: { caps: ["CAP_SYS_ADMIN"], minKernel: "4.8" },
      excludes: { arches: ["amd64"] },
    },
  ],
};
export const profile = jsonTarget("seccomp-profile", [PROFILE], ["invalid", "unsupported"], (input) =>
  parseProfile(input.toString("utf8")),
);

export const challenge: Target = {
  name: "challenge",
  seeds: [
    'Bearer realm="https://auth.test/token",service="r",scope="repository:a:pull"',
    'Basic realm=x, Digest qop="auth", nonce=1',
    "negotiate abc==, bearer",
  ],
  codes: [],
  run(input) {
    const text = input.toString("latin1");
    const now = retryAfterOf(text, 0);
    return `${parseChallenges(text).map(({ parameters }) => parameters.size)} ${typeof now} ${faultsOf(text).map(faultText).length}`;
  },
};

const FILE = `/tmp/bocker-fuzz-${process.pid}.json`;

export const credentials: Target = {
  name: "credentials",
  seeds: [
    JSON.stringify({
      auths: {
        "r.test": { auth: "dXNlcjpwYXNz" },
        "https://r.test/v1/": { username: "a", password: "b", identitytoken: "c" },
      },
    }),
    '{"auths":{"r.test":{"auth":"bm9jb2xvbg=="}}}',
    '{"auths":null,"HttpHeaders":{}}',
  ],
  codes: ["invalid"],
  run(input) {
    // A helper is a program: none is to be run here.
    const text = input.toString("utf8").replace(/cred/gi, "none");
    writeFileSync(FILE, text);
    return typeof findCredentials("r.test", FILE);
  },
  close: () => rmSync(FILE, { force: true }),
};
