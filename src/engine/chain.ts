/** Chain ids: what a layer is called by everything below it (OCI image-spec, config.md, "Layer ChainID"). */
import { type Digest, digestOf } from "../base/digest.ts";

/** One for each layer, the lowest first. */
export function chainIds(diffIds: readonly Digest[]): Digest[] {
  const chain: Digest[] = [];
  for (const diffId of diffIds) {
    const below = chain.at(-1);
    chain.push(below === undefined ? diffId : digestOf(`${below} ${diffId}`));
  }
  return chain;
}
