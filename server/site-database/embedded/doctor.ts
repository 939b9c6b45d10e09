import type { CertificateFinding } from "../../command/site-database.ts";
import type { SiteAsked } from "../adapter.ts";
import { cameAfter } from "../uncollected.ts";
import { keysStored } from "./row-set.ts";
import { collectionFinding, failedCheck, passed } from "../findings.ts";
import type { EmbeddedSite } from "./configuration.ts";
import { readMasterKey } from "./configured-master-key.ts";
import { plural } from "../../model/plural.ts";
import { inspectEmbeddedSite } from "./inspect.ts";
import { afterRefusal, refusalInWords } from "./judge-set.ts";
import type { CellCounts } from "./unreadable-cells.ts";
import type { RowsExamined } from "./walk-rows.ts";

/** Whether keys still belong to the computers that an import named. */
const rowsInWords = ({ looked, wrong, first }: RowsExamined, whole: boolean): CertificateFinding =>
  wrong === 0
    ? passed("site-rows", `${whole ? "All " : ""}${looked} rows were checked: each is as an import wrote it.`)
    : failedCheck(
        "site-rows",
        `${wrong} of ${looked} checked rows are damaged, or were changed by somebody without the master key: ${first ?? ""}`,
      );

/** Whether a certificate opens every cell. */
const cellsInWords = ({ newest, older, closed, closedKeys, firstClosed }: CellCounts): CertificateFinding => {
  if (closed > 0)
    return failedCheck(
      "cells",
      `No certificate here opens ${plural(closed, "encrypted cell")}, or they were changed: ${plural(closedKeys, "recovery key")}` +
        `${firstClosed === undefined ? "" : ` (the first is ${firstClosed})`}; the others are packages and TPM owners. ` +
        "A backup of the certificate that encrypted them may bring them back: restore-cert.",
    );
  if (newest + older === 0) return passed("cells", "No encrypted cell is stored.");
  return passed(
    "cells",
    older === 0
      ? `All ${plural(newest, "encrypted cell")} open with the certificate.`
      : `All ${plural(newest + older, "encrypted cell")} open: ${newest} with the new certificate alone, ${older} with both. Run pep renew-cert to go on.`,
  );
};

/** What is wrong with the database, in words. Without the record nobody can tell whether its rows are its own. */
export const examineEmbedded = async (
  { file, masterKey }: EmbeddedSite,
  { record, whole }: SiteAsked,
  signal: AbortSignal,
): Promise<readonly CertificateFinding[]> => {
  if (record === undefined) return [];
  const { certificate, cells, rows, set } = await inspectEmbeddedSite(
    { file, masterKey: readMasterKey({ masterKey }), recorded: record.siteState, whole },
    signal,
  );
  const opens = passed("site-database", `${file} opens with its master key.`);
  const state =
    "refusal" in set
      ? failedCheck("site-set", `No key is shown. ${refusalInWords(set.refusal)} ${afterRefusal}`)
      : passed(
          "site-set",
          `Its rows are sealed as write ${set.state.counter}, which ${set.isRecorded ? "is on the record" : "the next start puts on the record"}${whole ? "; none is missing" : ""}.`,
        );
  const collection = "state" in set ? [collectionFinding(cameAfter(keysStored(set.state), record.collection))] : [];
  return [
    opens,
    ...certificate.findings,
    ...(cells === undefined ? [] : [cellsInWords(cells)]),
    ...(rows === undefined ? [] : [rowsInWords(rows, whole)]),
    state,
    ...collection,
  ];
};
