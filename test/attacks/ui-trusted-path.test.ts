/*
 * ATTACK  A compromised UI process wants the password that the server asks for: it listens while suspended, closes the
 *         prompt under the user's hands (stop, death, flood), paints over it, or goes on running lines behind it.
 * DANGER  A certificate's password in a process that an attacker controls, on the screen, or in a transcript.
 * EXPECT  It sees not one byte of what is typed from the prompt to its answer's end, whatever it does.
 */
import { describe, expect, test } from "vitest";
import { fixture, poolFor, startShell } from "../session/interactive/shell.ts";

const prompt = "Password for the file: ";
const password = "correct horse battery";

/** Types the password key by key while the process carries out its plan; then everything that was ever painted. */
const enterPassword = async (plan: string) => {
  const shell = startShell();
  await shell.sees("> ");
  shell.type(`!plan ${plan}\rpassword\r`);
  const from = await shell.sees(prompt);
  for (const key of password.slice(0, 10)) shell.type(key);
  // Where its plan ends the process, the rest is typed when it has.
  if (plan === "die" || plan === "overflow") await expect.poll(() => shell.lost.length).toBe(1);
  for (const key of password.slice(10)) shell.type(key);
  shell.type("\r");
  return { shell, from };
};

describe("a UI process that", () => {
  test("listens while suspended hears nothing", async () => {
    const { shell, from } = await enterPassword("keep");
    await shell.sees("resumed, spied []", from);
    await expect(shell.sees("got a secret", from)).resolves.toBeGreaterThan(0);
  });

  test("stops the command while the password is typed gets none of the rest of it", async () => {
    // Another session of the same user, so of the same process, tells when the stop has arrived.
    const pool = poolFor(fixture("plain-ui.mts"), []);
    const other = startShell({ pool });
    await other.sees("> ");
    const shell = startShell({ pool });
    await shell.sees("> ");
    shell.type("!plan stop\rpassword\r");
    const from = await shell.sees(prompt);
    for (const key of password.slice(0, 10)) shell.type(key);
    await other.sees("stop sent");
    for (const key of password.slice(10)) shell.type(key);
    shell.type("\r");
    await shell.sees("resumed, spied []", from);
    await shell.sees("heard [] end 130 ", from);
    expect(shell.passwordsGiven()).toBe(0);
    // Whatever may still be on its way is there before the next answer.
    await shell.run("text");
    expect(shell.output()).not.toMatch(/correct|horse|battery/);
    expect(shell.events.map(({ type }) => type)).not.toContain("command-refused");
  });

  test("paints over the prompt is shown only when the prompt is answered", async () => {
    const { shell, from } = await enterPassword("paint");
    await shell.sees("got a secret", from);
    expect(shell.output().slice(from)).toMatch(/^\r\n\u001b\[2J\u001b\[HPassword, please: /);
  });

  test("dies while the password is typed: the password goes nowhere, the command is stopped, a fresh screen comes", async () => {
    const { shell, from } = await enterPassword("die");
    await shell.sees(
      "notice: The screen stopped and was started again. The command that was running was stopped.",
      from,
    );
    expect(await shell.run("text")).toContain("second line");
    expect(shell.events).toContainEqual(expect.objectContaining({ command: "password", outcome: "stopped" }));
    expect(shell.output()).not.toMatch(/correct|horse|battery|got a secret/);
    expect(shell.passwordsGiven()).toBe(0);
  });

  test("floods behind the prompt is ended, and nothing of its flood is shown", async () => {
    const { shell, from } = await enterPassword("overflow");
    expect(shell.lost).toMatchObject([{ cause: "breach", detail: "painted while suspended" }]);
    await shell.sees("notice: The screen stopped", from);
    expect(shell.output()).not.toMatch(/xxx|correct|horse|battery|got a secret/);
  });

  test("runs a line behind the prompt is ended", async () => {
    const shell = startShell();
    await shell.sees("> ");
    shell.type("!plan line\rpassword\r");
    await expect.poll(() => shell.lost).toMatchObject([{ cause: "breach", detail: "line out of turn" }]);
    shell.type(`${password}\r`);
    await shell.sees("notice: The screen stopped");
    expect(shell.output()).not.toMatch(/correct|horse|battery|got a secret/);
  });

  test("does not hand over the terminal does not get the keyboard either", async () => {
    const { shell, from } = await enterPassword("ignore");
    await shell.sees("resumed, spied []", from);
    await expect(shell.sees("got a secret", from)).resolves.toBeGreaterThan(0);
  });
});

test("what is typed between the command and its prompt does not reach the UI process", async () => {
  const shell = startShell();
  await shell.sees("> ");
  // The process doesn't answer `suspend`, so that there is a second for typing too early.
  shell.type("!plan ignore\rpassword\r");
  await expect.poll(() => shell.events.map(({ type }) => type)).toContain("command-started");
  const typing = setInterval(() => shell.type("early"), 20);
  const from = await shell.sees(prompt);
  clearInterval(typing);
  shell.type(`\u0015${password}\r`);
  await shell.sees("heard [] end 0", from);
  expect(shell.output()).not.toMatch(/early|correct|horse|battery/);
});

test("what is pasted behind a password's end goes nowhere", async () => {
  const shell = startShell();
  await shell.sees("> ");
  shell.type("password\r");
  const from = await shell.sees(prompt);
  shell.type("first part\rsecond part of it\r");
  await shell.sees("got a secret", from);
  await shell.run("text");
  expect(shell.output()).not.toContain("second part");
  expect(shell.events.filter(({ type }) => type === "command-refused")).toEqual([]);
});
