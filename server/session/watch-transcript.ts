import type { CommandResult } from "../command/define-command.ts";
import type { EventLog, Origin } from "../audit/event.ts";
import { EndpointError } from "../errors.ts";
import type { Delivery } from "./delivery.ts";

/** Shows a transcript once it is on the record who watches which. The only place where one is shown. */
export const watchTranscript = async (
  result: Extract<CommandResult, { kind: "transcript" }>,
  log: EventLog,
  origin: Origin,
  delivery: Delivery,
): ReturnType<Delivery["show"]> => {
  const { transcript } = result;
  try {
    if (delivery.how === "line") {
      throw new EndpointError(
        "InvalidArgument",
        "A transcript is played on a screen only, and this terminal can't show one. " +
          `As a file: ssh HOST "Show-Transcript ${transcript.sessionId}" > session.cast, then: asciinema play session.cast`,
      );
    }
    await log.append({ type: "review", ...origin, action: "play", reviewedSessionId: transcript.sessionId });
    return await delivery.show(result);
  } finally {
    await transcript.close();
  }
};
