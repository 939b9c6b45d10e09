import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ToUi, UiCommand } from "../../../ui/protocol.ts";
import { commands, openAt } from "../fixtures.ts";
import { buildBundle, type TestSession, UiProcess } from "../ui-process.ts";
import { at, candidates, rights } from "./fixtures.ts";

let built: Awaited<ReturnType<typeof buildBundle>>;
beforeAll(async () => {
  built = await buildBundle();
});
afterAll(() => built.remove());

const f2 = "\u001bOQ";
const mine = commands.map((command) =>
  command.name === "Get-RecoveryKeys" ? { ...command, lookUp: rights } : command,
);

const start = async (columns = 80, rows = 24, own: readonly UiCommand[] = mine) => {
  const ui = new UiProcess(built.bundle);
  const session = ui.open(1, openAt(columns, rows, { commands: own }));
  await ui.until(() => session.screen.includes(">"), "prompt");
  return { ui, session };
};

const asked = (session: TestSession): readonly string[] => session.messagesOf("look-up").map(({ piece }) => piece);
const answer = (piece: string, more: Partial<ToUi & { type: "candidates" }> = {}): ToUi => ({
  type: "candidates",
  piece,
  at,
  rows: candidates,
  message: "",
  ...more,
});

/** Types what is to be looked up, and waits until it is asked. */
const lookUp = async ({ ui, session }: Awaited<ReturnType<typeof start>>, piece: string): Promise<void> => {
  session.type(piece);
  await ui.until(() => asked(session).at(-1) === piece, `${piece} is asked`);
};

/** Each step's screen goes into the golden file as a person would see it. */
const tour = async (columns: number, rows: number): Promise<string> => {
  const stage = await start(columns, rows);
  const { ui, session } = stage;
  const steps: string[] = [];
  const see = async (name: string): Promise<void> => {
    await ui.settled();
    const { x, y } = session.cursor;
    expect(session.screen.split("\n").length, name).toBeLessThan(rows);
    steps.push(`=== ${name} (cursor ${x},${y})\n${session.screen}\n`);
  };
  const again = async (): Promise<void> => {
    session.type("\u0003\u000c");
    await ui.settled();
    session.type(f2);
  };
  await see("the prompt says how");
  session.type("3A78B34B");
  await see("digits typed at the prompt");
  session.type("\u0015");
  session.type(f2);
  await see("F2");
  session.type("3A");
  await see("too little");
  session.type("*");
  await see("a character that no name has");
  session.type("\u007f");
  session.type("78");
  await ui.until(() => asked(session).length === 1, "asked");
  session.tell(answer("3A78"));
  await see("candidates");
  session.type("\u001b[B");
  await see("the second is chosen");
  session.type("B34");
  await see("narrowed without a question");
  session.type("\r");
  await see("the reason");
  session.type("\r");
  await see("a reason is needed");
  session.type("lost");
  await see("by first letters");
  session.type("\u001b[B\r");
  await ui.until(() => session.messagesOf("line").length === 1, "line");
  await see("the line runs as if it had been typed");
  session.tell({ type: "error", id: 1, category: "LimitsExceeded", message: "You were shown 100 keys." });
  session.tell({ type: "end", id: 1, exitStatus: 5, rowCount: 0 });
  await again();
  await lookUp(stage, "LAP");
  const many = Array.from({ length: 10 }, (_, index) => ({
    ...(candidates[index % 3] ?? { volumeType: "", updated: "", state: "" }),
    computerName: `LAPTOP-${index}.branch-office.corp.example`,
    keyId: `0000000${index}-AAAA-4222-8333-0123456789AB`,
  }));
  session.tell(answer("LAP", { rows: many, message: "There are more than these 10: a longer piece leaves fewer." }));
  await see("more than fit");
  session.type("\u001b[6~\u001b[6~\r\u001b[B");
  await see("the last reason is offered, the last candidate chosen");
  await again();
  await lookUp(stage, "nobody");
  session.tell(answer("nobody", { rows: [] }));
  await see("nothing");
  for (const [piece, name] of [
    ["3A7", "too short for an id, and in no name"],
    ["7F1OAA22", "the letter O for a zero"],
  ] as const) {
    await again();
    await lookUp(stage, piece);
    session.tell(answer(piece, { rows: [] }));
    await see(name);
  }
  await again();
  await lookUp(stage, "0000");
  const message = "You searched 200 times within the last hour, and your role operator allows 200 (search.perHour).";
  session.tell(answer("0000", { rows: [], message }));
  await see("a limit");
  await again();
  await lookUp(stage, "3A78");
  const hostile = { computerName: "日本\u001b[31mX\u0007", keyId: "3A78", volumeType: "", updated: "", state: "" };
  session.tell(answer("3A78", { rows: [hostile] }));
  await see("a hostile name");
  ui.kill();
  return steps.join("\n");
};

describe("what a person sees of a look-up", () => {
  test.each([
    [80, 24],
    [40, 10],
    [100, 30],
  ])("at %ix%i", async (columns, rows) => {
    await expect(await tour(columns, rows)).toMatchFileSnapshot(`../../golden/look-up-${columns}x${rows}.txt`);
  });
});

