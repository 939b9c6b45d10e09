import { describe, expect, test } from "vitest";
import { createCollectionNotice } from "../../server/endpoint/collection-notice.ts";
import { decode, withEntries } from "../authorization/roles-text.ts";

const noticeFor = (entry: object): Promise<string | undefined> => {
  const notice = createCollectionNotice({
    siteDatabase: { keysSince: async () => ({ keys: 3 }) },
    collection: () => undefined,
    uptimeMs: () => 0,
  });
  return notice(decode(withEntries({ name: "Get-RecoveryKeys", ...entry })).commandsFor("alice"));
};
const told =
  "Counted as not collected: 3 keys. Collect them, and store them outside of this site: Get-RecoveryKeys -raw";

describe("who may export every key is told how many wait", () => {
  const may: readonly (readonly [string, object])[] = [
    ["who needs no reason", { parameters: ["raw"] }],
    ["who must give any reason", { parameters: ["raw", "Reason"], requireReason: true }],
    ["who must give one of the list", { parameters: ["raw", "Reason"], requireReason: "listed" }],
    ["who needs approval", { parameters: ["raw"], requireApproval: true }],
  ];
  test.each(may)("%s", async (_who, entry) => {
    expect(await noticeFor(entry)).toBe(told);
  });
});

describe("nobody else is told", () => {
  const mayNot: readonly (readonly [string, object])[] = [
    ["who has no -raw", {}],
    ["who must name what they want", { parameters: ["raw", "ComputerName"], requireOneOf: ["ComputerName"] }],
    ["who sees some keys only", { parameters: ["raw", { name: "VolumeType", validateSet: ["Removable"] }] }],
    ["who gets so many rows at a time", { parameters: ["raw"], maxRows: 100 }],
    ["who gets so many keys an hour", { parameters: ["raw"], disclosuresPerHour: 100 }],
  ];
  test.each(mayNot)("%s", async (_who, entry) => {
    expect(await noticeFor(entry)).toBeUndefined();
  });
});
