/**
 * Image references: the grammar of github.com/distribution/reference, parsed by hand in linear time.
 *
 *   reference := name [":" tag] ["@" digest]      name := domain "/" path
 *   path      := component *("/" component)        component := alnum *(separator alnum)
 *   separator := "." | "_" | "__" | 1*"-"          tag := 1*128( word / "." / "-" ), word first
 *   domain    := host [":" port]                   host := labels | "[" IPv6 "]"
 *
 * Promises: a parsed Reference is normalised (docker.io and library/ filled in, index.docker.io
 * replaced) and every part obeys the grammar. Errors are BockerError("invalid") with Docker's text.
 */
import { type Digest, isLowerHex, parseDigest } from "./digest.ts";
import { BockerError } from "./errors.ts";

export interface Reference {
  /** "docker.io", "localhost:5000", "[::1]:5000" */
  readonly domain: string;
  /** "library/alpine" */
  readonly path: string;
  readonly tag?: string;
  readonly digest?: Digest;
}

const DEFAULT_DOMAIN = "docker.io";
const LEGACY_DOMAIN = "index.docker.io";
const OFFICIAL_PREFIX = "library/";
const DEFAULT_TAG = "latest";
const PATH_MAX = 255;
const TAG_MAX = 128;
const DIGEST_HEX_MIN = 32;

const INVALID = "invalid reference format";

function invalid(message: string): BockerError {
  return new BockerError("invalid", message);
}

function isDigit(c: number): boolean {
  return c >= 0x30 && c <= 0x39;
}

function isLower(c: number): boolean {
  return c >= 0x61 && c <= 0x7a;
}

function isUpper(c: number): boolean {
  return c >= 0x41 && c <= 0x5a;
}

function isAlphanumeric(c: number): boolean {
  return isDigit(c) || isLower(c) || isUpper(c);
}

const DOT = 0x2e;
const DASH = 0x2d;
const UNDERSCORE = 0x5f;

function isPathComponent(text: string): boolean {
  let i = 0;
  for (;;) {
    const start = i;
    while (i < text.length && (isDigit(text.charCodeAt(i)) || isLower(text.charCodeAt(i)))) i++;
    if (i === start) return false;
    if (i === text.length) return true;
    const separator = text.charCodeAt(i);
    if (separator === DASH) {
      while (text.charCodeAt(i) === DASH) i++;
    } else if (separator === UNDERSCORE) {
      i += text.charCodeAt(i + 1) === UNDERSCORE ? 2 : 1;
    } else if (separator === DOT) {
      i++;
    } else {
      return false;
    }
  }
}

/** The part of a reference that a repository is called within its registry. */
function isPath(text: string): boolean {
  return text.split("/").every(isPathComponent);
}

function isDomainLabel(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    const inside = i > 0 && i < text.length - 1;
    if (!isAlphanumeric(c) && !(c === DASH && inside)) return false;
  }
  return text.length > 0;
}

function isBracketedIpv6(text: string): boolean {
  if (text.length < 3 || !text.startsWith("[") || !text.endsWith("]")) return false;
  for (let i = 1; i < text.length - 1; i++) {
    const c = text.charCodeAt(i) | 0x20;
    const isHex = isDigit(text.charCodeAt(i)) || (c >= 0x61 && c <= 0x66);
    if (!isHex && text[i] !== ":") return false;
  }
  return true;
}

function isDomain(text: string): boolean {
  const hostEnd = text.startsWith("[") ? text.indexOf("]") + 1 : text.indexOf(":");
  const host = hostEnd <= 0 ? text : text.slice(0, hostEnd);
  const rest = text.slice(host.length);
  if (rest !== "") {
    if (!rest.startsWith(":") || rest.length === 1) return false;
    for (let i = 1; i < rest.length; i++) if (!isDigit(rest.charCodeAt(i))) return false;
  }
  return isBracketedIpv6(host) || host.split(".").every(isDomainLabel);
}

/** True for what may stand behind the colon of a reference. */
export function isTag(text: string): boolean {
  if (text.length === 0 || text.length > TAG_MAX) return false;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    const isWord = isAlphanumeric(c) || c === UNDERSCORE;
    if (!isWord && (i === 0 || (c !== DOT && c !== DASH))) return false;
  }
  return true;
}

