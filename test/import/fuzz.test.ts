import { globSync, readFileSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { expect, test } from "vitest";
import { temporaryDirectory } from "../harness/temporary-directory.ts";
import { damage, holdAccount } from "./hold-account.ts";
import { createRandom, samples } from "./recovery-data.ts";

/** `npm run fuzz` gives more. */
const rounds = Number(process.env["FUZZ_ROUNDS"] ?? 60);
const seed = Number(process.env["FUZZ_SEED"] ?? 1);
const largest = 128 * 1024;

/** Every sample there is; those of real tools are not part of the project. */
const files = [join(import.meta.dirname, "fixtures"), samples]
  .flatMap((folder) =>
    globSync("**/*.{txt,json,csv,ldf,ldif,xml,clixml,html,TXT}", { cwd: folder }).map((name) => join(folder, name)),
  )
  .filter((path) => statSync(path).size < largest)
  .sort();

test("there are samples", () => {
  expect(files.length).toBeGreaterThan(3);
});

test.each(files.map((path) => [basename(path), path]))(
  "%s, damaged: refused, or every recovery password is stored or told",
  async (_, path) => {
    const directory = temporaryDirectory();
    const whole = readFileSync(path);
    const random = createRandom(seed);
    expect(await holdAccount(directory, whole, "PC-0001")).toBeGreaterThanOrEqual(0);
    for (let round = 0; round < rounds; round += 1) {
      let bytes: Buffer = whole;
      for (let times = 1 + Math.floor(random() * 3); times > 0; times -= 1) bytes = damage(bytes, random);
      await holdAccount(directory, bytes, random() < 0.5 ? undefined : "PC-0001");
    }
  },
  24 * 3_600_000,
);
