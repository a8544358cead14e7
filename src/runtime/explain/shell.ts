import type { Explanation } from "./explanation.ts";
export function explainShell(_e: Explanation): string {
  return "";
}
