import { given } from "../../command/given.ts";
import { EndpointError } from "../../errors.ts";
import { asEndpointError, UnreadableCell, ifWorks } from "./failures.ts";
import type { SiteState } from "../../audit/site-events.ts";
import type { CertificateVerification } from "../../command/site-database.ts";
import { withLockPatience } from "./connection.ts";
import { unlockDatabase } from "./database.ts";
import type { UnlockedDatabase } from "./database.ts";
import { examineSample } from "./examine-sample.ts";
import { examineSet } from "./examine-set.ts";
import { judgeRows, judgeSet } from "./judge-set.ts";
import type { SetRefusal } from "./judge-set.ts";
import type { MasterKeySource } from "./master-key.ts";
import { readerName } from "./principals.ts";
import { prepareSealed } from "./row-set.ts";
import { countCells } from "./unreadable-cells.ts";
import type { CellCounts } from "./unreadable-cells.ts";
import { createCertificateVerifier } from "./verify-certificate.ts";
import type { RowsExamined } from "./walk-rows.ts";

export interface SiteInspection {
  readonly certificate: CertificateVerification;
  /** What opens its encrypted cells; absent where nothing can. */
  readonly cells?: CellCounts;
  /** Absent where the file is too damaged to look at its rows. */
  readonly rows?: RowsExamined;
  readonly set: { readonly refusal: SetRefusal } | { readonly state: SiteState; readonly isRecorded: boolean };
}

interface Inspection {
  readonly file: string;
  readonly masterKey: MasterKeySource;
  /** The newest state on the record. */
  readonly recorded: SiteState | undefined;
  /** Every row, and not a sample. */
  readonly whole: boolean;
}

const lockWaitMs = 5000;

const inspectSet = async (
  { database, set, rowDigestKey }: UnlockedDatabase,
  { file, recorded, whole }: Inspection,
  signal: AbortSignal,
): Promise<Omit<SiteInspection, "certificate" | "cells">> => {
  const patience = { signal, lockWaitMs };
  const verdict = judgeSet(set, await withLockPatience(patience, prepareSealed(database)), recorded);
  const sealed =
    verdict.kind === "refused"
      ? { refusal: verdict.refusal }
      : { state: verdict.shown, isRecorded: verdict.kind === "recorded" };
  if (!whole) return { rows: await examineSample(database, patience), set: sealed };
  try {
    const examined = await examineSet({ file, rowDigestKey, elementKey: set.elementKey, lockWaitMs }, signal);
    const refusal = verdict.kind === "refused" ? verdict.refusal : judgeRows(set, examined, recorded);
    return { rows: examined.walked, set: refusal === undefined ? sealed : { refusal } };
  } catch (error) {
    if (!(error instanceof UnreadableCell)) throw error;
    const known = recorded === undefined ? {} : { recorded };
    return { set: { refusal: { reason: "rows", ...known, detail: error.message } } };
  }
};

/** Every cell, also where only a sample of the rows is looked at: keys that nothing opens are lost in silence until somebody counts them. */
const inspectCells = async (
  { database, access }: UnlockedDatabase,
  signal: AbortSignal,
): Promise<CellCounts | undefined> => {
  const patience = { signal, lockWaitMs };
  // Where the certificate can't be used, its findings say so, and every cell is closed.
  const dataKeys = await withLockPatience(patience, () => ifWorks(() => access.dataKeysFor(readerName)));
  const opener = { dataKeys: dataKeys ?? [], fingerprintKey: access.fingerprintKey };
  try {
    return await countCells(database, opener, patience);
  } catch (error) {
    if (error instanceof EndpointError && error.cause instanceof UnreadableCell) return undefined;
    throw error;
  }
};

/** Looks at a site database without serving it, for `pep doctor`. Changes nothing but an older version. */
export const inspectEmbeddedSite = async (inspection: Inspection, signal: AbortSignal): Promise<SiteInspection> => {
  const unlocked = await unlockDatabase(inspection.file, inspection.masterKey, { signal, lockWaitMs });
  try {
    const { database, access } = unlocked;
    const verify = createCertificateVerifier(database, access);
    const certificate = await withLockPatience({ signal, lockWaitMs }, () => verify(new Date()));
    return {
      certificate,
      ...given({ cells: await inspectCells(unlocked, signal) }),
      ...(await inspectSet(unlocked, inspection, signal)),
    };
  } catch (error) {
    throw asEndpointError(error);
  } finally {
    unlocked.close();
  }
};
