/*
 * ATTACK: a password for a backup is too weak, so the next one is typed where the person then is; or a program sends it with what its
 *         typist never saw: the blank of cmd.exe's `echo PASSWORD | ssh …`, a byte order mark.
 * DANGER: the password that protects the certificate's key stands in a transcript; or a backup that nobody can open on the day.
 * EXPECT: a weak one is refused where it was typed, three times at most, and a fourth goes nowhere; a stray end is refused by name
 *         when a backup is made. When one is opened the password counts as given, and without the stray ends if that fails.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { startSharedEndpoint, type Endpoint } from "../harness/endpoint.ts";

const weak = ["weak-pass-one", "Weakpass", "weak pass three"] as const;
const good = "Correct-Horse-77-Battery";

let endpoint: Endpoint;
beforeAll(async () => {
  endpoint = await startSharedEndpoint();
  return endpoint.end;
});

const transcripts = (): string => {
  const folder = join(endpoint.dataDirectory, "audit", "transcripts");
  return readdirSync(folder)
    .map((name) => readFileSync(join(folder, name), "utf8"))
    .join("\n");
};
const filesOf = (name: string): readonly string[] => {
  const folder = `${endpoint.dataDirectory}.backup`;
  return existsSync(folder)
    ? readdirSync(folder)
        .filter((file) => file.startsWith(`${name}.`))
        .sort()
    : [];
};

/** Types what a person would: the next of their passwords wherever they then are, and the same where it is asked for again. */
const typePasswords = async (name: string, env: Record<string, string>, passwords: readonly string[]) => {
  const terminal = endpoint.terminal("certadmin", { columns: 160, rows: 40 }, env);
  let seen = await terminal.waitFor(/certadmin@pep> ?$/);
  terminal.type(`backup-cert -Name ${name}\r`);
  let password = "";
  const left = [...passwords];
  for (;;) {
    const before = seen;
    seen = await terminal.waitFor(
      (screen) => screen !== before && /(?:others\): ?|again: ?|go back\. ?|certadmin@pep> ?)$/.test(screen),
    );
    if (!seen.endsWith("again:")) {
      const next = left.shift();
      if (next === undefined) return terminal;
      password = next;
    }
    terminal.type(`${password}\r`);
  }
};

describe.each([
  ["a screen", "screen", {}],
  ["a dumb terminal", "dumb", { TERM: "dumb" }],
])("on %s", (_, name, env) => {
  test("a weak password is refused before it is typed again, and the better one is in no transcript", async () => {
    const terminal = await typePasswords(`better-${name}`, env, [weak[0], good]);
    expect(terminal.scrollback()).toContain("The password must have 12 to 128");
    expect(transcripts()).not.toContain(good);
    expect(transcripts()).not.toContain(weak[0]);
    expect(filesOf(`better-${name}`)).toEqual([`better-${name}.cer`, `better-${name}.key`]);
  });

  test("after three weak ones a fourth goes nowhere", async () => {
    const terminal = await typePasswords(`fourth-${name}`, env, [...weak, good]);
    expect(terminal.scrollback()).toContain("none of three attempts was good");
    for (const password of [...weak, good]) expect(transcripts()).not.toContain(password);
    expect(filesOf(`fourth-${name}`)).toEqual([]);
  });
});

describe("sent by a program", () => {
  test.each([
    ["a blank at its end", `${good} `, "blank"],
    ["a blank before it", ` ${good}`, "blank"],
    ["a tab at its end", `${good}\t`, "blank"],
    ["a byte order mark", `\ufeff${good}`, "byte order mark"],
  ])("a password with %s makes no backup, and the message names it", async (_, password, word) => {
    const made = await endpoint.ssh("certadmin", "backup-cert -Name stray", { input: `${password}\r\n` });
    expect([made.status, made.stdout]).toEqual([2, ""]);
    expect(made.stderr).toContain(word);
    expect(made.stderr).not.toContain("Horse");
    expect(filesOf("stray")).toEqual([]);
  });

  test("a backup opens with the stray ends that its password was sent with", async () => {
    expect((await endpoint.ssh("certadmin", "backup-cert -Name plain", { input: `${good}\n` })).status).toBe(0);
    for (const input of [`${good}\n`, `${good} \r\n`, `\ufeff${good}\r\n`, `\ufeff${good} \r\n`]) {
      const restored = await endpoint.ssh("certadmin", "restore-cert -Name plain -Force", { input });
      expect([input, restored.status, restored.stderr]).toEqual([input, 0, ""]);
    }
    const wrong = await endpoint.ssh("certadmin", "restore-cert -Name plain -Force", { input: `${good.slice(1)} \n` });
    expect(wrong.status).toBe(2);
  });
});
