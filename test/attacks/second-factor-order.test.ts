import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { openReception } from "../harness/second-factor-login.ts";
import { stageSecondFactors } from "../harness/second-factor-stage.ts";
import { ed25519Key } from "../harness/signing-key.ts";
import { message } from "../harness/ssh-attacker.ts";
import { temporaryDirectory } from "../harness/temporary-directory.ts";

test("a key and then a code let in, and the record has both steps", async () => {
  const stage = stageSecondFactors();
  const { secret } = await stage.enrol("support");
  const { visit, it, outcomes } = await openReception(stage);
  const visitor = await visit();
  expect(await visitor.sign()).toBe("keyboard-interactive partial");
  expect(it.server.connections()).toEqual([]);
  await visitor.ask();
  expect(visitor.heardOf("USERAUTH_INFO_REQUEST")[0]?.args[2]).toEqual([{ prompt: "Code: ", echo: false }]);
  expect(await visitor.answer(stage.codeOf(secret))).toBe("in");
  expect(it.server.connections()).toMatchObject([{ connectedUser: "support", secondFactor: true }]);
  expect(outcomes()).toEqual(["continued", "accepted"]);
  expect(it.eventsOf("authentication")[1]).toMatchObject({
    connectedUser: "support",
    method: "keyboard-interactive",
    secondFactor: "code",
    keyFingerprint: expect.stringMatching(/^SHA256:/),
  });
});

test("where no role asks for a code, the key alone lets in as before", async () => {
  const stage = stageSecondFactors((user) => user !== "support");
  const { visit, it, outcomes } = await openReception(stage);
  const visitor = await visit();
  expect(await visitor.sign()).toBe("in");
  expect(outcomes()).toEqual(["accepted"]);
  expect(it.server.connections()[0]).not.toHaveProperty("secondFactor");
});

/*
 * ATTACK  Somebody has a good code, seen over a shoulder, but no key: asks for the code first; or offers the public key without
 *         signing, and then asks.
 * DANGER  Two factors become one.
 * EXPECT  No question is asked; nothing about the code is learned, and it is not used up.
 */
test("a code before the key, or after a key that only was offered, is not asked for", async () => {
  const stage = stageSecondFactors();
  const { secret } = await stage.enrol("support");
  const { visit, key, outcomes } = await openReception(stage);
  const visitor = await visit();
  visitor.send(message.keyboardRequest("support"), message.answers(stage.codeOf(secret)));
  expect((await visitor.until("USERAUTH_FAILURE")).args).toEqual([["publickey"], false]);
  visitor.send(message.publicKeyRequest("support", key.type, key.blob));
  await visitor.until("USERAUTH_PK_OK");
  visitor.send(message.keyboardRequest("support"));
  await vi.waitFor(() => expect(visitor.heardOf("USERAUTH_FAILURE")).toHaveLength(2));
  expect(visitor.heardOf("USERAUTH_INFO_REQUEST")).toEqual([]);
  expect(outcomes()).toEqual(["a key must come before a code", "a key must come before a code"]);
  expect(await visitor.sign()).toBe("keyboard-interactive partial");
  await visitor.ask();
  expect(await visitor.answer(stage.codeOf(secret))).toBe("in");
});

/*
 * ATTACK  A client proves one user's key and then asks for the code of another user, whose telephone it has; or writes the same
 *         name with a capital letter.
 * DANGER  The key of one and the code of another log a third combination in.
 * EXPECT  The connection ends; nobody is logged in.
 */
test.each(["exporter", "Support"])(
  "a user name changed to %s between key and code ends the connection",
  async (name) => {
    const stage = stageSecondFactors();
    const { secret } = await stage.enrol("exporter");
    await stage.enrol("support");
    const { visit, it, outcomes } = await openReception(stage);
    const visitor = await visit();
    expect(await visitor.sign()).toBe("keyboard-interactive partial");
    visitor.send(message.keyboardRequest(name), message.answers(stage.codeOf(secret)));
    await visitor.closed;
    expect(visitor.heardOf("USERAUTH_SUCCESS")).toEqual([]);
    expect(it.server.connections()).toEqual([]);
    expect(outcomes()).not.toContain("accepted");
  },
);

/*
 * ATTACK  After the key, before the code, a client opens a session.
 * DANGER  Partial success taken for success.
 * EXPECT  The connection ends.
 */
test("no session opens between key and code", async () => {
  const stage = stageSecondFactors();
  await stage.enrol("support");
  const { visit, it } = await openReception(stage);
  const visitor = await visit();
  await visitor.sign();
  visitor.send(message.channelOpen("session", 0, 1 << 20, 32768));
  expect(await it.firstDrop()).toBe("pre-authentication-message");
});

/*
 * ATTACK  A thief has a key of somebody who needs a code and never enrolled.
 * DANGER  "No second factor yet" means none is asked for.
 * EXPECT  Refused in the words that a wrong key gets; only the record knows why.
 */
test("who needs a code and has none enrolled is refused as with a wrong key", async () => {
  const stage = stageSecondFactors();
  const { visit, outcomes } = await openReception(stage);
  const [visitor, stranger] = [await visit(), await visit("support", ed25519Key())];
  expect([await visitor.sign(), await stranger.sign()]).toEqual(["publickey", "publickey"]);
  expect(visitor.heard).toEqual(stranger.heard);
  expect(outcomes()).toEqual(["a second factor is required, and none is enrolled", "not a key of this user"]);
});

