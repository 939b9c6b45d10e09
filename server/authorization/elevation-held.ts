import type { AuditEvent, Origin } from "../audit/event.ts";
import { EndpointError } from "../errors.ts";
import { sameParty, type Party, type RecordedParty } from "../identity/party.ts";
import type { Elevation, ElevationState } from "../command/elevation-port.ts";
import type { Counted } from "./row-counts.ts";
import type { StoredChange, StoredRequest } from "./elevation-store.ts";

/** The user who asks, uses or decides, and the address. */
export interface ElevationParty extends Party {
  readonly origin: Origin;
}

/** A request and what became of it. */
export interface Held {
  readonly request: StoredRequest;
  state: ElevationState;
  expiresAtMs: number;
  decidedBy: string | undefined;
  /** What proved who decided. */
  decidedWith: StoredChange["decidedWith"];
  comment: string | undefined;
  /** What was found when its rows were counted. */
  counted: StoredChange["counted"];
  /** Counts them, in the context that the request's event opened; gone after a restart. */
  count: ((signal: AbortSignal) => Promise<Counted>) | undefined;
  /** While they are counted. */
  counting: Promise<void> | undefined;
}

export const isOpen = (held: Held): boolean => held.state === "pending" || held.state === "approved";

const ceilingOf = ({ request, counted }: Held): number | undefined => counted?.ceiling ?? request.ceiling;

export const heldOf = (request: StoredRequest, change: Omit<StoredChange, "requestId" | "request">): Held => ({
  request,
  state: change.state,
  expiresAtMs: change.expiresAtMs,
  decidedBy: change.decidedBy,
  decidedWith: change.decidedWith,
  comment: change.comment,
  counted: change.counted,
  count: undefined,
  counting: undefined,
});

/** Nobody can approve it yet: how many rows it would show is not known. */
export const isUncounted = (held: Held): boolean => held.request.counts === true && ceilingOf(held) === undefined;

export const notCounted = ({ request: { requestId }, count, counted }: Held): EndpointError =>
  new EndpointError(
    "ResourceUnavailable",
    count === undefined
      ? `The rows of request ${requestId} were not counted before this endpoint was restarted. It must be asked for again before it can be approved.`
      : `The rows of request ${requestId} are not counted, so it can't be approved yet. ${counted?.finding ?? ""}`.trimEnd(),
  );

/** As an approver sees it. */
export const shown = (held: Held): Elevation => ({
  ...about(held),
  ceiling: ceilingOf(held),
  finding: held.counted?.finding ?? (isUncounted(held) ? "The rows are not counted yet." : undefined),
});

/** As its requester sees it: nothing of what the site has, until somebody else allowed it. */
export const shownToRequester = (held: Held): Elevation => ({
  ...about(held),
  ceiling: held.state === "approved" || held.state === "consumed" ? ceilingOf(held) : undefined,
  finding: undefined,
});

const about = ({ request, ...held }: Held): Omit<Elevation, "ceiling" | "finding"> => ({
  requestId: request.requestId,
  state: held.state,
  requester: request.requester,
  invocation: request.invocation,
  reason: request.reason,
  isCounted: request.counts !== true || held.counted !== undefined,
  requestedAt: new Date(request.requestedAtMs),
  expiresAt: new Date(held.expiresAtMs),
  decidedBy: held.decidedBy,
  comment: held.comment,
});

export const requesterOf = ({ request }: Held): RecordedParty => ({
  connectedUser: request.requester,
  keyFingerprint: request.keyFingerprint,
  certificate: request.certificate,
});

/** Whether the one who asked can be this very person. */
export const isOwn = (held: Held, party: Party): boolean => sameParty(requesterOf(held), party);

/** Whether it was asked by this very user with this very key: only they use it. */
export const isAskedBy = ({ request }: Held, party: Party): boolean =>
  request.requester === party.connectedUser && request.keyFingerprint === party.keyFingerprint;

/** Whether the one who decided can be this very person. */
export const isDecidedBy = ({ decidedBy, decidedWith }: Held, party: Party): boolean =>
  sameParty({ ...decidedWith, connectedUser: decidedBy }, party);

/** Its state as a line of the store. */
export const changeOf = ({
  request,
  state,
  expiresAtMs,
  decidedBy,
  decidedWith,
  comment,
  counted,
}: Held): StoredChange => ({
  requestId: request.requestId,
  state,
  expiresAtMs,
  ...(decidedBy === undefined ? {} : { decidedBy }),
  ...(decidedWith === undefined ? {} : { decidedWith }),
  ...(comment === undefined ? {} : { comment }),
  ...(counted === undefined ? {} : { counted }),
});

type ElevationEvent = Extract<AuditEvent, { type: "elevation" }>;

/** @param error a bug that counting its rows met */
export const eventOf = (
  state: ElevationEvent["state"],
  held: Held,
  origin: Origin,
  error: string | undefined,
): ElevationEvent => {
  const { request, expiresAtMs, decidedBy, decidedWith, comment, counted } = held;
  const ceiling = ceilingOf(held);
  return {
    type: "elevation",
    ...origin,
    state,
    requestId: request.requestId,
    requester: request.requester,
    requesterKey: request.keyFingerprint,
    ...(request.certificate === undefined ? {} : { requesterCertificate: request.certificate }),
    command: request.command,
    invocation: request.invocation,
    invocationDigest: request.digest,
    ...(request.reason === undefined ? {} : { reason: request.reason }),
    ...(ceiling === undefined ? {} : { ceiling }),
    ...(counted?.finding === undefined ? {} : { finding: counted.finding }),
    ...(error === undefined ? {} : { error }),
    ...(decidedBy === undefined ? {} : { approver: decidedBy }),
    ...(decidedWith === undefined ? {} : { approverKey: decidedWith.keyFingerprint }),
    ...(decidedWith?.certificate === undefined ? {} : { approverCertificate: decidedWith.certificate }),
    ...(comment === undefined ? {} : { comment }),
    expiresAt: new Date(expiresAtMs).toISOString(),
  };
};
