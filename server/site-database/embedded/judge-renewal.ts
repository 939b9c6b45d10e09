import { randomInt } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";
import { plural } from "../../model/plural.ts";
import type { CertificateFindings } from "../certificate-findings.ts";
import { cellKinds } from "./cell-kinds.ts";
import { decodeInteger } from "./columns.ts";
import type { RawRow } from "./columns.ts";
import { prepareArrays } from "./connection.ts";
import { works } from "./failures.ts";
import { readerName } from "./principals.ts";
import type { CertificateAccess } from "./principals.ts";
import { certificateName, cellColumns, oldCertificateName } from "./schema.ts";
import { openRow } from "./unreadable-cells.ts";

/** About ten milliseconds of the event loop. `pep doctor` counts every key. */
const samples = 20;
const rowsAtATime = 25;

/** Some keys from everywhere, or all of them where they are few. */
const sampleOf = (database: DatabaseSync): readonly RawRow[] => {
  const page = prepareArrays(database, cellKinds.recoveryKey.page);
  const all = page(Number.MIN_SAFE_INTEGER, samples * rowsAtATime + 1);
  if (all.length <= samples * rowsAtATime) return all;
  const { table } = cellColumns.recoveryKey;
  const [range] = prepareArrays(database, `SELECT min(Id), max(Id) FROM ${table}`)();
  const least = decodeInteger(range?.[0], "Keys.Id");
  const most = decodeInteger(range?.[1], "Keys.Id");
  return Array.from({ length: samples }, () => page(least - 1 + randomInt(most - least + 1), rowsAtATime)).flat();
};

/** The state in which an old and a new certificate are there: which of them opens how many keys, and what to do next. */
export const judgeRenewal = (
  findings: CertificateFindings,
  database: DatabaseSync,
  access: CertificateAccess,
): void => {
  const isUnderWay =
    prepareArrays(database, "SELECT 1 FROM sys_certificates WHERE name = ?")(oldCertificateName).length > 0;
  if (!isUnderWay) return;
  let newest = 0;
  let older = 0;
  const rows = sampleOf(database).filter(([, , cell]) => cell instanceof Uint8Array);
  const canOpen = works(() => {
    const dataKeys = access.dataKeysFor(readerName);
    for (const row of rows) {
      const opened = openRow(dataKeys, cellKinds.recoveryKey.place, row);
      opened?.plain.fill(0);
      if (opened?.by === 0) newest += 1;
      else if (opened !== undefined) older += 1;
    }
  });
  if (!canOpen) return; // said by other findings
  findings.advice(
    "renewal",
    false,
    "",
    `A renewal is under way: ${oldCertificateName} is there beside ${certificateName}. Of ${plural(rows.length, "key")} looked at, ` +
      `${newest} open with the new one alone and ${older} with both. ` +
      (older > 0
        ? "On the server, run: pep renew-cert. It goes on."
        : "On the server, pep renew-cert --retire-old takes the old one out, once every key has moved."),
  );
};
