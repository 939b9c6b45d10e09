/*
 * ATTACK  Leave the legal notice unanswered until the screen would be locked, and accept it then.
 * DANGER  The lock and the screen both take the terminal: keys run commands behind a lock that stands on the record and that
 *         nobody can open, and no password, confirmation or lock of the server is ever asked again.
 * EXPECT  There is nothing to lock before the first prompt. Once accepted, the session works, and locks like any other.
 */
import { expect, test } from "vitest";
import { stageLock } from "../harness/session-lock.ts";
import { startShell } from "../session/interactive/shell.ts";

const accept = "Type yes to accept: ";
const locked = "nothing was typed for long. Code: ";

test.each(["xterm-256color", "dumb"])("a notice that was left open is no lock that leaks (%s)", async (term) => {
  const { lock, states, code } = await stageLock();
  const shell = startShell({
    terminal: { columns: 80, rows: 24, term },
    dependencies: {
      noticeToAccept: "Authorised use only.\n",
      idleLockMs: 4_000,
      idleTimeoutMs: 3_600_000,
      lock,
    },
  });
  await shell.sees(accept);
  // Longer than it takes until it would be locked: that nothing happens can't be waited for otherwise.
  await new Promise((resolve) => setTimeout(resolve, 4_500));
  expect(shell.output()).not.toContain("locked in");
  shell.type("yes\r");
  const begun = await shell.sees("Welcome");
  expect(states).toEqual([]);
  shell.type("password\r");
  await shell.sees("Password for the file: ", begun);
  shell.type("secret\r");
  await shell.sees("got a secret", begun);
  await shell.sees(locked, begun);
  await expect.poll(() => states).toEqual(["locked"]);
  shell.type(`${code()}\r`);
  await expect.poll(() => states).toEqual(["locked", "unlocked"]);
});
