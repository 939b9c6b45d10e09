import type { Column, CommandResult, OutputFormat, PasswordPurpose } from "../command/define-command.ts";
import type { Collected } from "../command/site-database.ts";
import type { EndpointError, FailureCategory } from "../errors.ts";
import type { Secret } from "../secret.ts";

/** A cell after disclosure: no `Secret` is left, its text or its glyphs stand in its place. */
export type DisclosedCell = string | number | boolean | null;

export type Answer =
  | {
      readonly kind: "rows";
      readonly columns: readonly Column[];
      /** Batches of at most `Delivery.batchRows`; each was disclosed durably just before it is yielded. */
      readonly batches: AsyncIterable<readonly (readonly DisclosedCell[])[]>;
      /** Whether rows follow the batch that was yielded last; told without disclosing them. Exec doesn't look ahead. */
      readonly hasMore: () => boolean;
      readonly format: OutputFormat | undefined;
    }
  | { readonly kind: "text"; readonly text: string }
  | Extract<CommandResult, { kind: "transcript" }>
  | { readonly kind: "bytes"; readonly chunks: AsyncIterable<Uint8Array> }
  | Extract<CommandResult, { kind: "session" }>;

/** A row that may be chosen: what stands beside its key, and the only way to the key. */
export interface OfferedRow {
  readonly keyId: string;
  readonly computerName: string;
  /** In the order of the columns; the key's own is empty. */
  readonly cells: readonly DisclosedCell[];
  /** Puts the key on the record, waits until that is durable, then opens it. @throws EndpointError AuditUnavailable, LimitsExceeded */
  readonly open: () => Promise<string>;
}

/** Keys to choose from. None of them is opened before a person wants it. */
export interface KeyOffer {
  /** All but the key's own. */
  readonly columns: readonly Column[];
  readonly rows: readonly OfferedRow[];
}

/** How one session shows an answer and asks its user: exec, the screen, or plain lines. */
export interface Delivery {
  readonly how: "exec" | "interactive" | "line";
  /** Rows disclosed at a time: what is really shown, so a page on a screen. Read before each batch. */
  readonly batchRows: () => number;
  /** What to write in place of an opened recovery key: itself (exec), or glyphs that the painter replaces (screens). */
  readonly reveal: (text: string) => string;
  /** Told of the keys that were just put on the record, before they are opened: a transcript marks the place. */
  readonly disclosed?: (keyIds: readonly string[]) => Promise<void>;
  /** Asked before more than a screenful of keys, or of what else is secret, is shown to a person; exec answers `true`. */
  confirmBulk(count: number, secrets: string): Promise<boolean>;
  /** A question of consequence, asked of a person; exec, where there is none, answers `false`. */
  confirm(question: string): Promise<boolean>;
  /** Says something beside the answer, while the command is still to run. */
  tell(text: string): Promise<void>;
  askPassword(prompt: string, purpose: PasswordPurpose): Promise<Secret>;
  /** Offers keys to choose from and shows the chosen one alone, as often as their reader likes. Left out: all are shown at once. */
  readonly choose?: (offer: KeyOffer) => Promise<void>;
  /** Shows the whole answer. Rejects with an EndpointError when it could not (channel closed, record unavailable). */
  show(answer: Answer): Promise<{ readonly sentBytes?: number; readonly sentDigest?: string }>;
}

/** Every key of the site, sent to its end. It counts once the client has closed in order. */
export interface SentCollection extends Collected {
  readonly invocationId: string;
  /** Rows that were sent. */
  readonly keys: number;
}

/** How an invocation ended. `failure` is what the connected user reads. */
export interface Outcome {
  /** The command's name in its own spelling, once a line was bound; absent where it was refused. */
  readonly command?: string;
  readonly exitStatus: number;
  readonly rowCount: number;
  readonly collected?: SentCollection;
  readonly failure?: { readonly category: FailureCategory; readonly message: string };
}

export const failed = (failure: EndpointError, rowCount: number, command?: string): Outcome => ({
  ...(command === undefined ? {} : { command }),
  exitStatus: failure.exitStatus,
  rowCount,
  failure: { category: failure.category, message: failure.message },
});

/** The only way to a command, for every surface: find, bind, log, run, log. Never rejects. */
export type Invoke = (line: string, delivery: Delivery, signal: AbortSignal) => Promise<Outcome>;