/*
 * ATTACK  A stolen key is revoked while its thief has the question for the code on the screen.
 * DANGER  What was judged a minute ago still lets in.
 * EXPECT  The right code is refused: the key is judged again.
 */
test("a key that is revoked while the code is typed lets nobody in", async () => {
  const stage = stageSecondFactors();
  const { secret } = await stage.enrol("support");
  const revokedKeys = join(temporaryDirectory(), "revoked");
  writeFileSync(revokedKeys, "# nobody yet\n", { mode: 0o600 });
  const { visit, it, key, outcomes } = await openReception(stage, { revokedKeys });
  const visitor = await visit();
  await visitor.sign();
  await visitor.ask();
  writeFileSync(revokedKeys, `${key.line}\n`, { mode: 0o600 });
  it.reloadAnchors();
  expect(await visitor.answer(stage.codeOf(secret))).toBe("refused");
  expect(outcomes()).toEqual(["continued", "revoked"]);
});

/*
 * ATTACK  A client gives up the question by another request, at once or right behind its answer; sends an answer that nobody
 *         asked for, none, or two.
 * DANGER  ssh2 mixes up which answer belongs to what: a log-in without a judged code, or two of them.
 * EXPECT  The connection ends, or the answer is refused; nobody is logged in.
 */
test("another request in place of an answer ends the connection", async () => {
  const stage = stageSecondFactors();
  const { secret } = await stage.enrol("support");
  const { visit, it, outcomes } = await openReception(stage);
  for (const before of [[], [message.answers(stage.codeOf(secret))]]) {
    const visitor = await visit();
    await visitor.sign();
    await visitor.ask();
    visitor.send(...before, message.keyboardRequest("support"));
    await visitor.closed;
    expect(visitor.heardOf("USERAUTH_SUCCESS")).toEqual([]);
  }
  expect(it.server.connections()).toEqual([]);
  expect(it.eventsOf("connection-dropped").map(({ guard }) => guard)).toEqual(["question-aborted", "question-aborted"]);
  expect(outcomes()).toEqual(["continued", "continued"]);
});

test("answers in another number than asked are refused", async () => {
  const stage = stageSecondFactors();
  const { secret } = await stage.enrol("support");
  const { visit, outcomes } = await openReception(stage);
  const visitor = await visit();
  await visitor.sign();
  const code = stage.codeOf(secret);
  for (const texts of [[], [code, code]]) {
    await visitor.ask();
    expect(await visitor.answer(...texts)).toBe("refused");
  }
  await visitor.ask();
  expect(await visitor.answer("1".repeat(5000))).toBe("refused");
  expect(outcomes()).toEqual(["continued", "no code was given", "no code was given", "the code is wrong"]);
  await visitor.ask();
  expect(await visitor.answer(code)).toBe("in");
});

test("an answer given before the question is none", async () => {
  const stage = stageSecondFactors();
  const { secret } = await stage.enrol("support");
  const { visit, outcomes } = await openReception(stage);
  const visitor = await visit();
  await visitor.sign();
  visitor.send(message.answers(stage.codeOf(secret)));
  await visitor.ask();
  expect(visitor.heardOf("USERAUTH_SUCCESS")).toEqual([]);
  expect(await visitor.answer(stage.codeOf(secret))).toBe("in"); // it was not used up either
  expect(outcomes()).toEqual(["continued", "accepted"]);
});

/*
 * ATTACK  The disk is full while somebody logs in with key and code.
 * DANGER  A session that is on no record.
 * EXPECT  Refused at either step.
 */
test("neither step is taken when it can't be recorded", async () => {
  const stage = stageSecondFactors();
  const { secret } = await stage.enrol("support");
  let failing: string | undefined = "continued";
  const { visit, it } = await openReception(stage, {
    append: (event) =>
      event.type === "authentication" && event.outcome === failing
        ? Promise.reject(new Error("disk full"))
        : Promise.resolve(),
  });
  const visitor = await visit();
  expect(await visitor.sign()).toBe("publickey");
  failing = "accepted";
  expect(await visitor.sign()).toBe("keyboard-interactive partial");
  await visitor.ask();
  expect(await visitor.answer(stage.codeOf(secret))).toBe("refused");
  expect(it.server.connections()).toEqual([]);
});

/*
 * ATTACK  A key holder lets the question stand.
 * DANGER  Connections that are nobody's are kept for ever, or keep others from logging in.
 * EXPECT  Their place among the log-ins is free at once, and they are dropped after their time.
 */
test("an unanswered question keeps nobody out, and ends", async () => {
  const stage = stageSecondFactors();
  await stage.enrol("support");
  const { visit, it } = await openReception(stage, { limits: { loginsPerAddress: 1, codeMs: 1500 } });
  const first = await visit();
  await first.sign();
  await first.ask();
  expect(await (await visit()).sign()).toBe("keyboard-interactive partial");
  await first.closed;
  expect(it.eventsOf("connection-dropped")[0]?.guard).toBe("code-time");
});
