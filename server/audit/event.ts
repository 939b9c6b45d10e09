import * as z from "zod";
import { logEvents } from "./log-events.ts";
import { codeRefusals, commandRefusals, loginRefusals, requestRefusals } from "./refusal-reasons.ts";
import { siteEvents } from "./site-events.ts";

/** Where an event comes from. `connectedUser` is there only once a signature proved it; before that it is `claimedUser`. */
const origin = z.strictObject({
  connectionId: z.string().optional(),
  sessionId: z.string().optional(),
  clientAddress: z.string().optional(),
  claimedUser: z.string().optional(),
  connectedUser: z.string().optional(),
});

const partyCertificate = z.strictObject({ authority: z.string(), keyId: z.string() });

const disclosedKey = z.strictObject({ keyId: z.string(), computerName: z.string() });

/**
 * What can be on the record: a closed union. Adding an event means adding it here, with its fields.
 * No field may hold a secret; a refused command line is recorded as reason and length, never as text: it may hold one.
 * Fields stand in the order in which they are given: in another an event is as good, but zod must look at it (event-text.ts).
 */
export const auditEvent = z.discriminatedUnion("type", [
  z.strictObject({
    type: z.literal("server-started"),
    version: z.string(),
    listening: z.string(),
    hostKey: z.string(),
    runtime: z.string(),
  }),
  z.strictObject({ type: z.literal("server-stopped"), reason: z.string() }),
  ...logEvents,
  /** The record's free space fell below a rung of the ladder, or climbed above it. */
  z.strictObject({
    type: z.literal("storage"),
    /** `low`: no new sessions; `exhausted`: running ones were ended too. */
    state: z.enum(["sufficient", "low", "exhausted"]),
    /** When that was: on a full disk the event comes later. */
    since: z.iso.datetime(),
    /** Absent where it could not be told. */
    freeBytes: z.number().int().optional(),
    reserveBytes: z.number().int(),
  }),
  /** Signing the log failed, for the first time since it worked, or works again. */
  z.strictObject({
    type: z.literal("checkpoint"),
    state: z.enum(["failing", "working"]),
    error: z.string().optional(),
  }),
  /** A crash left a transcript of a session that had not begun: only its header was in it, nothing had been shown. */
  z.strictObject({ type: z.literal("transcript-removed"), transcript: z.string(), bytes: z.number().int() }),
  z.strictObject({
    type: z.literal("configuration-loaded"),
    what: z.enum(["roles", "endpoint", "authorized-keys", "trust-anchors"]),
    digest: z.string(),
  }),
  z.strictObject({ type: z.literal("configuration-refused"), what: z.string(), problem: z.string() }),
  z.strictObject({ type: z.literal("connection-opened"), ...origin.shape, clientSoftware: z.string() }),
  z.strictObject({ type: z.literal("connection-closed"), ...origin.shape }),
  /** A user reached a budget of endpoint.json, for the first time since it was free: further sessions wait, or none goes on. */
  z.strictObject({
    type: z.literal("budget-struck"),
    ...origin.shape,
    budget: z.enum(["recordMiBPerHour", "sessionsPerMinute", "userInterface.accounts"]),
    most: z.number().int(),
  }),
  /** Dropped by a guard of the SSH layer; `guard` is its name, for example `pre-authentication-message`. */
  z.strictObject({ type: z.literal("connection-dropped"), ...origin.shape, guard: z.string() }),
  /** Earned penalties reached the minimum: connections of this source are closed at the door for so long. */
  z.strictObject({
    type: z.literal("source-penalised"),
    /** An IPv4 address or an IPv6 network. */
    source: z.string(),
    /** What the connection did that made it enough. */
    offence: z.enum(["authfail", "noauth", "grace-exceeded", "violation", "refuseconnection"]),
    forSeconds: z.number().int(),
  }),
  z.strictObject({
    type: z.literal("authentication"),
    ...origin.shape,
    /** `continued`: the key has signed, and a code is asked for; or a recovery code was used up. */
    outcome: z.enum(["accepted", "continued", "refused"]),
    method: z.string(),
    /** SHA-256 of the legal notice that was shown before this log-in, hexadecimal. */
    noticeShown: z.string().optional(),
    /** `SHA256:…` of the key that signed or was refused. */
    keyFingerprint: z.string().optional(),
    /** The certificate that came with the key; its authority by fingerprint. */
    certificate: z.strictObject({ keyId: z.string(), serial: z.string(), authority: z.string() }).optional(),
    /** What a FIDO key said of its user under its signature. */
    fido: z.strictObject({ userPresent: z.boolean(), userVerified: z.boolean(), counter: z.number().int() }).optional(),
    /** What was given after the key. */
    secondFactor: z.enum(["code", "recovery-code"]).optional(),
    recoveryCodesLeft: z.number().int().optional(),
    /** Why it was refused. For the log only; the client is told nothing. */
    reason: z.enum(loginRefusals).optional(),
    detail: z.string().optional(),
  }),
  /** An SSH request that this endpoint does not serve: subsystem, forwarding, env, X11, agent, second shell, … */
  z.strictObject({
    type: z.literal("request-refused"),
    ...origin.shape,
    request: z.string(),
    reason: z.enum(requestRefusals),
    /** The sentence that the client was told, where there is one. */
    detail: z.string(),
  }),
  z.strictObject({
    type: z.literal("session-started"),
    ...origin.shape,
    mode: z.enum(["exec", "interactive", "line"]),
    /** File name below `audit/transcripts/`; an exec session has none. */
    transcript: z.string().optional(),
  }),
  z.strictObject({
    type: z.literal("session-ended"),
    ...origin.shape,
    exitStatus: z.number().int(),
    /** SHA-256 of the closed transcript file, hexadecimal. */
    transcriptDigest: z.string().optional(),
    /** Its length; lines of development versions have none. */
    transcriptBytes: z.number().int().optional(),
    reason: z.string().optional(),
  }),
  /** Asked before the first prompt of an interactive session; what was shown before log-in stands in `authentication`. */
  z.strictObject({
    type: z.literal("legal-notice"),
    ...origin.shape,
    answer: z.enum(["accepted", "declined"]),
    /** SHA-256 of the notice, hexadecimal. */
    digest: z.string(),
  }),
  /** Nobody typed for long, and the screen was cleared; a code was given, and opened it or not. */
  z.strictObject({
    type: z.literal("session-lock"),
    ...origin.shape,
    state: z.enum(["locked", "refused", "unlocked"]),
    /** What opened it; earlier versions asked for none. */
    secondFactor: z.enum(["code", "recovery-code"]).optional(),
    /** Why the code was refused. */
    reason: z.enum(codeRefusals).optional(),
    detail: z.string().optional(),
  }),
  /** A command line that did not become a command, however that ended. */
  z.strictObject({
    type: z.literal("command-refused"),
    ...origin.shape,
    reason: z.enum(commandRefusals),
    /** Length of the line in UTF-16 code units; its text may be a secret. */
    lineLength: z.number().int(),
    /** The command's name when it exists, never what was typed. */
    command: z.string().optional(),
    /** Of a bug only; key-shaped text is masked. */
    error: z.string().optional(),
    reference: z.string().optional(),
  }),
  z.strictObject({
    type: z.literal("command-started"),
    ...origin.shape,
    invocationId: z.string(),
    command: z.string(),
    /** Checked parameters; key-shaped values are masked. */
    parameters: z.record(z.string(), z.union([z.string(), z.boolean(), z.number(), z.array(z.string())])),
    /** The shaping commands after it, in canonical form. */
    pipeline: z.array(z.string()),
    roleCapability: z.string(),
    reason: z.string().optional(),
    /** The approved request that it used up. */
    requestId: z.string().optional(),
  }),
  z.strictObject({
    type: z.literal("command-finished"),
    ...origin.shape,
    invocationId: z.string(),
    command: z.string(),
    rows: z.number().int(),
    durationMs: z.number(),
    outcome: z.enum(["succeeded", "failed", "stopped"]),
    exitStatus: z.number().int(),
    /** Number and SHA-256 of the bytes sent on standard output (exec only). */
    sentBytes: z.number().int().optional(),
    sentDigest: z.string().optional(),
    error: z.string().optional(),
    /** A limit stopped it; `error` says which. */
    reason: z.literal("limit").optional(),
    /** `R-…`, told to the user when the failure is ours; the details stand here and nowhere else. */
    reference: z.string().optional(),
  }),
  /** Durable before the first byte of these keys leaves the server. */
  z.strictObject({
    type: z.literal("disclosure"),
    ...origin.shape,
    invocationId: z.string(),
    command: z.string(),
    how: z.enum(["exec", "interactive", "line"]),
    reason: z.string().optional(),
    /** What proved who was shown them: limits count by it too. */
    keyFingerprint: z.string().optional(),
    certificate: partyCertificate.optional(),
    keys: z.array(disclosedKey),
  }),
  /** Whether the syslog receiver takes the log; only changes are here, and not each of a receiver that comes and goes. */
  z.strictObject({
    type: z.literal("forwarding"),
    state: z.enum(["connected", "disconnected", "lagging"]),
    /** `HOST:PORT`. */
    receiver: z.string(),
    /** Events that it is not known to have read. */
    behind: z.number().int(),
    reason: z.string().optional(),
  }),
  /** An administrator gave a user a second factor, or took it away, on the machine itself. Before it counts. */
  z.strictObject({
    type: z.literal("second-factor"),
    localUser: z.string(),
    user: z.string(),
    change: z.enum(["enrolled", "replaced", "removed"]),
  }),
  /** An administrator gave a user keys or roles with `pep users add`, on the machine itself. Before it counts. */
  z.strictObject({
    type: z.literal("user-added"),
    localUser: z.string(),
    user: z.string(),
    /** `SHA256:…` of the keys that were added. */
    keyFingerprints: z.array(z.string()),
    /** Those that were added. */
    roleCapabilities: z.array(z.string()),
  }),
  /** Someone read the record: on the machine itself (`localUser`), or over SSH (`connectedUser`). Durable before anything is shown. */
  z
    .strictObject({
      type: z.literal("review"),
      ...origin.shape,
      localUser: z.string().optional(),
      action: z.enum(["list", "show", "play", "export", "events", "follow", "verify"]),
      /** Over SSH: the session that was looked at, where `sessionId` is the one that looked. On the machine `sessionId` is that which was looked at. */
      reviewedSessionId: z.string().optional(),
      /** Over SSH: what was asked for, as it was understood. */
      filter: z.record(z.string(), z.union([z.string(), z.number(), z.array(z.string())])).optional(),
    })
    .refine(
      ({ localUser, connectedUser }) => (localUser === undefined) !== (connectedUser === undefined),
      "a review is done by an account of the machine or by a connected user",
    ),
  /**
   * Approval by a second person. `requested` and decisions are here before they count, `consumed` before the run. Rows are counted
   * after `requested`, and what was found is `estimated`; a request that was asked for again, as it was not counted yet, is
   * `requested` once more.
   */
  z.strictObject({
    type: z.literal("elevation"),
    ...origin.shape,
    state: z.enum(["requested", "estimated", "approved", "denied", "consumed", "expired"]),
    requestId: z.string(),
    requester: z.string(),
    /** `SHA256:…` of the key that asked. */
    requesterKey: z.string(),
    /** The certificate that came with that key: its authority by fingerprint, and its key id. */
    requesterCertificate: partyCertificate.optional(),
    command: z.string(),
    /** In canonical form; key-shaped text is masked. */
    invocation: z.string(),
    /** SHA-256 over the unmasked invocation, its pipeline and its role: what the approval is bound to. */
    invocationDigest: z.string(),
    reason: z.string().optional(),
    ceiling: z.number().int().optional(),
    /** What its approver reads beside the rows: that something is not there, or why they could not be counted. */
    finding: z.string().optional(),
    /** A bug in counting; key-shaped text is masked. */
    error: z.string().optional(),
    approver: z.string().optional(),
    /** `SHA256:…` of the key that decided, and the certificate that came with it. */
    approverKey: z.string().optional(),
    approverCertificate: partyCertificate.optional(),
    comment: z.string().optional(),
    /** Until when it can be decided (requested) or used (approved). */
    expiresAt: z.string(),
  }),
  z.strictObject({
    type: z.literal("import-started"),
    /** Operating-system account that ran `pep import`. */
    localUser: z.string(),
    files: z.array(z.strictObject({ name: z.string(), sha256: z.string() })),
  }),
  z.strictObject({
    type: z.literal("import-finished"),
    localUser: z.string(),
    outcome: z.enum(["succeeded", "failed"]),
    files: z.array(
      z.strictObject({
        name: z.string(),
        added: z.number().int(),
        unchanged: z.number().int(),
        skipped: z.number().int(),
      }),
    ),
    error: z.string().optional(),
  }),
  ...siteEvents,
]);

