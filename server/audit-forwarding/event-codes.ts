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

const ended = (reason: string | undefined): EventCode =>
  reason === "idle" || reason === "idle, no second factor" || reason === "longest-session"
    ? pep(1017, "PrivilegedEndpointSessionTimedOut", 5)
    : pep(1005, "PrivilegedEndpointClosed", 5);

/** `SupportSession…` of PEP is a right that a second party unlocks, as an elevation is. */
const elevations = {
  requested: pep(1001, "SupportSessionTokenRequested", 5),
  estimated: own("elevation", "ElevationEstimated", 2),
  approved: own("elevation", "ElevationApproved", 5),
  denied: pep(1004, "SupportSessionFailedToUnlock", 10),
  expired: pep(1004, "SupportSessionFailedToUnlock", 10),
  consumed: pep(1003, "SupportSessionUnlocked", 10),
} as const;

const words = (type: string): string => type.replace(/(^|-)(\w)/g, (_, __, letter: string) => letter.toUpperCase());

/** What such an event weighs, where it is more than information. */
const heavier: Partial<Record<AuditEvent["type"], Weight>> = {
  "command-refused": 5,
  "request-refused": 5,
  "connection-dropped": 5,
  "budget-struck": 5,
  "log-pruned": 5,
  "log-key-rotated": 5,
  "log-adopted": 5,
  "configuration-refused": 8,
  "log-repaired": 8,
  "loss-accepted": 8,
  "record-verification": 10,
  "site-refused": 10,
  "site-restore-accepted": 8,
  storage: 8,
  checkpoint: 8,
};

/** The table of this folder's README. An event without a row goes out as information under its own type. */
export const eventCode = (event: AuditEvent): EventCode => {
  if (event.type === "session-started") return pep(1000, "PrivilegedEndpointAccessed", 5);
  if (event.type === "session-ended") return ended(event.reason);
  if (event.type === "elevation" && Object.hasOwn(elevations, event.state)) return elevations[event.state];
  if (event.type === "disclosure") return own(event.type, "RecoveryKeysDisclosed", 5);
  if (event.type === "authentication") {
    return event.outcome === "accepted"
      ? own(event.type, "AuthenticationAccepted", 2)
      : own(event.type, "AuthenticationRefused", 5);
  }
  if (event.type === "command-finished") {
    return own(event.type, words(event.type), event.outcome === "failed" ? 8 : 2);
  }
  if (event.type === "forwarding") {
    return own(event.type, `Forwarding${words(event.state)}`, event.state === "connected" ? 2 : 5);
  }
  return own(event.type, words(event.type), heavier[event.type] ?? 2);
};
