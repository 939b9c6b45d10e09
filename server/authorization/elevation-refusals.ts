import { EndpointError } from "../errors.ts";
import type { Party } from "../identity/party.ts";
import { isAskedBy, isDecidedBy, isOwn, type ElevationParty, type Held } from "./elevation-held.ts";
import type { ElevationState } from "../command/elevation-port.ts";

/** Enough for honest work; more would only bury what an approver should read. */
const mostOpenOfOne = 20;
const mostOpen = 500;
/** Longer than this nobody reads before approving, and a screen would cut it. */
const longestInvocation = 1000;

/** @throws EndpointError LimitsExceeded */
export const refuseUnreadable = (invocation: string): void => {
  if (invocation.length <= longestInvocation) return;
  throw new EndpointError(
    "LimitsExceeded",
    `An invocation of more than ${longestInvocation} characters can't be approved: nobody would read all of it.`,
  );
};

/** @throws EndpointError LimitsExceeded */
export const refuseOneMore = (own: number, all: number): void => {
  if (own >= mostOpenOfOne) {
    throw new EndpointError(
      "LimitsExceeded",
      `You have ${mostOpenOfOne} open requests, the most at once. Wait until some are decided or over.`,
    );
  }
  if (all >= mostOpen) {
    throw new EndpointError("LimitsExceeded", "Too many requests are open on this endpoint. Try again later.");
  }
};

const refuseUse = (message: string): EndpointError => new EndpointError("ApprovalRequired", message);

const whyNotUsable = ({ request, state, decidedBy, comment }: Held): string => {
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

/** @throws EndpointError ApprovalRequired when this is no approved request of this user for this very invocation */
export function refuseUnlessUsable(
  held: Held | undefined,
  requestId: string,
  digest: string,
  party: ElevationParty,
): asserts held is Held {
  // Another user's request is answered as one that does not exist: ids that are guessed tell nothing.
  if (held === undefined || !isAskedBy(held, party)) throw refuseUse("You have no such request.");
  if (held.request.digest !== digest) {
    throw refuseUse(`Request ${requestId} is for another invocation: ${held.request.invocation}`);
  }
  if (held.state !== "approved") throw refuseUse(whyNotUsable(held));
  if (isDecidedBy(held, party))
    throw refuseUse(`Request ${requestId} was approved with the key or certificate that you are logged in with.`);
}

/** Says which of the three it is that both have. */
const whyNotOwnDecision = ({ request }: Held, party: Party): string => {
  if (request.requester === party.connectedUser) return "This is your own request: another person must decide it.";
  const what = request.keyFingerprint === party.keyFingerprint ? "the key" : "a certificate of the key id";
  return `This request was made with ${what} that you are logged in with: another person must decide it.`;
};

/** @throws EndpointError ObjectNotFound, InvalidArgument (one's own), ResourceExists (decided already) */
export function refuseToDecide(
  held: Held | undefined,
  party: ElevationParty,
  state: ElevationState | undefined,
): asserts held is Held {
  if (held === undefined) {
    throw new EndpointError("ObjectNotFound", "There is no such request. Get-Elevation lists those you can see.");
  }
  if (isOwn(held, party)) {
    throw new EndpointError("InvalidArgument", whyNotOwnDecision(held, party));
  }
  if (state !== "pending") {
    throw new EndpointError("ResourceExists", `Request ${held.request.requestId} is ${state ?? held.state} already.`);
  }
}