export type AuditEvent = z.infer<typeof auditEvent>;

/** Every type there is, for whoever filters by it. */
export const auditEventTypes: readonly AuditEvent["type"][] = auditEvent.options.map(({ shape }) => shape.type.value);
export type Origin = z.infer<typeof origin>;

/** One line of the log. */
export const recordedEvent = z.strictObject({
  /** From 1, without gaps over all segments. */
  seq: z.number().int().positive(),
  /** UTC. */
  at: z.iso.datetime(),
  /** Milliseconds since the process started, from the monotonic clock: orders events when the wall clock jumps. */
  uptimeMs: z.number(),
  /** Name of the host that wrote it; lines of development versions have none. */
  server: z.string().optional(),
  event: auditEvent,
  /**
   * Ed25519 by `log-key`, base64, over the lines before it and this one (line-signature.ts). The last of the lines that became
   * durable together has one.
   */
  signature: z.string().optional(),
});

export type RecordedEvent = Readonly<z.infer<typeof recordedEvent>>;

/** The JSON Schema for authors of SIEM rules; `audit-event.schema.json` is this, and a test keeps it so. */
export const auditEventJsonSchema = (): unknown => z.toJSONSchema(recordedEvent);

/** The record, as the rest of the server sees it. */
export interface EventLog {
  /**
   * Puts an event on the record. Resolves when it is durable (fdatasync has returned).
   * Throws `EndpointError("AuditUnavailable")` when it is not; the caller must then neither run nor show anything.
   */
  append(event: AuditEvent): Promise<void>;
}
