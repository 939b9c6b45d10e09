import { noteInBase64 } from "../server/command/parameter-kinds.ts";
import { value } from "../server/command/parameters.ts";
import { columnsOf, rowsCommand } from "../server/command/rows-command.ts";
import { plural } from "../server/model/plural.ts";

const tellEveryMs = 2_000;

/** What the endpoint says of itself is worth no more than the endpoint. */
const ownWord =
  "The endpoint has checked its own record. To check without trust in the endpoint, verify a copy elsewhere, with pep audit verify.";

export const testAuditLog = rowsCommand({
  name: "Test-AuditLog",
  synopsis: "Verifies the whole record: log, checkpoints, signatures, transcripts.",
  description:
    "Reads every event and transcript, names everything that was changed, removed, added or moved, and says what that proves. Exit " +
    "status 0 when the record holds, 1 when it does not. -SinceCheckpoint takes a checkpoint that you kept elsewhere, as base64. It " +
    "proves that nothing before it was changed, even by somebody with control of the machine.",
  examples: [
    { line: "Test-AuditLog", explains: "Problems, notes, and what is proved." },
    { line: "Test-AuditLog -Format json", explains: "The same for a script." },
  ],
  parameters: {
    SinceCheckpoint: value(noteInBase64, {
      synopsis: "A copy of audit/checkpoint that was kept elsewhere, as base64.",
    }),
  },
  columns: columnsOf({ Finding: 7, Detail: 60 }),
  rows: async ({ SinceCheckpoint }, context) => {
    const { review, tell } = context;
    let toldAtMs = context.now().getTime();
    const { problems, notices, claims, events } = await review.verify(SinceCheckpoint, (checked, of) => {
      if (context.now().getTime() - toldAtMs < tellEveryMs) return;
      toldAtMs = context.now().getTime();
      // Ignore a failed progress message: the answer itself fails too.
      tell(`${checked} of ${of} events checked.`).catch(() => undefined);
    });
    const rows = [
      ...problems.map((text) => ["Problem", text]),
      ...notices.map((text) => ["Note", text]),
      ["Result", `${events} events, ${plural(problems.length, "problem")}.`],
      ...[...claims, ownWord].map((text) => ["Claim", text]),
    ];
    return { rows, exitStatus: problems.length === 0 ? 0 : 1 };
  },
});
