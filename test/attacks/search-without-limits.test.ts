/*
 * ATTACK  A user searches for keys by a piece of a name: without a rule, with wildcards, with a piece that is in every name, for computers that
 *         their role hides, again and again in two sessions and across a restart, and while the record can't be written.
 * DANGER  A search lists the fleet, or shows a key; or somebody looks through the site and nothing is on the record.
 * EXPECT  Only an entry with the rule `search` has -Search. A piece has a least length and no wildcard. What is listed is within the role's bounds
 *         and rows, and holds no key. Each search is durable on the record before the site database is asked, and counts for its person.
 */
import { expect, test } from "vitest";
import type { AuditEvent } from "../../server/audit/event.ts";
import { decodeRoles } from "../../server/authorization/decode-roles.ts";
import { commands } from "../../commands/index.ts";
import { SearchCounts } from "../../server/session/search-counts.ts";
import { createMemorySite, makeKeys } from "../commands/memory-site.ts";
import { limitsOf } from "../harness/limits.ts";
import { searchRule as rule, seekerRoles } from "../harness/search-rule.ts";
import { runLine, types, withForty } from "../session/invoke-stage.ts";

withForty();

const plain = {
  parameters: ["ComputerName", "RecoveryKeyId", "Format"],
  requireOneOf: ["ComputerName", "RecoveryKeyId"],
};

const search = async (
  piece: string,
  entry: object = { ...plain, search: rule },
  more: { readonly limits?: ReturnType<typeof limitsOf>; readonly failing?: (event: AuditEvent) => boolean } = {},
) => {
  const site = createMemorySite(makeKeys(30)); // PC-0001 to PC-0010
  const told: string[] = [];
  const { outcome, shown, events } = await runLine(`Get-RecoveryKeys -Search ${piece} -Format ndjson`, {
    roles: seekerRoles(entry),
    siteDatabase: site,
    delivery: { tell: async (text) => void told.push(text) },
    ...more,
  });
  const rows = shown.split("\n").flatMap((line) => (line.startsWith("{") ? [JSON.parse(line)] : []));
  return { outcome, rows, events, told, asked: site.asked.map(({ what }) => what) };
};

test("a search lists what there is to choose from, and no key", async () => {
  const { outcome, rows, events, asked } = await search("0002");
  expect(outcome.exitStatus).toBe(0);
  expect(Object.keys(rows[0])).toEqual(["ComputerName", "VolumeType", "PasswordId", "LastUpdateTime", "State"]);
  expect(JSON.stringify(rows)).not.toMatch(/\d{6}-\d{6}/);
  expect(asked).toEqual(["search"]);
  expect(types(events)).toEqual(["command-started", "search", "command-finished"]);
  expect(events[1]).toMatchObject({ piece: "0002", roleCapability: "seeker", keyFingerprint: "SHA256:exporter" });
});

test("an entry without the rule has no such parameter, and no entry lends it", async () => {
  const without = await search("PC-0001", plain);
  expect([without.outcome.exitStatus, without.asked]).toEqual([2, []]);
  expect(without.outcome.failure?.message).toContain("has no such parameter");
});

test.each([
  [{ ...plain, search: rule, requireApproval: true }, "requireApproval"],
  [{ parameters: ["Search"] }, "granted by the rule search"],
  [{ parameters: [{ name: "Search", validatePattern: "PC.*" }], search: rule }, "without a set and a pattern"],
  [{ ...plain, search: { ...rule, minimumNameCharacters: 0 } }, "minimumNameCharacters"],
])("a roles file that says %j is refused", (entry, why) => {
  expect(() => decodeRoles(seekerRoles(entry), commands)).toThrow(why);
});

test("only what has keys to search has the rule", () => {
  const roles = JSON.parse(seekerRoles({ search: rule }));
  roles.roleCapabilities.seeker.visibleCommands[0].name = "verify-cert";
  expect(() => decodeRoles(JSON.stringify(roles), commands)).toThrow("nothing to search with");
});

