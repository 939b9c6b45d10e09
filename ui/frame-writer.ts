import { encodeFrame, frameKind, type FromUi } from "./protocol.ts";

/** Well below the longest frame; cut between characters, never inside one. */
const maximumPaintLength = 16 * 1024;

const pieces = (text: string): readonly string[] => {
  const parts: string[] = [];
  for (let at = 0; at < text.length;) {
    let end = Math.min(at + maximumPaintLength, text.length);
    // A surrogate pair stays whole: half a glyph would be no glyph.
    if (end < text.length && /[\ud800-\udbff]/.test(text[end - 1] ?? "")) end -= 1;
    parts.push(text.slice(at, end));
    at = end;
  }
  return parts;
};

export interface FrameWriter {
  /** What is painted on a session's terminal. */
  paint(session: number, text: string): void;
  send(session: number, message: FromUi): void;
}

/**
 * Gathers what one turn of the event loop says into one write, and what it paints on one terminal into one frame. The order stays.
 *
 * Ink writes a prompt in thirteen pieces, a key's echo in three; for each frame the server writes to the transcript, waits for
 * that, and sends an SSH packet.
 */
export const createFrameWriter = (write: (frames: Uint8Array) => void): FrameWriter => {
  const utf8 = new TextEncoder();
  let frames: Uint8Array[] = [];
  let painted: { readonly session: number; text: string } | undefined;
  let isComing = false;

  const framePainted = (): void => {
    if (painted === undefined) return;
    const { session, text } = painted;
    painted = undefined;
    for (const piece of pieces(text)) frames.push(encodeFrame(frameKind.terminal, session, utf8.encode(piece)));
  };
  const flush = (): void => {
    isComing = false;
    framePainted();
    const gathered = frames;
    frames = [];
    if (gathered.length > 0) write(Buffer.concat(gathered));
  };
  const flushSoon = (): void => {
    if (isComing) return;
    isComing = true;
    queueMicrotask(flush);
  };

  return {
    paint(session, text) {
      if (painted?.session === session) painted.text += text;
      else {
        framePainted();
        painted = { session, text };
      }
      flushSoon();
    },
    send(session, message) {
      framePainted();
      frames.push(encodeFrame(frameKind.message, session, utf8.encode(JSON.stringify(message))));
      flushSoon();
    },
  };
};
