import type { Admitted } from "./admit.ts";
import { given } from "../command/given.ts";
import type { Answer, Delivery, KeyOffer } from "./delivery.ts";

type RowsAnswer = Extract<Answer, { kind: "rows" }>;

/**
 * A delivery whose command gives its turn up while it waits for a person: at a question, a password, a page. Meanwhile another
 * command of theirs may run, and their rights may go: what it does next it does by the rights of then.
 */
export const inTurns = (
  delivery: Delivery,
  { turn, grantedNow }: Pick<Admitted, "turn" | "grantedNow">,
  signal: AbortSignal,
): Delivery => {
  const whilePaused = async <T>(waiting: Promise<T>): Promise<T> => {
    turn.pause();
    const answer = await waiting;
    await turn.resume(signal);
    grantedNow();
    return answer;
  };

  async function* pages(batches: RowsAnswer["batches"]): RowsAnswer["batches"] {
    for await (const rows of batches) {
      // A page on a screen stays until its reader asks for the next.
      if (delivery.how === "interactive") turn.pause();
      yield rows;
      await turn.resume(signal);
      grantedNow();
    }
  }

  async function* pieces(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of chunks) {
      grantedNow();
      yield chunk;
    }
  }

  const paced = (answer: Answer): Answer => {
    switch (answer.kind) {
      case "rows":
        return { ...answer, batches: pages(answer.batches) };
      case "bytes":
        return { ...answer, chunks: pieces(answer.chunks) };
      case "transcript": {
        if (delivery.how === "interactive") turn.pause(); // it waits for a person from its first picture on
        const { transcript } = answer;
        const read: typeof transcript.read = async (from, longest) => {
          grantedNow();
          return transcript.read(from, longest);
        };
        return { ...answer, transcript: { ...transcript, read } };
      }
      case "text":
      case "session":
        return answer;
    }
  };

  const { choose } = delivery;
  /** Meanwhile a person reads: only to open a key does the command want its turn. */
  const inTurn =
    (open: () => Promise<string>): (() => Promise<string>) =>
    async () => {
      await turn.resume(signal);
      try {
        grantedNow();
        return await open();
      } finally {
        turn.pause();
      }
    };

  return {
    ...delivery,
    ...given({
      choose:
        choose &&
        ((offer: KeyOffer) =>
          whilePaused(choose({ ...offer, rows: offer.rows.map((row) => ({ ...row, open: inTurn(row.open) })) }))),
    }),
    confirmBulk: (count, secrets) => whilePaused(delivery.confirmBulk(count, secrets)),
    confirm: (question) => whilePaused(delivery.confirm(question)),
    askPassword: (prompt, purpose) => whilePaused(delivery.askPassword(prompt, purpose)),
    show: (answer) => delivery.show(paced(answer)),
  };
};
