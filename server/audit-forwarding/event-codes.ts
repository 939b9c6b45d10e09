import type { AuditEvent } from "../audit/event.ts";
import type { Severity } from "./rfc5424.ts";

/** How an event is called and weighed at the receiver. */
export interface EventCode {
  /** CEF's Signature ID, `<source>: <id>` as the privileged endpoint of Azure Stack writes it. */
  readonly signatureId: string;
  readonly name: string;
  /** CEF's: 10 critical, 8 error, 5 warning, 2 information. */
  readonly cefSeverity: number;
  readonly severity: Severity;
}

/** PEP's weights (10, 8, 5, 2) in syslog's words. */
const weights = { 10: "critical", 8: "error", 5: "warning", 2: "informational" } as const;
type Weight = keyof typeof weights;

/** Events that PEP has too go by its ids, so that rules written for PEP find them. */
const pep = (id: number, name: string, weight: Weight): EventCode => ({
  signatureId: `Microsoft-AzureStack-PrivilegedEndpoint: ${id}`,
  name,
  cefSeverity: weight,
  severity: weights[weight],
});

const own = (type: string, name: string, weight: Weight): EventCode => ({
  signatureId: `pep: ${type}`,
  name,
  cefSeverity: weight,
  severity: weights[weight],
});

const words = (type: string): string => type.replace(/(^|-)(\w)/g, (_, __, letter: string) => letter.toUpperCase());

/** How the events of one type are called: all the same, or by what one of their fields says. */
interface CodesOfType {
  readonly by?: "state" | "outcome" | "reason" | "what";
  readonly codes?: Readonly<Record<string, EventCode>>;
  /** Whatever `codes` does not name. */
  readonly otherwise: EventCode;
}

const weighing = (type: AuditEvent["type"], weight: Weight): CodesOfType => ({
  otherwise: own(type, words(type), weight),
});

const timedOut = pep(1017, "PrivilegedEndpointSessionTimedOut", 5);

/** Every type whose events are more than information under their own names. docs/reference/events.md is made of this. */
const rows: Partial<Record<AuditEvent["type"], CodesOfType>> = {
  "session-started": { otherwise: pep(1000, "PrivilegedEndpointAccessed", 5) },
  "session-ended": {
    by: "reason",
    codes: { idle: timedOut, "idle, no second factor": timedOut, "longest-session": timedOut },
    otherwise: pep(1005, "PrivilegedEndpointClosed", 5),
  },
  // `SupportSession…` of PEP is a right that a second party unlocks, as an elevation is.
  elevation: {
    by: "state",
    codes: {
      requested: pep(1001, "SupportSessionTokenRequested", 5),
      estimated: own("elevation", "ElevationEstimated", 2),
      approved: own("elevation", "ElevationApproved", 5),
      denied: pep(1004, "SupportSessionFailedToUnlock", 10),
      expired: pep(1004, "SupportSessionFailedToUnlock", 10),
      consumed: pep(1003, "SupportSessionUnlocked", 10),
    },
    otherwise: own("elevation", "Elevation", 2),
  },
  search: { otherwise: own("search", "RecoveryKeysSearched", 5) },
  disclosure: {
    by: "what",
    codes: {
      "recovery-package": own("disclosure", "RecoveryPackageDisclosed", 5),
      protector: own("disclosure", "ProtectorDisclosed", 5),
      "tpm-password-hash": own("disclosure", "TpmPasswordHashDisclosed", 5),
    },
    otherwise: own("disclosure", "RecoveryKeysDisclosed", 5),
  },
  authentication: {
    by: "outcome",
    codes: {
      accepted: own("authentication", "AuthenticationAccepted", 2),
      continued: own("authentication", "AuthenticationContinued", 2),
    },
    otherwise: own("authentication", "AuthenticationRefused", 5),
  },
  "command-finished": {
    by: "outcome",
    codes: { failed: own("command-finished", "CommandFinished", 8) },
    otherwise: own("command-finished", "CommandFinished", 2),
  },
  forwarding: {
    by: "state",
    codes: {
      connected: own("forwarding", "ForwardingConnected", 2),
      disconnected: own("forwarding", "ForwardingDisconnected", 5),
      lagging: own("forwarding", "ForwardingLagging", 5),
    },
    otherwise: own("forwarding", "Forwarding", 5),
  },
  "command-refused": weighing("command-refused", 5),
  "request-refused": weighing("request-refused", 5),
  "connection-dropped": weighing("connection-dropped", 5),
  "budget-struck": weighing("budget-struck", 5),
  "log-pruned": weighing("log-pruned", 5),
  "log-key-rotated": weighing("log-key-rotated", 5),
  "log-adopted": weighing("log-adopted", 5),
  "configuration-refused": weighing("configuration-refused", 8),
  "log-repaired": weighing("log-repaired", 8),
  "loss-accepted": weighing("loss-accepted", 8),
  "record-verification": weighing("record-verification", 10),
  "site-refused": weighing("site-refused", 10),
  "site-restore-accepted": weighing("site-restore-accepted", 8),
  "certificate-renewal": weighing("certificate-renewal", 8),
  "master-key-renewed": weighing("master-key-renewed", 8),
  "site-collected": weighing("site-collected", 5),
  storage: weighing("storage", 8),
  checkpoint: weighing("checkpoint", 8),
};

export const codesOf = (type: AuditEvent["type"]): CodesOfType => rows[type] ?? weighing(type, 2);

export const eventCode = (event: AuditEvent): EventCode => {
  const { by, codes = {}, otherwise } = codesOf(event.type);
  const fields: Readonly<Record<string, unknown>> = event;
  const said = by === undefined ? undefined : fields[by];
  return typeof said === "string" && Object.hasOwn(codes, said) ? (codes[said] ?? otherwise) : otherwise;
};
