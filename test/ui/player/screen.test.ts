import { afterAll, beforeAll, expect, test } from "vitest";
import { buildBundle } from "../ui-process.ts";
import { castOf, type Event } from "./casts.ts";
import { watch } from "./watching.ts";

const escape = "\u001b";
let built: Awaited<ReturnType<typeof buildBundle>>;
beforeAll(async () => {
  built = await buildBundle();
});
afterAll(() => built.remove());

/** As the server records a key. */
const masked = "•".repeat(55);

/** A support engineer's minute: a key, a window made narrower, a certificate, wide characters, a good-bye. */
const session: readonly Event[] = [
  [0.2, "o", "Welcome, support. This session is recorded.\r\n"],
  [0.1, "o", `${escape}[32mPS support@pep>${escape}[39m `],
  [2, "o", "Get-RecoveryKeys -ComputerName DEMO-PC-07\r\n"],
  [0.3, "m", "disclosed 3A78B34B-907A-4BFD-ACAA-35D24D4B8E36"],
  [
    0.1,
    "o",
    `${escape}[36mComputerName${escape}[39m   : DEMO-PC-07\r\nPasswordId     : 3A78B34B-907A-4BFD-ACAA-35D24D4B8E36\r\n`,
  ],
  [0.1, "o", `RecoveryKey    : ${escape}[1m${masked}${escape}[22m\r\n\r\n1 row\r\n`],
  [0.1, "m", "Get-RecoveryKeys: exit status 0, 1 rows"],
  [45, "r", "60x16"],
  [1, "o", `${escape}[2J${escape}[H${escape}[32mPS support@pep>${escape}[39m verify-cert 日本語\r\n`],
  [0.5, "m", "verify-cert: exit status 1, 2 rows"],
  [0.5, "o", "PS support@pep> exit\r\n"],
  [0.1, "x", "0"],
];

/** Each step's keys, what to wait for, and the screen as the auditor sees it then. */
const tour = async (columns: number, rows: number): Promise<string> => {
  const { ui, session: auditor, press } = await watch(built.bundle, castOf(session), { columns, rows });
  const steps: string[] = [];
  const see = async (name: string, keys: string, until: RegExp): Promise<void> => {
    await press(keys, until);
    await ui.settled();
    const { x, y } = auditor.cursor;
    steps.push(`=== ${name} (cursor ${x},${y})\n${auditor.screen}\n`);
  };
  // Playing is about time; from here on every screen follows from a key alone.
  await see("at the beginning, paused", `${escape}[H `, /‖ 0:00 \/ 0:50/);
  await see("the next disclosure", "d", /\ndisclosed/);
  await see("the next command", "n", /\nGet-RecoveryKeys: exit status 0/);
  await see("help", "?", /any key/);
  await see("help left", "x", /‖ 0:03/);
  await see("to a time: being typed", "g49", /go to: 49/);
  await see("to a time", "\r", /‖ 0:49 /);
  await see("searching: being typed", "/comp", /find: comp/);
  await see("searching from here on: nothing", "\r", /Not found/);
  await see("searching from the start", "\r", /Found at 0:02/);
  await see("faster", "]", /2×/);
  await see("two events on", "..", /PasswordId/);
  auditor.tell({ type: "resize", columns: 40, rows: 12 });
  await see("the window is smaller", "i", /Gaps are as/);
  auditor.tell({ type: "resize", columns, rows });
  await see("and as before; the end", `${escape}[F`, /‖ 0:50 \//);
  await see("left", "q", /PS support@pep> *$|PS> *$/);
  expect(auditor.messagesOf("watched")).toHaveLength(1);
  ui.kill();
  return steps.join("\n");
};

test.each([
  [80, 24],
  [40, 12],
])("what an auditor sees at %ix%i", async (columns, rows) => {
  await expect(await tour(columns, rows)).toMatchFileSnapshot(`../../golden/player-${columns}x${rows}.txt`);
});

test("colours are those of the recording, and none where FORCE_COLOR says none", async () => {
  for (const color of ["0", "1"]) {
    const { ui, session: auditor, press } = await watch(built.bundle, castOf(session), { color });
    await press("n", /‖|▶ 0:0[23]/);
    await press(`${escape}[F`, /0:50 \//);
    if (color === "0") expect(auditor.painted).not.toMatch(/\u001b\[[\d;]*m/);
    else expect(auditor.painted).toContain("\u001b[32mPS support@pep>");
    ui.kill();
  }
});

test("on a screen of two lines the clock alone is shown, and it can be left", async () => {
  const { ui, press } = await watch(built.bundle, castOf(session), { columns: 20, rows: 2 });
  await press("q", ">");
  expect(ui.child.exitCode).toBeNull();
  ui.kill();
});
