import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  appendFileSync,
  cpSync,
  existsSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { verifyRecord } from "../../server/audit-review/verify-record.ts";
import { planPrune } from "../../server/audit/plan-prune.ts";
import { prune, prunedEvents } from "../../server/audit/prune.ts";
import { emptyRecord, openAt, recordSession, smallRecord, type MadeRecord } from "../audit-review/record.ts";
import { pep, root } from "../harness/endpoint.ts";
import { openTerminal } from "../harness/terminal.ts";
import { shareOf } from "../harness/share.ts";

/*
 * ATTACK   While the server is down, delete the transcript of what was seen, cut or lengthen it, put one in, or delete every checkpoint, so
 *          that the next start signs what is left as if it had always been all.
 * DANGER   The server goes on, and after some weeks nobody can tell when it was lost, or whether somebody agreed.
 * EXPECT   A start refuses, and names the command by which an administrator of the machine accepts exactly this loss, on the
 *          record; verify goes on saying who did, and when. What a crash leaves is not refused.
 */

const inAudit = ({ dataDirectory }: MadeRecord, name: string): string => join(dataDirectory, "audit", name);
const restart = async (made: MadeRecord): Promise<void> => (await openAt(made)).close();
const refused = (text: string) => ({
  category: "AuditUnavailable",
  message: expect.stringMatching(new RegExp(`${text}[^]*pep audit accept-loss`)),
});
const verify = ({ dataDirectory, publicKey }: MadeRecord) =>
  verifyRecord({ dataDirectory, publicKey, sinceCheckpoint: undefined });

/** For the command line, which reads the key from its file. */
const withKeyFile = (made: MadeRecord): MadeRecord => {
  const pem = made.key.export({ type: "pkcs8", format: "pem" });
  writeFileSync(join(made.dataDirectory, "log-key"), pem, { mode: 0o600 });
  return made;
};
const acceptLoss = (made: MadeRecord, ...more: string[]) =>
  pep(["audit", "accept-loss", "--data-dir", made.dataDirectory, ...more]);

const loseCheckpoints = (made: MadeRecord): void => {
  rmSync(inAudit(made, "checkpoint"));
  rmSync(inAudit(made, "checkpoint-history"));
};

/** A record that was started twice. */
const startedTwice = async (): Promise<MadeRecord> => {
  const made = emptyRecord();
  for (const sessionId of ["S-1", "S-2"]) {
    const record = await openAt(made);
    await record.append({ type: "server-started", version: "1", listening: "", hostKey: "", runtime: "" });
    await recordSession(record, made.dataDirectory, sessionId);
    await record.close();
  }
  return made;
};

const second = (made: MadeRecord): string => inAudit(made, "transcripts/S-2.cast");
const isAnother = "S-2\\.cast is not as long as the one that was closed";

const losses: readonly (readonly [string, (made: MadeRecord) => void, string])[] = [
  ["a transcript was cut", (made) => truncateSync(second(made), 60), isAnother],
  ["a transcript was emptied", (made) => writeFileSync(second(made), ""), isAnother],
  ["a transcript was lengthened", (made) => appendFileSync(second(made), `[0,"o","what nobody saw"]\n`), isAnother],
  [
    "a transcript was exchanged for a link to a copy",
    (made) => {
      const copy = inAudit(made, "copy");
      cpSync(second(made), copy);
      rmSync(second(made));
      symlinkSync(copy, second(made));
    },
    isAnother,
  ],
  [
    "a transcript was exchanged for a pipe",
    (made) => {
      rmSync(second(made));
      execFileSync("mkfifo", [second(made)]);
    },
    isAnother,
  ],
  ["a transcript is missing", (made) => rmSync(inAudit(made, "transcripts/S-2.cast")), "S-2\\.cast is missing"],
  [
    "a transcript was put in",
    (made) => writeFileSync(inAudit(made, "transcripts/S-7.cast"), `{"version":3}\n[0,"o","what nobody saw"]\n`),
    "S-7\\.cast belongs to no session on the record",
  ],
  ["every checkpoint is gone", loseCheckpoints, "audit/checkpoint and audit/checkpoint-history are gone"],
];

for (const [what, lose, words] of shareOf(losses, 3)) {
  test(`a start refuses a record where ${what}, until the loss is accepted on the record`, async () => {
    const made = withKeyFile(await startedTwice());
    lose(made);
    await expect(restart(made)).rejects.toMatchObject(refused(words));
    await expect(restart(made)).rejects.toMatchObject(refused(words));

    const unasked = await acceptLoss(made);
    expect(unasked).toMatchObject({ status: 2, stderr: expect.stringContaining("add --yes") });
    expect(unasked.stdout).toMatch(new RegExp(words));
    await expect(restart(made)).rejects.toMatchObject(refused(words));
    const accepted = await acceptLoss(made, "--yes");
    expect(accepted.status, accepted.stderr).toBe(0);

    await restart(made);
    const { problems, notices } = verify(made);
    expect(problems).toEqual([]);
    expect(notices.join("\n")).toMatch(new RegExp(`${words}[^]*accepted by \\S+ at \\d{4}-\\d\\d-\\d\\dT`));
    expect((await acceptLoss(made, "--yes")).stdout).toContain("Nothing to accept");
  });
}

