import { spawn } from "node:child_process";
import { appendFileSync, closeSync, openSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { expect, onTestFinished, test } from "vitest";
import { openAt, smallRecord, type MadeRecord } from "../audit-review/record.ts";
import { root } from "../harness/endpoint.ts";

/*
 * ATTACK   With write access to audit/ only, make files of the record a terabyte long, without a byte on the disk: the newest segment
 *          behind its last line, a transcript that a crash left open, one that nobody had, the checkpoint and its history. Or put a line there
 *          that takes minutes to decode.
 * DANGER   A start reads them to their end before it hears a signal, or holds them in memory. The endpoint is gone until somebody finds
 *          out which file it is.
 * EXPECT   No more is read than a file of its kind can have. The start goes on where the record is whole, and else refuses by name.
 */

const tebibyte = 2 ** 40;
const inAudit = ({ dataDirectory }: MadeRecord, name: string): string => join(dataDirectory, "audit", name);

/** A start of the record, in a process that is ended whatever it does. */
const start = async (made: MadeRecord): Promise<{ readonly status: number | null; readonly stderr: string }> => {
  const pem = made.key.export({ type: "pkcs8", format: "pem" });
  writeFileSync(join(made.dataDirectory, "log-key"), pem, { mode: 0o600 });
  const program = join(root, "dist", "server", "main.js");
  const child = spawn(process.execPath, [program, "audit", "rotate-key", "--data-dir", made.dataDirectory], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
  const stderr = await text(child.stderr);
  return { status: await ended, stderr };
};

const grow = (path: string, bytes: number): void => {
  closeSync(openSync(path, "a"));
  truncateSync(path, bytes);
};

/** A record with a session that a crash left open. */
const withOpenSession = async (): Promise<MadeRecord> => {
  const made = await smallRecord({ segmentBytes: 1_000_000 });
  const record = await openAt(made);
  const session = { sessionId: "S-8", connectedUser: "support" };
  await record.append({ type: "session-started", ...session, mode: "interactive", transcript: "S-8.cast" });
  await record.close();
  writeFileSync(inAudit(made, "transcripts/S-8.cast"), `{"version":3}\n[0,"o","x"]\n`);
  return made;
};

const refused: readonly (readonly [string, string, RegExp, number?])[] = [
  ["a segment in the middle", "log/000000000001.ndjson", /A line of the log is too long to be one/, 900],
  ["a segment of hashes", "log/000000000001.hashes", /000000000001\.hashes can't be read: it is longer/, 900],
  [
    "the newest segment",
    "log/000000000001.ndjson",
    /What stands behind the last line of audit\/log\/000000000001\.ndjson/,
  ],
  ["a transcript that nobody had", "transcripts/S-9.cast", /S-9\.cast belongs to no session on the record/],
  ["the checkpoint", "checkpoint", /audit\/checkpoint is damaged/],
  ["the history of checkpoints", "checkpoint-history", /audit\/checkpoint-history is damaged/],
];

for (const [what, name, words, segmentBytes = 1_000_000] of refused) {
  test(`a start refuses by name where ${what} is a terabyte long`, async () => {
    const made = await smallRecord({ segmentBytes });
    if (name.endsWith(".hashes")) rmSync(inAudit(made, name.replace(".hashes", ".ndjson")));
    grow(inAudit(made, name), tebibyte);
    const { status, stderr } = await start(made);
    expect(stderr).toMatch(words);
    expect(status).toBe(254);
  });
}

for (const [what, bytes] of [
  ["a terabyte", tebibyte],
  ["a line of 200 MB", 200_000_000],
] as const) {
  test(`a start goes on where a transcript that a crash left open has ${what}, and says that it was not closed`, async () => {
    const made = await withOpenSession();
    grow(inAudit(made, "transcripts/S-8.cast"), bytes);
    const { status, stderr } = await start(made);
    expect(status, stderr).toBe(0);
    expect(readFileSync(inAudit(made, "log/000000000001.ndjson"), "utf8")).toContain(
      "its transcript is longer than one can be",
    );
  });
}

test("a line that takes minutes to decode is not decoded", async () => {
  const made = await smallRecord({ segmentBytes: 1_000_000 });
  const path = inAudit(made, "log/000000000001.ndjson");
  const seq = readFileSync(path, "utf8").trimEnd().split("\n").length + 1;
  const head = JSON.stringify({ seq, at: new Date().toISOString(), uptimeMs: 1, server: "pep-1" }).slice(0, -1);
  // JSON.parse takes a microsecond for each bracket.
  appendFileSync(path, `${head},"event":{"type":"log-pruned","segments":${"[".repeat(60_000_000)}}}\n`);
  writeFileSync(inAudit(made, "log/000000000099.ndjson"), "");
  await expect(openAt(made)).rejects.toMatchObject({ message: expect.stringContaining("too long to be one") });
});
