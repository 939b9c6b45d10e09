/** One transcript, open for reading. Its length is the one that it had when it was opened: of a session that still runs, the part up to then. */
export interface OpenedTranscript {
  readonly sessionId: string;
  readonly sizeBytes: number;
  /** At most `longest` bytes from `from` on; none at the end. */
  read(from: number, longest: number): Promise<Uint8Array>;
  /** The same as asciicast v2, line by line. */
  linesV2(): AsyncIterable<string>;
  close(): Promise<void>;
}

/** Transcripts, as `Show-Transcript` may use them. Opening records nothing: `invoke` does, before the first byte is shown. */
export interface TranscriptPort {
  /** @returns undefined where that session has no transcript */
  open(sessionId: string): Promise<OpenedTranscript | undefined>;
}
