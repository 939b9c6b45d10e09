import type { OpenedTranscript } from "../../command/transcript-port.ts";
import { EndpointError } from "../../errors.ts";
import { orStopped } from "../../or-stopped.ts";
import { label } from "./screen-text.ts";
import type { ScreenFace } from "./screen.ts";

/** What a seek replays at most. A frame of it, base64 included, is well below the largest. */
const pieceBytes = 256 * 1024;

type Asked = { readonly type: "fetch"; readonly from: number } | { readonly type: "watched" };

/**
 * Whose turn it is while a transcript is watched: the UI process asks for one piece at a time, of a transcript that it was told of,
 * and for no byte behind its end.
 */
export class TranscriptTurns {
  #sizeBytes: number | undefined;
  #asked: Asked | undefined;
  #wake: PromiseWithResolvers<void> | undefined;
  #outstanding = false;

  get isOpen(): boolean {
    return this.#sizeBytes !== undefined;
  }

  /** From now on the UI process may ask. */
  open(sizeBytes: number): void {
    this.#sizeBytes = sizeBytes;
  }

  /** @returns false when it was not its turn */
  take(message: Asked): boolean {
    if (this.#sizeBytes === undefined || this.#asked?.type === "watched") return false;
    if (message.type === "fetch" && (this.#outstanding || message.from >= this.#sizeBytes)) return false;
    this.#outstanding = true;
    this.#asked = message;
    this.#wake?.resolve();
    return true;
  }

  /** @returns the byte from which to send, or undefined when the user has seen enough */
  async next(signal: AbortSignal): Promise<number | undefined> {
    const wake = Promise.withResolvers<void>();
    this.#wake = wake;
    if (this.#asked !== undefined) wake.resolve();
    await orStopped(wake.promise, signal);
    const asked = this.#asked;
    if (asked?.type !== "fetch") return undefined;
    this.#asked = undefined;
    return asked.from;
  }

  /** The piece is on its way: the next one may be asked for. */
  answering(): void {
    this.#outstanding = false;
  }
}

/** Gives a screen the pieces of a transcript that it asks for, until the user has seen enough. */
export const feedTranscript = async (
  transcript: OpenedTranscript,
  turns: TranscriptTurns,
  {
    answerId: id,
    face,
    signal,
  }: { readonly answerId: number; readonly face: ScreenFace; readonly signal: AbortSignal },
): Promise<void> => {
  const { sizeBytes } = transcript;
  turns.open(sizeBytes);
  await face.ui.send({ type: "transcript", id, sessionId: label(transcript.sessionId), bytes: sizeBytes });
  for (;;) {
    const from = await turns.next(signal);
    if (from === undefined) return;
    const bytes = await transcript.read(from, pieceBytes);
    if (bytes.length === 0) {
      throw new EndpointError(
        "ResourceUnavailable",
        "The transcript became shorter while it was shown. Tell your administrator.",
      );
    }
    turns.answering();
    await face.ui.send({ type: "piece", id, from, base64: Buffer.from(bytes).toString("base64") });
  }
};
