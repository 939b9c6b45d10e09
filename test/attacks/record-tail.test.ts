import { createPublicKey } from "node:crypto";
import { appendFileSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { verifyRecord } from "../../server/audit-review/verify-record.ts";
import { copyOf, edit, openAt, recordSession, smallRecord, type MadeRecord } from "../audit-review/record.ts";
import { pep } from "../harness/endpoint.ts";

/*
 * ATTACK   Without any key, after a crash and before the next start, change one of the last lines, take a word out of it, put one in
 *          with a signature of another line, or append lines of one's own: no checkpoint covers them yet.
 * DANGER   The next start signs them. Of the last half minute before a crash, which may be the attack, nobody can tell what the
 *          server wrote.
 * EXPECT   What the server wrote is proved by the public key alone, before the next start and after it, and adopted by nobody. Where a
 *          signature does not hold, a start refuses until that is accepted on the record; lines without one are adopted, and
 *          verify goes on saying which.
 */

const logOf = ({ dataDirectory }: MadeRecord): string => join(dataDirectory, "audit", "log");
const lastSegment = (made: MadeRecord): string => {
  const names = readdirSync(logOf(made)).filter((name) => name.endsWith(".ndjson"));
  return join(logOf(made), names.sort().at(-1) ?? "");
};
const lastLines = (made: MadeRecord): string[] => readFileSync(lastSegment(made), "utf8").trimEnd().split("\n");
const verify = ({ dataDirectory, publicKey }: MadeRecord) =>
  verifyRecord({ dataDirectory, publicKey, sinceCheckpoint: undefined });
const restart = async (made: MadeRecord): Promise<void> => (await openAt(made)).close();
const typesOf = (made: MadeRecord): string[] =>
  readdirSync(logOf(made))
    .sort()
    .flatMap((name) =>
      readFileSync(join(logOf(made), name), "utf8")
        .trimEnd()
        .split("\n"),
    )
    .map((line) => JSON.parse(line).event.type);

/** A record of ten signed lines, as a crash leaves it after four more: three of a session, and two that were durable together. */
const crashed = async (): Promise<MadeRecord> => {
  const made = await smallRecord({ segmentBytes: 1_000_000 });
  const record = await openAt(made);
  onTestFinished(() => record.close());
  await recordSession(record, made.dataDirectory, "S-4");
  await Promise.all(["a", "b"].map((reason) => record.append({ type: "server-stopped", reason })));
  return copyOf(made);
};

const forged = (seq: number, more = {}): string =>
  `${JSON.stringify({ seq, at: new Date().toISOString(), uptimeMs: 1, event: { type: "server-stopped", reason: "x" }, ...more })}\n`;

test("what the server wrote before a crash is proved with the public key alone, and adopted by nobody", async () => {
  const made = await crashed();
  expect(verify(made)).toMatchObject({ problems: [], notices: [] });
  expect(verify(made).claims.join(" ")).toContain("events 1 to 15 are what the holder of the given key signed");
  await restart(made);
  expect(typesOf(made)).not.toContain("log-adopted");
  expect(verify(made)).toMatchObject({ problems: [], notices: [] });
});

const inLast = (change: (lines: string[]) => string[]) => (made: MadeRecord) =>
  edit(lastSegment(made), (text) => `${change(text.trimEnd().split("\n")).join("\n")}\n`);
const signature = /,"signature":"[^"]+"/;
const signatureIn = (line: string | undefined): string => signature.exec(line ?? "")?.[0] ?? "";