describe("a look-up", () => {
  test("never stands taller than the screen, down to a few cells", async () => {
    const stage = await start();
    const { ui, session } = stage;
    session.type(f2);
    await lookUp(stage, "3A78");
    session.tell(answer("3A78", { message: "There are more than these 3: a longer piece leaves fewer." }));
    for (const keys of ["", "\r"]) {
      session.type(keys);
      for (const [columns, rows] of [
        [10, 3],
        [1, 1],
        [2, 60],
        [200, 2],
        [20, 5],
      ] as const) {
        session.tell({ type: "resize", columns, rows });
        await ui.settled();
        expect(session.screen.split("\n").length).toBeLessThanOrEqual(Math.max(1, rows - 1));
      }
    }
    session.tell({ type: "resize", columns: 80, rows: 24 });
    await ui.until(() => session.screen.includes("Reason:"), "reason");
    ui.kill();
  });

  test("asks once for what is typed without a rest, and paints one frame for an answer", async () => {
    const stage = await start();
    const { ui, session } = stage;
    session.type(f2);
    // In one go: on a busy machine digits that are sent apart may come with a rest between them.
    session.type("3A78B34B");
    await ui.until(() => asked(session).length === 1, "asked");
    await ui.settled();
    const before = session.log.length;
    session.tell(answer("3A78B34B", { rows: candidates.slice(0, 1) }));
    await ui.until(() => session.screen.includes("1 key found."), "found");
    expect([asked(session), session.log.length - before]).toEqual([["3A78B34B"], 1]);
    ui.kill();
  });

  test("takes the piece that stands at the prompt, and gives it back with Esc", async () => {
    const { ui, session } = await start();
    session.type(`3A78B34B${f2}`);
    await ui.until(() => asked(session).length === 1, "asked at once");
    session.tell(answer("3A78B34B", { rows: candidates.slice(0, 1) }));
    await ui.until(() => session.screen.includes("1 key found."), "found");
    session.type("\u0003");
    await ui.until(() => session.screen.includes("PS support@pep> 3A78B34B"), "the prompt as it was");
    session.type(f2);
    await ui.until(() => asked(session).length === 2, "asked again");
    session.tell(answer("3A78B34B", { rows: candidates.slice(0, 1) }));
    for (const key of ["\r", "4", "\r"]) session.type(key);
    await ui.until(() => session.messagesOf("line").length === 1, "line");
    session.tell({ type: "end", id: 1, exitStatus: 0, rowCount: 0 });
    await ui.until(() => /PS support@pep>\s*$/.test(session.screen), "an empty prompt");
    session.type("\u001b[A");
    await ui.until(() => session.screen.split("-RecoveryKeyId 3A78B34B").length === 3, "learnt");
    expect(session.messagesOf("line").map(({ text }) => text)).toEqual([
      `Get-RecoveryKeys -RecoveryKeyId ${candidates[0]?.keyId} -Reason 'Lost PIN'`,
    ]);
    ui.kill();
  });

  test("leaves another line at the prompt, whatever comes of it", async () => {
    const { ui, session } = await start();
    session.type(`Get-Command -x${f2}`);
    await ui.until(() => session.screen.includes("Look up:"), "look-up");
    session.type("3A78");
    session.type("\r");
    await ui.until(() => asked(session).length === 1, "asked at once");
    session.tell(answer("3A78"));
    for (const key of ["\r", "4", "\r"]) session.type(key);
    await ui.until(() => session.messagesOf("line").length === 1, "line");
    session.tell({ type: "end", id: 1, exitStatus: 0, rowCount: 0 });
    await ui.until(
      () => session.screen.endsWith("PS support@pep> Get-Command -x\nGet-Command has no parameter -x."),
      "the line",
    );
    expect(session.messagesOf("line")).toHaveLength(1);
    ui.kill();
  });

  test("says in one line that a role has none", async () => {
    const { ui, session } = await start(80, 24, commands);
    session.type(f2);
    await ui.until(() => session.screen.includes("look-up"), "notice");
    expect([session.screen, asked(session)]).toEqual(["! Your role has no look-up.\nPS support@pep>", []]);
    ui.kill();
  });

  test("is not opened while a line runs, and closed when the server takes the terminal", async () => {
    const { ui, session } = await start();
    session.type("verify-cert\r");
    await ui.until(() => session.messagesOf("line").length === 1, "line");
    session.type(`${f2}3A78`);
    await ui.until(() => session.screen.includes("> 3A78"), "type-ahead");
    session.tell({ type: "end", id: 1, exitStatus: 0, rowCount: 0 });
    session.type(`\u0015${f2}3A78`);
    await ui.until(() => asked(session).length === 1, "asked");
    session.tell({ type: "suspend" });
    session.tell({ type: "resume" });
    session.tell(answer("3A78"));
    await ui.until(() => /PS support@pep>\s*$/.test(session.screen), "the prompt");
    expect(session.scrollback).not.toContain("LAPTOP-007");
    ui.kill();
  });

  test("ends when the right to it ends", async () => {
    const { ui, session } = await start();
    session.type(`${f2}3A78`);
    await ui.until(() => asked(session).length === 1, "asked");
    session.tell({ type: "commands", commands });
    await ui.until(() => session.screen.endsWith("PS support@pep>"), "the prompt");
    session.type("verify-cert\r");
    await ui.until(() => session.messagesOf("line").length === 1, "line");
    expect(session.messagesOf("line")).toMatchObject([{ text: "verify-cert" }]);
    ui.kill();
  });
});
