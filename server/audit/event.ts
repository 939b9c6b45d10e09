import * as z from "zod";
import { event, saying } from "./define-event.ts";
import { disclosureEvents } from "./disclosure-events.ts";
import { origin, partyCertificate } from "./event-parts.ts";
import { logEvents } from "./log-events.ts";
import { codeRefusals } from "../identity/log-in.ts";
import { commandRefusals } from "../errors.ts";
import { loginRefusals, requestRefusals } from "./refusal-reasons.ts";
import { siteEvents } from "./site-events.ts";

/**
 * What can be on the record: a closed union. Adding an event means adding it here, with its fields.
 * No field may hold a secret; a refused command line is recorded as reason and length, never as text: it may hold one.
 */
export const auditEvent = z.discriminatedUnion("type", [
  event("server-started", "The server listens.", {
    version: z.string(),
    listening: z.string(),
    hostKey: z.string(),
    runtime: z.string(),
  }),
  event("server-stopped", "The server ends in order.", { reason: z.string() }),
  ...logEvents,
  event("storage", "The free space for the record fell below a limit, or rose above it.", {
    state: z
      .enum(["sufficient", "low", "exhausted"])
      .register(...saying("`low`: no new sessions; `exhausted`: running ones were ended too.")),
    since: z.iso.datetime().register(...saying("When that was: on a full disk the event comes later.")),
    freeBytes: z
      .number()
      .int()
      .optional()
      .register(...saying("Absent where it could not be told.")),
    reserveBytes: z.number().int(),
  }),
  event("checkpoint", "Signing the log failed for the first time, or works again.", {
    state: z.enum(["failing", "working"]),
    error: z.string().optional(),
  }),
  event("transcript-removed", "A crash left a transcript with only its header, in which nothing had been shown.", {
    transcript: z.string(),
    bytes: z.number().int(),
  }),
  event(
    "configuration-loaded",
    "Roles, keys, trusted authorities or `endpoint.json` were read and count from now on.",
    {
      what: z.enum(["roles", "endpoint", "authorized-keys", "trust-anchors"]),
      digest: z.string(),
    },
  ),
  event("configuration-refused", "A configuration file was read and refused.", {
    what: z.string(),
    problem: z.string(),
  }),
  event("connection-opened", "A client connected and named its software.", {
    ...origin.shape,
    clientSoftware: z.string(),
  }),
  event("connection-closed", "A connection ended.", { ...origin.shape }),
  event("budget-struck", "A user reached a budget of `endpoint.json` for the first time since it was free.", {
    ...origin.shape,
    budget: z.enum(["recordMiBPerHour", "sessionsPerMinute", "userInterface.accounts"]),
    most: z.number().int(),
  }),
  event("connection-dropped", "A guard of the SSH layer ended a connection.", { ...origin.shape, guard: z.string() }),
  event("source-penalised", "A source earned so many penalties that its connections are closed at once.", {
    source: z.string().register(...saying("An IPv4 address or an IPv6 network.")),
    offence: z
      .enum(["authfail", "noauth", "grace-exceeded", "violation", "refuseconnection"])
      .register(...saying("What the connection did that made it enough.")),
    forSeconds: z.number().int(),
  }),
  event("authentication", "A log-in was accepted, refused, or waits for a code.", {
    ...origin.shape,
    outcome: z
      .enum(["accepted", "continued", "refused"])
      .register(...saying("`continued`: the key has signed, and a code is asked for; or a recovery code was used up.")),
    method: z.string(),
    noticeShown: z
      .string()
      .optional()
      .register(...saying("SHA-256 of the legal notice that was shown before this log-in, hexadecimal.")),
    keyFingerprint: z
      .string()
      .optional()
      .register(...saying("`SHA256:…` of the key that signed or was refused.")),
    certificate: z
      .strictObject({ keyId: z.string(), serial: z.string(), authority: z.string() })
      .optional()
      .register(...saying("The certificate that came with the key; its authority by fingerprint.")),
    fido: z
      .strictObject({ userPresent: z.boolean(), userVerified: z.boolean(), counter: z.number().int() })
      .optional()
      .register(...saying("What a FIDO key said of its user under its signature.")),
    secondFactor: z
      .enum(["code", "recovery-code"])
      .optional()
      .register(...saying("What was given after the key.")),
    recoveryCodesLeft: z.number().int().optional(),
    reason: z
      .enum(loginRefusals)
      .optional()
      .register(...saying("Why it was refused. For the log only; the client is told nothing.")),
    detail: z.string().optional(),
  }),
  event("request-refused", "An SSH request was refused after the log-in: a subsystem, a forwarding, a second shell.", {
    ...origin.shape,
    request: z.string(),
    reason: z.enum(requestRefusals),
    detail: z.string().register(...saying("The sentence that the client was told, where there is one.")),
  }),
  event("session-started", "A session began. Durable before the user sees anything.", {
    ...origin.shape,
    mode: z.enum(["exec", "interactive", "line"]),
    transcript: z
      .string()
      .optional()
      .register(...saying("File name below `audit/transcripts/`; an exec session has none.")),
  }),
  event("session-ended", "A session ended, with its exit status and the digest of its transcript.", {
    ...origin.shape,
    exitStatus: z.number().int(),
    transcriptDigest: z
      .string()
      .optional()
      .register(...saying("SHA-256 of the closed transcript file, hexadecimal.")),
    transcriptBytes: z
      .number()
      .int()
      .optional()
      .register(...saying("Its length; lines of development versions have none.")),
    reason: z.string().optional(),
  }),
  event("legal-notice", "The legal notice was accepted or declined before the first prompt.", {
    ...origin.shape,
    answer: z.enum(["accepted", "declined"]),
    digest: z.string().register(...saying("SHA-256 of the notice, hexadecimal.")),
  }),
  event("session-lock", "A screen was locked, opened by a code, or a code was refused.", {
    ...origin.shape,
    state: z.enum(["locked", "refused", "unlocked"]),
    secondFactor: z
      .enum(["code", "recovery-code"])
      .optional()
      .register(...saying("What opened it; earlier versions asked for none.")),
    reason: z
      .enum(codeRefusals)
      .optional()
      .register(...saying("Why the code was refused.")),
    detail: z.string().optional(),
  }),
  event("command-refused", "A command line did not become a command.", {
    ...origin.shape,
    reason: z.enum(commandRefusals),
    lineLength: z
      .number()
      .int()
      .register(...saying("Length of the line in UTF-16 code units; its text may be a secret.")),
    command: z
      .string()
      .optional()
      .register(...saying("The command's name when it exists, never what was typed.")),
    error: z
      .string()
      .optional()
      .register(...saying("Of a bug only; key-shaped text is masked.")),
    reference: z.string().optional(),
  }),
  event("command-started", "A command is about to run. Durable before it runs.", {
    ...origin.shape,
    invocationId: z.string(),
    command: z.string(),
    parameters: z
      .record(z.string(), z.union([z.string(), z.boolean(), z.number(), z.array(z.string())]))
      .register(...saying("Checked parameters; key-shaped values are masked.")),
    pipeline: z.array(z.string()).register(...saying("The shaping commands after it, in canonical form.")),
    roleCapability: z.string(),
    reason: z.string().optional(),
    requestId: z
      .string()
      .optional()
      .register(...saying("The approved request that it used up.")),
  }),
  event("command-finished", "A command ended, with its rows and exit status.", {
    ...origin.shape,
    invocationId: z.string(),
    command: z.string(),
    rows: z.number().int(),
    durationMs: z.number(),
    outcome: z.enum(["succeeded", "failed", "stopped"]),
    exitStatus: z.number().int(),
    sentBytes: z
      .number()
      .int()
      .optional()
      .register(...saying("Number and SHA-256 of the bytes sent on standard output (exec only).")),
    sentDigest: z.string().optional(),
    error: z.string().optional(),
    reason: z
      .literal("limit")
      .optional()
      .register(...saying("A limit stopped it; `error` says which.")),
    reference: z
      .string()
      .optional()
      .register(
        ...saying("`R-…`, told to the user when the failure is ours; the details stand here and nowhere else."),
      ),
  }),
  ...disclosureEvents,
  event("site-collected", "Every key of the site was exported whole, to a client that closed in order: a collection.", {
    ...origin.shape,
    invocationId: z.string(),
    database: z.string().register(...saying("The site database: `embedded`, or the server and the database.")),
    stored: z
      .number()
      .int()
      .register(...saying("Keys that were stored when it began. What comes on top is not collected.")),
    keys: z
      .number()
      .int()
      .register(...saying("Rows that were sent.")),
    began: z.iso.datetime(),
  }),
  event("forwarding", "The syslog receiver takes the log, or does not. Frequent changes are left out.", {
    state: z.enum(["connected", "disconnected", "lagging"]),
    receiver: z.string().register(...saying("`HOST:PORT`.")),
    behind: z
      .number()
      .int()
      .register(...saying("Events that it is not known to have read.")),
    reason: z.string().optional(),
  }),
  event("second-factor", "An administrator of the machine gave a user a second factor, or took it away.", {
    localUser: z.string(),
    user: z.string(),
    change: z.enum(["enrolled", "replaced", "removed"]),
  }),
  event("user-added", "An administrator of the machine gave a user keys or roles by `pep users add`.", {
    localUser: z.string(),
    user: z.string(),
    keyFingerprints: z.array(z.string()).register(...saying("`SHA256:…` of the keys that were added.")),
    roleCapabilities: z.array(z.string()).register(...saying("Those that were added.")),
  }),
  event("review", "Somebody read the record, on the machine or over SSH. Durable before anything is shown.", {
    ...origin.shape,
    localUser: z
      .string()
      .optional()
      .register(...saying("The account of the machine that read it.")),
    action: z.enum(["list", "show", "play", "export", "events", "follow", "verify"]),
    reviewedSessionId: z
      .string()
      .optional()
      .register(
        ...saying(
          "Over SSH: the session that was read; `sessionId` is the reader's. On the machine: absent, and `sessionId` is the session that was read.",
        ),
      ),
    filter: z
      .record(z.string(), z.union([z.string(), z.number(), z.array(z.string())]))
      .optional()
      .register(...saying("Over SSH: what was asked for, as it was understood.")),
  }).refine(
    ({ localUser, connectedUser }) => (localUser === undefined) !== (connectedUser === undefined),
    "a review is done by an account of the machine or by a connected user",
  ),
  event("elevation", "A request for approval by a second person changed its state.", {
    ...origin.shape,
    state: z.enum(["requested", "estimated", "approved", "denied", "consumed", "expired"]),
    requestId: z.string(),
    requester: z.string(),
    requesterKey: z.string().register(...saying("`SHA256:…` of the key that asked.")),
    requesterCertificate: partyCertificate
      .optional()
      .register(...saying("The certificate that came with that key: its authority by fingerprint, and its key id.")),
    command: z.string(),
    invocation: z.string().register(...saying("In canonical form; key-shaped text is masked.")),
    invocationDigest: z
      .string()
      .register(
        ...saying("SHA-256 over the unmasked invocation, its pipeline and its role: what the approval is bound to."),
      ),
    reason: z.string().optional(),
    ceiling: z.number().int().optional(),
    finding: z
      .string()
      .optional()
      .register(
        ...saying(
          "What its approver reads besides the number of rows: what was not found, or why they could not be counted.",
        ),
      ),
    error: z
      .string()
      .optional()
      .register(...saying("A bug in counting; key-shaped text is masked.")),
    approver: z.string().optional(),
    approverKey: z
      .string()
      .optional()
      .register(...saying("`SHA256:…` of the key that decided, and the certificate that came with it.")),
    approverCertificate: partyCertificate.optional(),
    comment: z.string().optional(),
    expiresAt: z.string().register(...saying("Until when it can be decided (requested) or used (approved).")),
  }),
  event("import-started", "`pep import` is about to write keys.", {
    localUser: z.string().register(...saying("Operating-system account that ran `pep import`.")),
    files: z.array(z.strictObject({ name: z.string(), sha256: z.string() })),
  }),
  event("import-finished", "`pep import` ended.", {
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

/** Every type, for filters. */
export const auditEventTypes: readonly AuditEvent["type"][] = auditEvent.options.map(({ shape }) => shape.type.value);
export type Origin = z.infer<typeof origin>;

/** One line of the log. */
export const recordedEvent = z.strictObject({
  seq: z
    .number()
    .int()
    .positive()
    .register(...saying("From 1, without gaps over all segments.")),
  at: z.iso.datetime().register(...saying("UTC.")),
  uptimeMs: z
    .number()
    .register(
      ...saying(
        "Milliseconds since the process started, from the monotonic clock: orders events when the wall clock jumps.",
      ),
    ),
  server: z
    .string()
    .optional()
    .register(...saying("Name of the host that wrote it; lines of development versions have none.")),
  event: auditEvent,
  signature: z
    .string()
    .optional()
    .register(
      ...saying(
        "Ed25519 by `log-key`, base64, over the lines before it and this one (line-signature.ts). The last of the lines that became durable together has one.",
      ),
    ),
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
