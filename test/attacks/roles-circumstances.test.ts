/*
 * ATTACK: someone with a role for office hours and the office network uses it a minute too early or late, over midnight on
 *         the wrong day, from an address just outside, or from one written in another form.
 * DANGER: keys shown to a stolen laptop at night, from anywhere.
 * EXPECT: the boundaries are where the roles file says, in its time zone, and where nothing is known the role does not count.
 */
import { describe, expect, test } from "vitest";
import { decode, problemsIn } from "../authorization/roles-text.ts";

const rolesWith = (conditions: Readonly<Record<string, unknown>>): string =>
  JSON.stringify({
    roleCapabilities: { role: { visibleCommands: ["verify-cert"] } },
    roleDefinitions: { "user:alice": { roleCapabilities: ["role"], ...conditions } },
  });

const has = (conditions: Readonly<Record<string, unknown>>, at: string, clientAddress = "192.0.2.1"): boolean =>
  decode(rolesWith(conditions))
    .commandsFor("alice", { clientAddress, at: new Date(at) })
    .descriptions.some(({ name }) => name === "verify-cert");

describe("time", () => {
  const office = { when: { days: ["Mon", "Fri"], from: "08:00", to: "17:30", timeZone: "Europe/Berlin" } };
  const night = { when: { days: ["Fri"], from: "22:00", to: "06:00", timeZone: "UTC" } };
  const autumn = { when: { from: "02:00", to: "03:00", timeZone: "Europe/Berlin" } };

  // 2026-11-20 is a Friday; Berlin is at UTC+1 in November, UTC+2 in July.
  test.each([
    ["2026-11-20T06:59:59.999Z", office, false],
    ["2026-11-20T07:00:00.000Z", office, true],
    ["2026-11-20T16:29:59.999Z", office, true],
    ["2026-11-20T16:30:00.000Z", office, false],
    ["2026-11-19T12:00:00.000Z", office, false],
    ["2026-07-17T05:59:59.999Z", office, false],
    ["2026-07-17T06:00:00.000Z", office, true],
    ["2026-11-20T21:59:59.999Z", night, false],
    ["2026-11-20T22:00:00.000Z", night, true],
    ["2026-11-21T05:59:59.999Z", night, true],
    ["2026-11-21T06:00:00.000Z", night, false],
    ["2026-11-20T05:00:00.000Z", night, false],
    ["2026-11-21T23:00:00.000Z", night, false],
    // The hour that comes twice when summer time ends is within both times.
    ["2026-10-25T00:00:00.000Z", autumn, true],
    ["2026-10-25T01:00:00.000Z", autumn, true],
    ["2026-10-25T02:00:00.000Z", autumn, false],
  ])("at %s with %o: %s", (at, conditions, expected) => {
    expect(has(conditions, at)).toBe(expected);
  });
});

describe("network", () => {
  const from = { from: ["192.0.2.128/25", "198.51.100.7", "2001:db8:1::/48"] };

  test.each([
    ["192.0.2.127", false],
    ["192.0.2.128", true],
    ["192.0.2.255", true],
    ["192.0.3.0", false],
    ["198.51.100.7", true],
    ["198.51.100.8", false],
    ["2001:db8:1::", true],
    ["2001:DB8:1:ffff:ffff:ffff:ffff:ffff", true],
    ["2001:db8:2::", false],
    ["", false],
    ["192.0.2.128 ", false],
    ["0xc0.0.2.128", false],
    ["localhost", false],
  ])("from %j: %s", (address, expected) => {
    expect(has(from, "2026-11-20T12:00:00Z", address)).toBe(expected);
  });
});

test("where the circumstances are not known a role that asks for any does not count", () => {
  const roles = decode(rolesWith({ from: ["0.0.0.0/0", "::/0"] }));
  expect(roles.commandsFor("alice").descriptions.map(({ name }) => name)).not.toContain("verify-cert");
  expect(roles.heldRoles("alice")).toEqual([
    { roleCapability: "role", because: ["user:alice (from 0.0.0.0/0, ::/0)"] },
  ]);
});

test("both must hold where both are given", () => {
  const both = { from: ["192.0.2.0/24"], when: { from: "08:00", to: "09:00", timeZone: "UTC" } };
  expect(has(both, "2026-11-20T08:30:00Z")).toBe(true);
  expect(has(both, "2026-11-20T09:30:00Z")).toBe(false);
  expect(has(both, "2026-11-20T08:30:00Z", "198.51.100.1")).toBe(false);
});

test.each([
  [{ from: ["192.0.2.0/33"] }, /from\[0\]: .* is no address or network/],
  [{ from: ["office"] }, /is no address or network/],
  [{ from: [] }, /at least 1 long/],
  [{ when: { from: "8:00", to: "17:00", timeZone: "UTC" } }, /must be a time of day/],
  [{ when: { from: "08:00", to: "24:00", timeZone: "UTC" } }, /must be a time of day/],
  [{ when: { from: "08:00", to: "08:00", timeZone: "UTC" } }, /would be empty/],
  [{ when: { from: "08:00", to: "17:00", timeZone: "Middle/Earth" } }, /is no time zone/],
  [{ when: { from: "08:00", to: "17:00" } }, /timeZone: is missing/],
  [{ when: { days: ["Monday"], from: "08:00", to: "17:00", timeZone: "UTC" } }, /days\[0\]/],
])("%j is an error with its path", (conditions, problem) => {
  expect(problemsIn(rolesWith(conditions)).join("\n")).toMatch(problem);
});
