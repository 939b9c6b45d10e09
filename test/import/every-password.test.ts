import { describe, expect, test } from "vitest";
import { rounds } from "../harness/share.ts";
import { temporaryDirectory } from "../harness/temporary-directory.ts";
import { damage, holdAccount } from "./hold-account.ts";
import { createRandom, makeGuid, makePassword, pairs, readAll, writeFile } from "./recovery-data.ts";
import { forms, type Key } from "./written-forms.ts";

const makeKeys = (random: () => number): Key[] =>
  Array.from({ length: 3 }, (_, index) => ({
    computer: `PC-${index + 1}`,
    id: makeGuid(random).replace(/^./, "0"),
    password: makePassword(random),
  }));

describe("every recovery password of a file is stored, told, or refuses the file", () => {
  test.each(forms)("%s: whole, each key is stored under its computer", async (_, write) => {
    const keys = makeKeys(createRandom(21));
    const records = await readAll(writeFile(temporaryDirectory(), "keys", write(keys)));
    expect(pairs(records)).toEqual(keys.map(({ id, password }) => [id, password]));
    expect(records.map(({ computerName }) => computerName)).toEqual(keys.map(({ computer }) => computer));
  });

  test.each(forms)("%s, damaged once to four times", async (name, write) => {
    const directory = temporaryDirectory();
    const random = createRandom(name.length);
    let seen = 0;
    const files = rounds(50, 150);
    for (let round = 0; round < files; round += 1) {
      let bytes: Buffer = Buffer.from(write(makeKeys(random)));
      for (let times = 1 + Math.floor(random() * 4); times > 0; times -= 1) bytes = damage(bytes, random);
      seen += await holdAccount(directory, bytes, random() < 0.5 ? undefined : "PC-1");
    }
    expect(seen).toBeGreaterThan(files / 1.5);
  });

  test.each(forms)("%s with another form behind it", async (name, write) => {
    const directory = temporaryDirectory();
    const random = createRandom(name.length + 100);
    for (const [, other] of forms) {
      const text = `${write(makeKeys(random))}\n${other(makeKeys(random))}`;
      expect(await holdAccount(directory, Buffer.from(text), undefined)).toBe(6);
    }
  });
});
