import { copyFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openReception } from "../harness/second-factor-login.ts";
import { outcomeOf, stageSecondFactors } from "../harness/second-factor-stage.ts";
import { ed25519Key } from "../harness/signing-key.ts";

const laptop = "SHA256:laptop";

/*
 * ATTACK  Somebody with a copy of the key reads a code over a shoulder, or off the wire of a broken client, and gives it on a
 *         connection of their own, in the same half minute.
 * DANGER  A one-time code is good twice (RFC 6238 §5.2).
 * EXPECT  The second is refused, and told apart on the record; the next code lets in.
 */
test("a code that let somebody in is refused on a second connection", async () => {
  const stage = stageSecondFactors();
  const { secret } = await stage.enrol("support");
  const { visit, outcomes } = await openReception(stage);
  const code = stage.codeOf(secret);
  const [first, second] = [await visit(), await visit()];
  for (const visitor of [first, second]) {
    await visitor.sign();
    await visitor.ask();
  }
  expect(await first.answer(code)).toBe("in");
  expect(await second.answer(code)).toBe("refused");
  expect(outcomes()).toEqual(["continued", "continued", "accepted", "the code was used before"]);
  expect(await second.ask()).toBe("That code was used already. Wait for the next one.");
  stage.now.at += 30_000;
  expect(await second.answer(stage.codeOf(secret))).toBe("in");
});

/*
 * ATTACK  The same code on many connections at the same moment.
 * DANGER  All are compared before the first is stored.
 * EXPECT  One wins.
 */
test("of ten connections with the same code at once, one gets in", async () => {
  const stage = stageSecondFactors();
  const { secret } = await stage.enrol("support");
  const answer = stage.codeOf(secret);
  const verdicts = await Promise.all(
    Array.from({ length: 10 }, (_, index) =>
      stage.secondFactor.judge({ connectedUser: "support", keyFingerprint: `SHA256:${index}`, answer }),
    ),
  );
  expect(verdicts.map(outcomeOf).sort()).toEqual([
    "in",
    ...Array.from({ length: 9 }, () => "the code was used before"),
  ]);
});

test("of two connections over SSH that race with the same code, one gets in", async () => {
  const stage = stageSecondFactors();
  const { secret } = await stage.enrol("support");
  const { visit, it } = await openReception(stage);
  const visitors = [await visit(), await visit()];
  for (const visitor of visitors) {
    await visitor.sign();
    await visitor.ask();
  }
  const ends = await Promise.all(visitors.map((visitor) => visitor.answer(stage.codeOf(secret))));
  expect(ends.sort()).toEqual(["in", "refused"]);
  expect(it.server.connections()).toHaveLength(1);
});

test("of two connections that race with the same recovery code, one gets in", async () => {
  const stage = stageSecondFactors();
  const { recoveryCodes } = await stage.enrol("support");
  const answer = recoveryCodes[0] ?? "";
  const verdicts = await Promise.all(
    [1, 2].map((index) =>
      stage.secondFactor.judge({ connectedUser: "support", keyFingerprint: `SHA256:${index}`, answer }),
    ),
  );
  expect(verdicts.map(outcomeOf).sort()).toEqual(["in", "the recovery code was used before"]);
});

/*
 * ATTACK  The server is made to crash right after a code was accepted, and is started again.
 * DANGER  What was used is forgotten.
 * EXPECT  The use was durable before the code was accepted: after the start it is refused.
 */
test("a code that was accepted before a crash is refused after it", async () => {
  const stage = stageSecondFactors();
  const { secret } = await stage.enrol("support");
  const attempt = { connectedUser: "support", keyFingerprint: laptop, answer: stage.codeOf(secret) };
  expect(outcomeOf(await stage.secondFactor.judge(attempt))).toBe("in");
  expect(outcomeOf(await stage.restarted().judge(attempt))).toBe("the code was used before");
});

/*
 * ATTACK  The disk is full, or fails, when the use of a code is stored.
 * DANGER  Accepted all the same, and so accepted again.
 * EXPECT  Refused. The disk works again: the code is good, once.
 */