test.each(["'*'", "'PC-*'", "'%'", "'PC-%'", "'PC-?001'", "'PC-[0-9]'", "PC-", "'-.-.-'", "...", "0", "ab", "'{AB}'"])(
  "%s is no piece: nothing is asked",
  async (piece) => {
    const { outcome, asked, events } = await search(piece);
    expect([outcome.exitStatus, asked]).toEqual([2, []]);
    expect(outcome.failure?.message).toMatch(/without wildcards|A search needs 3 letters or digits/);
    expect(types(events)).toEqual(["command-refused"]);
  },
);

test("rows are bounded, and that there are more is said without their number", async () => {
  const { rows, told } = await search("PC-00");
  expect(rows).toHaveLength(4);
  expect(told).toEqual(["There are more than these 4: a longer piece leaves fewer."]);
});

test("a computer outside the role's pattern is not listed, and takes no row", async () => {
  const bounded = { parameters: [{ name: "ComputerName", validatePattern: "PC-0009" }, "Format"], search: rule };
  const { rows, told } = await search("PC-00", bounded);
  expect(rows.map(({ ComputerName }) => ComputerName)).toEqual(["PC-0009", "PC-0009", "PC-0009"]);
  expect(told).toEqual([]);
  const [outside, nowhere] = [await search("PC-0008", bounded), await search("PC-9998", bounded)];
  expect(outside.outcome.exitStatus).toBe(3);
  expect(outside.outcome.failure?.message.replace("0008", "9998")).toBe(nowhere.outcome.failure?.message);
});

test("nothing beside it makes a search show a key", async () => {
  const entry = { parameters: ["ComputerName", "NoRotation", "raw", "Format"], search: rule };
  for (const more of ["-raw", "-NoRotation", "-ComputerName PC-0001"]) {
    const { outcome, asked } = await search(`PC-0001 ${more}`, entry);
    expect([more, outcome.exitStatus, asked]).toEqual([more, 2, []]);
    expect(outcome.failure?.message).toContain("-Search lists keys and shows none");
  }
});

test("two sessions of one person share the searches of an hour", async () => {
  const limits = limitsOf();
  for (const piece of ["PC-0001", "no-such", "PC-0002"]) await search(piece, undefined, { limits });
  const fourth = await search("PC-0003", undefined, { limits });
  expect([fourth.outcome.exitStatus, fourth.asked]).toEqual([5, []]);
  expect(fourth.outcome.failure?.message).toContain("allows 3 (search.perHour)");
  expect(types(fourth.events)).not.toContain("search");
});

test("what is not on the record is not asked, and does not count", async () => {
  const limits = limitsOf();
  for (let time = 0; time < 4; time += 1) {
    const { outcome, asked } = await search("PC-0001", undefined, { limits, failing: ({ type }) => type === "search" });
    expect([outcome.exitStatus, asked]).toEqual([254, []]);
  }
  expect((await search("PC-0001", undefined, { limits })).outcome.exitStatus).toBe(0);
});

test("a restart gives nobody a fresh hour, and the hour ends", () => {
  const party = { connectedUser: "mia", keyFingerprint: "SHA256:mia" };
  let nowMs = Date.parse("2026-11-29T12:00:00.000Z");
  const at = (minutes: number) => new Date(nowMs - minutes * 60_000);
  const counts = new SearchCounts(
    () => new Date(nowMs),
    [
      { party, at: at(50) },
      { party, at: at(10) },
    ],
  );
  const reserve = (who = party) => counts.reserve(who, { perHour: 2, roleCapability: "seeker" });
  expect(() => reserve()).toThrow("from 2026-11-29T12:10:00.000Z on");
  expect(() => reserve({ connectedUser: "other", keyFingerprint: "SHA256:mia" })).toThrow("You searched 2 times");
  nowMs += 11 * 60_000;
  expect(() => reserve()).not.toThrow();
});
