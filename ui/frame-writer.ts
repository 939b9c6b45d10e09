import { encodeFrame, frameKind, type FromUi, piecesOf } from "./protocol.ts";

/** Well below the longest frame. */
const maximumPaintLength = 16 * 1024;

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
    for (const piece of piecesOf(text, maximumPaintLength))
      frames.push(encodeFrame(frameKind.terminal, session, utf8.encode(piece)));
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
