import { once } from "node:events";
import { connect } from "node:net";
import ssh2 from "ssh2";
import { expect, onTestFinished, test } from "vitest";
import { generateSshKeyPair } from "../../server/identity/generate-key.ts";
import { defaultPenalties, Penalties } from "../../server/ssh/penalties.ts";
import { logIn, stillServes } from "../harness/ssh-attacker.ts";
import { hasOpenSsh, keygen, keyFile, startSsh } from "../harness/ssh-attacker-openssh.ts";
import { startTestServer } from "../harness/ssh-attacker-server.ts";
import type { TestServer } from "../harness/ssh-attacker-server.ts";

const strangersKey = generateSshKeyPair("stranger").privateKey;

/** One connection that asks to be `user` with a key that is not theirs. */
const failToLogIn = async (it: TestServer, user: string, from: string): Promise<void> => {
  const client = new ssh2.Client();
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  client.on("error", () => undefined).on("close", () => resolve());
  client.connect({ host: "127.0.0.1", port: it.port, localAddress: from, username: user, privateKey: strangersKey });
  await closed;
};

/** What the server says first to a connection from an address. */
const greetingFor = async (it: TestServer, from: string): Promise<string> => {
  const socket = connect({ host: "127.0.0.1", port: it.port, localAddress: from });
  onTestFinished(() => void socket.destroy());
  socket.on("error", () => undefined);
  const [first] = (await once(socket, "data")) as [Buffer];
  socket.destroy();
  return first.toString("latin1");
};

/** Fails until the source is kept out. @returns after how many failures */
const failUntilKeptOut = async (it: TestServer, user: string, from: string): Promise<number> => {
  for (let failures = 1; failures <= 10; failures += 1) {
    await failToLogIn(it, user, from);
    const greeting = await greetingFor(it, from);
    if (greeting === "Not allowed at this time\r\n") return failures;
    await expect.poll(() => it.eventsOf("connection-opened").length).toBeGreaterThanOrEqual(failures);
  }
  throw new Error("ten failures had no effect");
};

const withPenalties = (): Promise<TestServer> =>
  // Only failed log-ins count here: the greetings that the test asks for would else add their own.
  startTestServer(undefined, {
    penalties: { ...defaultPenalties, penaltyMs: { ...defaultPenalties.penaltyMs, noauth: 0 } },
  });

// ATTACK: guess on, connection after connection. DANGER: tries are limited a connection only, so they never end.
// EXPECT: the fourth failure closes the door for the source, on the record once, and nothing of it is read any more.
test("a source that keeps failing is kept out, and it is on the record", async () => {
  const it = await withPenalties();
  expect(await failUntilKeptOut(it, "support", "127.0.0.2")).toBe(4);
  await expect
    .poll(() => it.eventsOf("source-penalised"))
    .toEqual([{ type: "source-penalised", source: "127.0.0.2", offence: "authfail", forSeconds: expect.any(Number) }]);
  expect(it.eventsOf("source-penalised")[0]?.forSeconds).toBeGreaterThan(15);
  await expect.poll(() => it.eventsOf("connection-dropped").map(({ guard }) => guard)).toContain("penalty");
  const tried = it.eventsOf("authentication").length;
  await failToLogIn(it, "support", "127.0.0.2");
  expect(it.eventsOf("authentication")).toHaveLength(tried);
});

// ATTACK: fail as a named victim, from elsewhere, so often that the victim is locked.
// DANGER: anybody who can reach the port takes the endpoint away from a chosen person in the middle of an incident.
// EXPECT: the victim logs in from their own address as if nothing had happened, while the attacker's address is kept out.
test("nobody can lock a named user out from elsewhere", async () => {
  const it = await withPenalties();
  await failUntilKeptOut(it, "support", "127.0.0.2");
  const client = await logIn(it.port, "support", it.key.privateKey);
  client.end();
  expect(await stillServes(it.port, it.key.privateKey)).toBe(true);
  expect(await greetingFor(it, "127.0.0.2")).toBe("Not allowed at this time\r\n");
});

