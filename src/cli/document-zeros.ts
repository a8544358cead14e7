/** The fields of what `inspect` shows that JSON leaves out where they are empty, or calls otherwise (moby api/types). */
import type { Found } from "./documents.ts";
import { NIL_MAP, NIL_POINTER, NIL_SLICE, pointerTo, sameAs, type Zeros } from "./template/zero.ts";

const CONFIG: Zeros = {
  Hostname: "",
  Domainname: "",
  User: "",
  AttachStdin: false,
  AttachStdout: false,
  AttachStderr: false,
  ExposedPorts: NIL_MAP,
  Tty: false,
  OpenStdin: false,
  StdinOnce: false,
  Env: NIL_SLICE,
  Cmd: NIL_SLICE,
  Healthcheck: pointerTo({
    Test: NIL_SLICE,
    Interval: 0,
    Timeout: 0,
    StartPeriod: 0,
    StartInterval: 0,
    Retries: 0,
  }),
  ArgsEscaped: false,
  Image: "",
  Volumes: NIL_MAP,
  WorkingDir: "",
  Entrypoint: NIL_SLICE,
  NetworkDisabled: false,
  MacAddress: "",
  OnBuild: NIL_SLICE,
  Labels: NIL_MAP,
  StopSignal: "",
  StopTimeout: NIL_POINTER,
  Shell: NIL_SLICE,
};

const IMAGE: Zeros = {
  ID: sameAs("Id"),
  RepoTags: NIL_SLICE,
  RepoDigests: NIL_SLICE,
  Container: "",
  DockerVersion: "",
  Variant: "",
  OsVersion: "",
  Config: CONFIG,
};

const CONTAINER: Zeros = {
  ID: sameAs("Id"),
  State: { Health: NIL_POINTER },
  Config: CONFIG,
  HostConfig: {
    CPUShares: sameAs("CpuShares"),
    NanoCPUs: sameAs("NanoCpus"),
    DNS: sameAs("Dns"),
    DNSOptions: sameAs("DnsOptions"),
    DNSSearch: sameAs("DnsSearch"),
  },
  NetworkSettings: { Ports: NIL_MAP, Networks: NIL_MAP },
};

const VOLUME: Zeros = {
  ClusterVolume: NIL_POINTER,
  Labels: NIL_MAP,
  Options: NIL_MAP,
  Status: NIL_MAP,
  UsageData: NIL_POINTER,
};

export const ZEROS: Record<Found["type"], Zeros> = { container: CONTAINER, image: IMAGE, volume: VOLUME };
