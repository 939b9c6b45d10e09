import { createPrivateKey, generateKeyPairSync, sign } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { expect, test, vi } from "vitest";
import { generateSshKeyPair } from "../../server/ssh/generate-key.ts";
import { fingerprintOf } from "../../server/ssh/public-key.ts";
import { uint32, wireString } from "../../server/ssh/wire.ts";
import { attack, logIn, message, stillServes } from "../harness/ssh-attacker.ts";
import type { Attacker } from "../harness/ssh-attacker.ts";
import { startTestServer } from "../harness/ssh-attacker-server.ts";
import type { TestServer } from "../harness/ssh-attacker-server.ts";

interface SigningKey {
  readonly privateKey: KeyObject;
  readonly blob: Buffer;
  readonly line: string;
}

const ed25519 = (): SigningKey => {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const point = Buffer.from(publicKey.export({ format: "jwk" }).x ?? "", "base64url");
  const blob = Buffer.concat([wireString("ssh-ed25519"), wireString(point)]);
  return { privateKey, blob, line: `ssh-ed25519 ${blob.toString("base64")}` };
};

const rsa = (modulusLength: number): SigningKey => {
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength });
  const { n = "", e = "" } = publicKey.export({ format: "jwk" });
  const modulus = Buffer.concat([Buffer.of(0), Buffer.from(n, "base64url")]);
  const blob = Buffer.concat([wireString("ssh-rsa"), wireString(Buffer.from(e, "base64url")), wireString(modulus)]);
  return { privateKey, blob, line: `ssh-rsa ${blob.toString("base64")}` };
};

/** What a client signs (RFC 4252 §7). */
const signedBytes = (sessionId: Buffer, user: string, algorithm: string, key: Buffer): Buffer =>
  Buffer.concat([
    wireString(sessionId),
    Buffer.of(50),
    wireString(user),
    wireString("ssh-connection"),
    wireString("publickey"),
    Buffer.of(1),
    wireString(algorithm),
    wireString(key),
  ]);

const signature = (key: SigningKey, algorithm: string, hash: string | null, bytes: Buffer): Buffer =>
  Buffer.concat([wireString(algorithm), wireString(sign(hash, bytes, key.privateKey))]);

/** A test server where `support` has this key, and a client that has finished its key exchange. */
const begin = async (key: SigningKey): Promise<{ readonly it: TestServer; readonly attacker: Attacker }> => {
  const it = await startTestServer();
  it.authorize("support", key.line);
  const attacker = await attack(it.port);
  await attacker.until("SERVICE_ACCEPT");
  return { it, attacker };
};

const reasons = (it: TestServer): (string | undefined)[] =>
  it.eventsOf("authentication").map((event) => (event.outcome === "refused" ? event.reason : "ACCEPTED"));

/*
 * ATTACK  A client offers somebody's public key, gets the answer "this key would do", and goes on without signing.
 * DANGER  An offered key taken for an identity: public keys are public.
 * EXPECT  No identity: the next request of a session ends the connection.
 */
test("an offered key that never signed is no identity", async () => {
  const key = ed25519();
  const { it, attacker } = await begin(key);
  attacker.send(message.publicKeyRequest("support", "ssh-ed25519", key.blob));
  const answer = await attacker.until("USERAUTH_PK_OK");
  expect(answer.args[0]).toBe("ssh-ed25519");
  expect(it.server.connections()).toEqual([]);
  attacker.send(message.channelOpen("session", 0, 1 << 20, 32768));
  expect(await it.firstDrop()).toBe("pre-authentication-message");
  expect(reasons(it)).toEqual([]);
});

/*
 * ATTACK  A server elsewhere relays what a user signed for it.
 * DANGER  A signature for one connection logs somebody else in on another.
 * EXPECT  Refused: only a signature over this connection's session identifier counts. The right one is then accepted.
 */
