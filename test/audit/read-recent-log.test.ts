import { utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readRecentLog } from "../../server/audit/read-recent-log.ts";
import { temporaryDirectory } from "../harness/temporary-directory.ts";

const now = new Date("2026-05-04T12:00:00.000Z");

const disclosure = (at: string, keyId: string): string =>
  JSON.stringify({ seq: 1, at, uptimeMs: 1, event: { type: "disclosure", connectedUser: "ada", keys: [{ keyId }] } });

test("a start counts the disclosures of the last hour, to the millisecond, and none from before", () => {
  const directory = temporaryDirectory();
  const lines = [
    disclosure("2026-05-04T10:59:59.999Z", "OLD"),
    disclosure("2026-05-04T11:00:00.000Z", "ON-THE-HOUR"),
    disclosure("2026-05-04T11:00:00.001Z", "RECENT"),
    disclosure("2026-05-04T11:59:59.999Z", "NEW"),
    disclosure("2026-05-03T23:59:59.999Z", "YESTERDAY"),
  ];
  writeFileSync(join(directory, "000000000001.ndjson"), `${lines.join("\n")}\n{"seq":6,"at":"2026-05-04T11:5`);
  const { shownKeys } = readRecentLog(directory, now);
  expect(shownKeys.map(({ keyId }) => keyId)).toEqual(["RECENT", "NEW"]);
});

test("a start counts the searches of the last hour, by whoever made them", () => {
  const directory = temporaryDirectory();
  const search = (at: string) =>
    JSON.stringify({
      seq: 1,
      at,
      uptimeMs: 1,
      event: { type: "search", connectedUser: "ada", keyFingerprint: "SHA256:ada", piece: "PC-" },
    });
  const lines = [search("2026-05-04T11:00:00.000Z"), search("2026-05-04T11:30:00.000Z")];
  writeFileSync(join(directory, "000000000001.ndjson"), `${lines.join("\n")}\n`);
  expect(readRecentLog(directory, now).searches).toEqual([
    { party: { connectedUser: "ada", keyFingerprint: "SHA256:ada" }, at: new Date("2026-05-04T11:30:00.000Z") },
  ]);
});

test("requests that ended are known however long ago within two days", () => {
  const directory = temporaryDirectory();
  const ended = { type: "elevation", state: "consumed", requestId: "E-1" };
  const open = { type: "elevation", state: "requested", requestId: "E-2" };
  const lines = [ended, open].map((event) => JSON.stringify({ seq: 1, at: "2026-05-03T01:00:00.000Z", event }));
  writeFileSync(join(directory, "000000000001.ndjson"), `${lines.join("\n")}\n`);
  expect([...readRecentLog(directory, now).endedElevations]).toEqual(["E-1"]);
});

test("a segment is passed over by the times of its lines, never by that of its file", () => {
  const directory = temporaryDirectory();
  const segments = ["2026-04-20T11:00:00.000Z", "2026-05-01T11:00:00.000Z", "2026-05-04T11:30:00.000Z"];
  for (const [index, at] of segments.entries()) {
    const path = join(directory, `00000000000${index + 1}.ndjson`);
    const ended = { type: "elevation", state: "consumed", requestId: `E-${index}` };
    writeFileSync(path, `${JSON.stringify({ seq: index + 1, at, uptimeMs: 1, event: ended })}\n`);
    utimesSync(path, 1, 1);
  }
  expect([...readRecentLog(directory, now).endedElevations]).toEqual(["E-1", "E-2"]);
});
