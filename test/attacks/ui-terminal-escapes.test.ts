/*
 * ATTACK  A compromised UI process writes terminal sequences that make the user's terminal answer, take the clipboard,
 *         change its title or modes, and paints a prompt that looks like the server's own.
 * DANGER  What a terminal answers is typed input: a command nobody typed. A password given to a false prompt.
 * EXPECT  Only colours, cursor movement, erasing and three modes reach the terminal; the mark and reverse video never do.
 */
import headless from "@xterm/headless";
import { expect, test } from "vitest";
import { startShell } from "../session/interactive/shell.ts";

test("no query, clipboard, title or mode sequence reaches the terminal, so it never types back", async () => {
  const shell = startShell();
  await shell.sees("> ");
  const from = shell.output().length;
  shell.type("!queries\r");
  await shell.sees("quiet> ", from);
  expect(shell.output().slice(from)).toBe("!queries\r\nquiet> ");
  const terminal = new headless.Terminal({ cols: 80, rows: 24, allowProposedApi: true });
  const answers: string[] = [];
  terminal.onData((answer) => answers.push(answer));
  await new Promise<void>((resolve) => terminal.write(shell.output(), resolve));
  expect(answers).toEqual([]);
  // The terminal of this test does answer when it is asked.
  await new Promise<void>((resolve) => terminal.write("\u001b[6n", resolve));
  expect(answers.length).toBe(1);
  terminal.dispose();
});

test("a prompt painted by the UI process has neither the mark, nor reverse video, nor a background", async () => {
  const shell = startShell();
  await shell.sees("> ");
  const from = shell.output().length;
  shell.type("!fake-prompt\r");
  await shell.sees("Password: ", from);
  const painted = shell.output().slice(from);
  expect(painted).not.toContain("◆");
  expect(painted).toContain("\u001b[4m  demo asks \u001b[24m \u001b[33;4mPassword: \u001b[0m");
});
