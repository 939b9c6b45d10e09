import {
  copyFileSync,
  chmodSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { base32Of } from "../../../server/identity/second-factor/totp.ts";
import { outcomeOf, stageSecondFactors, type Stage } from "../../harness/second-factor-stage.ts";

const filesOf = ({ directory }: Stage): string[] =>
  ["factors", "uses"].flatMap((folder) => {
    const path = join(directory, "state", folder);
    return readdirSync(path).map((name) => join(path, name));
  });

const give = async (stage: Stage, user: string, answer: string): Promise<string> =>
  outcomeOf(await stage.secondFactor.judge({ connectedUser: user, keyFingerprint: "SHA256:laptop", answer }));

test("neither secret nor recovery code stands in a file, and only the owner may read them", async () => {
  const stage = stageSecondFactors();
  const { secret, recoveryCodes } = await stage.enrol("support");
  expect(await give(stage, "support", stage.codeOf(secret))).toBe("in");
  const files = filesOf(stage);
  expect(files).toHaveLength(2);
  const forms = [
    secret,
    ...["hex", "base64", "base64url"].map((form) => secret.toString(form as "hex")),
    base32Of(secret),
  ];
  for (const file of files) {
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const bytes = readFileSync(file);
    for (const form of [...forms, ...recoveryCodes, ...recoveryCodes.map((code) => code.replace("-", ""))]) {
      expect(bytes.includes(form)).toBe(false);
    }
  }
});

test("a new enrolment ends the old factor, its used steps and its recovery codes", async () => {
  const stage = stageSecondFactors();
  const old = await stage.enrol("support");
  const renewed = await stage.enrol("support", { newRecoveryCodes: true });
  expect(filesOf(stage)).toHaveLength(2);
  expect(await give(stage, "support", stage.codeOf(old.secret))).toBe("the code is wrong");
  expect(await give(stage, "support", old.recoveryCodes[0] ?? "")).toBe("the recovery code is wrong");
  expect(await give(stage, "support", stage.codeOf(renewed.secret))).toBe("in");
});

test("a removed factor lets nobody in, and leaves nothing behind", async () => {
  const stage = stageSecondFactors();
  const { secret } = await stage.enrol("support");
  expect(await stage.store.remove("support")).toBe(true);
  expect(await give(stage, "support", stage.codeOf(secret))).toBe("no second factor is enrolled");
  expect([filesOf(stage), stage.store.users(), await stage.store.remove("support")]).toEqual([[], [], false]);
});

test("a server that stores a use late does not bring a removed factor back", async () => {
  const stage = stageSecondFactors();
  await stage.enrol("support");
  const factor = stage.store.find("support");
  await stage.store.remove("support");
  if (factor !== undefined) await stage.store.storeUse(factor, { step: 1, recoveryCodes: [] });
  expect([stage.store.isEnrolled("support"), stage.store.users()]).toEqual([false, []]);
});

const damages: readonly (readonly [string, (stage: Stage, factor: string, use: string) => void])[] = [
  [
    "one bit of the factor",
    (_stage, factor) =>
      writeFileSync(
        factor,
        readFileSync(factor, "utf8").replace(/"sealed":"(.)/, (_, one) => `"sealed":"${one === "A" ? "B" : "A"}`),
      ),
  ],
  [
    "the time of enrolment",
    (_stage, factor) => writeFileSync(factor, readFileSync(factor, "utf8").replace("2026", "2027")),
  ],
  ["half the factor", (_stage, factor) => writeFileSync(factor, readFileSync(factor, "utf8").slice(0, 90))],
  ["no record of what was used", (_stage, _factor, use) => rmSync(use)],
  ["the factor in the place of its use", (_stage, factor, use) => copyFileSync(factor, use)],
  ["another key", ({ keyFile }) => writeFileSync(keyFile, Buffer.alloc(32, 1))],
  ["a short key", ({ keyFile }) => writeFileSync(keyFile, Buffer.alloc(31, 1))],
  ["no key", ({ keyFile }) => rmSync(keyFile)],
  ["a key that others may read", ({ keyFile }) => chmodSync(keyFile, 0o640)],
  [
    "a link to the key",
    ({ keyFile }) => {
      renameSync(keyFile, `${keyFile}.moved`);
      symlinkSync(`${keyFile}.moved`, keyFile);
    },
  ],
];

test.each(damages)("with %s a right code is refused", async (_what, damage) => {
  const stage = stageSecondFactors();
  const { secret } = await stage.enrol("support");
  const [factor = "", use = ""] = filesOf(stage);
  damage(stage, factor, use);
  expect(await give(stage, "support", stage.codeOf(secret))).toBe("the second factor can't be read");
  expect(stage.store.isEnrolled("support")).toBe(true);
});
