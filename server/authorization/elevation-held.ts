import type { AuditEvent, Origin } from "../audit/event.ts";
import { EndpointError } from "../errors.ts";
import type { Elevation, ElevationState } from "./elevation-port.ts";
import type { StoredChange, StoredRequest } from "./elevation-store.ts";

/** Who asks, uses or decides: the proved name and the key that proved it. */
export interface ElevationParty {
  readonly connectedUser: string;
  readonly keyFingerprint: string;
  readonly origin: Origin;
}

/** A request and what became of it. */
export interface Held {
  readonly request: StoredRequest;
  state: ElevationState;
  expiresAtMs: number;
  decidedBy: string | undefined;
  comment: string | undefined;
}

export const isOpen = (held: Held): boolean => held.state === "pending" || held.state === "approved";

export const shown = ({ request, ...held }: Held): Elevation => ({
  requestId: request.requestId,
  state: held.state,
  requester: request.requester,
  invocation: request.invocation,
  reason: request.reason,
  ceiling: request.ceiling,
  requestedAt: new Date(request.requestedAtMs),
  expiresAt: new Date(held.expiresAtMs),
  decidedBy: held.decidedBy,
  comment: held.comment,
});

export const notFound = (): EndpointError =>
  new EndpointError("ObjectNotFound", "There is no such request. Get-Elevation lists those you can see.");

export const isOwn = ({ request }: Held, party: ElevationParty): boolean =>
  request.requester === party.connectedUser || request.keyFingerprint === party.keyFingerprint;

export const refuseUse = (message: string): EndpointError => new EndpointError("ApprovalRequired", message);

export const whyNotUsable = ({ request, state, decidedBy, comment }: Held): string => {
  const name = `Request ${request.requestId}`;
  switch (state) {
    case "pending":
      return `${name} is not decided yet.`;
    case "denied":
      return `${name} was denied by ${decidedBy ?? "the approver"}: ${comment ?? "no comment"}`;
    case "consumed":
      return `${name} was used already; an approval counts once. Ask again.`;
    case "expired":
      return `${name} is over: its time ran out. Ask again.`;
    case "approved":
      return `${name} is approved.`;
  }
};

/** Its state as a line of the store. */
export const changeOf = ({ request, state, expiresAtMs, decidedBy, comment }: Held): StoredChange => ({
  requestId: request.requestId,
  state,
  expiresAtMs,
  ...(decidedBy === undefined ? {} : { decidedBy }),
  ...(comment === undefined ? {} : { comment }),
});

export const eventOf = (
  state: "requested" | Exclude<ElevationState, "pending">,
  { request, expiresAtMs, decidedBy, comment }: Held,
  origin: Origin,
): AuditEvent => ({
  type: "elevation",
  ...origin,
  state,
  requestId: request.requestId,
  requester: request.requester,
  requesterKey: request.keyFingerprint,
  command: request.command,
  invocation: request.invocation,
  invocationDigest: request.digest,
  expiresAt: new Date(expiresAtMs).toISOString(),
  ...(request.reason === undefined ? {} : { reason: request.reason }),
  ...(request.ceiling === undefined ? {} : { ceiling: request.ceiling }),
  ...(decidedBy === undefined ? {} : { approver: decidedBy }),
  ...(comment === undefined ? {} : { comment }),
});
