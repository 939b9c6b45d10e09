/**
 * What the server and a UI process say to each other, over two plain pipes (the UI process's stdin and stdout).
 *
 * One ordered stream each way, not pipes for bytes plus IPC for messages as first sketched: glyphs are released by a
 * message that must not overtake the painted bytes that still use them.
 *
 * A frame: u32 big-endian payload length, u8 kind (0 terminal bytes, 1 JSON message), u32 session number, payload.
 * Session 0 is the process itself (`ready`, `ping`, `pong`).
 */

/** A command for completion and inline validation: only what this user may run. */
export interface UiCommand {
  readonly name: string;
  readonly aliases: readonly string[];
  readonly synopsis: string;
  /** It stands after a pipe, and nowhere else. */
  readonly shaping: boolean;
  readonly parameters: readonly {
    readonly name: string;
    readonly synopsis: string;
    readonly kind: "switch" | "value" | "list";
    readonly placeholder: string;
    readonly values?: readonly string[];
  }[];
  /** How keys are looked up with it; absent where this user may not. */
  readonly lookUp?: UiLookUp;
}

/** What a look-up has to know of its user's roles. */
export interface UiLookUp {
  readonly minimumNameCharacters: number;
  readonly minimumIdCharacters: number;
  /** Absent where no reason can be given. */
  readonly reason?: {
    readonly offered: readonly string[];
    readonly isNeeded: boolean;
    /** No other words than those that are offered. */
    readonly isListed: boolean;
  };
}

/** A key that a piece was found in; never the recovery key. */
export interface UiCandidate {
  readonly computerName: string;
  readonly volumeType: string;
  readonly keyId: string;
  /** ISO 8601; may be empty, as `state`. */
  readonly updated: string;
  readonly state: string;
}

export interface UiColumn {
  readonly name: string;
  readonly width: number;
  readonly secret: boolean;
}

/** Server → UI process. */
export type ToUi =
  | {
      readonly type: "open";
      readonly columns: number;
      readonly rows: number;
      readonly connectedUser: string;
      readonly endpointName: string;
      /** Shown above the first prompt; may be empty. */
      readonly welcome: string;
      readonly commands: readonly UiCommand[];
    }
  | { readonly type: "resize"; readonly columns: number; readonly rows: number }
  /** The user's rights changed. */
  | { readonly type: "commands"; readonly commands: readonly UiCommand[] }
  /** Leave the screen to the server: erase the live part, answer `suspended`, paint nothing until `resume`. */
  | { readonly type: "suspend" }
  | { readonly type: "resume" }
  /** Parts of the answer to the line `id`, in order: any number of `table`/`rows`/`text`/`error`, then one `end`. */
  | { readonly type: "table"; readonly id: number; readonly columns: readonly UiColumn[]; readonly list: boolean }
  /** A page of rows; a recovery key is a run of glyphs of its own width. `more`: answer `more` or `stop` to go on. */
  | {
      readonly type: "rows";
      readonly id: number;
      readonly rows: readonly (readonly string[])[];
      readonly more: boolean;
    }
  /** Rows to choose from, after those that came before. None of them holds a key, nor a glyph. */
  | {
      readonly type: "offer";
      readonly id: number;
      readonly columns: readonly UiColumn[];
      readonly rows: readonly (readonly string[])[];
    }
  /** Answer `chosen`. Comes again when the key that was chosen is off the screen. */
  | { readonly type: "choose"; readonly id: number }
  | { readonly type: "text"; readonly id: number; readonly text: string }
  | { readonly type: "error"; readonly id: number; readonly category: string; readonly message: string }
  | {
      readonly type: "end";
      readonly id: number;
      readonly exitStatus: number;
      readonly rowCount: number;
      /** What the screen itself should do. */
      readonly action?: "clear" | "exit";
    }
  /** The answer is a transcript of so many bytes: asciicast v3, asked for piece by piece. */
  | { readonly type: "transcript"; readonly id: number; readonly sessionId: string; readonly bytes: number }
  /** What was asked for by `fetch`: bytes from there on, base64 (a piece may begin and end inside a character). */
  | { readonly type: "piece"; readonly id: number; readonly from: number; readonly base64: string }
  /** What was found for a `look-up`; a newer one leaves an older one without. `message`: there are more, or why there is none. */
  | {
      readonly type: "candidates";
      readonly piece: string;
      /** ISO 8601: when. */
      readonly at: string;
      readonly rows: readonly UiCandidate[];
      readonly message: string;
    }
  /** Nothing more will be typed: run the lines that wait, then `leave`. */
  | { readonly type: "input-over" }
  /** A line from the server to the user at any time (shutdown, idle warning). */
  | { readonly type: "notice"; readonly text: string }
  | { readonly type: "close" }
  | { readonly type: "ping"; readonly nonce: number };

