import { expect, test } from "vitest";
import { eventColumns } from "../../commands/audit-event-columns.ts";
import type { ReviewedEvent } from "../../server/command/review-port.ts";

const key = (place: number) => ({
  keyId: `${place}A78B34B-907A-4BFD-ACAA-35D24D4B8E36`,
  computerName: `A-COMPUTER-WITH-A-LONG-NAME-${place}`,
});

const detailOf = (fields: ReviewedEvent["fields"]): string => {
  const event = {
    seq: 1,
    at: "2026-11-29T07:08:55.585Z",
    type: "disclosure",
    user: "support",
    sessionId: "S-1",
    fields,
  };
  return String(eventColumns({ format: undefined, interactive: true }).at(-1)?.cell(event));
};

test("a screen shows which keys were disclosed, whatever else the event has", () => {
  const more = { clientAddress: "127.0.0.1", command: "Get-RecoveryKeys", reason: "x".repeat(256) };
  const three = detailOf({ ...more, keys: [key(1), key(2), key(3)] });
  for (const place of [1, 2, 3]) {
    expect(three).toContain(key(place).keyId);
    expect(three).toContain(key(place).computerName);
  }
  expect(three).toContain("clientAddress=127.0.0.1");
  expect(three.endsWith("…")).toBe(true);
  expect(detailOf({ ...more, keys: [key(1), key(2), key(3), key(4)] })).toContain("4 in all");
});

test("what stands in the place of the keys in a damaged log is cut, too", () => {
  for (const keys of ["x".repeat(100_000), ["x".repeat(100_000)]]) {
    expect(detailOf({ keys }).length).toBeLessThan(1000);
  }
});
