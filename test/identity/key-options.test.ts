import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeFrom, decodeNetworks } from "../../server/identity/address-list.ts";
import { decodeKeyOptions, splitOptions } from "../../server/identity/key-options.ts";

describe("options of a key", () => {
  test("all of them, in any case and order", () => {
    const options = decodeKeyOptions(
      'Restrict,CERT-AUTHORITY,principals="a,group:b",from="10.0.0.0/8",expiry-time="20300102Z",verify-required,no-touch-required',
    );
    expect(options).toMatchObject({
      restricted: true,
      certAuthority: true,
      principals: ["a", "group:b"],
      expiresAt: Date.UTC(2030, 0, 2),
      verifyRequired: true,
      noTouchRequired: true,
    });
    expect(options.mayComeFrom("10.1.2.3")).toBe(true);
    expect(options.mayComeFrom("11.1.2.3")).toBe(false);
  });

  test.each([
    "no-pty",
    'command="x"',
    'environment="A=b"',
    "port-forwarding",
    "restrict,restrict",
    "restrict,",
    ",restrict",
    "restrict,,verify-required",
    "restrict restrict",
    'restrict="yes"',
    "from",
    "from=10.0.0.1",
    'from="10.0.0.1',
    'from=""',
    'from="10.0.0.1"x',
    'from="10.0.0.1",from="10.0.0.2"',
    'from="desk.example.com"',
    'from="10.0.0.0/"',
    'from="10.0.0.1/8"',
    'from="10.0.0.0/33"',
    'from="*.*.*.*.*"',
    'principals="a"',
    'cert-authority,principals=""',
    'cert-authority,principals="a,,b"',
    'expiry-time="never"',
    'expiry-time="20300229"',
    'expiry-time="203001012460"',
    'expiry-time="2030010112z"',
  ])("%s is an error", (text) => {
    expect(() => decodeKeyOptions(text)).toThrow(Error);
  });

  test("a time is read in this machine's zone, or in UTC with a Z", () => {
    const expiry = (text: string): number | undefined => decodeKeyOptions(`expiry-time="${text}"`).expiresAt;
    expect(expiry("20300203")).toBe(new Date(2030, 1, 3).getTime());
    expect(expiry("203002031405")).toBe(new Date(2030, 1, 3, 14, 5).getTime());
    expect(expiry("20300203140506Z")).toBe(Date.UTC(2030, 1, 3, 14, 5, 6));
    expect(expiry("20280229Z")).toBe(Date.UTC(2028, 1, 29));
  });

  test("end at the first blank that is not in quotes", () => {
    expect(splitOptions('from="a b",x="c \\" d"  ssh-ed25519 AAAA c')).toEqual({
      options: 'from="a b",x="c \\" d"',
      rest: "ssh-ed25519 AAAA c",
    });
    expect(() => splitOptions('from="a b ssh-ed25519')).toThrow("not closed");
    expect(() => splitOptions("restrict")).toThrow("no key");
  });

  test("arbitrary text gives options or an Error, and takes no time to speak of", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 300 }), (text) => {
        try {
          decodeKeyOptions(text);
        } catch (error) {
          expect(error).toBeInstanceOf(Error);
          expect(error).not.toBeInstanceOf(TypeError);
        }
      }),
    );
  });
});

describe("addresses", () => {
  test.each([
    ["192.0.2.7", "192.0.2.7", true],
    ["192.0.2.7", "192.0.2.70", false],
    ["192.0.2.0/24", "192.0.2.255", true],
    ["192.0.2.0/24", "192.0.3.0", false],
    ["0.0.0.0/0", "203.0.113.9", true],
    ["0.0.0.0/0", "2001:db8::1", false],
    ["::/0", "203.0.113.9", false],
    ["2001:db8::/32", "2001:db8:ffff::1", true],
    ["2001:db8::/33", "2001:db8:8000::", false],
    ["192.0.2.*", "192.0.2.7", true],
    ["192.0.2.?", "192.0.2.17", false],
    ["!192.0.2.7,192.0.2.0/24", "192.0.2.7", false],
    ["192.0.2.0/24,!192.0.2.7", "192.0.2.7", false],
    ["192.0.2.0/24,!192.0.2.7", "192.0.2.8", true],
    ["!192.0.2.7", "192.0.2.8", false],
  ])("from=%j lets %s in: %s", (from, address, allowed) => {
    expect(decodeFrom(from)(address)).toBe(allowed);
  });

  test.each([
    "",
    ",",
    "10.0.0.0/",
    "10.0.0.0/08",
    "10.0.0.0/-1",
    "10.0.0.0/8/8",
    "10.0.0.1/31",
    "*",
    "!10.0.0.1",
    "fe80::1%eth0",
    "2001:db8::1/64",
    "010.0.0.1",
    " 10.0.0.1",
  ])("source-address %j is no list of networks", (text) => {
    expect(() => decodeNetworks(text)).toThrow(Error);
  });

  test("an IPv4 address lies in every block that keeps its first bits, and in no block that changes one", () => {
    fc.assert(
      fc.property(fc.nat({ max: 0xffff_ffff }), fc.integer({ min: 1, max: 32 }), (address, length) => {
        const dotted = (value: number): string => [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join(".");
        const mask = length === 32 ? 0xffff_ffff : ~(0xffff_ffff >>> length) >>> 0;
        const network = (address & mask) >>> 0;
        const other = (network ^ (1 << (32 - length))) >>> 0;
        expect(decodeNetworks(`${dotted(network)}/${length}`)(dotted(address))).toBe(true);
        expect(decodeNetworks(`${dotted(other)}/${length}`)(dotted(address))).toBe(false);
      }),
    );
  });
});
