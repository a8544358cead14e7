/** The OCI runtime specification's config.json, as far as bocker makes and reads it (runtime-spec 1.2). */

export interface RuntimeUser {
  uid: number;
  gid: number;
  additionalGids: number[];
  umask: number;
}

export interface RuntimeCapabilities {
  bounding: string[];
  effective: string[];
  permitted: string[];
  inheritable: string[];
  ambient: string[];
}

export interface Rlimit {
  type: string;
  soft: number;
  hard: number;
}

export interface RuntimeProcess {
  terminal: boolean;
  consoleSize?: { height: number; width: number };
  user: RuntimeUser;
  args: string[];
  env: string[];
  cwd: string;
  capabilities: RuntimeCapabilities;
  rlimits: Rlimit[];
  noNewPrivileges: boolean;
  oomScoreAdj: number;
}

export interface RuntimeMount {
  destination: string;
  type: string;
  source: string;
  options: string[];
}

export interface RuntimeDevice {
  path: string;
  type: "c" | "b" | "p";
  major: number;
  minor: number;
  fileMode: number;
  uid: number;
  gid: number;
}

export interface DeviceRule {
  allow: boolean;
  type: "a" | "c" | "b";
  /** -1: any */
  major: number;
  minor: number;
  access: string;
}

export interface RuntimeResources {
  devices: DeviceRule[];
  memory?: { limit?: number; swap?: number; reservation?: number };
  cpu?: { shares?: number; quota?: number; period?: number; cpus?: string; mems?: string };
  pids?: { limit: number };
}

export type NamespaceType = "mount" | "network" | "uts" | "pid" | "ipc" | "cgroup";

export interface RuntimeNamespace {
  type: NamespaceType;
  path?: string;
}

export interface RuntimeSpec {
  ociVersion: string;
  root: { path: string; readonly: boolean };
  hostname: string;
  domainname?: string;
  process: RuntimeProcess;
  mounts: RuntimeMount[];
  linux: {
    namespaces: RuntimeNamespace[];
    devices: RuntimeDevice[];
    maskedPaths: string[];
    readonlyPaths: string[];
    sysctl: Record<string, string>;
    resources: RuntimeResources;
    cgroupsPath: string;
    rootfsPropagation: string;
  };
}
