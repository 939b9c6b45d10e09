/*
 * ATTACK  One bit of a good log-in request is wrong, anywhere behind its message number: a length, a name, the key, the signature. Or
 *         bytes stand behind the request, behind the signature in it, or behind the bytes in that.
 * DANGER  What two readers read differently, and what nobody reads, carries what nobody checks.
 * EXPECT  Not one is accepted, of any kind of key. The request as it was is.
 */
import { expect, test } from "vitest";
import { wireString } from "../../server/identity/wire.ts";
import { signedBytes } from "../harness/key-attempt.ts";
import { shareOf } from "../harness/share.ts";
import { ecdsaKey, ed25519Key, fidoEcdsaKey, fidoEd25519Key, rsaKey, type SigningKey } from "../harness/signing-key.ts";
import { attack, message } from "../harness/ssh-attacker.ts";
import { startTestServer, type TestServer } from "../harness/ssh-attacker-server.ts";

type Answer = "accepted" | "refused";

/** A connection that sends one request after the other, and is made anew when the server has ended it. */
const speaker = async (it: TestServer) => {
  let answered: (answer: Answer | "ended") => void = () => undefined;
  const begin = async () => {
    const attacker = await attack(it.port, undefined, {
      onHeard: (name) => {
        if (name === "USERAUTH_SUCCESS") answered("accepted");
        if (name === "USERAUTH_FAILURE" || name === "USERAUTH_PK_OK") answered("refused");
      },
    });
    attacker.socket.setNoDelay(true);
    void attacker.closed.then(() => answered("ended"));
    return attacker;
  };
  let attacker = await begin();
  /** @param make the request for this connection's session */
  return async (make: (session: Buffer) => Buffer): Promise<Answer> => {
    const { promise, resolve } = Promise.withResolvers<Answer | "ended">();
    answered = resolve;
    attacker.send(make(attacker.sessionId()));
    const answer = await promise;
    if (answer === "refused") return answer;
    answered = () => undefined;
    attacker.client.destroy();
    await attacker.closed;
    attacker = await begin();
    return answer === "accepted" ? answer : "refused";
  };
};

const limits = {
  authenticationTries: 1_000_000,
  preAuthenticationBytesIn: 1_000_000_000,
  preAuthenticationBytesOut: 1_000_000_000,
  loginGraceMs: 600_000,
  failureDelayMs: 0,
};

const requestOf = (key: SigningKey, algorithm: string, session: Buffer): Buffer =>
  message.publicKeyRequest(
    "support",
    algorithm,
    key.blob,
    key.sign(signedBytes("support", algorithm, key.blob, session)),
  );

const flip = (bytes: Buffer, bit: number): Buffer => {
  const flipped = Buffer.from(bytes);
  const at = Math.floor(bit / 8);
  flipped.writeUInt8(flipped.readUInt8(at) ^ (1 << (bit % 8)), at);
  return flipped;
};

/** Of RSA's long numbers one bit a byte; all of everything else. */
const isWorthIt = (key: SigningKey, bit: number, bits: number): boolean => {
  if (key.type !== "ssh-rsa") return true;
  const at = Math.floor(bit / 8);
  const keyBegins = 1 + 11 + 18 + 13 + 1 + 16 + 4;
  const isNumber = (at > keyBegins + 30 && at < keyBegins + key.blob.length) || at > bits / 8 - 384;
  return !isNumber || bit % 8 === at % 8;
};

const keys: readonly (readonly [string, () => SigningKey, string])[] = [
  ["ed25519", ed25519Key, "ssh-ed25519"],
  ["ecdsa", ecdsaKey, "ecdsa-sha2-nistp256"],
  ["rsa", () => rsaKey(3072), "rsa-sha2-512"],
  ["sk-ed25519", fidoEd25519Key, "sk-ssh-ed25519@openssh.com"],
  ["sk-ecdsa", fidoEcdsaKey, "sk-ecdsa-sha2-nistp256@openssh.com"],
];

test.each(keys)(
  "no altered bit of a request with %s is accepted",
  { timeout: 300_000 },
  async (_name, make, algorithm) => {
    const it = await startTestServer(undefined, { limits });
    const key = make();
    it.authorize("support", key.line);
    const send = await speaker(it);
    expect(await send((session) => requestOf(key, algorithm, session))).toBe("accepted");
    const accepted: number[] = [];
    // ECDSA signatures differ in length; flips of a shorter one's end are flips of another place.
    const bits = requestOf(key, algorithm, Buffer.alloc(32)).length * 8;
    const worth = Array.from({ length: bits - 8 }, (_, index) => index + 8).filter((bit) => isWorthIt(key, bit, bits));
    expect(worth.length).toBeGreaterThan(1000);
    // An odd share: over the days each bit of a byte has its turn, and within a day most of them.
    const tried = shareOf(worth, 5);
    for (const bit of tried) {
      const answer = await send((session) => {
        const request = requestOf(key, algorithm, session);
        return flip(request, Math.min(bit, request.length * 8 - 1));
      });
      if (answer === "accepted") accepted.push(bit);
    }
    expect(accepted).toEqual([]);
  },
);

test.each(keys)(
  "nothing may stand behind a request with %s or in it",
  { timeout: 60_000 },
  async (_name, make, algorithm) => {
    const it = await startTestServer(undefined, { limits });
    const key = make();
    it.authorize("support", key.line);
    const send = await speaker(it);
    const more = Buffer.of(0);
    const signatureOf = (session: Buffer): Buffer => key.sign(signedBytes("support", algorithm, key.blob, session));
    const withSignature = (signature: Buffer): Buffer =>
      message.publicKeyRequest("support", algorithm, key.blob, signature);
    const nameLength = wireString(algorithm).length;
    const places: Record<string, (session: Buffer) => Buffer> = {
      "behind the request": (session) => Buffer.concat([requestOf(key, algorithm, session), more]),
      "behind the signature": (session) => withSignature(Buffer.concat([signatureOf(session), more])),
      "behind its bytes": (session) => {
        const whole = signatureOf(session);
        const raw = whole.subarray(nameLength + 4, nameLength + 4 + whole.readUInt32BE(nameLength));
        const tail = whole.subarray(nameLength + 4 + raw.length);
        return withSignature(Buffer.concat([wireString(algorithm), wireString(Buffer.concat([raw, more])), tail]));
      },
      "without the algorithm's name": (session) => withSignature(signatureOf(session).subarray(nameLength + 4)),
    };
    const answers: Record<string, Answer> = {};
    for (const [place, request] of Object.entries(places)) answers[place] = await send(request);
    expect(answers).toEqual(Object.fromEntries(Object.keys(places).map((place) => [place, "refused"])));
  },
);
