import { decodeToUi } from "./decode-message.ts";
import { createFrameWriter } from "./frame-writer.ts";
import { createFrameReader, type Frame, frameKind } from "./protocol.ts";
import { createFakeTty } from "./screen/fake-tty.ts";
import { createPainter } from "./screen/painter.tsx";
import type { Clock } from "./clock.ts";
import { Session } from "./session.ts";

/** Sessions of one user in one process; more than anybody opens, and a bound. */
const maximumSessions = 64;

/**
 * The process's one job: frames in, frames out. The returned function takes a chunk of standard input and throws on
 * anything that an honest server doesn't send.
 *
 * @param write whole frames, in order
 * @param onLost a screen could not be painted any more
 * @param onOpen a screen is being opened
 */
export const serveFrames = (options: {
  readonly write: (frame: Uint8Array) => void;
  readonly clock: Clock;
  readonly color: boolean;
  readonly onLost: () => void;
  readonly onOpen?: () => void;
}): ((chunk: Uint8Array) => void) => {
  const { clock, color, onLost } = options;
  const writer = createFrameWriter(options.write);
  const read = createFrameReader();
  const sessions = new Map<number, Session>();

  const open = (number: number, message: Parameters<typeof createSession>[1]): void => {
    if (number === 0 || sessions.has(number) || sessions.size >= maximumSessions)
      throw new RangeError(`session ${number} can't be opened`);
    options.onOpen?.();
    sessions.set(number, createSession(number, message));
  };

  const createSession = (number: number, message: ConstructorParameters<typeof Session>[0]): Session => {
    const tty = createFakeTty(message, (text) => writer.paint(number, text));
    return new Session(message, {
      painter: createPainter(tty, color, onLost),
      send: (answer) => writer.send(number, answer),
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
    if (message.type === "ping") writer.send(number, { type: "pong", nonce: message.nonce });
    else if (message.type === "open") open(number, message);
    else if (message.type === "close") {
      sessions.delete(number);
      session?.close();
    } else session?.receive(message);
  };

  writer.send(0, { type: "ready" });
  return (chunk) => {
    const touched = new Set<number>();
    for (const frame of read(chunk)) {
      receive(frame);
      touched.add(frame.session);
    }
    for (const number of touched) sessions.get(number)?.paint();
  };
};
