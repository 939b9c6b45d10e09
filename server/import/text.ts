import type { RecoveryRecord } from "../site-database/recovery-record.ts";
import { BrokenFile, type Reading } from "./reading.ts";
import { factsOf, type Facts } from "./text-facts.ts";
import type { Line } from "./lines.ts";
import { LineJoiner, readTextLines } from "./text-lines.ts";
import { TextPairing } from "./text-pairing.ts";
import { createTextTable } from "./text-table.ts";

/** A paragraph is judged as one up to this length. */
const longestParagraph = 100;

const noKnownForm =
  "this is none of the forms that can be imported: the text of manage-bde -protectors -get, a recovery key file of " +
  "Windows, JSON of PowerShell or Microsoft Graph, LDIF of Active Directory, or CSV whose header row names a " +
  "RecoveryPassword and a PasswordID.";

/**
 * Reads text in which ids stand before recovery passwords: manage-bde in any language of Windows, the recovery key files
 * that Windows saves, lists and tables of PowerShell, reports of scripts, and tickets.
 */
export async function* readText(pieces: AsyncIterable<string>, reading: Reading): AsyncGenerator<RecoveryRecord> {
  const pairing = new TextPairing(reading);
  const joiner = new LineJoiner();
  const table = createTextTable(reading, () => pairing.surroundings);
  let paragraph: Facts[] = [];
  let isTable = false;

  const takeLines = (lines: readonly Line[]): readonly RecoveryRecord[] =>
    lines.flatMap((line) => {
      const facts = factsOf(line);
      if (!facts.isBlank) paragraph.push(facts);
      if (paragraph.length === 0 || (!facts.isBlank && paragraph.length < longestParagraph)) return [];
      const whole = paragraph;
      paragraph = [];
      return pairing.takeParagraph(whole);
    });

  for await (const lines of readTextLines(pieces)) {
    for (const line of lines) {
      const rows = table.take(line);
      isTable ||= rows !== undefined;
      yield* rows ?? takeLines(joiner.take(line));
    }
  }
  yield* table.end();
  yield* takeLines(joiner.end());
  yield* pairing.takeParagraph(paragraph);
  yield* pairing.finish();
  if (!pairing.isUnderstood && !isTable) throw new BrokenFile(undefined, noKnownForm);
}
