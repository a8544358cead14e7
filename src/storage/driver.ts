/**
 * A storage driver keeps layers and gives a container its root. This interface is the manual: what a
 * driver promises is written here, and one contract test (test/storage) holds every driver to it.
 *
 * There are two kinds. In the one a layer's directory holds what the layer itself changes, in overlayfs's form, and the
 * kernel stacks them ("changes"). In the other it holds the whole tree up to this layer, and a container has a copy of its
 * own, made without copying where the filesystem can ("tree"). What comes out is the same: the same files in the
 * container, and the same layer when it is committed.
 *
 * A driver's layers lie below the data root, in a directory that has the driver's name; containers and the trash are on the
 * same filesystem. Removing is the same for all: a rename into the trash, whose contents are deleted then.
 */

/** A mount that is made anew: fsopen, fsconfig for each option in order, fsmount. */
export interface NewMount {
  type: string;
  options: [key: string, value: string][];
}

/** A container's root as a mount that has yet to be made, in the container's own mount namespace. */
export type RootMount =
  | (NewMount & {
      kind: "fsmount";
      /** Made first, one over the other where the root will be, for it to find the last of them there. */
      below: NewMount[];
    })
  | {
      /** mount(2), with paths in `data` relative to `directory` */
      kind: "mount";
      type: string;
      directory: string;
      data: string;
      /** As above. */
      below: NewMount[];
    }
  | {
      /** A directory of the host, used as it is */
      kind: "bind";
      source: string;
      why: string;
    };

/** A container's files. */
export interface ContainerRoot {
  /** Directories of the layers, the topmost first; "/", the host image, is always the last. */
  lowers: string[];
  /** The container's writable directory; with whole trees, its root. */
  upper: string;
  work: string;
}

export interface RootRequest extends ContainerRoot {
  /** The directory that the root is attached at. */
  mountPoint: string;
  /** Nothing of it outlives the container, so nothing needs to reach the disk. */
  disposable: boolean;
}

/** A directory that a container needs before its first start: a new one, or a copy of a whole tree. */
export type RootPreparation =
  | { kind: "directory"; path: string; mode: number; why: string }
  | {
      kind: "clone";
      from: string;
      path: string;
      /** Bytes that may be written to it. */
      limit: number | undefined;
      why: string;
      /** How somebody would do it by hand. */
      command: string[];
    };

/** Where what a container has changed is to be found. */
export type RootChanges =
  | { kind: "upper"; directory: string }
  | {
      /** The difference of two trees. What was changed after `since` was made has a later ctime than its mtime. */
      kind: "tree";
      root: string;
      base: string;
      since: string;
    };

export interface StorageDriver {
  readonly name: string;
  /** What a layer's directory holds; see above. */
  readonly layerForm: "changes" | "tree";
  /** The directory that a layer's content is, or will be, in. The name shows only when it is complete. */
  layerDirectory(chainId: string): string;
  /**
   * A new directory that a layer is unpacked into before it gets its name; empty, or (whole trees) a copy of
   * `parent`, the directory of the finished layer below, if there is one. While it is in use, its
   * user holds an flock on it; between the two, and around removeStaleLayers, the lock of all images.
   */
  beginLayer(parent: string | undefined): string;
  /** A file beside a layer's directory, begun or finished, that comes and goes with the layer: what its archive is made of again. */
  splitPath(directory: string): string;
  /** Gives a finished layer its name; another process may have been first, then this one is dropped. */
  commitLayer(directory: string, chainId: string): void;
  /** Removes a layer that was begun and will not be finished. */
  abortLayer(directory: string): void;
  /** What crashed processes began: what nobody holds an flock on. */
  staleLayers(): string[];
  /** Removes what `staleLayers` names. Returns how many. */
  removeStaleLayers(): number;
  hasLayer(chainId: string): boolean;
  /** Chain ids of all that is kept. */
  layers(): string[];
  removeLayer(chainId: string): void;
  /**
   * What a new container needs, in this order. The directory above is there.
   * @param limit bytes that the container may write; throws "unsupported" where that cannot be enforced
   */
  prepareRoot(root: ContainerRoot, limit: number | undefined): RootPreparation[];
  /** Carries out a preparation of the kind "clone". */
  clone(preparation: Extract<RootPreparation, { kind: "clone" }>): void;
  /** How the container's root is mounted. Throws "unsupported" for more layers than the kernel takes. */
  rootMount(request: RootRequest): Promise<RootMount>;
  changes(root: ContainerRoot): RootChanges;
  /**
   * Makes a container's files, `to`, a copy of another's, `from`, to which nobody writes meanwhile. The directory above `to` is
   * there. It stops now and then: whoever goes on no further has to remove what there is. So does copyDirectory.
   * @param limit bytes that the new container may write of its own
   */
  copyRoot(from: ContainerRoot, to: ContainerRoot, limit: number | undefined): AsyncIterable<void>;
  /** A new directory outside of layers and roots: where snapshots can be made, one that copyDirectory makes a snapshot of. */
  emptyDirectory(path: string): void;
  /** Makes `path`, which is not there, a copy of the directory `from`, with all that is in it; see copyRoot. */
  copyDirectory(from: string, path: string, limit: number | undefined): AsyncIterable<void>;
  /** A new directory that takes at most `limit` bytes. Throws "unsupported" where that cannot be enforced. */
  limitedDirectory(path: string, limit: number): void;
}
