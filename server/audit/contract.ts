/** One interactive session's asciicast v3, written before it is shown. */
export interface Transcript {
  /** File name below `audit/transcripts/`. */
  readonly fileName: string;
  /** Records terminal output, already masked. Resolves when the write reached the file; throws `AuditUnavailable`, or `LimitsExceeded` once it is too long. */
  output(text: string): Promise<void>;
  resize(columns: number, rows: number): Promise<void>;
  /** A command boundary or a disclosure, by name and key ids; never by typed text. */
  marker(label: string): Promise<void>;
  /** Takes it away: the session never began, so nothing was shown. */
  discard(): Promise<void>;
  /** Writes the exit event, makes the file durable. */
  close(exitStatus: number): Promise<ClosedTranscript>;
}

/** The end of a session names its transcript so. Later readers compare the transcript with it. */
export interface ClosedTranscript {
  /** SHA-256 of the file, hexadecimal. */
  readonly transcriptDigest: string;
  readonly transcriptBytes: number;
}

export interface TranscriptHeader {
  readonly sessionId: string;
  readonly columns: number;
  readonly rows: number;
  readonly term: string;
}

/** @param onWritten called with the number of bytes that each event took */
export type OpenTranscript = (header: TranscriptHeader, onWritten?: (bytes: number) => void) => Promise<Transcript>;