/** UI process → server. Everything in it is untrusted: decoded, bounded, and out of turn means the process is killed. */
export type FromUi =
  /** Once, on session 0: the process is loaded. */
  | { readonly type: "ready" }
  | { readonly type: "pong"; readonly nonce: number }
  /** Run this line. One at a time: not before the last one's `end`. */
  | { readonly type: "line"; readonly id: number; readonly text: string }
  /** Which keys have this in their id or in their computer's name? Not while a line runs. */
  | { readonly type: "look-up"; readonly piece: string }
  /** The next page of the answer `id`. */
  | { readonly type: "more"; readonly id: number }
  /** The row of the answer `id` whose key is to be shown, from 0; `null`: no more. */
  | { readonly type: "chosen"; readonly id: number; readonly row: number | null }
  /** The piece of the transcript `id` that begins at this byte. One at a time. */
  | { readonly type: "fetch"; readonly id: number; readonly from: number }
  /** Enough of the transcript `id`. */
  | { readonly type: "watched"; readonly id: number }
  /** Stop the answer `id`: Ctrl-C while it runs, or `q` at a page. */
  | { readonly type: "stop"; readonly id: number }
  /** Nothing painted from now on uses glyphs of the answers up to and including `id`. */
  | { readonly type: "released"; readonly id: number }
  | { readonly type: "suspended" }
  /** The user left (Ctrl-D on an empty line). */
  | { readonly type: "leave" };

export const frameKind = { terminal: 0, message: 1 } as const;
export type FrameKind = (typeof frameKind)[keyof typeof frameKind];

export interface Frame {
  readonly kind: FrameKind;
  readonly session: number;
  readonly payload: Uint8Array;
}

const headerBytes = 9;
/** Larger than any honest frame: a page of rows is well below it. */
const maximumFrameBytes = 1024 * 1024;

export const encodeFrame = (kind: FrameKind, session: number, payload: Uint8Array): Uint8Array => {
  const frame = new Uint8Array(headerBytes + payload.length);
  const view = new DataView(frame.buffer);
  view.setUint32(0, payload.length);
  view.setUint8(4, kind);
  view.setUint32(5, session);
  frame.set(payload, headerBytes);
  return frame;
};

/** Pieces of a text, none longer than a frame or message is to be. A surrogate pair stays whole: half a glyph would be no glyph. */
export const piecesOf = (text: string, longest: number): readonly string[] => {
  const pieces: string[] = [];
  for (let at = 0; at < text.length;) {
    let end = Math.min(at + longest, text.length);
    if (end < text.length && /[\ud800-\udbff]/.test(text[end - 1] ?? "")) end -= 1;
    pieces.push(text.slice(at, end));
    at = end;
  }
  return pieces;
};

/**
 * Cuts a byte stream into frames. Throws a RangeError on a length or kind that no honest peer sends.
 * Work is linear in the bytes read: a peer that sends a large frame one byte at a time costs no copy of what came before.
 */
export const createFrameReader = (): ((chunk: Uint8Array) => Frame[]) => {
  let buffer = new Uint8Array(64 * 1024);
  let held = 0;
  return (chunk) => {
    if (held + chunk.length > buffer.length) {
      const larger = new Uint8Array(Math.max(buffer.length * 2, held + chunk.length));
      larger.set(buffer.subarray(0, held));
      buffer = larger;
    }
    buffer.set(chunk, held);
    held += chunk.length;
    const view = new DataView(buffer.buffer);
    const frames: Frame[] = [];
    let at = 0;
    while (held - at >= headerBytes) {
      const length = view.getUint32(at);
      const kind = view.getUint8(at + 4);
      if (length > maximumFrameBytes) throw new RangeError(`frame of ${length} bytes`);
      if (kind !== frameKind.terminal && kind !== frameKind.message) throw new RangeError(`frame kind ${kind}`);
      if (held - at < headerBytes + length) break;
      frames.push({
        kind,
        session: view.getUint32(at + 5),
        payload: buffer.slice(at + headerBytes, at + headerBytes + length),
      });
      at += headerBytes + length;
    }
    if (at > 0) {
      buffer.copyWithin(0, at, held);
      held -= at;
    }
    return frames;
  };
};
