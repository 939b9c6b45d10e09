import { expect, test } from "vitest";
import { defaultPenalties, offenceOf, Penalties } from "../../server/ssh/penalties.ts";
import type { Offence, PenaltySettings } from "../../server/ssh/penalties.ts";

const stage = (settings: Partial<PenaltySettings> = {}) => {
  let nowMs = 1_000;
  const penalties = new Penalties({ ...defaultPenalties, ...settings }, () => nowMs);
  return {
    penalties,
    pass: (seconds: number): void => {
      nowMs += seconds * 1000;
    },
    offend: (address: string, offence: Offence, times: number) =>
      Array.from({ length: times }, () => penalties.penalise(address, offence)).flatMap((begun) => begun ?? []),
  };
};

test("failed log-ins add up: three are forgiven, the fourth keeps the source out for twenty seconds", () => {
  const { penalties, offend, pass } = stage();
  expect(offend("192.0.2.7", "authfail", 3)).toEqual([]);
  expect(penalties.mayConnect("192.0.2.7")).toBe(true);
  expect(offend("192.0.2.7", "authfail", 1)).toEqual([{ source: "192.0.2.7", forMs: 20_000 }]);
  expect(penalties.mayConnect("192.0.2.7")).toBe(false);
  pass(19.9);
  expect(penalties.mayConnect("192.0.2.7")).toBe(false);
  pass(0.1);
  expect(penalties.mayConnect("192.0.2.7")).toBe(true);
  expect(penalties.size).toBe(0);
});

test("failures that are far enough apart never count", () => {
  const { penalties, offend, pass } = stage();
  for (let failure = 0; failure < 50; failure += 1) {
    expect(offend("192.0.2.7", "authfail", 1)).toEqual([]);
    pass(5);
  }
  expect(penalties.mayConnect("192.0.2.7")).toBe(true);
});

test("penalties grow to ten minutes and no further", () => {
  const { penalties, offend, pass } = stage();
  offend("192.0.2.7", "authfail", 5_000);
  pass(599);
  expect(penalties.mayConnect("192.0.2.7")).toBe(false);
  pass(1);
  expect(penalties.mayConnect("192.0.2.7")).toBe(true);
});

test("once enforced a penalty holds to its end, also below the minimum", () => {
  const { penalties, offend, pass } = stage();
  offend("192.0.2.7", "violation", 1);
  pass(85);
  expect(penalties.mayConnect("192.0.2.7")).toBe(false);
});

test("an IPv4 address is a source by itself, an IPv6 network of /64 is one, and the families do not mix", () => {
  const { penalties, offend } = stage();
  offend("192.0.2.7", "violation", 1);
  offend("2001:db8:1:2::1", "violation", 1);
  expect(penalties.mayConnect("192.0.2.8")).toBe(true);
  expect(penalties.mayConnect("2001:db8:1:2:ffff::9")).toBe(false);
  expect(penalties.mayConnect("2001:db8:1:3::1")).toBe(true);
});

test("an exempt source earns nothing", () => {
  const { penalties, offend } = stage({ isExempt: (address) => address === "192.0.2.7" });
  expect(offend("192.0.2.7", "violation", 10)).toEqual([]);
  expect(penalties.mayConnect("192.0.2.7")).toBe(true);
});

test("a full table forgets what ends first, and keeps the long penalties", () => {
  const { penalties, offend } = stage({ maxSources4: 16 });
  offend("192.0.2.1", "violation", 5);
  for (let other = 2; other <= 200; other += 1) offend(`192.0.2.${other}`, "noauth", 1);
  expect(penalties.size).toBeLessThanOrEqual(16);
  expect(penalties.mayConnect("192.0.2.1")).toBe(false);
});

test("with deny-all a full table keeps everybody out who is not exempt, until a penalty ends", () => {
  const { penalties, offend, pass } = stage({
    maxSources4: 4,
    overflow4: "deny-all",
    isExempt: (address) => address === "198.51.100.1",
  });
  for (let source = 1; source <= 9; source += 1) offend(`192.0.2.${source}`, "noauth", 1);
  expect(penalties.size).toBe(4);
  expect(penalties.mayConnect("203.0.113.5")).toBe(false);
  expect(penalties.mayConnect("198.51.100.1")).toBe(true);
  expect(penalties.mayConnect("2001:db8::1")).toBe(true);
  pass(1);
  expect(penalties.mayConnect("203.0.113.5")).toBe(true);
});

test("what a connection is punished for", () => {
  expect(offenceOf(undefined, true)).toBe("authfail");
  expect(offenceOf(undefined, false)).toBe("noauth");
  expect(offenceOf("login-grace", true)).toBe("grace-exceeded");
  expect(offenceOf("pre-authentication-message", false)).toBe("violation");
  expect(offenceOf("weak-transport", false)).toBe("noauth");
  // The server's own limits are nobody's fault.
  expect(offenceOf("startups", false)).toBeUndefined();
  expect(offenceOf("penalty", false)).toBeUndefined();
});
