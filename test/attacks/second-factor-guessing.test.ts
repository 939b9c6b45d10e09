import { expect, test } from "vitest";
import type { CodeVerdict } from "../../server/identity/log-in.ts";
import { openReception } from "../harness/second-factor-login.ts";
import { outcomeOf, stageSecondFactors, type Stage } from "../harness/second-factor-stage.ts";
import { ed25519Key } from "../harness/signing-key.ts";

/** Six digits that are not the code of any near step. */
const wrongCodeOf = (stage: Stage, secret: Buffer): string => {
  const right = [-1, 0, 1].map((steps) => stage.codeOf(secret, steps));
  return ["000000", "111111", "222222", "333333"].find((code) => !right.includes(code)) ?? "";
};

/*
 * ATTACK  A thief of a key guesses codes, connection after connection.
 * DANGER  A million guesses are a day's work.
 * EXPECT  After three the key waits. What comes earlier is not asked for; the connection ends with a sentence, for its reader may
 *         be the user, who mistyped.
 */
test("after three wrong codes the key waits", async () => {
  const stage = stageSecondFactors();
  const { secret } = await stage.enrol("support");
  const { visit, outcomes } = await openReception(stage);
  const visitor = await visit();
  await visitor.sign();
  for (let guess = 0; guess < 3; guess += 1) {
    await visitor.ask();
    expect(await visitor.answer(wrongCodeOf(stage, secret))).toBe("refused");
  }
  const early = await visit();
  expect(await early.sign()).toBe("keyboard-interactive partial");
  expect(await early.ask()).toBe("closed");
  expect(early.heardOf("DISCONNECT")[0]?.args).toEqual([14, "Too many wrong codes. Try again in 30 seconds."]);
  expect(outcomes()).toEqual([
    "continued",
    ...Array.from({ length: 3 }, () => "the code is wrong"),
    "continued",
    "too many wrong codes",
  ]);
  stage.now.at += 30_000;
  const late = await visit();
  await late.sign();
  await late.ask();
  expect(await late.answer(stage.codeOf(secret))).toBe("in");
});

/*
 * ATTACK  The guesses are made side by side, so that none is counted before the others are compared.
 * DANGER  64 connections are 64 guesses at a time.
 * EXPECT  They are judged one after another: three are compared, and the right code among the rest tells nothing and stays unused.
 */
test("guesses side by side are counted as if one came after the other", async () => {
  const stage = stageSecondFactors();
  const { secret } = await stage.enrol("support");
  const give = (answer: string): Promise<CodeVerdict> =>
    stage.secondFactor.judge({ connectedUser: "support", keyFingerprint: "SHA256:stolen", answer });
  const wrong = Array.from({ length: 20 }, () => give(wrongCodeOf(stage, secret)));
  const right = give(stage.codeOf(secret));
  const verdicts = (await Promise.all([...wrong, right])).map(outcomeOf);
  expect(verdicts.filter((verdict) => verdict === "the code is wrong")).toHaveLength(3);
  expect(verdicts.filter((verdict) => verdict === "too many wrong codes")).toHaveLength(18);
  const own = { connectedUser: "support", keyFingerprint: "SHA256:own", answer: stage.codeOf(secret) };
  expect(outcomeOf(await stage.secondFactor.judge(own))).toBe("in");
});

/*
 * ATTACK  Somebody wants a colleague locked out: with a key of their own and the colleague's name, or with a stolen second key of
 *         the colleague, they give wrong codes without end.
 * DANGER  The guard against guessing is a weapon against the person it guards.
 * EXPECT  Without a key of that user nothing is asked for. A stolen key delays itself; the other key waits for nothing.
 */
test("wrong codes delay nobody but the key that gave them", async () => {
  const stage = stageSecondFactors();
  const { secret } = await stage.enrol("support");
  await stage.enrol("exporter");
  const { visit, it } = await openReception(stage);
  const [stolen, colleague] = [ed25519Key(), ed25519Key()];
  it.authorize("support", stolen.line);
  it.authorize("exporter", colleague.line);
  const thief = await visit("support", stolen);
  await thief.sign();
  for (let guess = 0; guess < 3; guess += 1) {
    await thief.ask();
    await thief.answer(wrongCodeOf(stage, secret));
  }
  const again = await visit("support", stolen);
  await again.sign();
  expect(await again.ask()).toBe("closed");

  expect(await (await visit("support", colleague)).sign()).toBe("publickey");
  const owner = await visit();
  await owner.sign();
  await owner.ask();
  expect(await owner.answer(stage.codeOf(secret))).toBe("in");
});

/*
 * ATTACK  Many wrong answers of other kinds on one connection: texts, other people's recovery codes, empty ones.
 * DANGER  A kind of wrong answer that isn't counted.
 * EXPECT  The sixth failure ends the connection, whatever it was.
 */
test("the sixth failure ends the connection, whatever was wrong", async () => {
  const stage = stageSecondFactors();
  await stage.enrol("support");
  // The delay is another test's: only the count on the connection is left.
  const { visit, outcomes } = await openReception({ secondFactor: { ...stage.secondFactor, waitMs: () => 0 } });
  const visitor = await visit();
  await visitor.sign();
  const answers = ["", "abcdef", "00000-00000", "1234567", "١٢٣٤٥٦", "123456\n"];
  const ends: string[] = [];
  for (const answer of answers) {
    await visitor.ask();
    ends.push(await visitor.answer(answer));
  }
  expect(ends).toEqual(["refused", "refused", "refused", "refused", "refused", "closed"]);
  expect(outcomes()).not.toContain("accepted");
  expect(outcomes()).toHaveLength(7);
});