/** algorithm *(separator algorithm) ":" 32*hexdigit, which a reference needs before its digest is judged. */
function looksLikeDigest(text: string): boolean {
  const colon = text.indexOf(":");
  if (colon < 0) return false;
  const hex = text.slice(colon + 1);
  if (hex.length < DIGEST_HEX_MIN || !isLowerHex(hex.toLowerCase())) return false;
  let start = true;
  for (let i = 0; i < colon; i++) {
    const c = text.charCodeAt(i);
    const isLetter = isLower(c) || isUpper(c);
    if (start ? !isLetter : !isLetter && !isDigit(c) && !"-_+.".includes(text[i]!)) return false;
    start = !isLetter && !isDigit(c);
  }
  return !start;
}

/** Docker's guess what of "a/b" is a registry: it has a dot, a colon or a capital, or is localhost. */
function splitDomain(text: string): { domain: string; remainder: string } {
  const slash = text.indexOf("/");
  const first = slash < 0 ? "" : text.slice(0, slash);
  const looksLikeHost =
    first === "localhost" || first.includes(".") || first.includes(":") || first.toLowerCase() !== first;
  let domain = looksLikeHost ? first : DEFAULT_DOMAIN;
  let remainder = looksLikeHost ? text.slice(slash + 1) : text;
  if (domain === LEGACY_DOMAIN) domain = DEFAULT_DOMAIN;
  if (domain === DEFAULT_DOMAIN && !remainder.includes("/")) remainder = OFFICIAL_PREFIX + remainder;
  return { domain, remainder };
}

/**
 * A reference as people type it: "alpine", "ghcr.io/a/b:1", "a@sha256:…". No tag is added
 * (see `withDefaultTag`).
 */
export function parseReference(text: string): Reference {
  if (text.length === 64 && isLowerHex(text)) {
    throw invalid(`invalid repository name (${text}), cannot specify 64-byte hexadecimal strings`);
  }
  const { domain, remainder } = splitDomain(text);
  const colon = remainder.indexOf(":");
  const remote = colon < 0 ? remainder : remainder.slice(0, colon);
  if (remote.toLowerCase() !== remote) {
    throw invalid(`${INVALID}: repository name (${remote}) must be lowercase`);
  }

  const at = remainder.indexOf("@");
  const named = at < 0 ? remainder : remainder.slice(0, at);
  const digestText = at < 0 ? undefined : remainder.slice(at + 1);
  const tagColon = named.indexOf(":");
  const path = tagColon < 0 ? named : named.slice(0, tagColon);
  const tag = tagColon < 0 ? undefined : named.slice(tagColon + 1);
  if (!isDomain(domain) || !isPath(path)) throw invalid(INVALID);
  if (tag !== undefined && !isTag(tag)) throw invalid(INVALID);
  if (digestText !== undefined && !looksLikeDigest(digestText)) throw invalid(INVALID);
  if (path.length > PATH_MAX) {
    throw invalid(`repository name must not be more than ${PATH_MAX} characters`);
  }
  return {
    domain,
    path,
    ...(tag === undefined ? {} : { tag }),
    ...(digestText === undefined ? {} : { digest: parseDigest(digestText) }),
  };
}

/** The reference with ":latest" when it has neither tag nor digest. */
export function withDefaultTag(reference: Reference): Reference {
  if (reference.tag !== undefined || reference.digest !== undefined) return reference;
  return { ...reference, tag: DEFAULT_TAG };
}

/** "docker.io/library/alpine" */
export function repositoryName(reference: Reference): string {
  return `${reference.domain}/${reference.path}`;
}

/** "docker.io/library/alpine:3@sha256:…" */
export function formatReference(reference: Reference): string {
  return repositoryName(reference) + suffix(reference);
}

/** The repository as Docker prints it: "alpine", "a/b", "ghcr.io/a/b". */
export function familiarName(reference: Reference): string {
  if (reference.domain !== DEFAULT_DOMAIN) return repositoryName(reference);
  const { path } = reference;
  const isOfficial = path.startsWith(OFFICIAL_PREFIX) && !path.slice(OFFICIAL_PREFIX.length).includes("/");
  return isOfficial ? path.slice(OFFICIAL_PREFIX.length) : path;
}

/** The whole reference as Docker prints it: "alpine:3". */
export function familiarReference(reference: Reference): string {
  return familiarName(reference) + suffix(reference);
}

function suffix({ tag, digest }: Reference): string {
  return (tag === undefined ? "" : `:${tag}`) + (digest === undefined ? "" : `@${digest}`);
}
