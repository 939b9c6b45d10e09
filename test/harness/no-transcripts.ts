import type { TranscriptPort } from "../../server/audit-review/transcript-port.ts";

/** For tests in which nobody was recorded. */
export const noTranscripts: TranscriptPort = { open: async () => undefined };
