import { expect, test } from "vitest";
import { lineText } from "../../../ui/text/tones.ts";
import { createEmulator } from "../../../ui/player/emulator.ts";
import { Player } from "../../../ui/player/player.ts";
import { Timeline } from "../../../ui/player/timeline.ts";
import { castOf, cursorOn, type Event, sourceOf, TestClock } from "./casts.ts";

const command = "Get-RecoveryKeys: exit status 0, 1 rows";
const disclosure = "disclosed 3A78B34B-907A-4BFD-ACAA-35D24D4B8E36";

/** Ten seconds: two commands, one with a disclosure, a gap of a minute, an end. */
const shortSession: readonly Event[] = [
  [0.5, "o", "Welcome\r\n"],
  [0.5, "o", "PS> first\r\n"],
  [1, "m", disclosure],
  [0.5, "o", "the keys\r\n"],
  [0.5, "m", command],
  [1, "o", "PS> "],
  [60, "o", "second\r\n"],
  [0.5, "m", "verify-cert: exit status 0, 0 rows"],
  [0.5, "x", "0"],
];
const durationMs = 65_000;

const play = async (events: readonly Event[] = shortSession) => {
  const clock = new TestClock();
  const player = new Player({ source: sourceOf(castOf(events)), clock, onChange: () => undefined });
  player.pause();
  await player.settled;
  await expect.poll(() => player.view.durationMs).toBeDefined();
  const text = (): string =>
    (player.view.screen?.lines ?? [])
      .map((line) => lineText(line).trimEnd())
      .join("\n")
      .trimEnd();
  return { player, clock, text };
};

test("a player knows how long it takes, and where it stands", async () => {
  const { player, text } = await play();
  expect(player.view).toMatchObject({ durationMs, isLive: false, malformed: 0, isPlaying: false });
  player.seek(1_000);
  await player.settled;
  expect(text()).toBe("Welcome\nPS> first");
  // How it ended is told from its end on.
  expect(player.view).toMatchObject({ positionMs: 1_000, command: "Get-RecoveryKeys …" });
  const ended = player.view.durationMs ?? 0;
  for (let timeMs = 1_000; timeMs < ended && player.view.command !== command; timeMs += 50) {
    player.seek(timeMs);
    await player.settled;
  }
  expect(player.view.command).toBe(command);
});

test("playing goes on to the end, at its speed, with gaps of two seconds at most", async () => {
  const { player, clock, text } = await play();
  player.seek(0);
  player.playOrPause();
  const from = clock.now();
  await player.settled;
  expect(text()).toBe("Welcome\nPS> first\nthe keys\nPS> second");
  expect(player.view).toMatchObject({ isPlaying: false, positionMs: durationMs });
  // 65 seconds less 58 of the gap; the clock of this test counts waits only.
  expect(clock.now() - from).toBeGreaterThan(6_900);
  expect(clock.now() - from).toBeLessThan(7_500);
  // Once more from the start, at double speed, with the gap as it was.
  player.toggleIdle();
  player.changeSpeed(1);
  player.playOrPause();
  const again = clock.now();
  await player.settled;
  expect(clock.now() - again).toBeGreaterThan(32_000);
  expect(clock.now() - again).toBeLessThan(33_500);
});

test("commands and disclosures are jumped to, forward and back", async () => {
  const { player, text } = await play();
  player.seek(0);
  player.jump("disclosure", 1);
  await player.settled;
  expect(player.view).toMatchObject({ positionMs: 2_000, message: disclosure });
  expect(text()).toBe("Welcome\nPS> first");
  player.jump("command", 1);
  await player.settled;
  expect(player.view).toMatchObject({ positionMs: 3_500, message: command });
  player.jump("command", 1);
  await player.settled;
  expect(player.view.positionMs).toBe(durationMs);
  player.jump("command", 1);
  expect(player.view.message).toBe("No command after this.");
  player.jump("disclosure", -1);
  await player.settled;
  expect(player.view.positionMs).toBe(2_000);
  player.jump("disclosure", -1);
  expect(player.view.message).toBe("No disclosure before this.");
});

test("a step shows one event", async () => {
  const { player, text } = await play();
  player.seek(0);
  await player.settled;
  const shown: string[] = [];
  for (const _ of shortSession) {
    player.step();
    await player.settled;
    shown.push(text());
  }
  expect(shown.slice(0, 2)).toEqual(["Welcome", "Welcome\nPS> first"]);
  expect(player.view.positionMs).toBe(durationMs);
  player.step();
  await player.settled;
  expect(player.view.message).toBe("This is the end.");
});

