import { join } from "node:path";

/** Where the record lies in a data directory or a copy of one. */
export const recordPaths = (dataDirectory: string) => ({
  log: join(dataDirectory, "audit", "log"),
  transcripts: join(dataDirectory, "audit", "transcripts"),
  checkpoint: join(dataDirectory, "audit", "checkpoint"),
  history: join(dataDirectory, "audit", "checkpoint-history"),
  publicKey: join(dataDirectory, "log-key.pub"),
});

export type RecordPaths = ReturnType<typeof recordPaths>;
