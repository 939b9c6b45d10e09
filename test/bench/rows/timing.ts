import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { uint32, wireString } from "../../../server/identity/wire.ts";
import { root, run } from "../../harness/endpoint.ts";
import { certificateAlgorithm, ed25519Key, makeCertificate } from "../../harness/signing-key.ts";
import { connectAttacker, message } from "../../harness/ssh-attacker-connection.ts";
import { compareTimes } from "../compare-times.ts";
import type { Outcome } from "../compare.ts";
import type { BenchRow, Stage } from "../stage.ts";

/** What a client sends, by what only the server knows about it. The first one is what the others are held against. */
type Cases = ReadonlyMap<string, () => Promise<{ readonly ms: number; readonly answer: string }>>;

interface Group {
  readonly name: string;
  readonly cases: Cases;
  readonly rounds: number;
}

type Asking = (payload: Buffer) => Promise<{ readonly ms: number; readonly answer: string }>;

const connectionsEach = 3;

/** One in a hundred runs of a group would call something told apart that is not. */
const groupAlpha = 0.01;

const shuffled = <T>(values: readonly T[]): T[] =>
  values
    .map((value) => ({ value, at: Math.random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ value }) => value);

/** Every case once a round, in an order that chance chooses: what slows the machine for a while slows all of them. */
const measure = async ({ name, cases, rounds }: Group): Promise<ReadonlyMap<string, readonly number[]>> => {
  process.stderr.write(`  ${name}: ${cases.size} cases, ${rounds} rounds\n`);
  const times = new Map([...cases.keys()].map((one) => [one, [] as number[]]));
  const answers = new Set<string>();
  const warmUp = Math.ceil(rounds / 20);
  for (let round = -warmUp; round < rounds; round += 1) {
    for (const [one, ask] of shuffled([...cases])) {
      const { ms, answer } = await ask();
      answers.add(answer);
      if (round >= 0) times.get(one)?.push(ms);
    }
  }
  if (answers.size !== 1) throw new Error(`${name}: told apart by message: ${[...answers].join(" / ")}`);
  return times;
};

const startServer = async (stage: Stage, directory: string, delayMs: number): Promise<number> => {
  const server = spawn(
    process.execPath,
    [join(root, "test", "bench", "timing-server.ts"), directory, String(delayMs)],
    { stdio: ["pipe", "pipe", "inherit"] },
  );
  stage.onEnd(() => void server.stdin.end());
  return new Promise<number>((resolve, reject) => {
    server.stdout.once("data", (bytes: Buffer) => resolve(Number(bytes.toString())));
    server.once("exit", (status) => reject(new Error(`the timing server ended with ${status}`)));
  });
};

/** Says one thing and waits for one answer; only one is under way at a time. */
const createAsking = async (
  port: number,
  ends: readonly string[],
  login?: { readonly user: string; readonly privateKey: string },
) => {
  let heard: (answer: string) => void = () => undefined;
  let said = "";
  const connection = await connectAttacker(port, login, {
    readyTimeout: 0, // never "ready": these clients only knock
    onHeard: (name, args) => {
      said += `${name} ${JSON.stringify(args)}`;
      if (ends.includes(name)) heard(said);
    },
  });
  connection.socket.setNoDelay(true); // or Nagle's 40 ms stand before every answer
  const ask = async (payload: Buffer): Promise<{ ms: number; answer: string }> => {
    const answered = new Promise<string>((resolve, reject) => {
      heard = resolve;
      void connection.closed.then(() => reject(new Error(`the server hung up: ${said}`)));
    });
    said = "";
    const startedAt = performance.now();
    connection.send(payload);
    const answer = await answered;
    return { ms: performance.now() - startedAt, answer };
  };
  return { connection, ask };
};

/** Names of one length, keys of one type: what differs is what the server knows, not what it is sent. */
const logInCases = async (port: number, directory: string): Promise<{ plain: Cases; certified: Cases }> => {
  // Several, so that no accident of one connection looks like a case's own.
  const askAs = async (): Promise<Asking> => {
    const askings = await Promise.all(
      Array.from({ length: connectionsEach }, () => createAsking(port, ["USERAUTH_FAILURE", "USERAUTH_PK_OK"])),
    );
    let next = 0;
    return (payload) => {
      next = (next + 1) % askings.length;
      const asking = askings[next];
      if (asking === undefined) throw new Error("no connection");
      return asking.ask(payload);
    };
  };
  const read = (name: string): Buffer => Buffer.from(readFileSync(join(directory, name), "utf8"), "base64");
  const offer = (user: string, algorithm: string, file: string) => {
    const payload = message.publicKeyRequest(user, algorithm, read(file));
    // Of its own: a connection that is asked more often than another answers faster, by some 5 µs.
    const asking = askAs();
    return async () => (await asking)(payload);
  };
  const certificate = certificateAlgorithm(ed25519Key());
  return {
    plain: new Map([
      ["an unknown user", offer("mallory", "ssh-ed25519", "stranger")],
      ["a known user, a wrong key", offer("support", "ssh-ed25519", "stranger")],
      ["a known user, a revoked key", offer("support", "ssh-ed25519", "revoked-key")],
      ["a known user, an expired key", offer("support", "ssh-ed25519", "expired-key")],
    ]),
    certified: new Map([
      ["an unknown user, an expired certificate", offer("mallory", certificate, "expired-certificate")],
      ["a known user, an expired certificate", offer("support", certificate, "expired-certificate")],
      ["a known user, a revoked certificate", offer("support", certificate, "revoked-certificate")],
      ["a known user, somebody else's certificate", offer("support", certificate, "other-certificate")],
      ["a known user, a stranger's certificate", offer("support", certificate, "foreign-certificate")],
    ]),
  };
};