test("a search finds the first time that a text comes onto the screen, then the next, then says that there is none", async () => {
  const { player, text } = await play([
    [1, "o", "nothing\r\n"],
    [1, "o", "the KEY\u001b[2D"], // on the screen once, painted over at 4 s
    [1, "o", "\r\n"],
    [1, "o", "\u001b[2J\u001b[H"],
    [1, "o", "k"],
    [1, "o", "e"],
    [1, "o", "y"],
    [10, "x", "0"],
  ]);
  player.seek(0);
  player.search("key");
  await player.settled;
  expect(player.view).toMatchObject({ positionMs: 2_000, isPlaying: false });
  expect(text()).toContain("the KEY");
  player.search("key");
  await player.settled;
  // Typed key by key: it is there with the last of them.
  expect(player.view.positionMs).toBe(7_000);
  player.search("key");
  await player.settled;
  expect(player.view.message).toMatch(/^Not found from here on/);
  player.search("key");
  await player.settled;
  expect(player.view.positionMs).toBe(2_000);
  player.search("nowhere");
  await player.settled;
  player.search("nowhere");
  await player.settled;
  expect(player.view.message).toBe("It is nowhere in this transcript.");
});

test("a time is typed as seconds, as a clock shows it, or as a part of the whole", async () => {
  const { player } = await play();
  for (const [typed, expected] of [
    ["3", 3_000],
    ["1:02", 62_000],
    ["0:01:02", 62_000],
    ["50%", 32_500],
    ["9:00", durationMs],
  ] as const) {
    expect(player.seekTo(typed)).toBe(true);
    await player.settled;
    expect(player.view.positionMs).toBe(expected);
  }
  expect(player.seekTo("soon")).toBe(false);
});

test("a session that still runs plays up to now, half of its last line left out", async () => {
  const whole = castOf(shortSession.slice(0, 4));
  const clock = new TestClock();
  const source = sourceOf(`${whole}[0.2, "m", "Get-Rec`);
  const player = new Player({ source, clock, onChange: () => undefined });
  await expect.poll(() => player.view.durationMs).toBe(2_500);
  player.seekToEnd();
  await player.settled;
  expect(player.view).toMatchObject({ isLive: true, positionMs: 2_500, malformed: 0 });
});

test("keys that repeat faster than the player follows are not lost", async () => {
  const { player, text } = await play();
  player.seek(0);
  await player.settled;
  for (const _ of [1, 2, 3]) player.step();
  await player.settled;
  expect(player.view.positionMs).toBe(2_000);
  for (const _ of [1, 2, 3]) player.seekBy(5_000);
  await player.settled;
  expect(player.view.positionMs).toBe(17_000);
  player.seek(0);
  player.jump("command", 1);
  player.jump("command", 1);
  await player.settled;
  expect(player.view.positionMs).toBe(durationMs);
  expect(text()).toContain("second");
});

test("what is asked last counts: a seek ends a search", async () => {
  const { player } = await play();
  player.search("second");
  player.seek(1_000);
  await player.settled;
  expect(player.view.positionMs).toBe(1_000);
});

test("keyframes are at most 256 kB and 10 s apart, in memory that is bounded", async () => {
  // Twelve minutes of a screen repainted once a second, then a flood of 4 MB.
  const events: Event[] = Array.from({ length: 720 }, (_, second) => [1, "o", `\u001b[H\u001b[2J${second} seconds`]);
  for (let piece = 0; piece < 400; piece += 1) events.push([0, "o", `${"flood ".repeat(1700)}\r\n`]);
  const source = sourceOf(castOf(events));
  const cursor = await cursorOn(source);
  const timeline = new Timeline(cursor.keyframe());
  await timeline.read(
    cursor,
    () => true,
    () => undefined,
  );
  const { keyframes } = timeline;
  expect(timeline.durationMs).toBe(720_000);
  for (const [index, { timeMs, place }] of keyframes.entries()) {
    const before = keyframes[index - 1];
    if (before === undefined) continue;
    expect(timeMs - before.timeMs).toBeLessThanOrEqual(10_000);
    expect(place.at - before.place.at).toBeLessThanOrEqual((256 + 16) * 1024);
  }
  expect(keyframes.length).toBeGreaterThan(720 / 10);
});

test("where keyframes would take too much memory there are fewer, and a seek is still exact", async () => {
  const size = { columns: 400, rows: 200 };
  const events: Event[] = Array.from({ length: 400 }, (_, index) => [11, "o", `\u001b[Hevent ${index}  `]);
  const source = sourceOf(castOf(events, size));
  const ahead = await cursorOn(source);
  const timeline = new Timeline(ahead.keyframe());
  await timeline.read(
    ahead,
    () => true,
    () => undefined,
  );
  const bytes = timeline.keyframes.reduce((sum, { screen }) => sum + screen.bytes, 0);
  expect(bytes).toBeLessThanOrEqual(24 * 1024 * 1024);
  expect(timeline.keyframes.length).toBeGreaterThan(10);
  const player = new Player({ source, clock: new TestClock(), onChange: () => undefined, createEmulator });
  player.pause();
  await expect.poll(() => player.view.durationMs).toBe(4_400_000);
  player.seek(11_000 * 123);
  await player.settled;
  expect(lineText(player.view.screen?.lines[0] ?? []).trimEnd()).toBe("event 122");
});
