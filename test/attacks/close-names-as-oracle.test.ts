/*
 * ATTACK  A user types names that are almost those of computers, to be told which computers there are. They do so without the rule `search`,
 *         beyond its hourly limit, past the role's bounds, and while the record can't be written.
 * DANGER  "Did you mean PC-0007?" lists the fleet to somebody who may not search, or names a computer that the role hides; or the site is looked
 *         through and nothing is on the record.
 * EXPECT  Without the rule the answer has the same words and the site the same questions, near a name or far from all. With it each question is a
 *         search: durable on the record first, counted for its person, within the bounds. It adds at most three names, and changes no status.
 */
import { expect, test } from "vitest";
import type { AuditEvent } from "../../server/audit/event.ts";
import { createMemorySite, makeKeys } from "../commands/memory-site.ts";
import { limitsOf } from "../harness/limits.ts";
import { searchRule as rule, seekerRoles } from "../harness/search-rule.ts";
import { runLine, types, withForty } from "../session/invoke-stage.ts";

withForty();

const plain = {
  parameters: ["ComputerName", "RecoveryKeyId", "Since", "Format"],
  requireOneOf: ["ComputerName", "RecoveryKeyId"],
};
const names = ["MUC-LT-4711", "MUC-LT-4718", "BER-LT-9023", "BER-DT-0001"];
/** Three keys each. */
const keys = makeKeys(12).map((key, index) => ({ ...key, computerName: names[Math.floor(index / 3)] ?? "" }));

interface More {
  readonly limits?: ReturnType<typeof limitsOf>;
  readonly failing?: (event: AuditEvent) => boolean;
}

const ask = async (line: string, entry: object, more: More = {}) => {
  const site = createMemorySite(keys);
  const { outcome, shown, events } = await runLine(`Get-RecoveryKeys ${line}`, {
    roles: seekerRoles(entry),
    siteDatabase: site,
    ...more,
  });
  const { exitStatus, failure } = outcome;
  return { exitStatus, message: failure?.message ?? "", shown, events, asked: site.asked };
};
const searched = (events: readonly AuditEvent[]): readonly string[] =>
  events.flatMap((event) => (event.type === "search" ? [event.piece] : []));

test("without the rule, a name that is almost one is answered as one that is near none", async () => {
  for (const entry of [plain, { parameters: ["ComputerName", "Format"] }]) {
    const [near, far] = [await ask("NUC-LT-4711", entry), await ask("XXX-YY-ZZZZ", entry)];
    expect([near.exitStatus, near.message]).toEqual([3, "No recovery key was found for computer NUC-LT-4711."]);
    expect(near.message.replace("NUC-LT-4711", "XXX-YY-ZZZZ")).toBe(far.message);
    expect(near.asked.map(({ what }) => what)).toEqual(far.asked.map(({ what }) => what));
    expect(types(near.events)).toEqual(["command-started", "command-finished"]);
  }
});

test("with the rule the close names are told, after a search on the record, with the status that it had", async () => {
  const { exitStatus, message, events, asked } = await ask("NUC-LT-4711", { ...plain, search: rule });
  expect([exitStatus, message]).toEqual([
    3,
    "No recovery key was found for computer NUC-LT-4711. Did you mean MUC-LT-4711?",
  ]);
  expect(searched(events)).toEqual(["T-4711"]);
  expect(asked.filter(({ what }) => what !== "search").map(({ what }) => what)).toEqual(["computers"]);
  expect(events.find(({ type }) => type === "search")).toMatchObject({
    roleCapability: "seeker",
    keyFingerprint: "SHA256:exporter",
  });
});

test("a name outside the role's bounds is not told, and the answer is that of a name that is near none", async () => {
  const only = [{ name: "ComputerName", validatePattern: ".*-LT-.*" }, "Format"];
  const bounded = { parameters: only, search: rule };
  const near = await ask("BER-LT-0001", bounded); // BER-DT-0001 is there, and hidden
  const far = await ask("XXX-LT-ZZZZ", bounded);
  expect(near.message.replace("BER-LT-0001", "XXX-LT-ZZZZ")).toBe(far.message);
  expect(near.asked.length).toBe(far.asked.length);
  expect((await ask("BER-LT-9032", bounded)).message).toContain("Did you mean BER-LT-9023?");
});

test("each question counts, and over the limit nothing is asked and nothing told", async () => {
  const limits = limitsOf();
  const entry = { ...plain, search: rule };
  const first = await ask("XXX-YY-ZZZZ", entry, { limits });
  expect(searched(first.events)).toHaveLength(2);
  await ask("-Search 4711", entry, { limits });
  const over = await ask("MUC-LT-4712", entry, { limits });
  expect([over.exitStatus, over.message]).toEqual([3, "No recovery key was found for computer MUC-LT-4712."]);
  expect([searched(over.events), over.asked.map(({ what }) => what)]).toEqual([[], ["computers"]]);
});

test("what is not on the record is not asked", async () => {
  const { exitStatus, message, asked } = await ask(
    "NUC-LT-4711",
    { ...plain, search: rule },
    { failing: ({ type }) => type === "search" },
  );
  expect([exitStatus, asked.map(({ what }) => what)]).toEqual([254, ["computers"]]);
  expect(message).not.toContain("MUC");
});

test.each([
  "NUC-LT-4711,NUC-LT-4718",
  "MUC-LT-4711 -Since 2099-01-01",
  "NUC-LT-4711 -RecoveryKeyId ABCD0001",
  "NUC",
  "'N*C-LT-4711'",
])("%s asks for no close names", async (line) => {
  const { events, message } = await ask(line, { ...plain, search: rule });
  expect([searched(events), message.includes("Did you mean")]).toEqual([[], false]);
});

test("no more than three are told, and none where more are as close", async () => {
  const fleetOf = (size: number) =>
    makeKeys(size).map((key) => ({ ...key, computerName: `FLEET-${key.computerName}` })); // three keys each
  const tell = async (name: string, fleet = fleetOf(60)) => {
    const roles = seekerRoles({ ...plain, search: rule });
    return (await runLine(`Get-RecoveryKeys ${name}`, { roles, siteDatabase: createMemorySite(fleet) })).outcome.failure
      ?.message;
  };
  expect(await tell("FLEET-PC-0101")).toContain("Did you mean FLEET-PC-0001 or FLEET-PC-0011?");
  expect(await tell("FLEET-PC-0201")).toContain("Did you mean FLEET-PC-0001?");
  // One half of the name is that of too many to look at.
  expect(await tell("FLEET-PC-0201", fleetOf(501))).toBe("No recovery key was found for computer FLEET-PC-0201.");
  for (const name of ["FLEET-PC-001X", "FLEET-PC-00"])
    expect(await tell(name)).toBe(`No recovery key was found for computer ${name}.`);
});
