import { createHash } from "node:crypto";
import { appendFileSync, readFileSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { rawPublicKey, signNote } from "../../server/audit/signed-note.ts";
import { edit, newKey, type MadeRecord } from "./record.ts";
import {
  append,
  checkpoint,
  firstCheckpoint,
  hashSegment,
  history,
  segment,
  signWith,
  swapLines,
  transcript,
  withoutLine,
} from "./tamper.ts";

/** ATTACK / what is done to the record / EXPECT: what `pep audit verify` says, without any option. */
export const table: readonly (readonly [string, (made: MadeRecord) => void, RegExp])[] = [
  [
    "flip a letter in the first line",
    (made) => edit(segment(made, 0), (t) => t.replace("support", "suppOrt")),
    /first 3 events are not those/,
  ],
  [
    "flip a letter in the last line",
    (made) => edit(segment(made, -1), (t) => t.replace("SIGTERM", "SIGTERN")),
    /first 10 events are not those/,
  ],
  [
    "make a line something else than an event",
    (made) => edit(segment(made, 0), (t) => t.replace('{"seq":2', "{seq:2")),
    /line 2 is not an event/,
  ],
  [
    "delete a line",
    (made) => edit(segment(made, 0), (t) => withoutLine(t, 1)),
    /event 2 is missing|is event 3: event 2 is missing/,
  ],
  [
    "delete the last line",
    (made) => edit(segment(made, -1), (t) => withoutLine(t, t.split("\n").length - 2)),
    /ends at event 9, but a checkpoint covers 10/,
  ],
  ["repeat a line", (made) => edit(segment(made, 0), (t) => `${t.split("\n")[0]}\n${t}`), /repeated or out of order/],
  ["reorder two lines", (made) => edit(segment(made, 0), swapLines), /events? 1 is missing|out of order/],
  [
    "reorder two lines and their numbers",
    (made) =>
      edit(segment(made, 0), (t) =>
        swapLines(t.replace('"seq":1', '"seq":0').replace('"seq":2', '"seq":1').replace('"seq":0', '"seq":2')),
      ),
    /not those it was signed over/,
  ],
  ["truncate the last segment", (made) => truncateSync(segment(made, -1), 10), /its end was cut off/],
  ["remove the last segment", (made) => rmSync(segment(made, -1)), /its end was cut off/],
  [
    "remove a segment in the middle",
    (made) => rmSync(segment(made, 1)),
    /begins at event \d+, but event \d+ comes next/,
  ],
  [
    "rename a segment",
    (made) => renameSync(segment(made, 0), segment(made, 0).replace("0001.", "0002.")),
    /begins at event 2, but event 1 comes next/,
  ],
  [
    "put lines of a segment into hashes, as if pruned",
    (made) => {
      writeFileSync(segment(made, 0).replace("ndjson", "hashes"), Buffer.alloc(32 * 3));
      rmSync(segment(made, 0));
    },
    /hashes only .* no signed event says so/,
  ],
  [
    "cut a line in the middle of the log short",
    (made) => truncateSync(segment(made, 0), readFileSync(segment(made, 0)).length - 5),
    /has no end, and yet lines follow/,
  ],
  [
    "swap two transcripts",
    (made) => {
      renameSync(transcript(made, "S-1"), transcript(made, "x"));
      renameSync(transcript(made, "S-2"), transcript(made, "S-1"));
      renameSync(transcript(made, "x"), transcript(made, "S-2"));
    },
    /S-1\.cast was changed after it was closed/,
  ],
  [
    "change a transcript",
    (made) => edit(transcript(made, "S-2"), (t) => t.replace("this", "that")),
    /S-2\.cast was changed/,
  ],
  ["remove a transcript", (made) => rmSync(transcript(made, "S-3")), /S-3\.cast is missing/],
  ["put in a transcript", (made) => writeFileSync(transcript(made, "S-4"), "{}\n"), /S-4\.cast belongs to no session/],
  [
    "replace the checkpoint by an older one",
    (made) => writeFileSync(checkpoint(made), firstCheckpoint(made)),
    /older than audit\/checkpoint-history/,
  ],
  [
    "replace the checkpoint and its history by older ones",
    (made) => {
      writeFileSync(checkpoint(made), firstCheckpoint(made));
      edit(history(made), (t) => `${firstCheckpoint(made)}${t.split("\n").slice(10).join("\n")}`);
    },
    /older than audit\/checkpoint-history/,
  ],
  ["take the history away", (made) => rmSync(history(made)), /checkpoints were taken out/],
  ["take the checkpoint away", (made) => rmSync(checkpoint(made)), /there is no audit\/checkpoint/],
  ["change the checkpoint's size", (made) => edit(checkpoint(made), (t) => t.replace("\n10\n", "\n9\n")), /./],
  [
    "change the checkpoint's signature",
    (made) =>
      edit(checkpoint(made), (t) =>
        // By another character, always: two that are exchanged can be the same.
        t.replace(/(.)(.=*\n)$/, (_, a: string, rest: string) => `${a === "A" ? "B" : "A"}${rest}`),
      ),
    /does not verify|not signed|damaged/,
  ],
  [
    "put a torn file beside the log",
    (made) => writeFileSync(`${segment(made, 0)}.torn-at-7`, "x"),
    /torn-at-7 is not on the record/,
  ],
  [
    "replace the public key",
    (made) =>
      writeFileSync(
        join(made.dataDirectory, "log-key.pub"),
        newKey().publicKey.export({ type: "spki", format: "pem" }),
      ),
    /not signed with a key that is trusted/,
  ],
  [
    "put the lines of a segment into their true hashes",
    (made) => hashSegment(segment(made, 0)),
    /hashes only .* no signed event says so/,
  ],
  [
    "put a segment in the middle into its true hashes",
    (made) => hashSegment(segment(made, 1)),
    /holds hashes, but lines stand before it/,
  ],
  [
    "permit pruning with an event of one's own",
    (made) => {
      append(made, { type: "log-pruned", localUser: "root", before: "2030-01-01", throughSeq: 4, transcripts: [] });
      hashSegment(segment(made, 0));
    },
    /hashes only .* no signed event says so/,
  ],
  [
    "permit the loss of a transcript with an event of one's own",
    (made) => {
      append(made, { type: "log-pruned", before: "2030-01-01", segments: [], transcripts: [{ name: "S-3.cast" }] });
      rmSync(transcript(made, "S-3"));
    },
    /S-3\.cast is missing/,
  ],
  [
    "permit a torn file with an event of one's own",
    (made) => {
      append(made, { type: "log-repaired", file: "", droppedBytes: 1, keptAs: "000000000001.ndjson.torn-at-7" });
      writeFileSync(`${segment(made, 0)}.torn-at-7`, "x");
    },
    /torn-at-7 is not on the record/,
  ],
  [
    "permit a torn file as if a start had adopted it",
    (made) => {
      const tornFiles = ["000000000001.ndjson.torn-at-7"];
      append(made, { type: "log-adopted", from: 11, to: 10, root: "", tornFiles });
      writeFileSync(`${segment(made, 0)}.torn-at-7`, "x");
    },
    /torn-at-7 is not on the record/,
  ],
  [
    "claim that a start adopted other lines",
    (made) => append(made, { type: "log-adopted", from: 1, to: 9, root: "", tornFiles: [] }),
    /adopted lines, but the lines before it are others/,
  ],
  [
    "say that a torn line was kept which is not there",
    (made) => append(made, { type: "log-repaired", file: "", droppedBytes: 1, keptAs: "gone.torn-at-1" }),
    /gone\.torn-at-1; it is not there/,
  ],
  [
    "put a link to a device in the place of a transcript",
    (made) => {
      rmSync(transcript(made, "S-1"));
      symlinkSync("/dev/zero", transcript(made, "S-1"));
    },
    /S-1\.cast can't be read/,
  ],
  [
    "put a link to the true transcript in its place",
    (made) => {
      renameSync(transcript(made, "S-1"), join(made.dataDirectory, "elsewhere"));
      symlinkSync(join(made.dataDirectory, "elsewhere"), transcript(made, "S-1"));
    },
    /S-1\.cast can't be read/,
  ],
  [
    "put a link in the place of a segment",
    (made) => {
      const path = segment(made, 0);
      renameSync(path, join(made.dataDirectory, "elsewhere"));
      symlinkSync(join(made.dataDirectory, "elsewhere"), path);
    },
    /can't be read to its end/,
  ],
  ["append to a transcript", (made) => appendFileSync(transcript(made, "S-1"), "# more\n"), /S-1\.cast was changed/],
  ["cut a transcript short", (made) => truncateSync(transcript(made, "S-1"), 10), /S-1\.cast was changed/],
  ["empty a segment in the middle", (made) => truncateSync(segment(made, 1), 0), /comes next|its end was cut off/],
  [
    "change the origin of the checkpoint",
    (made) => edit(checkpoint(made), (t) => t.replace(/^pep-audit\/./, "pep-audit/x")),
    /./,
  ],
  [
    "change a root in the middle of the history",
    (made) =>
      edit(history(made), (t) => {
        const lines = t.split("\n");
        lines[2] = Buffer.alloc(32).toString("base64");
        return lines.join("\n");
      }),
    /first 3 events are not those/,
  ],
  [
    "permit hashes in the place of a segment with an event of the exact form",
    (made) => {
      const [line = ""] = readFileSync(segment(made, 0), "utf8").split("\n");
      const lastSeq = readFileSync(segment(made, 0), "utf8").trimEnd().split("\n").length;
      hashSegment(segment(made, 0));
      const hashes = readFileSync(join(made.dataDirectory, "audit", "log", "000000000001.hashes"));
      const digest = createHash("sha256").update(hashes).digest("hex");
      const segments = [{ file: "000000000001.ndjson", firstSeq: 1, lastSeq, digest, lastAt: JSON.parse(line).at }];
      append(made, {
        type: "log-pruned",
        localUser: "root",
        before: "2030-01-01",
        segments,
        transcripts: [],
        tornFiles: [],
      });
    },
    /hashes only .* no signed event says so/,
  ],
  [
    "accept the loss of a transcript with an event of one's own",
    (made) => {
      const digest = createHash("sha256")
        .update(readFileSync(transcript(made, "S-3")))
        .digest("hex");
      const loss = { segments: [], missing: [{ name: "S-3.cast", digest }], extra: [], checkpoints: "kept" };
      append(made, { type: "loss-accepted", localUser: "root", ...loss });
      rmSync(transcript(made, "S-3"));
    },
    /S-3\.cast is missing/,
  ],
  [
    "accept a transcript that was put in with an event of one's own",
    (made) => {
      writeFileSync(transcript(made, "S-4"), "{}\n");
      const digest = createHash("sha256").update("{}\n").digest("hex");
      const loss = { segments: [], missing: [], extra: [{ name: "S-4.cast", digest }], checkpoints: "kept" };
      append(made, { type: "loss-accepted", localUser: "root", ...loss });
    },
    /S-4\.cast belongs to no session/,
  ],
  [
    "announce a key of one's own and sign with it",
    (made) => {
      const own = newKey();
      const to = rawPublicKey(own.publicKey).toString("base64");
      append(made, {
        type: "log-key-rotated",
        localUser: "root",
        from: rawPublicKey(made.publicKey).toString("base64"),
        to,
      });
      signWith(made, own.privateKey);
    },
    /not signed with a key that is trusted/,
  ],
  [
    "put the signature of an earlier checkpoint, and one of one's own, under the newest",
    (made) =>
      edit(checkpoint(made), (t) => {
        const [text = ""] = t.split("\n\n");
        const [, earlier = ""] = firstCheckpoint(made).split("\n\n");
        return `${signNote(`${text}\n`, text.split("\n")[0] ?? "", [newKey().privateKey])}${earlier}`;
      }),
    /a signature does not verify/,
  ],
  [
    "append a line with the signature of another",
    (made) => {
      const last = JSON.parse(readFileSync(segment(made, -1), "utf8").trimEnd().split("\n").at(-1) ?? "");
      append(made, { type: "server-stopped", reason: "x" }, last.signature);
    },
    /the signature of event 11 does not hold/,
  ],
  [
    "change a line's signature",
    (made) => edit(segment(made, 1), (t) => t.replace(/"signature":"./, '"signature":"!')),
    /not those it was signed over/,
  ],
  [
    "take the signatures out of the lines",
    (made) => edit(segment(made, 0), (t) => t.replaceAll(/,"signature":"[^"]*"/g, "")),
    /not those/,
  ],
  [
    "put a transcript of the same length in the place of one",
    (made) => edit(transcript(made, "S-1"), (t) => t.replace("this is S-1", "this is S-9")),
    /S-1\.cast was changed/,
  ],
  [
    "make a transcript a terabyte long, without a byte on the disk",
    (made) => truncateSync(transcript(made, "S-1"), 2 ** 40),
    /S-1\.cast was changed/,
  ],
  [
    "put a terabyte of zeros behind the lines of a segment",
    (made) => truncateSync(segment(made, 0), 2 ** 40),
    /can't be read to its end/,
  ],
  [
    "put hashes for more lines than there were in the place of a segment",
    (made) => {
      hashSegment(segment(made, 0));
      appendFileSync(join(made.dataDirectory, "audit", "log", "000000000001.hashes"), Buffer.alloc(32));
    },
    /can't be read to its end/,
  ],
  ["empty the checkpoint", (made) => truncateSync(checkpoint(made), 0), /audit\/checkpoint is damaged/],
  [
    "make the checkpoint a terabyte long",
    (made) => truncateSync(checkpoint(made), 2 ** 40),
    /audit\/checkpoint is damaged/,
  ],
  [
    "put a link to the true checkpoint in its place",
    (made) => {
      renameSync(checkpoint(made), join(made.dataDirectory, "elsewhere"));
      symlinkSync(join(made.dataDirectory, "elsewhere"), checkpoint(made));
    },
    /audit\/checkpoint is damaged/,
  ],
];
