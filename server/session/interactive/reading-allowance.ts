/** A paste of many short lines is the most an honest UI sends. */
const messagesPerSecond = 500;
/** Terminal output above this rate is not read for a while: a flooding UI takes only so much of the server's time. */
const bytesPerSecond = 4 * 1024 * 1024;
/** What a frame takes of that besides its bytes: it is painted, recorded and sent by itself. An honest UI makes one a turn of its loop. */
const bytesPerFrame = 2 * 1024;

export interface Spent {
  readonly tooManyMessages: boolean;
  /** How long not to read. */
  readonly waitMs: number;
}

export interface Received {
  readonly messages: number;
  /** Messages among them. */
  readonly frames: number;
  readonly bytes: number;
}

/** Two buckets that fill with time: of messages, above which the peer is not honest, and of bytes, above which it waits. */
export const createReadingAllowance = (): ((received: Received, nowMs: number) => Spent) => {
  let messagesLeft = messagesPerSecond;
  let bytesLeft = bytesPerSecond;
  let lastMs: number | undefined;
  return ({ messages, frames, bytes }, nowMs) => {
    const seconds = (nowMs - (lastMs ?? nowMs)) / 1000;
    lastMs = nowMs;
    messagesLeft = Math.min(messagesPerSecond, messagesLeft + seconds * messagesPerSecond) - messages;
    bytesLeft = Math.min(bytesPerSecond, bytesLeft + seconds * bytesPerSecond) - bytes - frames * bytesPerFrame;
    return { tooManyMessages: messagesLeft < 0, waitMs: bytesLeft < 0 ? (-bytesLeft / bytesPerSecond) * 1000 : 0 };
  };
};
