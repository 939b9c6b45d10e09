/** A paste of many short lines is the most an honest UI sends. */
const messagesPerSecond = 500;
/** Terminal output above this rate is not read for a while: a flooding UI takes only so much of the server's time. */
const bytesPerSecond = 4 * 1024 * 1024;

export interface Spent {
  readonly tooManyMessages: boolean;
  /** How long not to read. */
  readonly waitMs: number;
}

/** Two buckets that fill with time: of messages, above which the peer is not honest, and of bytes, above which it waits. */
export const createReadingAllowance = (): ((messages: number, bytes: number, nowMs: number) => Spent) => {
  let messagesLeft = messagesPerSecond;
  let bytesLeft = bytesPerSecond;
  let lastMs: number | undefined;
  return (messages, bytes, nowMs) => {
    const seconds = (nowMs - (lastMs ?? nowMs)) / 1000;
    lastMs = nowMs;
    messagesLeft = Math.min(messagesPerSecond, messagesLeft + seconds * messagesPerSecond) - messages;
    bytesLeft = Math.min(bytesPerSecond, bytesLeft + seconds * bytesPerSecond) - bytes;
    return { tooManyMessages: messagesLeft < 0, waitMs: bytesLeft < 0 ? (-bytesLeft / bytesPerSecond) * 1000 : 0 };
  };
};
