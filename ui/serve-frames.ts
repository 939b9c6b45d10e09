import { decodeToUi } from "./decode-message.ts";
import { createFrameReader, encodeFrame, type Frame, frameKind, type FromUi } from "./protocol.ts";
import { createFakeTty } from "./screen/fake-tty.ts";
import { createPainter } from "./screen/painter.tsx";
import type { Clock } from "./clock.ts";
import { Session } from "./session.ts";

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

/** Sessions of one user in one process; more than anybody opens, and a bound. */
const maximumSessions = 64;

/**
 * The process's one job: frames in, frames out. The returned function takes a chunk of standard input and throws on
 * anything that an honest server doesn't send.
 *
 * @param write one frame, in order with all others
 * @param onLost a screen could not be painted any more
 */
export const serveFrames = (options: {
  readonly write: (frame: Uint8Array) => void;
  readonly clock: Clock;
  readonly color: boolean;
  readonly onLost: () => void;
}): ((chunk: Uint8Array) => void) => {
  const { write, clock, color, onLost } = options;
  const utf8 = new TextEncoder();
  const read = createFrameReader();
  const sessions = new Map<number, Session>();

  const send = (session: number, message: FromUi): void =>
    write(encodeFrame(frameKind.message, session, utf8.encode(JSON.stringify(message))));

  const open = (number: number, message: Parameters<typeof createSession>[1]): void => {
    if (number === 0 || sessions.has(number) || sessions.size >= maximumSessions)
      throw new RangeError(`session ${number} can't be opened`);
    sessions.set(number, createSession(number, message));
  };

  const createSession = (number: number, message: ConstructorParameters<typeof Session>[0]): Session => {
    const tty = createFakeTty(message, (text) => {
      for (const piece of pieces(text)) write(encodeFrame(frameKind.terminal, number, utf8.encode(piece)));
    });
    return new Session(message, {
      painter: createPainter(tty, color, onLost),
      send: (answer) => send(number, answer),
      clock,
      size: () => tty.size,
    });
  };

  const receive = ({ kind, session: number, payload }: Frame): void => {
    const session = sessions.get(number);
    if (kind === frameKind.terminal) {
      // Bytes for a session that has just been closed may still be on their way.
      session?.receiveBytes(payload);
      return;
    }
    const message = decodeToUi(payload);
    if (message.type === "ping") send(number, { type: "pong", nonce: message.nonce });
    else if (message.type === "open") open(number, message);
    else if (message.type === "close") {
      sessions.delete(number);
      session?.close();
    } else session?.receive(message);
  };

  send(0, { type: "ready" });
  return (chunk) => {
    const touched = new Set<number>();
    for (const frame of read(chunk)) {
      receive(frame);
      touched.add(frame.session);
    }
    for (const number of touched) sessions.get(number)?.paint();
  };
};
