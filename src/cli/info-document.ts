/** `info --format`: the engine's information and the client's (docker/cli, dockerInfo; moby, system.Info). */
import { CLIENT_INFO_ZEROS, clientInfo } from "./client-document.ts";
import { NIL_MAP, NIL_POINTER, NIL_SLICE, sameAs, type Zeros } from "./template/zero.ts";

const COMMIT: Zeros = { ID: "" };

/** What a template may ask for besides what bocker has to say; proxies and limits of the processor have other names in Go. */
export const INFO_ZEROS: Zeros = {
  Plugins: { Authorization: NIL_SLICE },
  CPUCfsPeriod: sameAs("CpuCfsQuota"),
  CPUCfsQuota: sameAs("CpuCfsQuota"),
  CpuCfsPeriod: sameAs("CpuCfsQuota"),
  SwapLimit: false,
  IPv4Forwarding: false,
  Debug: false,
  NFd: 0,
  OomKillDisable: false,
  NGoroutines: 0,
  SystemTime: "",
  NEventsListener: 0,
  OSVersion: "",
  IndexServerAddress: "",
  RegistryConfig: NIL_POINTER,
  GenericResources: NIL_SLICE,
  HTTPProxy: "",
  HTTPSProxy: "",
  HttpProxy: "",
  HttpsProxy: "",
  NoProxy: "",
  Labels: NIL_SLICE,
  ExperimentalBuild: false,
  Runtimes: NIL_MAP,
  DefaultRuntime: "",
  Swarm: { RemoteManagers: NIL_SLICE, Nodes: 0, Managers: 0, Cluster: NIL_POINTER, Warnings: NIL_SLICE },
  LiveRestoreEnabled: false,
  Isolation: "",
  InitBinary: "",
  ContainerdCommit: COMMIT,
  RuncCommit: COMMIT,
  InitCommit: COMMIT,
  ProductLicense: "",
  DefaultAddressPools: NIL_SLICE,
  FirewallBackend: NIL_POINTER,
  CDISpecDirs: NIL_SLICE,
  DiscoveredDevices: NIL_SLICE,
  Containerd: NIL_POINTER,
  Warnings: NIL_SLICE,
  ServerErrors: NIL_SLICE,
  ClientErrors: NIL_SLICE,
  UserName: "",
  ClientInfo: CLIENT_INFO_ZEROS,
};

export const infoDocument = (engineInfo: object): object => ({ ...engineInfo, ClientInfo: clientInfo() });
