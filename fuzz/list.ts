/** The names of the mutation fuzzer's targets, a line each. */
import { TARGETS } from "./targets.ts";

for (const { name } of TARGETS) console.log(name);
