import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { writeSessions, type TestSession } from "../audit-review/report-record.ts";
import { pep } from "../harness/endpoint.ts";
import { temporaryDirectory } from "../harness/temporary-directory.ts";

const filesBelow = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: "utf8" }).map((name) => join(folder, name));

const few: readonly TestSession[] = [
  { sessionId: "S-1", user: "alice", startedAt: new Date("2026-03-01T10:00:00Z"), computers: ["PC-1"] },
  { sessionId: "S-2", user: "bob", startedAt: new Date("2026-03-02T10:00:00Z"), computers: ["PC-2", "PC-3"] },
];

const recordOf = (what: readonly TestSession[]): string => {
  const dataDirectory = join(temporaryDirectory(), "data");
  writeSessions(dataDirectory, what);
  return dataDirectory;
};

test("is for its owner only, whatever the folder was before", async () => {
  const folder = join(temporaryDirectory(), "report");
  mkdirSync(folder);
  chmodSync(folder, 0o755);
  const exported = await pep(["audit", "export", "--html", folder, "--data-dir", recordOf(few)]);
  expect(exported.status, exported.stderr).toBe(0);
  expect(exported.stdout).toBe(`2 sessions in ${join(folder, "index.html")}\n`);
  expect(statSync(folder).mode & 0o777).toBe(0o700);
  for (const path of filesBelow(folder)) {
    const entry = statSync(path);
    expect(entry.mode & 0o777, path).toBe(entry.isDirectory() ? 0o700 : 0o600);
  }
});

test("replaces its own report, and nothing else", async () => {
  const dataDirectory = recordOf(few);
  const folder = join(temporaryDirectory(), "report");
  const again = (...more: string[]) => pep(["audit", "export", "--html", folder, "--data-dir", dataDirectory, ...more]);
  expect((await again()).status).toBe(0);
  expect((await again("--user", "bob")).stdout).toContain("1 sessions");
  expect(readdirSync(join(folder, "sessions"))).toEqual(["S-2.html"]);
  expect(readFileSync(join(folder, "index.html"), "utf8")).toContain("Only sessions with user bob.");
  writeFileSync(join(folder, "notes.txt"), "mine");
  const refused = await again();
  expect(refused.status).toBe(4);
  expect(refused.stderr).toContain("notes.txt in it is no part of a report");
  const other = join(temporaryDirectory(), "other");
  mkdirSync(other);
  writeFileSync(join(other, "index.html"), "mine");
  const foreign = await pep(["audit", "export", "--html", other, "--data-dir", dataDirectory]);
  expect(foreign.status).toBe(4);
  expect(readFileSync(join(other, "index.html"), "utf8")).toBe("mine");
});

test("takes --since, --until and --user as list does, and not a time that is none", async () => {
  const dataDirectory = recordOf(few);
  const folder = join(temporaryDirectory(), "report");
  const only = async (...options: string[]): Promise<string[]> => {
    const exported = await pep(["audit", "export", "--html", folder, "--data-dir", dataDirectory, ...options]);
    expect(exported.status, exported.stderr).toBe(0);
    return readdirSync(join(folder, "sessions"));
  };
  expect(await only("--since", "2026-03-02")).toEqual(["S-2.html"]);
  expect(await only("--until", "2026-03-02")).toEqual(["S-1.html"]);
  expect(await only("--computer", "pc-3")).toEqual(["S-2.html"]);
  expect(await only("--user", "nobody")).toEqual([]);
  const wrong = await pep(["audit", "export", "--html", folder, "--data-dir", dataDirectory, "--since", "soon"]);
  expect(wrong.status).toBe(2);
  const both = await pep(["audit", "export", "--html", folder, "--receipts", folder, "--data-dir", dataDirectory]);
  expect(both.status).toBe(2);
});

test("says at the top that a record does not hold, and covers what was verified", async () => {
  const dataDirectory = recordOf(few);
  const segment = join(dataDirectory, "audit", "log", "000000000001.ndjson");
  writeFileSync(segment, readFileSync(segment, "utf8").replace('"how":"exec"', '"how":"line"'));
  const folder = join(temporaryDirectory(), "report");
  const exported = await pep(["audit", "export", "--html", folder, "--data-dir", dataDirectory]);
  expect(exported.stderr).toContain("The record does not hold");
  const index = readFileSync(join(folder, "index.html"), "utf8");
  expect(index).toContain("The record does not hold");
  expect(index).toMatch(/one of the events \d+ to \d+ was changed, taken away, put in or moved/);
});
