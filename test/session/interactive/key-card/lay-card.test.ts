import { expect, test } from "vitest";
import { layCard, withoutDigits, type CardState } from "../../../../server/session/interactive/key-card/lay-card.ts";
import { newCard } from "../../../../server/session/interactive/key-card/press-card.ts";

const key = "346544-383801-198088-402325-436370-552640-530882-491942";
const card = (changes: Partial<CardState> = {}): CardState => ({
  ...newCard(
    {
      endpointName: "pep",
      key,
      keyId: "57AAE64B-EDAA-4789-9A80-5BF1947C3912",
      computerName: "DEMO-PC-01",
      facts: [
        ["VolumeType", "OperatingSystem"],
        ["State", "Current"],
      ],
    },
    60,
  ),
  ...changes,
});

const sizes = [
  { columns: 200, rows: 60 },
  { columns: 100, rows: 30 },
  { columns: 80, rows: 24 },
  { columns: 40, rows: 10 },
];

const picture = (title: string, state: CardState, size: { columns: number; rows: number }): string =>
  [`=== ${title}, ${size.columns}x${size.rows}`, ...layCard(state, size)].map((line) => line.trimEnd()).join("\n");

test("a card looks as it did", async () => {
  const none = { digits: "198089", verdict: { kind: "impossible" } as const };
  const wrong = { right: 2, typed: "", wrong: none, wrongTimes: 1 };
  const [, usual = { columns: 100, rows: 30 }, , small = { columns: 40, rows: 10 }] = sizes;
  const pictures = [
    ...sizes.map((size) => picture("just opened", card(), size)),
    picture("digits in pairs, the id in words", card({ pairs: true, words: true }), usual),
    picture("digits in pairs, the id in words", card({ pairs: true, words: true }), small),
    picture(
      "a group under way",
      card({ readBack: { right: 3, typed: "402", wrong: undefined, wrongTimes: 0 } }),
      usual,
    ),
    picture("a group that is none", card({ readBack: wrong }), usual),
    picture(
      "a group said too early",
      card({ readBack: { ...wrong, wrong: { digits: "436370", verdict: { kind: "misplaced", group: 5 } } } }),
      usual,
    ),
    picture(
      "a group of another key",
      card({ readBack: { ...wrong, wrong: { digits: "000011", verdict: { kind: "foreign" } } } }),
      small,
    ),
    picture("all read back", card({ readBack: { ...wrong, right: 8, wrong: undefined } }), usual),
    picture("as it is recorded", withoutDigits(card({ readBack: { ...wrong, typed: "198" } })), usual),
    picture(
      "a digit is missing",
      card({ readBack: { ...wrong, wrong: { digits: "19808", verdict: { kind: "short" } } } }),
      small,
    ),
    picture("its time is over", { ...withoutDigits(card()), isOver: true }, small),
    picture("on a window that is too small", card(), { columns: 20, rows: 5 }),
    picture("with a word of the server", card({ notice: "The server is shutting down." }), usual),
  ];
  await expect(`${pictures.join("\n\n")}\n`).toMatchFileSnapshot("../../../golden/key-card.txt");
});

test("a card is never wider or taller than the terminal, and from 24 by 10 the plain key is whole on it", () => {
  for (let columns = 1; columns <= 210; columns += columns < 45 ? 1 : 11) {
    for (let rows = 1; rows <= 45; rows += rows < 14 ? 1 : 9) {
      const lines = layCard(card({ large: false }), { columns, rows });
      const fits = lines.length <= rows && lines.every((line) => line.length <= columns);
      const isWhole = key.split("-").every((group) => lines.some((line) => line.includes(group)));
      expect([columns, rows, fits, isWhole || columns < 24 || rows < 10]).toEqual([columns, rows, true, true]);
    }
  }
});

test("large digits are there only where all eight groups fit", () => {
  for (let columns = 20; columns <= 210; columns += 11) {
    for (let rows = 6; rows <= 45; rows += 3) {
      const lines = layCard(card(), { columns, rows });
      const isLarge = lines.some((line) => line.includes("█"));
      const hasLast = lines.some((line) => /(?:^| )8 *$/.test(line));
      const isPlain = lines.some((line) => line.includes("346544"));
      const isTooSmall = lines[0] === "This window is too small.".slice(0, columns - 1);
      expect([columns, rows, isTooSmall || (isLarge ? hasLast : isPlain)]).toEqual([columns, rows, true]);
    }
  }
});

test("a name with wide characters and control characters is cut and made harmless", () => {
  const lines = layCard(card({ computerName: `${"電".repeat(40)}\u001b[2J` }), { columns: 40, rows: 24 });
  expect(lines.join("")).not.toMatch(/\p{Cc}/u);
  expect((lines[0]?.match(/電/g) ?? []).length).toBeLessThan(20);
});

test("the record's card has no digit of the key, in no size and no form", () => {
  for (const size of sizes) {
    for (const changes of [{}, { large: false }, { pairs: true }]) {
      const recorded = layCard(withoutDigits(card(changes)), size).join("\n");
      expect(key.split("-").filter((group) => recorded.includes(group) || /█/.test(recorded))).toEqual([]);
    }
  }
});
