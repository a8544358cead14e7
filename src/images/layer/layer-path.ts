/**
 * Names of a tar archive as places below the layer's root.
 *
 * Promises: a LayerPath has no ".", no "..", no empty component and no NUL, so joining it gives a path
 * that cannot leave the root but through a symlink, which RESOLVE_IN_ROOT confines.
 */
import { BockerError } from "../../base/errors.ts";

/** Components from the root; none for the root itself. */
export type LayerPath = readonly Buffer[];

const SLASH = 0x2f;
const DOT = 0x2e;
const SEPARATOR = Buffer.from("/");

/** A name for a message: quoted, control characters escaped. */
export function quoted(name: Uint8Array): string {
  return JSON.stringify(Buffer.from(name).toString("utf8"));
}

/**
 * `name` cleaned as Go's filepath.Clean does: "a/../b" is "b"; ".." above the root of an absolute name
 * is the root. A relative name that climbs out is BockerError("corrupt").
 */
export function layerPath(name: Buffer): LayerPath {
  const components: Buffer[] = [];
  const absolute = name[0] === SLASH;
  for (let start = 0; start < name.length; ) {
    const slash = name.indexOf(SLASH, start);
    const end = slash < 0 ? name.length : slash;
    const component = name.subarray(start, end);
    start = end + 1;
    const isDot = component.length === 1 && component[0] === DOT;
    if (component.length === 0 || isDot) continue;
    if (component.length !== 2 || component[0] !== DOT || component[1] !== DOT) {
      components.push(component);
    } else if (components.pop() === undefined && !absolute) {
      throw new BockerError("corrupt", `archive entry ${quoted(name)} leads out of the archive`);
    }
  }
  return components;
}

/** The path as bytes, "." for the root. */
export function pathBytes(path: LayerPath): Buffer {
  if (path.length === 0) return Buffer.from(".");
  const parts = path.flatMap((component, index) => (index === 0 ? [component] : [SEPARATOR, component]));
  return Buffer.concat(parts);
}
