/**
 * A storage driver keeps layers and gives a container its root. This interface is the manual: what a
 * driver promises is written here, and one contract test holds every driver to it.
 */

/** A container's root as a mount that has yet to be made, in the container's own mount namespace. */
export type RootMount =
  | {
      /** fsopen, fsconfig for each option in order, fsmount */
      kind: "fsmount";
      type: string;
      options: [key: string, value: string][];
    }
  | {
      /** mount(2), with paths in `data` relative to `directory` */
      kind: "mount";
      type: string;
      directory: string;
      data: string;
    }
  | {
      /** A directory of the host, used as it is */
      kind: "bind";
      source: string;
    };

export interface RootRequest {
  /** Directories of the layers, the topmost first. */
  lowers: string[];
  /** The container's writable directory. */
  upper: string;
  work: string;
  /** Nothing of it outlives the container, so nothing needs to reach the disk. */
  disposable: boolean;
}

export interface StorageDriver {
  readonly name: string;
  /** The directory that a layer's content is, or will be, in. The name shows only when it is complete. */
  layerDirectory(chainId: string): string;
  /**
   * A new, empty directory that a layer is unpacked into before it gets its name. While it is in use, its
   * user holds an flock on it; between the two, and around removeStaleLayers, the lock of all images.
   */
  beginLayer(): string;
  /** Gives a finished layer its name; another process may have been first, then this one is dropped. */
  commitLayer(directory: string, chainId: string): void;
  /** Removes a layer that was begun and will not be finished. */
  abortLayer(directory: string): void;
  /** Removes what crashed processes began: what nobody holds an flock on. Returns how many. */
  removeStaleLayers(): number;
  hasLayer(chainId: string): boolean;
  removeLayer(chainId: string): void;
  /** How the container's root is mounted. Throws "unsupported" for more layers than the kernel takes. */
  rootMount(request: RootRequest): RootMount;
}