test("an acceptance covers what it names, and nothing that is lost later", async () => {
  const made = withKeyFile(await startedTwice());
  rmSync(inAudit(made, "transcripts/S-2.cast"));
  writeFileSync(inAudit(made, "transcripts/S-7.cast"), `{"version":3}\n[0,"o","x"]\n`);
  expect((await acceptLoss(made, "--yes")).status).toBe(0);
  writeFileSync(inAudit(made, "transcripts/S-7.cast"), `{"version":3}\n[0,"o","y"]\n`);
  expect(verify(made).problems.join("\n")).toContain("S-7.cast");
  rmSync(inAudit(made, "transcripts/S-1.cast"));
  await expect(restart(made)).rejects.toMatchObject(refused("S-1\\.cast is missing"));
  expect(verify(made).problems.join("\n")).toContain("S-1.cast is missing");
});

test("an acceptance of a transcript of another length covers that one, and not the next change of it", async () => {
  const made = withKeyFile(await startedTwice());
  const original = readFileSync(second(made));
  writeFileSync(second(made), `{"version":3}\n[0,"o","x"]\n`);
  expect((await acceptLoss(made, "--yes")).status).toBe(0);
  await restart(made);
  for (const changed of [`{"version":3}\n[0,"o","y"]\n`, `{"version":3}\n[0,"o","longer"]\n`]) {
    writeFileSync(second(made), changed);
    expect(verify(made).problems.join("\n")).toContain("S-2.cast");
  }
  await expect(restart(made)).rejects.toMatchObject(refused(isAnother));
  writeFileSync(second(made), original);
  await restart(made);
  expect(verify(made).problems).toEqual([]);
});

test("an acceptance that nobody signed permits nothing", async () => {
  const made = await startedTwice();
  const { digest } = JSON.parse(
    `{"digest":"${/"transcriptDigest":"(\w+)"/.exec(readFileSync(inAudit(made, "log/000000000001.ndjson"), "utf8"))?.[1]}"}`,
  );
  const event = { type: "loss-accepted", localUser: "root", segments: [], checkpoints: "kept", extra: [] };
  const line = { seq: 9, at: new Date().toISOString(), uptimeMs: 1e9, server: "pep-1" };
  const forged = { ...line, event: { ...event, missing: [{ name: "S-1.cast", digest }] } };
  writeFileSync(inAudit(made, "log/000000000001.ndjson"), `${JSON.stringify(forged)}\n`, { flag: "a" });
  rmSync(inAudit(made, "transcripts/S-1.cast"));
  await expect(restart(made)).rejects.toMatchObject(refused("S-1\\.cast is missing"));
  expect(verify(made).problems.join("\n")).toContain("S-1.cast is missing");
});

const laterEnds: readonly (readonly [string, (made: MadeRecord) => object, string])[] = [
  [
    "with the length of what is there",
    (made) => {
      const text = `{"version":3}\n[0,"o","what nobody saw"]\n`;
      writeFileSync(second(made), text);
      const transcriptDigest = createHash("sha256").update(text).digest("hex");
      return { transcriptDigest, transcriptBytes: text.length };
    },
    isAnother,
  ],
  [
    "without a digest, as of one that a crash may lose",
    (made) => {
      rmSync(second(made));
      return {};
    },
    "S-2\\.cast is missing",
  ],
];

for (const [what, change, words] of laterEnds) {
  test(`a second end of a session, ${what}, excuses nothing that became of its transcript`, async () => {
    const made = await startedTwice();
    const session = { sessionId: "S-2", connectedUser: "support" };
    const events = [
      { type: "session-started", ...session, mode: "interactive", transcript: "S-2.cast" },
      { type: "session-ended", ...session, exitStatus: 0, ...change(made) },
    ];
    const before = verify(made).events;
    const lines = events.map((event, index) =>
      JSON.stringify({
        seq: before + 1 + index,
        at: new Date().toISOString(),
        uptimeMs: 1e9,
        server: "pep-1",
        event,
      }),
    );
    appendFileSync(inAudit(made, "log/000000000001.ndjson"), `${lines.join("\n")}\n`);
    await expect(restart(made)).rejects.toMatchObject(refused(words));
  });
}

