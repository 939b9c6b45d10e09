import { EndpointError, failures } from "../../errors.ts";

/** How a session ends. */
export interface SessionEnd {
  readonly exitStatus: number;
  /** For the record, in a few words. */
  readonly reason: string;
  /** What the user is told; nothing where they asked for it. */
  readonly message?: string;
  /** Nobody sits there, as it seems: what is on the screen goes. */
  readonly clears?: true;
  /** The transcript can't take it any more: told, and nothing else is shown. */
  readonly unrecorded?: true;
}

/** The one end of a session: many things may end it, the first one counts. */
export class Ending {
  readonly #reached = Promise.withResolvers<SessionEnd>();
  readonly #controller = new AbortController();

  get reached(): Promise<SessionEnd> {
    return this.#reached.promise;
  }

  /** Aborts when the session is to end. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  end(end: SessionEnd): void {
    this.#reached.resolve(end);
    this.#controller.abort("the session ends"); // without a reason a DOMException is made, with its stack
  }

  /** What could not be recorded or shown ends the session. */
  endFrom(error: unknown): void {
    const category = error instanceof EndpointError ? error.category : "InvalidResult";
    if (category === "ResourceUnavailable" && error instanceof EndpointError) {
      this.end({ exitStatus: error.exitStatus, reason: "no screen", message: error.message });
    } else if (category === "AuditUnavailable") {
      this.end({
        exitStatus: failures.AuditUnavailable.exitStatus,
        reason: "transcript unavailable",
        message: "This session can't be recorded any more, so it ends here.",
        unrecorded: true,
      });
    } else if (error instanceof EndpointError && category === "LimitsExceeded") {
      const { exitStatus, message } = error;
      this.end({ exitStatus, reason: "transcript limit", message, unrecorded: true });
    } else if (category === "OperationStopped") {
      this.end({ exitStatus: failures.OperationStopped.exitStatus, reason: "channel closed" });
    } else {
      this.end({
        exitStatus: failures.InvalidResult.exitStatus,
        reason: "internal failure",
        message: "The session failed and was ended.",
      });
    }
  }
}
