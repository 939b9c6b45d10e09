import type { PasswordPurpose } from "../command/define-command.ts";
import { problemOfNewPassword } from "../model/new-password.ts";

/** Of what is asked for without an echo: a password, a code. */
export const longestHiddenLine = 1024;

/** Where there is a person: at one password, new or existing. */
const attemptsOfAPerson = 3;

/** Where a password is asked for. */
interface Asking {
  /** Whether somebody sees the questions: then a new password is asked for twice, and what is not good is asked for again. */
  readonly isPerson: boolean;
  /** @returns undefined when the line was longer than `longestHiddenLine` */
  readonly ask: (question: string) => Promise<string | undefined>;
  readonly say: (problem: string) => Promise<void>;
}

const tooLong = `A password has at most ${longestHiddenLine} characters; this line is longer.`;

/**
 * One password. A new one is judged when it was typed once: if it were refused back at a prompt, the next one would be typed there.
 *
 * @returns the password, or what was wrong with the last that was given
 */
export const takePassword = async (
  prompt: string,
  purpose: PasswordPurpose,
  { isPerson, ask, say }: Asking,
): Promise<{ readonly password: string } | { readonly problem: string }> => {
  const problemOf = async (given: string): Promise<string | undefined> => {
    if (purpose === "existing") return undefined;
    const problem = problemOfNewPassword(given);
    if (problem !== undefined || !isPerson) return problem;
    return (await ask(`${prompt}, again`)) === given ? undefined : "The two passwords differ.";
  };
  for (let left = isPerson ? attemptsOfAPerson : 1; ; left -= 1) {
    const given = await ask(prompt);
    const problem = given === undefined ? tooLong : await problemOf(given);
    if (given !== undefined && problem === undefined) return { password: given };
    if (left === 1) return { problem: problem ?? tooLong };
    await say(problem ?? tooLong);
  }
};