/** What a killed server, a full disk or a power cut leaves. */
const honest: readonly (readonly [string, (made: MadeRecord) => Promise<void>])[] = [
  [
    "a session that has no end, and whose transcript the disk lost",
    async (made) => {
      const record = await openAt(made);
      const started = { connectedUser: "support", mode: "interactive" } as const;
      await record.append({ type: "session-started", sessionId: "S-8", ...started, transcript: "S-8.cast" });
      await record.close();
      await restart(made);
    },
  ],
  [
    "a transcript of a header, of a session that did not begin",
    async (made) => {
      const record = await openAt(made);
      await record.append({ type: "connection-opened", clientSoftware: "x" });
      await record.close();
      writeFileSync(inAudit(made, "transcripts/S-9.cast"), `{"version":3}\n`);
    },
  ],
  [
    "a session that ended without a digest",
    async (made) => {
      const record = await openAt(made);
      const session = { sessionId: "S-8", connectedUser: "support" };
      await record.append({ type: "session-started", ...session, mode: "interactive", transcript: "S-8.cast" });
      await record.append({ type: "session-ended", ...session, exitStatus: 254, reason: "the disk was full" });
      await record.close();
    },
  ],
  ["one checkpoint file of two", async (made) => rmSync(inAudit(made, "checkpoint"))],
];

for (const [what, leave] of honest) {
  test(`a start goes on after ${what}`, async () => {
    const made = await startedTwice();
    await leave(made);
    await restart(made);
    await expect(restart(made)).resolves.toBeUndefined();
  });
}

test("a first run that was killed before its first checkpoint goes on, and so does the one that was killed while it adopted", async () => {
  const made = emptyRecord();
  const record = await openAt(made);
  await record.append({ type: "server-started", version: "1", listening: "", hostKey: "", runtime: "" });
  await recordSession(record, made.dataDirectory, "S-1");
  const log = readFileSync(inAudit(made, "log/000000000001.ndjson"));
  await record.close();
  loseCheckpoints(made);
  writeFileSync(inAudit(made, "log/000000000001.ndjson"), log);
  await restart(made);
  expect(existsSync(inAudit(made, "checkpoint"))).toBe(true);
  loseCheckpoints(made);
  await restart(made);
  expect(verify(made).problems).toEqual([]);
});

test("what was accepted goes with the lines that say so, and the record still starts", async () => {
  const made = withKeyFile(await smallRecord({ segmentBytes: 1 }));
  rmSync(inAudit(made, "transcripts/S-2.cast"));
  writeFileSync(inAudit(made, "transcripts/S-7.cast"), `{"version":3}\n[0,"o","x"]\n`);
  expect((await acceptLoss(made, "--yes")).status).toBe(0);
  const record = await openAt(made, { segmentBytes: 1 });
  for (const reason of ["a", "b"]) await record.append({ type: "server-stopped", reason });
  await record.checkpoint();
  const plan = planPrune(inAudit(made, "log"), Date.now() + 1000, 12, verify(made).prunedBefore);
  expect(plan.throughSeq).toBeGreaterThan(10);
  for (const event of prunedEvents(plan, "root", new Date())) await record.append(event);
  await prune(join(made.dataDirectory, "audit"), plan);
  await record.close();
  expect(existsSync(inAudit(made, "transcripts/S-7.cast"))).toBe(false);
  await restart(made);
  expect(verify(made).problems).toEqual([]);
});

test("an accepted transcript of another length goes with the lines of its session", async () => {
  const made = withKeyFile(await smallRecord({ segmentBytes: 1 }));
  truncateSync(second(made), 60);
  expect((await acceptLoss(made, "--yes")).status).toBe(0);
  const record = await openAt(made, { segmentBytes: 1 });
  await record.append({ type: "server-stopped", reason: "a" });
  await record.checkpoint();
  const plan = planPrune(inAudit(made, "log"), Date.now() + 1000, record.lastSeq(), verify(made).prunedBefore);
  for (const event of prunedEvents(plan, "root", new Date())) await record.append(event);
  await record.close();
  // Stopped before anything went, as a crash leaves it.
  await restart(made);
  expect(verify(made).problems).toEqual([]);
  await prune(join(made.dataDirectory, "audit"), plan);
  expect(existsSync(second(made))).toBe(false);
  await restart(made);
  expect(verify(made).problems).toEqual([]);
});

test("the question whether to accept takes the word, and nothing else, from a terminal", async () => {
  const made = withKeyFile(await startedTwice());
  rmSync(inAudit(made, "transcripts/S-2.cast"));
  const ask = async (answer: string): Promise<number> => {
    const program = [join(root, "dist", "server", "main.js"), "audit", "accept-loss", "--data-dir", made.dataDirectory];
    const terminal = openTerminal(process.execPath, program, { columns: 120, rows: 30 });
    await terminal.waitFor("S-2.cast is missing");
    await terminal.waitFor('Type "accept"');
    terminal.type(answer);
    return terminal.exited;
  };
  for (const answer of ["y\r", "\r", "\u0004", "\u0003"]) {
    expect(await ask(answer)).not.toBe(0);
    await expect(restart(made)).rejects.toMatchObject(refused("S-2\\.cast is missing"));
  }
  expect(await ask("accept\r")).toBe(0);
  await restart(made);
  expect(verify(made).problems).toEqual([]);
}, 60_000);
