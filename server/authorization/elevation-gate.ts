import type { EstimateContext } from "../../commands/define-command.ts";
import { boundKeys } from "../site-database/bound-keys.ts";
import { EndpointError, Refusal } from "../errors.ts";
import type { ApprovalNeeded, BoundLine, VisibleCommands } from "./contract.ts";
import type { ElevationParty } from "./elevation-held.ts";
import type { Elevation, ElevationPort } from "./elevation-port.ts";
import type { Elevations } from "./elevation.ts";

interface AdmitContext extends EstimateContext {
  /** Says something to the user while they wait. */
  readonly tell: (text: string) => Promise<void>;
  /** Awaited just before an approval is used up: what waits for its turn after that would outlive the approval's minutes. */
  readonly beforeUse: () => Promise<void>;
  /** Binds the same line again, as the user's rights are then. */
  readonly bindAgain: () => BoundLine;
}

/** A line that may run now. */
export interface Admitted {
  readonly bound: BoundLine;
  /** The request that was used up. */
  readonly approved: Elevation | undefined;
}

/** Elevation for one session. */
export interface ElevationGate {
  /**
   * Lets a bound line pass: at once where it needs no approval, else by using an approval up.
   *
   * @throws Refusal ApprovalRequired, with the id of the request in its words
   */
  admit(bound: BoundLine, context: AdmitContext): Promise<Admitted>;
  portFor(context: EstimateContext): ElevationPort;
}

const refuse = (bound: BoundLine, message: string, cause?: unknown): Refusal =>
  new Refusal("ApprovalRequired", message, { reason: "approval", command: bound.command.name, cause });

/** A sentence an approver and a requester read the same. */
const rowsInWords = (ceiling: number | undefined): string =>
  ceiling === undefined ? "" : ` (${ceiling} ${ceiling === 1 ? "row" : "rows"})`;

const waitUntilDecided = async (
  elevations: Elevations,
  party: ElevationParty,
  requestId: string,
  signal: AbortSignal,
): Promise<void> => {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const look = (): void => {
    if (elevations.own(party).find((one) => one.requestId === requestId)?.state !== "pending") resolve();
  };
  const stop = (): void => reject(new EndpointError("OperationStopped", "Stopped."));
  const stopListening = elevations.onChange(look);
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();
  look();
  try {
    await promise;
  } finally {
    stopListening();
    signal.removeEventListener("abort", stop);
  }
};

export const createElevationGate = (
  elevations: Elevations,
  party: ElevationParty,
  visibleCommands: () => VisibleCommands,
): ElevationGate => {
  const ask = async (
    bound: BoundLine,
    approval: ApprovalNeeded,
    reason: string | undefined,
    context: EstimateContext,
  ): Promise<Elevation> => {
    const siteDatabase = boundKeys(context.siteDatabase, bound.keyBounds?.allows);
    const ceiling = await bound.command.estimateRows?.({ ...context, siteDatabase });
    if (ceiling !== undefined && bound.maxRows !== undefined && ceiling > bound.maxRows) {
      throw new EndpointError(
        "LimitsExceeded",
        `This matches more than ${bound.maxRows} rows, the most your role shows at once, approved or not.`,
      );
    }
    const { invocation, digest } = approval;
    return elevations.request(
      {
        command: bound.command.name,
        invocation,
        digest,
        ...(reason === undefined ? {} : { reason }),
        ...(ceiling === undefined ? {} : { ceiling }),
      },
      party,
    );
  };

  const askAndRefuse = async (bound: BoundLine, approval: ApprovalNeeded, context: EstimateContext): Promise<never> => {
    const request = await ask(bound, approval, bound.command.reason, context);
    const { requestId, state } = request;
    throw refuse(
      bound,
      state === "approved"
        ? `Request ${requestId} for this is approved: run it again with -RequestId ${requestId}.`
        : `Another person must approve this${rowsInWords(request.ceiling)}. Request ${requestId} was made; once it is approved, run it again with -RequestId ${requestId}. Get-Elevation shows its state.`,
    );
  };

  const wait = async (bound: BoundLine, approval: ApprovalNeeded, context: AdmitContext): Promise<string> => {
    const requestId = approval.requestId ?? (await ask(bound, approval, bound.command.reason, context)).requestId;
    const asked = elevations.own(party).find((one) => one.requestId === requestId);
    if (asked?.state === "pending") {
      await context.tell(
        `Waiting for another person to decide request ${requestId}, until ${asked.expiresAt.toISOString()}.`,
      );
      await waitUntilDecided(elevations, party, requestId, context.signal);
    }
    if (elevations.own(party).find((one) => one.requestId === requestId)?.state === "expired") {
      throw new EndpointError("OperationTimeout", `Request ${requestId} was not decided, or not used, in time.`);
    }
    return requestId;
  };

  const consume = async (bound: BoundLine, { digest }: ApprovalNeeded, requestId: string): Promise<Admitted> => {
    try {
      return { bound, approved: await elevations.consume(requestId, digest, party) };
    } catch (error) {
      if (!(error instanceof EndpointError) || error.category !== "ApprovalRequired") throw error;
      throw refuse(bound, error.message, error);
    }
  };

  return {
    async admit(bound, context) {
      const { approval } = bound;
      if (approval === undefined) return { bound, approved: undefined };
      const { requestId: givenId, wait: waits } = approval;
      if (givenId === undefined && !waits) return askAndRefuse(bound, approval, context);
      const requestId = givenId === undefined || waits ? await wait(bound, approval, context) : givenId;
      await context.beforeUse();
      // Rights may have gone while it waited: what counts is what this user can see now.
      const now = context.bindAgain();
      if (now.approval?.digest !== approval.digest) throw refuse(bound, "Your rights changed meanwhile. Ask again.");
      return consume(now, now.approval, requestId);
    },
    portFor: (context) => ({
      async request(line, reason) {
        const bound = visibleCommands().bindLine(line);
        const { approval } = bound;
        if (approval === undefined) {
          throw new EndpointError("InvalidArgument", "This needs no approval: just run it.");
        }
        if (approval.requestId !== undefined || approval.wait) {
          throw new EndpointError("InvalidArgument", "Leave -RequestId and -Wait out of what is to be approved.");
        }
        return ask(bound, approval, reason ?? bound.command.reason, context);
      },
      own: () => elevations.own(party),
      toDecide: () => elevations.toDecide(party),
      findToDecide: (requestId) => elevations.findToDecide(requestId, party),
      decide: (requestId, decision, comment) => elevations.decide(requestId, decision, comment, party),
    }),
  };
};
