import type { EstimateContext } from "../command/define-command.ts";
import type { OnRecord } from "../audit/on-record.ts";
import { EndpointError, Refusal } from "../errors.ts";
import { describe, translate } from "../failure-messages.ts";
import { orStopped } from "../or-stopped.ts";
import type { KeyBounds } from "../command/site-database.ts";
import type { ApprovalNeeded, BoundLine, VisibleCommands } from "./contract.ts";
import type { ElevationParty } from "./elevation-held.ts";
import type { Elevation, ElevationPort } from "../command/elevation-port.ts";
import type { AskedElevation, Elevations } from "./elevation.ts";
import type { Counted } from "./row-counts.ts";

interface Waiting {
  readonly signal: AbortSignal;
  /** Says something to the user while they wait. */
  readonly tell: (text: string) => Promise<void>;
}

/** Opens what counting rows needs, for a request that is on the record. */
export type OpenForEstimate = (
  opening: OnRecord<"elevation">,
  terms: { readonly keyBounds: KeyBounds | undefined; readonly signal: AbortSignal },
) => EstimateContext;

/** Elevation for one session. It knows no port of data: what it counts, it counts in a context that a request's event opened. */
export interface ElevationGate {
  /**
   * Settles what a line says of its own approval: asks for one and refuses, or waits for the decision, or takes the id it gives.
   *
   * @returns the request to use up; `undefined` where the line needs none
   * @throws Refusal ApprovalRequired with the id of the request in its words; EndpointError OperationTimeout, OperationStopped
   */
  settle(bound: BoundLine, waiting: Waiting): Promise<string | undefined>;
  /**
   * Uses the request up, if the line as it is bound now is still the one that was settled.
   *
   * @throws Refusal ApprovalRequired
   */
  use(bound: BoundLine, settled: BoundLine, requestId: string | undefined): Promise<Elevation | undefined>;
  portFor(signal: AbortSignal): ElevationPort;
}

const refuse = (bound: BoundLine, message: string, cause?: unknown): Refusal =>
  new Refusal("ApprovalRequired", message, { reason: "approval", command: bound.command.name, cause });

const waitUntilDecided = async (
  elevations: Elevations,
  party: ElevationParty,
  requestId: string,
  signal: AbortSignal,
): Promise<void> => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const look = (): void => {
    if (elevations.own(party).find((one) => one.requestId === requestId)?.state !== "pending") resolve();
  };
  const stopListening = elevations.onChange(look);
  look();
  try {
    await orStopped(promise, signal);
  } finally {
    stopListening();
  }
};

const countOf = (bound: BoundLine, open: OpenForEstimate): Pick<AskedElevation, "count"> => {
  const { command, keyBounds, maxRows, shaping } = bound;
  const { estimateRows } = command;
  if (estimateRows === undefined) return {};
  return {
    count: async (opening, signal): Promise<Counted> => {
      try {
        const { rows: ceiling, finding: found } = await estimateRows(
          open(opening, { keyBounds: keyBounds?.allows, signal }),
        );
        // Behind a pipe there may be fewer.
        const tooMany =
          maxRows === undefined || ceiling <= maxRows || shaping.length > 0
            ? []
            : [`The requester's role shows at most ${maxRows} rows at once, so it would show none.`];
        const findings = [...(found === undefined ? [] : [found]), ...tooMany];
        return findings.length === 0 ? { ceiling } : { ceiling, finding: findings.join(" ") };
      } catch (error) {
        const { failure, reference } = translate(error, signal);
        if (failure.category === "ObjectNotFound") return { ceiling: 0, finding: failure.message };
        const finding = `The rows could not be counted. ${failure.message}`;
        return reference === undefined ? { finding } : { finding, error: describe(error) };
      }
    },
  };
};

/** @throws EndpointError InvalidArgument where nothing is to be approved, or the line says already how */
const approvalToAskFor = ({ approval }: BoundLine): ApprovalNeeded => {
  if (approval === undefined) throw new EndpointError("InvalidArgument", "This needs no approval: just run it.");
  if (approval.requestId !== undefined || approval.wait) {
    throw new EndpointError("InvalidArgument", "Leave -RequestId and -Wait out of what is to be approved.");
  }
  return approval;
};

export const createElevationGate = (
  elevations: Elevations,
  party: ElevationParty,
  visibleCommands: () => VisibleCommands,
  open: OpenForEstimate,
): ElevationGate => {
  const ask = (
    bound: BoundLine,
    { invocation, digest }: ApprovalNeeded,
    reason = bound.command.reason,
  ): Promise<Elevation> =>
    elevations.request(
      {
        command: bound.command.name,
        invocation,
        digest,
        ...(reason === undefined ? {} : { reason }),
        ...countOf(bound, open),
      },
      party,
    );

  const askAndRefuse = async (bound: BoundLine, approval: ApprovalNeeded): Promise<never> => {
    const { requestId, state } = await ask(bound, approval);
    throw refuse(
      bound,
      state === "approved"
        ? `Request ${requestId} for this is approved: run it again with -RequestId ${requestId}.`
        : `Another person must approve this. Request ${requestId} was made; once it is approved, run it again with -RequestId ${requestId}. Get-Elevation shows its state.`,
    );
  };

  const wait = async (requestId: string, { signal, tell }: Waiting): Promise<string> => {
    const find = (): Elevation | undefined => elevations.own(party).find((one) => one.requestId === requestId);
    const asked = find();
    if (asked?.state === "pending") {
      await tell(`Waiting for another person to decide request ${requestId}, until ${asked.expiresAt.toISOString()}.`);
      await waitUntilDecided(elevations, party, requestId, signal);
    }
    if (find()?.state === "expired") {
      throw new EndpointError("OperationTimeout", `Request ${requestId} was not decided, or not used, in time.`);
    }
    return requestId;
  };

  return {
    async settle(bound, waiting) {
      const { approval } = bound;
      if (approval === undefined) return undefined;
      const { requestId, wait: waits } = approval;
      if (!waits) return requestId ?? askAndRefuse(bound, approval);
      return wait(requestId ?? (await ask(bound, approval)).requestId, waiting);
    },
    async use(bound, settled, requestId) {
      if (bound.approval?.digest !== settled.approval?.digest)
        throw refuse(bound, "Your rights changed meanwhile. Ask again.");
      if (bound.approval === undefined) return undefined;
      try {
        return await elevations.consume(requestId ?? "", bound.approval.digest, party);
      } catch (error) {
        if (!(error instanceof EndpointError) || error.category !== "ApprovalRequired") throw error;
        throw refuse(bound, error.message, error);
      }
    },
    portFor: (signal) => ({
      async request(line, reason) {
        const bound = visibleCommands().bindLine(line);
        return ask(bound, approvalToAskFor(bound), reason);
      },
      own: () => elevations.own(party),
      toDecide: () => elevations.toDecide(party),
      findToApprove: (requestId) => elevations.findToApprove(requestId, party, signal),
      decide: (requestId, decision, comment) => elevations.decide(requestId, decision, comment, party),
    }),
  };
};
