/** -v, --mount and --tmpfs, in Docker's notation (docker/cli opts/mount.go, cli/compose/loader/volume.go). */
import { BockerError } from "../base/errors.ts";
import { NAME_PATTERN } from "../base/ids.ts";
import { exists, realPath } from "../os/host-files.ts";
import type { MountPoint } from "../spec/container.ts";

/** Loaded only by those who mount something. */
const nodePath = () => process.getBuiltinModule("node:path");

const PROPAGATIONS = new Set(["private", "rprivate", "slave", "rslave", "shared", "rshared"]);

function point(type: MountPoint["type"], destination: string): MountPoint {
  if (!destination.startsWith("/"))
    throw new BockerError("invalid", `invalid mount path: '${destination}' mount path must be absolute`);
  const clean = nodePath()
    .normalize(destination)
    .replace(/(.)\/+$/, "$1");
  if (clean === "/") throw new BockerError("invalid", "invalid specification: destination can't be '/'");
  return { type, name: "", source: "", destination: clean, readOnly: false, options: [], propagation: "" };
}

function setSource(mount: MountPoint, source: string): void {
  if (/^[./~]/.test(source)) {
    mount.type = "bind";
    mount.source = nodePath().resolve(source);
    return;
  }
  if (!NAME_PATTERN.test(source))
    throw new BockerError(
      "invalid",
      `create ${source}: ${JSON.stringify(source)} includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path`,
    );
  mount.type = "volume";
  mount.name = source;
}

/** -v [SOURCE:]DESTINATION[:OPTIONS] */
export function parseVolume(text: string): MountPoint {
  const parts = text.split(":");
  if (parts.length > 3 || parts.some((part) => part === ""))
    throw new BockerError("invalid", `invalid volume specification: '${text}'`);
  const [first = "", second, modes] = parts;
  if (second === undefined) return point("volume", first);
  const mount = point("volume", second);
  setSource(mount, first);
  for (const mode of modes?.split(",") ?? []) {
    if (mode === "ro") mount.readOnly = true;
    else if (PROPAGATIONS.has(mode)) mount.propagation = mode;
    else if (mode === "z" || mode === "Z" || mode === "nocopy")
      throw new BockerError("unsupported", `the volume mode '${mode}' is not supported yet by bocker`);
    else if (mode !== "rw") throw new BockerError("invalid", `invalid mode: ${mode}`);
  }
  return mount;
}

/** --tmpfs DESTINATION[:OPTIONS] */
export function parseTmpfs(text: string): MountPoint {
  const colon = text.indexOf(":");
  const mount = point("tmpfs", colon < 0 ? text : text.slice(0, colon));
  for (const option of colon < 0 ? [] : text.slice(colon + 1).split(",")) {
    if (option === "ro") mount.readOnly = true;
    else if (option !== "rw" && option !== "") mount.options.push(option);
  }
  return mount;
}

function flagValue(key: string, value: string | undefined): boolean {
  if (value === undefined || value === "true" || value === "1") return true;
  if (value === "false" || value === "0") return false;
  throw new BockerError("usage", `invalid argument for "--mount" flag: invalid value for ${key}: ${value}`);
}

function applyField(mount: MountPoint, key: string, value: string | undefined, text: string): void {
  switch (key) {
    case "type":
    case "target":
    case "destination":
    case "dst":
      return;
    case "source":
    case "src":
      if (mount.type === "volume") mount.name = value ?? "";
      else mount.source = nodePath().resolve(value ?? "");
      return;
    case "readonly":
    case "ro":
      mount.readOnly = flagValue(key, value);
      return;
    case "bind-propagation":
      if (!PROPAGATIONS.has(value ?? "")) throw new BockerError("invalid", `invalid propagation: ${value}`);
      mount.propagation = value ?? "";
      return;
    case "tmpfs-size":
      mount.options.push(`size=${value}`);
      return;
    case "tmpfs-mode":
      mount.options.push(`mode=${value}`);
      return;
    case "bind-nonrecursive":
    case "bind-recursive":
    case "volume-nocopy":
    case "volume-subpath":
    case "volume-driver":
    case "volume-opt":
    case "volume-label":
    case "consistency":
      throw new BockerError("unsupported", `--mount ${key} is not supported yet by bocker`);
    default:
      throw new BockerError(
        "usage",
        `invalid argument ${JSON.stringify(text)} for "--mount" flag: unexpected key '${key}' in '${key}${value === undefined ? "" : `=${value}`}'`,
      );
  }
}

/** Docker's words for fields that do not go with the type. */
function checkFields(type: MountPoint["type"], fields: [string, string | undefined][], text: string): void {
  const source = fields.find(([key]) => key === "source" || key === "src")?.[1] ?? "";
  for (const prefix of ["bind", "volume", "tmpfs"])
    if (prefix !== type && fields.some(([key]) => key.startsWith(`${prefix}-`)))
      throw new BockerError(
        "usage",
        `invalid argument ${JSON.stringify(text)} for "--mount" flag: cannot mix '${prefix}-*' options with mount type '${type}'`,
      );
  if (type === "bind" && source === "")
    throw new BockerError("invalid", 'invalid mount config for type "bind": field Source must not be empty');
  if (type === "tmpfs" && source !== "")
    throw new BockerError(
      "invalid",
      'invalid mount config for type "tmpfs": field Source must not be specified',
    );
}

/** --mount type=…,source=…,target=…[,readonly] */
export function parseMount(text: string): MountPoint {
  const fields = text.split(",").map((field): [string, string | undefined] => {
    const equals = field.indexOf("=");
    return equals < 0
      ? [field.toLowerCase(), undefined]
      : [field.slice(0, equals).toLowerCase(), field.slice(equals + 1)];
  });
  const type = fields.find(([key]) => key === "type")?.[1] ?? "volume";
  if (type !== "bind" && type !== "volume" && type !== "tmpfs")
    throw new BockerError("unsupported", `--mount type=${type} is not supported yet by bocker`);
  const target = fields.find(([key]) => ["target", "destination", "dst"].includes(key))?.[1];
  if (target === undefined)
    throw new BockerError(
      "usage",
      `invalid argument ${JSON.stringify(text)} for "--mount" flag: target is required`,
    );
  const mount = point(type, target);
  for (const [key, value] of fields) applyField(mount, key, value, text);
  checkFields(type, fields, text);
  if (type === "bind" && !exists(mount.source))
    throw new BockerError(
      "invalid",
      `invalid mount config for type "bind": bind source path does not exist: ${mount.source}`,
    );
  if (type === "volume" && mount.name !== "" && !NAME_PATTERN.test(mount.name))
    throw new BockerError("invalid", `invalid volume name: ${mount.name}`);
  return mount;
}

/** Bind sources are followed once, here; what is mounted later is that directory and no other. */
export function resolvedSource(mount: MountPoint): MountPoint {
  return mount.type === "bind" && exists(mount.source) ? { ...mount, source: realPath(mount.source) } : mount;
}