// ATTACK: find out which names exist by how soon the source is kept out.
// EXPECT: unknown and known names, and names that can't be, cost the same.
test("unknown and known users cost the same", async () => {
  const it = await withPenalties();
  const counts = [
    await failUntilKeptOut(it, "support", "127.0.0.2"),
    await failUntilKeptOut(it, "nobody-of-that-name", "127.0.0.3"),
    await failUntilKeptOut(it, "../../etc/passwd", "127.0.0.4"),
  ];
  expect(counts).toEqual([4, 4, 4]);
});

// ATTACK: none; a colleague whose agent offers three other keys first.
// EXPECT: a log-in that succeeds in the end costs nothing, however often it is repeated.
test("an agent's other keys before the right one are no failure", { skip: !hasOpenSsh }, async () => {
  const it = await withPenalties();
  const others = (
    [
      ["ecdsa", 256],
      ["ecdsa", 384],
      ["ecdsa", 521],
    ] as const
  ).map(([type, bits]) => keygen(it.directory, type, bits));
  const args = [...others, keyFile(it)].flatMap((key) => ["-i", key]);
  for (let login = 0; login < 6; login += 1) {
    const [key = "", ...rest] = args.filter((arg) => arg !== "-i");
    const { ended } = startSsh(it, { key, args: rest.flatMap((other) => ["-i", other]), command: ["x"] });
    expect((await ended).status).toBe(0);
  }
  expect(it.eventsOf("authentication").filter(({ outcome }) => outcome === "refused").length).toBeGreaterThanOrEqual(
    18,
  );
  expect(it.eventsOf("source-penalised")).toEqual([]);
});

// ATTACK: connect and leave, over and over, without ever asking to log in. EXPECT: costs little each time, but it adds up.
test("connections that never ask to log in are kept out too, in the end", async () => {
  const it = await startTestServer(undefined, { penalties: defaultPenalties });
  let greeting = "";
  for (let turn = 0; turn < 40 && !greeting.startsWith("Not"); turn += 1) greeting = await greetingFor(it, "127.0.0.2");
  expect(greeting).toBe("Not allowed at this time\r\n");
  await expect.poll(() => it.eventsOf("source-penalised").map(({ offence }) => offence)).toEqual(["noauth"]);
  expect(await stillServes(it.port, it.key.privateKey)).toBe(true);
});

// ATTACK: a botnet's worth of addresses, to fill the table. DANGER: memory without end; a table so full that the attacker's
// own penalty falls out of it, or (with deny-all unasked for) that nobody comes in. EXPECT: bounded, quick, long ones stay.
test("a flood of sources fills no memory and frees no attacker", () => {
  const penalties = new Penalties(defaultPenalties, () => 0);
  for (let times = 0; times < 10; times += 1) penalties.penalise("203.0.113.66", "violation");
  for (let source = 0; source < 200_000; source += 1) {
    penalties.penalise(`10.${source >> 16}.${(source >> 8) & 255}.${source & 255}`, "noauth");
  }
  expect(penalties.size).toBeLessThanOrEqual(defaultPenalties.maxSources4);
  expect(penalties.mayConnect("203.0.113.66")).toBe(false);
  expect(penalties.mayConnect("198.51.100.1")).toBe(true);
});

// ATTACK: a fresh IPv6 address for each connection; a /64 has 2^64 of them. EXPECT: the network is the source.
test("rotating through an IPv6 network's addresses helps nobody", () => {
  const penalties = new Penalties(defaultPenalties, () => 0);
  for (let host = 1; host <= 4; host += 1) {
    expect(penalties.mayConnect(`2001:db8:0:7:${host}::${host}`)).toBe(true);
    penalties.penalise(`2001:db8:0:7:${host}::${host}`, "authfail");
  }
  expect(penalties.mayConnect("2001:db8:0:7:aaaa::5")).toBe(false);
  // IPv4 written as IPv6 is the IPv4 source it was before it came here (client-socket.ts); another /64 is another source.
  expect(penalties.mayConnect("2001:db8:0:8::1")).toBe(true);
});