const prepare = async (stage: Stage): Promise<string> => {
  const directory = join(stage.directory, "timing");
  mkdirSync(join(directory, "authorized-keys"), { recursive: true, mode: 0o700 });
  const [stranger, revoked, expired, own, authority, other] = Array.from({ length: 6 }, ed25519Key);
  if (!stranger || !revoked || !expired || !own || !authority || !other) throw new Error("no keys");
  const keep = (name: string, blob: Buffer): void => writeFileSync(join(directory, name), blob.toString("base64"));
  const lines = [own.line, revoked.line, `expiry-time="20200101Z" ${expired.line}`];
  writeFileSync(join(directory, "authorized-keys", "support"), `${lines.join("\n")}\n`, { mode: 0o600 });
  writeFileSync(join(directory, "authorities"), `${authority.line}\n`, { mode: 0o600 });
  writeFileSync(join(directory, "revoked.pub"), `${revoked.line}\n`);
  writeFileSync(join(directory, "authority.pub"), `${authority.line}\n`);
  writeFileSync(join(directory, "serials"), "serial: 42\n");
  const list = join(directory, "revoked");
  await run("ssh-keygen", ["-q", "-k", "-f", list, join(directory, "revoked.pub")]);
  await run("ssh-keygen", [
    "-q",
    "-k",
    "-u",
    "-f",
    list,
    "-s",
    join(directory, "authority.pub"),
    join(directory, "serials"),
  ]);
  keep("stranger", stranger.blob);
  keep("revoked-key", revoked.blob);
  keep("expired-key", expired.blob);
  const parts = { key: own, authority, serial: 7n };
  keep("expired-certificate", makeCertificate({ ...parts, validBefore: 1_600_000_000n }));
  keep("revoked-certificate", makeCertificate({ ...parts, serial: 42n }));
  keep("other-certificate", makeCertificate({ ...parts, principals: ["auditor"] }));
  keep("foreign-certificate", makeCertificate({ ...parts, authority: other }));
  return directory;
};

/** Lines of one length over one connection to the real server; each is a session of its own. */
const commandCases = async (stage: Stage): Promise<Cases> => {
  const endpoint = await stage.endpoint();
  const privateKey = readFileSync(join(endpoint.dataDirectory, "demo", "keys", "guest"), "utf8");
  const { connection, ask } = await createAsking(endpoint.port, ["CHANNEL_OPEN_CONFIRMATION", "CHANNEL_CLOSE"], {
    user: "guest",
    privateKey,
  });
  const exec = (line: string) => async () => {
    const { answer: opened } = await ask(message.channelOpen("session", 0, 1 << 20, 32_768));
    const theirs = /"sender":(\d+)/.exec(opened)?.[1];
    if (theirs === undefined) throw new Error(`no channel: ${opened}`);
    const id = Number(theirs);
    const answered = await ask(message.request(id, "exec", true, wireString(line)));
    connection.send(Buffer.concat([Buffer.of(97), uint32(id)]));
    return answered;
  };
  return new Map([
    ["an unknown command", exec("Get-RecoveryBees -raw")],
    ["a hidden command", exec("Get-RecoveryKeys -raw")],
  ]);
};

const words = (ms: number | undefined): string => {
  if (ms === undefined) return "over 1 s";
  return Math.abs(ms) < 1 ? `${(ms * 1000).toFixed(1)} µs` : `${ms.toFixed(2)} ms`;
};

/**
 * What a stranger learns from how long a refusal takes: everything that differs only in what the server knows is held
 * against its like. The verdicts go to standard error: the table has no place for a p-value.
 */
export const timing: BenchRow = async (stage) => {
  const directory = await prepare(stage);
  const bare = await logInCases(await startServer(stage, directory, 0), directory);
  const shipped = await logInCases(await startServer(stage, directory, 300), directory);
  const rounds = stage.sizes.calls * 10;
  const few = stage.sizes.parallel;
  const groups: readonly Group[] = [
    { name: "key, no delay", cases: bare.plain, rounds },
    { name: "certificate, no delay", cases: bare.certified, rounds },
    { name: "key, as shipped", cases: shipped.plain, rounds: few },
    { name: "certificate, as shipped", cases: shipped.certified, rounds: few },
    { name: "command", cases: await commandCases(stage), rounds: rounds / 2 },
  ];
  const outcomes: Outcome[] = [];
  const report: string[] = ["| refused | against | each | difference | p | would have seen | told apart |"];
  report.push("| --- | --- | --- | --- | --- | --- | --- |");
  for (const group of groups) {
    const times = await measure(group);
    const [[firstName, first] = ["", []], ...rest] = times;
    const alpha = groupAlpha / rest.length;
    for (const [name, ours] of rest) {
      const { differenceMs, pValue, smallestSeenMs } = compareTimes(first, ours, alpha);
      const verdict = pValue < alpha ? "YES" : "no";
      report.push(
        `| ${name} (${group.name}) | ${firstName} | ${ours.length} | ${words(differenceMs)} | ${pValue.toPrecision(2)} | ${words(smallestSeenMs)} | ${verdict} |`,
      );
      outcomes.push({ name: `${name}, against ${firstName} (${group.name})`, unit: "ms", ours, peer: first });
    }
  }
  process.stderr.write(`${report.join("\n")}\n`);
  return outcomes;
};