test("a signature over another session is refused, the right one is accepted", async () => {
  const key = ed25519();
  const { it, attacker } = await begin(key);
  const elsewhere = signedBytes(Buffer.alloc(32, 7), "support", "ssh-ed25519", key.blob);
  attacker.send(
    message.publicKeyRequest("support", "ssh-ed25519", key.blob, signature(key, "ssh-ed25519", null, elsewhere)),
  );
  await attacker.until("USERAUTH_FAILURE");
  expect(reasons(it)).toEqual(["the signature is wrong"]);
  const here = signedBytes(attacker.sessionId(), "support", "ssh-ed25519", key.blob);
  attacker.send(
    message.publicKeyRequest("support", "ssh-ed25519", key.blob, signature(key, "ssh-ed25519", null, here)),
  );
  await attacker.until("USERAUTH_SUCCESS");
  expect(it.server.connections()).toMatchObject([
    { connectedUser: "support", keyFingerprint: fingerprintOf(key.blob), clientAddress: "127.0.0.1" },
  ]);
});

/*
 * ATTACK  A request names a user, its signature covers another user's name.
 * DANGER  One user's signature logs in another one who shares the key.
 * EXPECT  Refused.
 */
test("a signature that names another user is refused", async () => {
  const key = ed25519();
  const { it, attacker } = await begin(key);
  it.authorize("exporter", key.line);
  const other = signedBytes(attacker.sessionId(), "support", "ssh-ed25519", key.blob);
  attacker.send(
    message.publicKeyRequest("exporter", "ssh-ed25519", key.blob, signature(key, "ssh-ed25519", null, other)),
  );
  await attacker.until("USERAUTH_FAILURE");
  expect(reasons(it)).toEqual(["the signature is wrong"]);
});

/*
 * ATTACK  A client signs with SHA-1 RSA; or asks for rsa-sha2-256 and signs with SHA-1; or uses a key of 2048 bits.
 * DANGER  A forged signature: SHA-1 collisions cost thousands, NIST SP 800-57 ends 2048 bits with 2030.
 * EXPECT  Each is refused, rsa-sha2-512 with 3072 bits is accepted.
 */
test("SHA-1 signatures and short RSA keys are refused", async () => {
  const key = rsa(3072);
  const short = rsa(2048);
  const { it, attacker } = await begin(key);
  it.authorize("support", short.line); // refused already when it is read
  const sha1 = signedBytes(attacker.sessionId(), "support", "ssh-rsa", key.blob);
  attacker.send(message.publicKeyRequest("support", "ssh-rsa", key.blob, signature(key, "ssh-rsa", "sha1", sha1)));
  await vi.waitFor(() => expect(attacker.heardOf("USERAUTH_FAILURE")).toHaveLength(1));
  const mixed = signedBytes(attacker.sessionId(), "support", "rsa-sha2-256", key.blob);
  attacker.send(
    message.publicKeyRequest("support", "rsa-sha2-256", key.blob, signature(key, "ssh-rsa", "sha1", mixed)),
  );
  await vi.waitFor(() => expect(attacker.heardOf("USERAUTH_FAILURE")).toHaveLength(2));
  const weak = signedBytes(attacker.sessionId(), "support", "rsa-sha2-256", short.blob);
  attacker.send(
    message.publicKeyRequest("support", "rsa-sha2-256", short.blob, signature(short, "rsa-sha2-256", "sha256", weak)),
  );
  await vi.waitFor(() => expect(attacker.heardOf("USERAUTH_FAILURE")).toHaveLength(3));
  expect(reasons(it)).toEqual([
    "the algorithm is not accepted with this key",
    "the signature is wrong",
    "the key can't be accepted",
  ]);
  expect(it.eventsOf("authentication").at(-1)?.detail).toContain("must have 3072 to 8192 bits");
  const strong = signedBytes(attacker.sessionId(), "support", "rsa-sha2-512", key.blob);
  attacker.send(
    message.publicKeyRequest("support", "rsa-sha2-512", key.blob, signature(key, "rsa-sha2-512", "sha512", strong)),
  );
  await attacker.until("USERAUTH_SUCCESS");
});

/*
 * ATTACK  A client names a file, a hidden file or a control character as its user.
 * DANGER  `authorized-keys/../../home/x/.ssh/authorized_keys` becomes a way in; the log shows what the terminal obeys.
 * EXPECT  Refused like any unknown user; the claimed name is on the record, made readable; a recovery key pasted as name is not.
 */
