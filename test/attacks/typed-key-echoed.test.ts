/*
 * ATTACK: somebody pastes or types the recovery key that a caller reads out at the prompt of a screen or of a dumb terminal, in
 *         their own way of writing, one group a line, or so that the network cuts it anywhere.
 * DANGER: what is echoed is in the transcript, and a history of lines brings it back at the next session's paste.
 * EXPECT: pasted, none of it is shown; typed key by key, less than half of it. The history doesn't keep it.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bundleUi } from "../../build.ts";
import { startSharedEndpoint, type Endpoint } from "../harness/endpoint.ts";
import { groupsLeftIn, key, writings } from "../model/key-in-writings.ts";
import { startShell } from "../session/interactive/shell.ts";

const dumb = { columns: 200, rows: 24, term: "dumb" };
const xterm = { columns: 200, rows: 24, term: "xterm-256color" };

let endpoint: Endpoint;
let folder = "";
let bundle = "";
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "pep-ui-"));
  bundle = await bundleUi(folder);
  endpoint = await startSharedEndpoint();
  return endpoint.end;
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const withoutSequences = (text: string): string => text.replace(/\u001b\[[0-9;?]*[ -/]*[@-~]/g, "");
const newestTranscript = (): string => {
  const at = join(endpoint.dataDirectory, "audit", "transcripts");
  const session = endpoint.events().findLast(({ type }) => type === "session-started");
  const name = session !== undefined && "transcript" in session ? (session.transcript ?? "") : "";
  expect(readdirSync(at)).toContain(name);
  const output = readFileSync(join(at, name), "utf8")
    .split("\n")
    .slice(1)
    .filter((line) => line !== "")
    .map((line): readonly unknown[] => JSON.parse(line))
    .filter(([, kind]) => kind === "o")
    .map(([, , text]) => String(text));
  return withoutSequences(output.join(""));
};

describe.each([
  ["a screen", {}],
  ["a dumb terminal", { TERM: "dumb" }],
])("pasted through ssh into %s", (_, env) => {
  test("no writing of a key is on the screen or in the transcript, nor does the history bring it back", async () => {
    const terminal = endpoint.terminal("support", { columns: 120, rows: 40 }, env);
    await terminal.waitFor(/support@pep> ?$/);
    for (const [index, text] of Object.values(writings).entries()) {
      const line = `Get-RecoveryKeys -ComputerName no-${String.fromCodePoint(97 + index)} -Reason '${text}'`;
      terminal.type(line);
      await terminal.waitFor(`ComputerName no-${String.fromCodePoint(97 + index)}`);
      terminal.type("\r");
      await terminal.waitFor(
        (screen) => screen.split("InvalidArgument:").length === index + 2 && /support@pep> ?$/.test(screen),
      );
    }
    terminal.type("\u001b[A");
    terminal.type("\u001b[A");
    terminal.type("\u0015");
    terminal.type("exit\r");
    await terminal.exited;
    expect(groupsLeftIn(terminal.scrollback())).toEqual([]);
    expect(groupsLeftIn(withoutSequences(terminal.raw()))).toEqual([]);
    expect(groupsLeftIn(newestTranscript())).toEqual([]);
    expect(newestTranscript()).toContain("•••");
  });
});

describe.each([
  ["a screen", xterm],
  ["a dumb terminal", dumb],
])("typed into %s", (_, terminal) => {
  test.each(Object.entries(writings))("a key %s, key by key, is shown to less than its half", async (__, text) => {
    const shell = startShell({ bundle, terminal });
    await shell.sees(/alice@demo.*> /);
    for (const character of `text ${text}`) {
      shell.type(character);
      await new Promise((resolve) => setImmediate(resolve));
    }
    shell.type("|end");
    await expect.poll(() => withoutSequences(shell.output())).toContain("|end");
    for (const shown of [shell.output(), shell.transcript()]) {
      const left = groupsLeftIn(withoutSequences(shown));
      expect(left.length).toBeLessThan(4);
      expect(left).toEqual(key.split("-").slice(0, left.length));
    }
  });

  test("a key that comes in two pieces, cut anywhere, is shown to less than its half", async () => {
    const shell = startShell({ bundle, terminal });
    await shell.sees(/alice@demo.*> /);
    for (const text of [key, writings["in groups of three"], writings["with words between"]]) {
      for (let cut = 1; cut < text.length; cut += 5) {
        const from = shell.output().length;
        shell.type(`text ${text.slice(0, cut)}`);
        await expect.poll(() => withoutSequences(shell.output().slice(from))).toContain("text");
        shell.type(`${text.slice(cut)}|end`);
        await expect.poll(() => withoutSequences(shell.output().slice(from))).toContain("|end");
        const left = groupsLeftIn(withoutSequences(shell.output().slice(from)));
        expect([cut, left.length]).toEqual([cut, Math.min(3, left.length)]);
        shell.type("\u0015");
      }
    }
    expect(groupsLeftIn(withoutSequences(shell.transcript())).length).toBeLessThan(4);
  });

  test("a key pasted one group a line is not shown, and the lines run nothing", async () => {
    const shell = startShell({ bundle, terminal });
    await shell.sees(/alice@demo.*> /);
    shell.type(key.replaceAll("-", "\r"));
    shell.type("\u0003");
    shell.type("text done\r");
    await shell.sees("second line");
    expect(groupsLeftIn(withoutSequences(shell.output()))).toEqual([]);
    expect(groupsLeftIn(withoutSequences(shell.transcript()))).toEqual([]);
    expect(shell.events.every((event) => event.type !== "command-started" || event.command === "text")).toBe(true);
  });
});
