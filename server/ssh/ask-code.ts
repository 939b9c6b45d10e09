import type { KeyboardAuthContext, Prompt } from "ssh2";
import type { Party } from "../identity/party.ts";
import type { CodeVerdict, SecondFactor } from "../identity/log-in.ts";

/** Nobody reads a code over a shoulder that isn't shown. */
const question: Prompt = { prompt: "Code: ", echo: false };

/** Longer than any code; what is longer is never looked at. */
const longestAnswer = 64;

/** One round of RFC 4256. @returns undefined when the client gave up, or answered with another number of texts than asked */
const round = (
  context: KeyboardAuthContext,
  words: string,
  prompts: Prompt[],
): Promise<readonly string[] | undefined> =>
  new Promise((resolve) => {
    context.prompt(prompts, "", words, (raw: unknown) => {
      // An Error when another request came in between (RFC 4252 §5), whatever the types say.
      const answers = Array.isArray(raw) ? raw.filter((answer) => typeof answer === "string") : undefined;
      resolve(answers?.length === prompts.length ? answers : undefined);
    });
  });

export interface CodeQuestion {
  readonly secondFactor: SecondFactor;
  readonly party: Party;
  /** Said above the question. */
  readonly hint: string | undefined;
}

/** Asks for a code and judges it. @returns undefined when there was no answer */
export const askForCode = async (
  context: KeyboardAuthContext,
  { secondFactor, party, hint }: CodeQuestion,
): Promise<CodeVerdict | undefined> => {
  const [answer] = (await round(context, hint ?? "", [question])) ?? [];
  if (answer === undefined) return undefined;
  if (answer.length > longestAnswer) return { kind: "refused", reason: "the code is wrong", detail: "too long" };
  return secondFactor.judge({ ...party, answer });
};

/** They are few, and whoever uses one should know how many are left. */
export const tellOfRecoveryCode = async (context: KeyboardAuthContext, left: number): Promise<void> => {
  const advice = left === 0 ? "None is left: ask for a new enrolment." : `${left} left.`;
  await round(context, `A recovery code was used. ${advice}`, []);
};
