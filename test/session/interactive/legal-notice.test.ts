import { expect, test } from "vitest";
import { EndpointError } from "../../../server/errors.ts";
import { startShell } from "./shell.ts";
import type { Shell } from "./shell.ts";

const dumb = { columns: 80, rows: 24, term: "dumb" };
const question = "Type yes to accept: ";

const startAsking = (options: Parameters<typeof startShell>[0] = {}): { shell: Shell; answers: string[] } => {
  const answers: string[] = [];
  const shell = startShell({
    ...options,
    dependencies: {
      noticeToAccept: "Authorised use only.\nEverything is recorded.\n",
      onNoticeAnswered: async (answer) => void answers.push(answer),
      ...options.dependencies,
    },
  });
  return { shell, answers };
};

test.each([{ term: "xterm-256color" }, { term: "dumb" }])(
  "before the first prompt the notice stands on the trusted path, and yes lets in ($term)",
  async ({ term }) => {
    const { shell, answers } = startAsking({ terminal: { columns: 80, rows: 24, term } });
    await shell.sees(question);
    expect(shell.output()).toContain("◆ Authorised use only.\r\n◆ Everything is recorded.\r\n");
    expect(shell.output()).not.toMatch(/Welcome|PS alice|> /);
    shell.type(" Yes \r");
    await shell.sees("> ");
    expect(answers).toEqual(["accepted"]);
    // What was answered is in no transcript; that it was asked is.
    expect(shell.transcript()).toContain(question);
    expect(shell.transcript()).not.toContain("Yes");
  },
);

test.each([
  ["three other answers", "y\rno\r\r"],
  ["Ctrl-C", "\u0003"],
  ["Ctrl-D", "\u0004"],
])("%s end the session, on the record, and no UI process ever starts", async (_what, typed) => {
  const { shell, answers } = startAsking();
  await shell.sees(question);
  for (const key of typed) {
    const from = shell.output().length;
    shell.type(key);
    if (key === "\r") await shell.sees(/asks|not accepted/, from);
  }
  await expect(shell.result).resolves.toMatchObject({ exitStatus: 130, reason: "notice declined" });
  expect(shell.output()).toContain("◆ The notice was not accepted, so the session was ended.");
  expect(answers).toEqual(["declined"]);
  expect(shell.output()).not.toContain("Welcome");
});

test("an answer that can't be recorded lets nobody in", async () => {
  const { shell } = startAsking({
    dependencies: { onNoticeAnswered: () => Promise.reject(new EndpointError("AuditUnavailable", "no space left")) },
  });
  await shell.sees(question);
  shell.type("yes\r");
  await expect(shell.result).resolves.toMatchObject({ exitStatus: 254 });
  expect(shell.output()).not.toContain("Welcome");
});

test("a script without a terminal answers with its first line", async () => {
  const { shell, answers } = startAsking({ terminal: undefined });
  shell.type("yes\ntext\n");
  await shell.sees("second line");
  expect(answers).toEqual(["accepted"]);
});

test("plain lines: declining ends the session before a prompt", async () => {
  const { shell } = startAsking({ terminal: dumb });
  await shell.sees(question);
  shell.type("\u0003");
  await expect(shell.result).resolves.toMatchObject({ exitStatus: 130, reason: "notice declined" });
  expect(shell.output()).not.toContain("PS alice");
});