test.each([
  ["../support", "../support"],
  ["support/../support", "support/../support"],
  [".support", ".support"],
  ["support\u0000", "support\uFFFD"],
  ["\u001b[2Jsupport", "\uFFFD[2Jsupport"],
  ["111111-222222-333333-444444-555555-666666-777777-888888", "•••"],
])("the user name %j is refused", async (user, shown) => {
  const key = ed25519();
  const { it, attacker } = await begin(key);
  attacker.send(message.publicKeyRequest(user, "ssh-ed25519", key.blob));
  await attacker.until("USERAUTH_FAILURE");
  const [event] = it.eventsOf("authentication");
  expect(event).toMatchObject({ outcome: "refused", claimedUser: shown, keyFingerprint: fingerprintOf(key.blob) });
  expect(["not a user name", "unknown user"]).toContain(event?.reason);
});

/*
 * ATTACK  A client sends requests whose fields contradict each other, or lack what they need: no key, a foreign type inside the
 *         blob, a certificate, a point off its curve, bytes too many, an empty signature.
 * DANGER  A TypeError or a wrong branch in the code that decides who is who.
 * EXPECT  Each is refused with a reason, on the record, and the server serves on.
 */
test("malformed keys and signatures are refused", async () => {
  const key = ed25519();
  const point = Buffer.concat([Buffer.of(4), Buffer.alloc(64, 1)]);
  const offCurve = Buffer.concat([wireString("ecdsa-sha2-nistp256"), wireString("nistp256"), wireString(point)]);
  const attempts: readonly (readonly [string, Buffer, Buffer | undefined])[] = [
    ["ssh-ed25519", Buffer.alloc(0), undefined],
    ["ecdsa-sha2-nistp256", key.blob, undefined],
    ["ssh-ed25519-cert-v01@openssh.com", key.blob, undefined],
    ["ecdsa-sha2-nistp256", offCurve, undefined],
    ["ssh-ed25519", Buffer.concat([key.blob, Buffer.of(0)]), undefined],
    ["ssh-ed25519", Buffer.concat([uint32(0xffff_ffff), key.blob]), undefined],
    ["ssh-ed25519", key.blob, wireString("ssh-ed25519")],
    ["ssh-ed25519", key.blob, Buffer.concat([wireString("ssh-ed25519"), wireString(Buffer.alloc(64))])],
  ];
  const it = await startTestServer(undefined, { limits: { authenticationTries: 100 } });
  it.authorize("support", key.line);
  const attacker = await attack(it.port);
  for (const [index, [algorithm, blob, signed]] of attempts.entries()) {
    attacker.send(message.publicKeyRequest("support", algorithm, blob, signed));
    await vi.waitFor(() => expect(attacker.heardOf("USERAUTH_FAILURE")).toHaveLength(index + 1));
  }
  expect(reasons(it)).not.toContain("ACCEPTED");
  expect(reasons(it)).toHaveLength(attempts.length);
  expect(await stillServes(it.port, it.key.privateKey)).toBe(true);
});

/*
 * ATTACK  One bit of a good signature, of the key or of the signed user name is wrong.
 * DANGER  A verifier that looks at a part only.
 * EXPECT  Every flipped bit is refused.
 */
test("no altered signature is accepted", { timeout: 60_000 }, async () => {
  const key = ed25519();
  const it = await startTestServer(undefined, { limits: { authenticationTries: 1000 } });
  it.authorize("support", key.line);
  const attacker = await attack(it.port);
  const good = sign(null, signedBytes(attacker.sessionId(), "support", "ssh-ed25519", key.blob), key.privateKey);
  for (let at = 0; at < good.length; at += 1) {
    const bad = Buffer.from(good);
    bad.writeUInt8(bad.readUInt8(at) ^ (1 << (at % 8)), at);
    const envelope = Buffer.concat([wireString("ssh-ed25519"), wireString(bad)]);
    attacker.send(message.publicKeyRequest("support", "ssh-ed25519", key.blob, envelope));
    await vi.waitFor(() => expect(attacker.heardOf("USERAUTH_FAILURE")).toHaveLength(at + 1), { interval: 2 });
  }
  expect(new Set(reasons(it))).toEqual(new Set(["the signature is wrong"]));
});

