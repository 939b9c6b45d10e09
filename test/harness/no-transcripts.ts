import type { TranscriptPort } from "../../server/command/transcript-port.ts";

/** For tests in which nobody was recorded. */
export const noTranscripts: TranscriptPort = { open: async () => undefined };
