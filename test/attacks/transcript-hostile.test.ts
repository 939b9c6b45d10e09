import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { castOf, type Event } from "../ui/player/casts.ts";
import { watch } from "../ui/player/watching.ts";
import { buildBundle } from "../ui/ui-process.ts";

/*
 * ATTACK  Somebody who can write into a transcript, or found a way to have their output recorded, plants terminal sequences, glyphs,
 *         an endless event, or lines that are none.
 * DANGER  The auditor's terminal obeys them: it types back, sets the clipboard, shows a false prompt. Or whoever looks at the record
 *         finds a dead screen, and what was done stays unseen.
 * EXPECT  Nothing recorded reaches the auditor's terminal but as text; the rest of the transcript plays.
 */
let built: Awaited<ReturnType<typeof buildBundle>>;
beforeAll(async () => {
  built = await buildBundle();
});
afterAll(() => built.remove());

const escape = "\u001b";
const end: Event = [1, "x", "0"];

test("recorded sequences end in the emulator", async () => {
  const hostile = [
    `${escape}]0;evil title\u0007`,
    `${escape}]52;c;ZXZpbA==${escape}\\`,
    `${escape}]8;;http://evil.example/${escape}\\link${escape}]8;;${escape}\\`,
    `${escape}P+q544e${escape}\\`,
    `${escape}[6n${escape}[5n${escape}[c${escape}[>c${escape}[21t${escape}[?2026$p${escape}Z\u0005`,
    `${escape}[?1049h${escape}[?1000h${escape}[2;5r${escape}c${escape}(0`,
    "\u009b6n\u009d52;c;?\u009c",
    `${escape}[7m ◆ pep asks: ${escape}[27m Password: `,
  ];
  const { ui, session, press } = await watch(
    built.bundle,
    castOf([[0.1, "o", "before "], ...hostile.map((text): Event => [0.1, "o", text]), [0.1, "o", "after\r\n"], end]),
    { color: "1" },
  );
  await press(`${escape}[F`, "after");
  expect(session.screen).toContain("before ");
  expect(session.screen).toContain("◇ pep asks:");
  const painted = session.painted.replaceAll(/\u001b\[[0-9;]*[A-HJKfm]|\u001b\[\?(?:25|2004|2026)[hl]/g, "");
  expect(painted).not.toMatch(/[\u001b\u0080-\u009f\u0005\u0007]/);
  expect(painted).not.toContain("◆");
  expect(painted).not.toMatch(/evil\.example|ZXZpbA/);
  await press("q", "PS support@pep>");
  ui.kill();
});

test("a glyph's code point in a transcript is not painted, however it is written", async () => {
  const cast = castOf([[0.1, "o", "a\u{F0000}b\ue000c\u{10FFFD}d "], [0.1, "m", "disclosed \u{F0001}"], end]).replace(
    " ",
    String.raw`\ue001\udb80\udc02 `,
  );
  const { ui, session, press } = await watch(built.bundle, cast);
  await press(`${escape}[H`, "0:00 / 0:01");
  await press("d", /a\ufffdb\ufffdc\ufffdd[^]*disclosed \ufffd/);
  expect(session.painted).not.toMatch(/\p{Co}/u);
  await press("q", "PS support@pep>");
  ui.kill();
});

test("an event of 10 MB, and one of marks on one character, are shown; the process stays within its memory", async () => {
  const { ui, session, press } = await watch(
    built.bundle,
    castOf([
      [0.1, "o", "x".repeat(10 * 1024 * 1024)],
      [0.1, "o", `\r\ne${"\u0301".repeat(1024 * 1024)}\r\n`],
      [0.1, "r", "9999x9999"],
      [0.1, "r", "80x24"],
      [0.1, "o", "the end\r\n"],
      end,
    ]),
  );
  // Eleven megabytes, read by two at once: seconds, and more on a busy machine.
  await press(`${escape}[F`, "the end", 50_000);
  const peak = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${ui.child.pid ?? 0}/status`, "utf8"))?.[1];
  // The server ends a UI process at 384 MB.
  expect(Number(peak)).toBeLessThan(300 * 1024);
  await press("q", "PS support@pep>");
  await expect.poll(() => session.screen).toContain("left at 0:01");
  ui.kill();
}, 60_000);

test("lines that are no events are counted, and the rest plays", async () => {
  const [header = "", ...lines] = castOf([[0.1, "o", "first\r\n"], [0.1, "o", "last\r\n"], end]).split("\n");
  const [first = "", last = "", exit = ""] = lines;
  const cast = [header, first, "{", '[0.1, "o", "never closed', "\u0000\u0001\u0002", "[[[[[", last, exit, ""].join(
    "\n",
  );
  const { ui, session, press } = await watch(built.bundle, cast);
  await press(`${escape}[F`, "last");
  expect(session.screen).toMatch(/first[^]*4 damaged/);
  await press("q", "PS support@pep>");
  ui.kill();
});

test.each([
  ["nothing at all", "\n"],
  ["no transcript", "\u0000".repeat(300_000)],
  ["one line without an end", "x".repeat(300_000)],
])("a file that is %s opens, and is left", async (_, cast) => {
  const { ui, press } = await watch(built.bundle, cast);
  await press("q", "PS support@pep>");
  expect(ui.child.exitCode).toBeNull();
  ui.kill();
});
