import { expect, test } from "bun:test";
import fc from "fast-check";
import {
  familiarName,
  familiarReference,
  formatReference,
  isTag,
  parseReference,
  withDefaultTag,
} from "./reference.ts";

const HEX = "ab".repeat(32);

test.each([
  ["alpine", "docker.io/library/alpine", "alpine"],
  ["alpine:3.20", "docker.io/library/alpine:3.20", "alpine:3.20"],
  ["library/alpine", "docker.io/library/alpine", "alpine"],
  ["docker.io/alpine", "docker.io/library/alpine", "alpine"],
  ["index.docker.io/alpine", "docker.io/library/alpine", "alpine"],
  ["index.docker.io/a/b", "docker.io/a/b", "a/b"],
  ["docker.io/library/a/b", "docker.io/library/a/b", "library/a/b"],
  ["user/app", "docker.io/user/app", "user/app"],
  ["localhost/app", "localhost/app", "localhost/app"],
  ["localhost:5000/app:x", "localhost:5000/app:x", "localhost:5000/app:x"],
  ["127.0.0.1:5000/a/b", "127.0.0.1:5000/a/b", "127.0.0.1:5000/a/b"],
  ["[::1]:5000/a", "[::1]:5000/a", "[::1]:5000/a"],
  ["[2001:DB8::1]/a", "[2001:DB8::1]/a", "[2001:DB8::1]/a"],
  ["HOST/app", "HOST/app", "HOST/app"],
  ["xn--n3h.com/myimage", "xn--n3h.com/myimage", "xn--n3h.com/myimage"],
  ["a__b/c--d.e_f", "docker.io/a__b/c--d.e_f", "a__b/c--d.e_f"],
  ["a/b_c:Tag_.-1", "docker.io/a/b_c:Tag_.-1", "a/b_c:Tag_.-1"],
  [`alpine@sha256:${HEX}`, `docker.io/library/alpine@sha256:${HEX}`, `alpine@sha256:${HEX}`],
  [`alpine:3@sha256:${HEX}`, `docker.io/library/alpine:3@sha256:${HEX}`, `alpine:3@sha256:${HEX}`],
  // Without a slash, "a:5000" is a tag and "a.b" a name.
  ["host:5000", "docker.io/library/host:5000", "host:5000"],
  ["a.b", "docker.io/library/a.b", "a.b"],
])("%s is read as Docker reads it", (text, full, familiar) => {
  const reference = parseReference(text);
  expect(formatReference(reference)).toBe(full);
  expect(familiarReference(reference)).toBe(familiar);
  expect(parseReference(full)).toEqual(reference);
});

test.each([
  ["", "invalid reference format"],
  [":3", "invalid reference format"],
  ["@sha256:abc", "invalid reference format"],
  ["a:", "invalid reference format"],
  ["a:b:c", "invalid reference format"],
  ["a//b", "invalid reference format"],
  ["/a", "invalid reference format"],
  ["a/", "invalid reference format"],
  ["-a", "invalid reference format"],
  ["a-", "invalid reference format"],
  ["a..b", "invalid reference format"],
  ["a___b", "invalid reference format"],
  ["a._b", "invalid reference format"],
  ["host:99999x/a", "invalid reference format"],
  ["host:/a", "invalid reference format"],
  ["-host.com/a", "invalid reference format"],
  ["a.b_c/x", "invalid reference format"],
  ["[::1/a", "invalid reference format"],
  ["[fe80::1%eth0]:5000/a", "invalid reference format"],
  ["a b", "invalid reference format"],
  ["a\n", "invalid reference format"],
  [`a:${"x".repeat(129)}`, "invalid reference format"],
  ["a:.b", "invalid reference format"],
  ["a@sha256:12", "invalid reference format"],
  [`a@sha256:${"a".repeat(63)}`, "invalid checksum digest length"],
  [`a@sha512:${"a".repeat(128)}`, "unsupported digest algorithm"],
  [`a@sha256:${"A".repeat(64)}`, "invalid checksum digest format"],
  ["Alpine", "invalid reference format: repository name (library/Alpine) must be lowercase"],
  ["HOST/UP", "invalid reference format: repository name (UP) must be lowercase"],
  [HEX, `invalid repository name (${HEX}), cannot specify 64-byte hexadecimal strings`],
  [`${"a/".repeat(128)}a`, "repository name must not be more than 255 characters"],
])("%s is refused with Docker's words", (text, message) => {
  expect(() => parseReference(text)).toThrow(new Error(message));
});

test("the longest name and tag are accepted", () => {
  expect(parseReference(`x.y/${"a".repeat(255)}`).path.length).toBe(255);
  expect(parseReference(`a:${"x".repeat(128)}`).tag?.length).toBe(128);
  expect(isTag("_x")).toBe(true);
});

test("latest is added only where nothing says more", () => {
  expect(withDefaultTag(parseReference("a")).tag).toBe("latest");
  expect(withDefaultTag(parseReference(`a@sha256:${HEX}`)).tag).toBeUndefined();
  expect(familiarName(parseReference("a:1"))).toBe("a");
});

test("a megabyte of nonsense is refused, in linear time: else this would not end before the runner gives up", () => {
  for (const unit of ["a/", "a-", "a__", ":", "@", "a.b:1/", "[", "-"]) {
    expect(() => parseReference(unit.repeat(2 ** 20 / unit.length))).toThrow();
  }
});

test("whatever is accepted is stable under formatting", () => {
  const characters = fc.constantFrom(..."abz09A.-_:/@[]".split(""), "localhost", "sha256:", HEX);
  fc.assert(
    fc.property(fc.array(characters, { maxLength: 12 }), (parts) => {
      let reference: ReturnType<typeof parseReference>;
      try {
        reference = parseReference(parts.join(""));
      } catch {
        return;
      }
      expect(parseReference(formatReference(reference))).toEqual(reference);
      expect(parseReference(familiarReference(reference))).toEqual(reference);
    }),
    { numRuns: 5000 },
  );
});
