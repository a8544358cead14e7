/** The devices controller of v1: deny everything, then what is allowed (Documentation/…/devices.rst). */
import type { DeviceRule } from "../../spec/runtime.ts";
import type { CgroupWrite } from "../contribution.ts";

function line(rule: DeviceRule): string {
  const number = (value: number) => (value < 0 ? "*" : String(value));
  return rule.type === "a" ? "a" : `${rule.type} ${number(rule.major)}:${number(rule.minor)} ${rule.access}`;
}

/** A list without a leading "deny all" still means deny (GHSA-g54h-m393-cpwq). */
export function deviceLines(directory: string, rules: readonly DeviceRule[]): CgroupWrite[] {
  const writes = rules.map((rule) => ({
    path: `${directory}/devices.${rule.allow ? "allow" : "deny"}`,
    value: line(rule),
    why: rule.allow ? "this device may be used" : "devices are denied unless allowed",
  }));
  if (rules[0]?.type !== "a")
    writes.unshift({
      path: `${directory}/devices.deny`,
      value: "a",
      why: "devices are denied unless allowed",
    });
  return writes;
}