/*
 * ATTACK  A client tries keys, passwords and host names one after another, or all at once.
 * DANGER  Unlimited guesses on one connection; ssh2 takes ten at a time and never says no.
 * EXPECT  The sixth failure ends the connection; passwords and host keys count too.
 */
test("the sixth failure ends the connection, whatever its method", async () => {
  const { port, eventsOf } = await startTestServer();
  const attacker = await attack(port);
  const password = Buffer.concat([
    Buffer.of(50),
    ...["support", "ssh-connection", "password"].map((text) => wireString(text)),
    Buffer.of(0),
    wireString("hunter2"),
  ]);
  attacker.send(...Array.from({ length: 9 }, () => password));
  await attacker.closed;
  const refused = eventsOf("authentication");
  expect(refused).toHaveLength(6);
  expect(refused.every((event) => event.method === "password" && event.outcome === "refused")).toBe(true);
  expect(JSON.stringify(refused)).not.toContain("hunter2");
  expect(attacker.heardOf("DISCONNECT")[0]?.args).toEqual([14, "Too many authentication failures"]);
});

/*
 * ATTACK  The disk is full, or the log fails for another reason, while somebody logs in.
 * DANGER  A session that is on no record.
 * EXPECT  The log-in is refused; refusals that can't be recorded stop nothing else.
 */
test("a log-in that can't be recorded is refused", async () => {
  let failing: "authentication" | "connection-opened" | undefined = "authentication";
  const it = await startTestServer(undefined, {
    append: (event) => (event.type === failing ? Promise.reject(new Error("disk full")) : Promise.resolve()),
  });
  await expect(refusedLogin(it)).resolves.toBe(true);
  failing = "connection-opened";
  await expect(refusedLogin(it)).resolves.toBe(true);
  expect(it.server.connections()).toEqual([]);
  expect(it.problems).toEqual(expect.arrayContaining([expect.stringContaining("disk full")]));
  failing = undefined;
  expect(await stillServes(it.port, it.key.privateKey)).toBe(true);
});

const refusedLogin = async (it: TestServer): Promise<boolean> => {
  const attempt = logIn(it.port, "support", it.key.privateKey).then(
    () => "in",
    (error: unknown) => String(error),
  );
  return /authentication methods failed/.test(await attempt);
};

/*
 * ATTACK  Somebody asks which users exist by comparing the answers for an unknown user and for a wrong key.
 * DANGER  A list of names to aim at.
 * EXPECT  The client hears the same; only the log tells them apart.
 */
test("an unknown user and a wrong key get the same answer", async () => {
  const stranger = generateSshKeyPair("stranger");
  const blob = Buffer.from(stranger.publicKey.split(" ")[1] ?? "", "base64");
  const heard: unknown[] = [];
  const it = await startTestServer();
  for (const user of ["support", "nobody"]) {
    const attacker = await attack(it.port);
    attacker.send(message.publicKeyRequest(user, "ssh-ed25519", blob));
    await attacker.until("USERAUTH_FAILURE");
    heard.push(attacker.heard);
  }
  expect(heard[0]).toEqual(heard[1]);
  expect(reasons(it)).toEqual(["not a key of this user", "unknown user"]);
});

/*
 * ATTACK  The server is started with a host key of another kind.
 * DANGER  With an RSA key ssh2 offers SHA-1 signatures, whatever the configured list says.
 * EXPECT  It does not start, and says why.
 */
test("only an ed25519 host key is taken", async () => {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const pem = createPrivateKey(privateKey.export({ type: "pkcs8", format: "pem" })).export({
    type: "pkcs1",
    format: "pem",
  });
  const { readHostKey } = await import("../../server/ssh/host-key.ts");
  expect(() => readHostKey(pem)).toThrow("The host key must be ssh-ed25519, not ssh-rsa.");
  expect(() => readHostKey(generateSshKeyPair("x").publicKey)).toThrow("public key");
  expect(() => readHostKey("nonsense")).toThrow("not an OpenSSH private key");
});
