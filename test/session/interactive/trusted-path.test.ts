import { expect, test } from "vitest";
import { startShell } from "./shell.ts";

const promptMark = "\u001b[7m ◆ demo asks \u001b[27m Password for the file: ";

test("a password reaches the command and neither the terminal, nor the transcript, nor the UI process", async () => {
  const shell = startShell();
  await shell.sees("> ");
  shell.type("password\r");
  await shell.sees(promptMark);
  const from = shell.output().length;
  for (const key of "hunter2!") shell.type(key);
  shell.type("\r");
  await shell.sees("end 0 0", from);
  const after = shell.output().slice(from);
  expect(after).toContain("got a secret");
  expect(after).toContain("resumed, spied []");
  expect(after.split("resumed")[0]?.replaceAll(/\s/g, "")).toBe("");
  shell.type("\u0004");
  await shell.result;
  expect(shell.transcript()).toContain("◆ demo asks");
  expect(shell.transcript()).not.toContain("hunter2");
});

test("what was typed before the prompt is not the password", async () => {
  const shell = startShell();
  await shell.sees("> ");
  shell.type("password\rtyped far too early\r");
  await shell.sees(promptMark);
  const from = shell.output().length;
  shell.type("\u0003");
  await expect(shell.sees("OperationStopped: Stopped.", from)).resolves.toBeGreaterThan(0);
});

test("two different passwords are asked for again", async () => {
  const shell = startShell();
  await shell.sees("> ");
  shell.type("password-twice\r");
  for (const [attempt, again] of ["Another-Horse-42", "Third-Horse-4242", "Correct-Horse-42"].entries()) {
    await shell.sees(new RegExp(`(?:Password for the file: [^]*){${attempt + 1}}`));
    shell.type("Correct-Horse-42\r");
    await shell.sees(new RegExp(`(?:Password for the file, again: [^]*){${attempt + 1}}`));
    shell.type(`${again}\r`);
  }
  await shell.sees("got a secret");
  expect(shell.output().match(/The two passwords differ\./g)?.length).toBe(2);
});

test("after three attempts without two equal passwords the command is refused, once Enter was pressed", async () => {
  const shell = startShell();
  await shell.sees("> ");
  shell.type("password-twice\r");
  for (let attempt = 1; attempt <= 3; attempt += 1) {
    await shell.sees(new RegExp(`(?:Password for the file: [^]*){${attempt}}`));
    shell.type("Correct-Horse-42\r");
    await shell.sees(new RegExp(`(?:Password for the file, again: [^]*){${attempt}}`));
    shell.type("Another-Horse-42\r");
  }
  await shell.sees("Press Enter to go back.");
  shell.type("Correct-Horse-42\r");
  await expect(
    shell.sees("InvalidArgument: No password was given: none of three attempts was good."),
  ).resolves.toBeGreaterThan(0);
});

test("a password that is too long is asked for again, not cut", async () => {
  const shell = startShell();
  await shell.sees("> ");
  shell.type("password\r");
  const from = await shell.sees(promptMark);
  shell.type(`${"x".repeat(1025)}\r`);
  await shell.sees(/at most 1024 characters[^]*Password for the file: /, from);
  shell.type("fits\r");
  await expect(shell.sees("got a secret")).resolves.toBeGreaterThan(0);
});

test("a confirmation echoes the answer to the terminal, and the transcript has none of it", async () => {
  const shell = startShell();
  await shell.sees("> ");
  shell.type("keys 30\r");
  const from = await shell.sees("Show 30 recovery keys? [y/N] ");
  shell.type("nx\u007f\u007fyes\r");
  await shell.sees("--more--", from);
  expect(shell.output().slice(from)).toMatch(/^nx\x08 \x08\x08 \x08yes\r\n/);
  shell.type("q");
  await shell.sees("end 130", from);
  shell.type("\u0004");
  await shell.result;
  expect(shell.transcript()).toMatch(/\[y\/N\] \r\n/);
  expect(shell.transcript()).not.toContain("yes");
});

test("Ctrl-C and Ctrl-D at a prompt stop the command and give the screen back", async () => {
  const shell = startShell();
  await shell.sees("> ");
  for (const key of ["\u0003", "\u0004"]) {
    const from = shell.output().length;
    shell.type("password\r");
    await shell.sees(promptMark, from);
    shell.type(key);
    await shell.sees("end 130 0", from);
  }
  expect(await shell.run("text")).toContain("second line");
});

test("a UI process that does not answer `suspend` holds the prompt up for a second only", async () => {
  const shell = startShell();
  await shell.sees("> ");
  shell.type("!plan ignore\r");
  shell.type("password\r");
  await shell.sees(promptMark);
  shell.type("pw\r");
  await shell.sees("got a secret");
  await expect(shell.sees("spied []")).resolves.toBeGreaterThan(0);
});

test("a warning while a prompt is open is painted by the server, and the prompt again after it", async () => {
  const shell = startShell({ dependencies: { idleTimeoutMs: 12_000 } });
  await shell.sees("> ");
  shell.type("password\r");
  const from = await shell.sees(promptMark);
  await shell.sees(`◆ This session ends in 6 seconds unless you type something.\r\n\r\u001b[0m`, from);
  await shell.sees("Password for the file: ", from);
  shell.type("pw\r");
  await expect(shell.sees("got a secret")).resolves.toBeGreaterThan(0);
});
