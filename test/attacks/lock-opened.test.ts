/*
 * ATTACK  With a real ssh in a real terminal that its user left: Enter, a resize, Ctrl-C, a paste, a code read over a shoulder and used
 *         since, wrong codes at one locked screen and then at the next.
 * DANGER  Whoever passes by has the session, and reads the key that was looked up last.
 * EXPECT  Nothing of it opens a lock, wrong codes make the person wait at every screen, what was shown is gone, notices wait, and a
 *         session without a second factor ends. Each lock, refusal and unlock is on the record, and why each session ended.
 */
import { expect, test } from "vitest";
import { pep, startEndpoint, type DemoUser, type Endpoint } from "../harness/endpoint.ts";
import { enrol } from "../harness/enrol.ts";
import { prepareDemo } from "../harness/limited-endpoint.ts";
import type { Terminal } from "../harness/terminal.ts";

const question = "Locked, because nothing was typed for long. Code:";
const lockedMs = 150_000;
const key = /\d{6}(?:-\d{6}){7}/;
const size = { columns: 100, rows: 40 };

const logIn = async (endpoint: Endpoint, user: DemoUser, env: Record<string, string> = {}): Promise<Terminal> => {
  const terminal = endpoint.terminal(user, size, env);
  await terminal.waitFor(/PS.*>\s*$/, 30_000);
  return terminal;
};

const lookUp = async (terminal: Terminal): Promise<Terminal> => {
  terminal.type("Get-RecoveryKeys -ComputerName DEMO-PC-04 -Format list\r");
  await terminal.waitFor(key, 30_000);
  return terminal;
};

/** How often the lock has asked. */
const asked = (terminal: Terminal): number => terminal.raw().split("asks").length - 1;

/** Types into a lock, and waits until it asks again. */
const tryToOpen = async (terminal: Terminal, keys: string): Promise<void> => {
  const before = asked(terminal);
  terminal.type(keys);
  await expect.poll(() => asked(terminal), { timeout: 20_000 }).toBeGreaterThan(before);
  await terminal.waitFor(/Code:$/);
};

const locksOf = (endpoint: Endpoint): string[] =>
  endpoint
    .events()
    .flatMap((event) =>
      event.type === "session-lock"
        ? [`${event.connectedUser} ${event.state} ${event.reason ?? event.secondFactor ?? ""}`.trim()]
        : [],
    );

const endsOf = (endpoint: Endpoint): string[] =>
  endpoint.events().flatMap((event) => (event.type === "session-ended" ? [event.reason ?? ""] : []));

test("a terminal that was left alone, with the real ssh", { timeout: 300_000 }, async () => {
  const dataDirectory = await prepareDemo((roles) => {
    Object.assign(roles.session, { idleLockMinutes: 1, idleTimeoutMinutes: 10 });
  });
  const { telephone } = await enrol(dataDirectory, "support");
  const approver = await enrol(dataDirectory, "approver");
  const endpoint = await startEndpoint({ dataDirectory });

  const screen = await lookUp(await logIn(endpoint, "support"));
  const lines = await lookUp(await logIn(endpoint, "support", { TERM: "dumb" }));
  const guessed = await logIn(endpoint, "support");
  const waiting = await logIn(endpoint, "approver");
  const without = await lookUp(await logIn(endpoint, "exporter"));
  screen.type("Get-Help typed ahead");

  // No second factor: no lock. The session ends, and the key leaves the screen with it.
  expect(await without.exited).toBe(6);
  await without.waitFor("nothing was typed for too long");
  expect(without.scrollback()).not.toMatch(key);
  await expect.poll(() => endsOf(endpoint)).toContain("idle, no second factor");

  for (const terminal of [screen, lines, guessed, waiting]) await terminal.waitFor(question, lockedMs);
  expect(screen.scrollback()).not.toMatch(key);
  expect(screen.scrollback()).not.toContain("typed ahead");
  expect(lines.screen()).not.toMatch(key);

  // A notice for the approver, while the approver is away.
  const request = await endpoint.ssh(
    "requester",
    "Request-Elevation 'Get-RecoveryKeys -ComputerName DEMO-PC-04' -Reason INC0012345",
  );
  const requestId = /[A-Z]+-[0-9A-Za-z]{6,}/.exec(request.stdout)?.[0] ?? `no request: ${request.stderr}`;

  const commandsBefore = endpoint.events().filter(({ type }) => type === "command-started").length;
  for (const terminal of [screen, lines]) {
    await tryToOpen(terminal, "\r");
    await tryToOpen(terminal, "\u0003");
    await tryToOpen(terminal, "\u001b[200~\r\rGet-Command\r\u001b[201~");
    terminal.resize(90, 30);
    await tryToOpen(terminal, "\r");
    await tryToOpen(terminal, "Get-RecoveryKeys -ComputerName DEMO-PC-05\rGet-Command\r");
    expect(terminal.screen()).not.toMatch(key);
  }
  expect(endpoint.events().filter(({ type }) => type === "command-started")).toHaveLength(commandsBefore);
  expect(locksOf(endpoint).filter((lock) => lock.endsWith("unlocked code"))).toEqual([]);

  // Two lines that are no codes were refused above; one wrong code more, and the person waits, here as there.
  const code = await telephone.code();
  for (let wrong = 0; wrong < 2; wrong += 1) await tryToOpen(guessed, "12345\r");
  guessed.type("let me in\r");
  expect(await guessed.exited).toBe(5);
  await expect.poll(() => endsOf(endpoint)).toContain("too many wrong codes");
  await tryToOpen(screen, `${code}\r`);
  await screen.waitFor(/Too many wrong codes\. Try again in \d+ seconds\./);

  // The approver is another person: the right code opens the screen at once, and then the notice comes.
  await tryToOpen(waiting, "\r");
  expect(waiting.scrollback()).not.toContain(requestId);
  const opening = await approver.telephone.code();
  waiting.type(`${opening}\r`);
  await waiting.waitFor(requestId, 20_000);
  expect(waiting.raw()).not.toContain(opening);

  expect(locksOf(endpoint)).toEqual(
    expect.arrayContaining([
      "support locked",
      "support refused the code is wrong",
      "support refused too many wrong codes",
      "approver locked",
      "approver unlocked code",
    ]),
  );
  const seen = `${screen.raw()}${lines.raw()}`;
  expect(seen).not.toContain(code);
  expect(seen).not.toContain("resumed");

  endpoint.signal("SIGTERM");
  await endpoint.exited;
  expect(await pep(["audit", "verify", "--data-dir", dataDirectory])).toMatchObject({ status: 0 });
});
