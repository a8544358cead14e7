import { describe, expect, test } from "bun:test";
import {
  joinRequests,
  listAttributes,
  MAX_ATTRIBUTE_PAYLOAD,
  MessageBuilder,
  parseAcknowledgement,
  parseAttributes,
  parseMessages,
  readString,
  readU32,
} from "./message.ts";
import { addAddress, createVeth, parseLink, setLinkUp } from "./rtnetlink.ts";

describe("messages", () => {
  test("are aligned, numbered and parsed back", () => {
    const bytes = new MessageBuilder()
      .message(16, 4, new Uint8Array(16))
      .string(3, "abcd")
      .nest(18, () => undefined)
      .message(17, 0, new Uint8Array(8))
      .u32(9, 0xdeadbeef)
      .finish();
    const [first, second] = parseMessages(bytes);
    expect([first?.type, first?.flags, first?.sequence]).toEqual([16, 5, 1]);
    expect([second?.type, second?.flags, second?.sequence]).toEqual([17, 1, 2]);
    expect(readString(parseAttributes(first?.payload.subarray(16) ?? new Uint8Array()).get(3))).toBe("abcd");
    expect(readU32(parseAttributes(second?.payload.subarray(8) ?? new Uint8Array()).get(9))).toBe(0xdeadbeef);
    expect(bytes.length % 4).toBe(0);
  });

  test("an attribute that does not fit in 16 bits is refused, nested ones too", () => {
    const builder = () => new MessageBuilder().message(1, 0, new Uint8Array(0));
    expect(() => builder().attribute(1, new Uint8Array(MAX_ATTRIBUTE_PAYLOAD))).not.toThrow();
    expect(() => builder().attribute(1, new Uint8Array(MAX_ATTRIBUTE_PAYLOAD + 1))).toThrow("65531");
    expect(() => builder().string(1, "x".repeat(65536))).toThrow("65531");
    const half = new Uint8Array(40_000);
    expect(() => builder().nest(1, () => builder().attribute(1, half))).not.toThrow();
    const whole = builder();
    expect(() => whole.nest(1, () => whole.attribute(1, half).attribute(2, half))).toThrow("65531");
    const endless = builder();
    expect(() => {
      for (let i = 0; i < 100; i++) endless.attribute(1, half);
    }).toThrow("1048576");
  });

  test("a name with a NUL is refused", () => {
    expect(() => new MessageBuilder().message(1, 0, new Uint8Array(0)).string(3, "a\0b")).toThrow("NUL");
  });

  test("lengths that lie are errors", () => {
    expect(() => parseMessages(Uint8Array.from([99, 0, 0, 0, ...new Array(12).fill(0)]))).toThrow("99 bytes");
    expect(() => parseMessages(new Uint8Array(16))).toThrow("0 bytes");
    expect(() => listAttributes(Uint8Array.of(2, 0, 0, 0))).toThrow("2 bytes");
    expect(() => listAttributes(Uint8Array.of(9, 0, 0, 0))).toThrow("9 bytes");
    expect(parseMessages(new Uint8Array(3))).toEqual([]);
  });

  test("an extended acknowledgement has the kernel's words", () => {
    const text = new TextEncoder().encode("no way\0");
    const payload = new Uint8Array(4 + 16 + 4 + 8);
    const view = new DataView(payload.buffer);
    view.setInt32(0, -22, true);
    view.setUint32(4, 16, true);
    view.setUint16(20, 4 + text.length, true);
    view.setUint16(22, 1, true);
    payload.set(text, 24);
    expect(parseAcknowledgement({ type: 2, flags: 0x300, sequence: 1, payload })).toEqual({
      errno: 22,
      text: "no way",
    });
    expect(parseAcknowledgement({ type: 2, flags: 0x100, sequence: 1, payload })).toEqual({ errno: 22 });
  });
});

describe("rtnetlink", () => {
  const veth = createVeth({
    hostName: "veth0",
    peerName: "eth0",
    master: { index: 7, name: "br" },
    peerInNamespace: true,
  });

  test("the descriptor's place is known, also after joining", () => {
    const joined = joinRequests([
      setLinkUp({ index: 1, name: "lo" }),
      veth,
      addAddress({ index: 2 }, "10.0.0.1", 8),
    ]);
    for (const request of [veth, joined]) {
      const at = request.fdOffset as number;
      const view = new DataView(request.bytes.buffer, request.bytes.byteOffset);
      expect(view.getUint32(at, true)).toBe(0xffffffff);
      expect([view.getUint16(at - 4, true), view.getUint16(at - 2, true)]).toEqual([8, 28]);
    }
    expect(joined.acks).toBe(3);
    expect(parseMessages(joined.bytes).map(({ sequence }) => sequence)).toEqual([1, 2, 3]);
    expect(joined.describe).toHaveLength(3);
    expect(() => joinRequests([veth, veth])).toThrow("two descriptors");
  });

  test("reads like iproute2", () => {
    expect(veth.describe).toEqual([
      'ip link add name veth0 up master br type veth peer name eth0 netns "$NETNS_PID"',
    ]);
  });

  test("a link is parsed from what would create it", () => {
    const [message] = parseMessages(veth.bytes);
    expect(message && parseLink(message)).toMatchObject({ name: "veth0", up: true, master: 7, kind: "veth" });
  });

  test("names the kernel would refuse, or worse accept", () => {
    for (const hostName of ["", "a/b", "a b", "..", "x".repeat(16), "a\0b", "a:1", "é".repeat(8)]) {
      expect(() => createVeth({ hostName, peerName: "eth0", peerInNamespace: true })).toThrow(
        "interface name",
      );
    }
  });
});