/** The one that has the key's disclosure, with the numbers of those behind it. */
const takeOut = (made: MadeRecord): void => {
  let gone = 0;
  inLast((lines) =>
    lines.flatMap((line) => {
      if (line.includes("KEY-S-4")) gone = 1;
      const kept = line.replace(/^\{"seq":(\d+)/, (_, seq) => `{"seq":${Number(seq) - gone}`);
      return line.includes("KEY-S-4") ? [] : [kept];
    }),
  )(made);
};

const alterations: readonly (readonly [string, (made: MadeRecord) => void, number])[] = [
  [
    "a line behind the last checkpoint was changed",
    inLast((lines) => lines.map((line) => line.replace("KEY-S-4", "KEY-S-5"))),
    11,
  ],
  [
    "a line that others became durable with was changed",
    inLast((lines) => lines.map((line) => line.replace('"reason":"a"', '"reason":"c"'))),
    13,
  ],
  ["a line was taken away and the numbers of the rest mended", takeOut, 11],
  [
    "a line with the signature of another was appended",
    (made) => {
      const signed = lastLines(made).at(-1);
      appendFileSync(lastSegment(made), forged(16).replace("}\n", `${signatureIn(signed)}}\n`));
    },
    15,
  ],
];

for (const [what, alter, proved] of alterations) {
  test(`a start refuses a record where ${what}, until that is accepted on the record`, async () => {
    const made = await crashed();
    alter(made);
    const words = new RegExp(
      `the signature of event \\d+ does not hold: it, or another of the events ${proved + 1} to \\d+`,
    );
    expect(verify(made).problems.join("\n")).toMatch(words);
    const refused = { category: "AuditUnavailable", message: expect.stringMatching(words) };
    await expect(restart(made)).rejects.toMatchObject(refused);
    await expect(restart(made)).rejects.toMatchObject(refused);

    writeFileSync(join(made.dataDirectory, "log-key"), made.key.export({ type: "pkcs8", format: "pem" }), {
      mode: 0o600,
    });
    const accepted = await pep(["audit", "accept-loss", "--data-dir", made.dataDirectory, "--yes"]);
    expect(accepted.status, accepted.stderr).toBe(0);
    expect(accepted.stdout).toMatch(words);
    await restart(made);
    const { problems, notices } = verify(made);
    expect(problems).toEqual([]);
    expect(notices.join("\n")).toMatch(new RegExp(`events ${proved + 1} to \\d+ were adopted`));
    expect(notices.join("\n")).toMatch(new RegExp(`${words.source}[^]*accepted by `));
  });
}

const unsigned: readonly (readonly [string, (made: MadeRecord) => void, number, number])[] = [
  ["a line was appended", (made) => appendFileSync(lastSegment(made), forged(16)), 16, 16],
  [
    "the signatures were taken out",
    inLast((lines) =>
      lines.map((line) => (Number(/^\{"seq":(\d+)/.exec(line)?.[1]) > 10 ? line.replace(signature, "") : line)),
    ),
    11,
    15,
  ],
];

for (const [what, alter, from, to] of unsigned) {
  test(`where ${what}, lines without a signature are named as such before and after a start, and permit nothing`, async () => {
    const made = await crashed();
    alter(made);
    expect(verify(made).notices.join("\n")).toContain(
      `events ${from} to ${to} came after the last checkpoint: they are unsigned`,
    );
    await restart(made);
    expect(verify(made).problems).toEqual([]);
    expect(verify(made).notices.join("\n")).toContain(
      `events ${from} to ${to} were adopted at a start (event ${to + 1})`,
    );
  });
}

test("what permits something in a line of one's own permits nothing, with whatever signature", async () => {
  const made = await crashed();
  const event = {
    type: "log-pruned",
    localUser: "root",
    before: "2030-01-01",
    throughSeq: 4,
    transcripts: ["S-1.cast"],
  };
  appendFileSync(
    lastSegment(made),
    forged(16, { event, signature: JSON.parse(lastLines(made).at(-1) ?? "").signature }),
  );
  writeFileSync(join(made.dataDirectory, "audit", "transcripts", "S-1.cast"), "");
  expect(verify(made).problems.join("\n")).toContain("S-1.cast was changed");
  await expect(restart(made)).rejects.toMatchObject({ message: expect.stringContaining("does not hold") });
});

test("a signature is of one log and of one key", async () => {
  const [made, other] = [await crashed(), await crashed()];
  const stranger = { ...made, publicKey: createPublicKey(other.key) };
  expect(verify(stranger).problems.join("\n")).toContain("not signed with a key that is trusted here");
  const theirs = lastLines(other).at(-1) ?? "";
  inLast((lines) => [...lines.slice(0, -1), theirs])(made);
  expect(verify(made).problems.join("\n")).toContain("does not hold");
});
