import { approveElevation } from "./approve-elevation.ts";
import { backupCert } from "./backup-cert.ts";
import { clearHost } from "./clear-host.ts";
import { createCert } from "./create-cert.ts";
import type { AnyDefinition } from "../server/command/define-command.ts";
import { denyElevation } from "./deny-elevation.ts";
import { exportAuditLog } from "./export-audit-log.ts";
import { exitPSSession } from "./exit-pssession.ts";
import { formatList, formatTable } from "./format-object.ts";
import { getAuditEvent } from "./get-audit-event.ts";
import { getCapability } from "./get-capability.ts";
import { getCommand } from "./get-command.ts";
import { getElevation } from "./get-elevation.ts";
import { getHelp } from "./get-help.ts";
import { getRecoveryKeys } from "./get-recovery-keys.ts";
import { getRecoveryPackage } from "./get-recovery-package.ts";
import { getSession } from "./get-session.ts";
import { getTpmPasswordHash } from "./get-tpm-password-hash.ts";
import { measureObject } from "./measure-object.ts";
import { restoreCert } from "./restore-cert.ts";
import { requestElevation } from "./request-elevation.ts";
import { selectObject } from "./select-object.ts";
import { sortObject } from "./sort-object.ts";
import { showTranscript } from "./show-transcript.ts";
import { testAuditLog } from "./test-audit-log.ts";
import { verifyCert } from "./verify-cert.ts";

/** Every command there is, in the order of help. A command that is not here can't be run, whatever the roles say. */
export const commands: readonly AnyDefinition[] = [
  getRecoveryKeys,
  getRecoveryPackage,
  getTpmPasswordHash,
  verifyCert,
  backupCert,
  createCert,
  restoreCert,
  requestElevation,
  getElevation,
  approveElevation,
  denyElevation,
  showTranscript,
  getSession,
  getAuditEvent,
  testAuditLog,
  exportAuditLog,
  getCommand,
  getCapability,
  getHelp,
  selectObject,
  sortObject,
  measureObject,
  formatList,
  formatTable,
  clearHost,
  exitPSSession,
];