test("a code whose use can't be stored is refused", async () => {
  const stage = stageSecondFactors();
  const { secret, recoveryCodes } = await stage.enrol("support");
  const broken = stage.restarted(() => Promise.reject(new Error("ENOSPC: no space left on device")));
  for (const answer of [stage.codeOf(secret), recoveryCodes[0] ?? ""]) {
    expect(outcomeOf(await broken.judge({ connectedUser: "support", keyFingerprint: laptop, answer }))).toBe(
      "the code's use could not be stored",
    );
  }
  const attempt = { connectedUser: "support", keyFingerprint: laptop, answer: stage.codeOf(secret) };
  expect(outcomeOf(await stage.secondFactor.judge(attempt))).toBe("in");
  expect(outcomeOf(await stage.secondFactor.judge(attempt))).toBe("the code was used before");
  expect(readdirSync(join(stage.directory, "state", "uses"))).toHaveLength(1); // no temporary file stays
});

/*
 * ATTACK  Somebody who can set the server's clock (NTP, a virtual machine's host) puts it back to when a code they saw was good.
 * DANGER  An old code is a new one again.
 * EXPECT  Refused: every step up to the newest accepted one is over, whatever the clock says.
 */
test("a clock set back makes no code good again", async () => {
  const stage = stageSecondFactors();
  const { secret } = await stage.enrol("support");
  const seen = stage.codeOf(secret);
  const then = stage.now.at;
  stage.now.at += 3_600_000;
  const now = { connectedUser: "support", keyFingerprint: laptop, answer: stage.codeOf(secret) };
  expect(outcomeOf(await stage.secondFactor.judge(now))).toBe("in");
  stage.now.at = then;
  const attempt = { connectedUser: "support", keyFingerprint: laptop, answer: seen };
  expect(outcomeOf(await stage.secondFactor.judge(attempt))).toBe("the code was used before");
});

/*
 * ATTACK  Somebody who may write into `state/` (a backup operator) puts a colleague's factor, whose telephone they have, in the
 *         place of another user's, with what it needs.
 * DANGER  The code of one user logs another one in.
 * EXPECT  Refused: a factor is sealed for its user.
 */
test("a factor that was copied to another user's name opens for nobody", async () => {
  const stage = stageSecondFactors();
  const { secret } = await stage.enrol("guest");
  await stage.enrol("support");
  const factors = join(stage.directory, "state", "factors");
  copyFileSync(join(factors, "guest"), join(factors, "support"));
  const attempt = { connectedUser: "support", keyFingerprint: laptop, answer: stage.codeOf(secret) };
  expect(outcomeOf(await stage.secondFactor.judge(attempt))).toBe("the second factor can't be read");
});

/*
 * ATTACK  A user gives the code of their own telephone after another user's key.
 * DANGER  Any enrolled telephone will do.
 * EXPECT  Refused: the code is wrong.
 */
test("the code of another user is a wrong code", async () => {
  const stage = stageSecondFactors();
  const { secret, recoveryCodes } = await stage.enrol("guest");
  await stage.enrol("support", { newRecoveryCodes: true });
  const { visit, it, outcomes } = await openReception(stage);
  const key = ed25519Key();
  it.authorize("support", key.line);
  const visitor = await visit("support", key);
  await visitor.sign();
  for (const answer of [stage.codeOf(secret), recoveryCodes[0] ?? ""]) {
    await visitor.ask();
    expect(await visitor.answer(answer)).toBe("refused");
  }
  expect(outcomes()).toEqual(["continued", "the code is wrong", "the recovery code is wrong"]);
});

/*
 * ATTACK  A code of two steps ago, or of two steps ahead, read off a telephone whose owner left it on the table.
 * DANGER  A window as wide as the server is patient.
 * EXPECT  One step each way, no more.
 */
test.each([-3, -2, 2, 3])("a code %d steps from now is wrong", async (steps) => {
  const stage = stageSecondFactors();
  const { secret } = await stage.enrol("support");
  const answer = stage.codeOf(secret, steps);
  // Two steps may share a code, once in a million.
  const near = [-1, 0, 1].map((step) => stage.codeOf(secret, step));
  const expected = near.includes(answer) ? "in" : "the code is wrong";
  expect(outcomeOf(await stage.secondFactor.judge({ connectedUser: "support", keyFingerprint: laptop, answer }))).toBe(
    expected,
  );
});
