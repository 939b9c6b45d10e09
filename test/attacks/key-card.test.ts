/*
 * ATTACK  A compromised UI process chooses keys out of turn, listens while one is read back, or paints behind its card.
 *         A transcript breaks, a terminal is left, or a command's right goes while a key is on the screen.
 * DANGER  A key that nobody asked for is opened, digits reach the process, or a key stays on a screen that nobody watches.
 * EXPECT  A choice out of turn ends the process. It sees no digit. However a card ends, blanks overwrite it first.
 */
import { describe, expect, test } from "vitest";
import { EndpointError } from "../../server/errors.ts";
import { recoveryKeyAt, startShell, type Shell, type ShellOptions } from "../session/interactive/shell.ts";
import { stageLock } from "../harness/session-lock.ts";

const key = recoveryKeyAt(0);
const opened = "\u001b[?1049h";
const closed = "\u001b[?1049l";
const small = { columns: 40, rows: 10, term: "xterm-256color" };

/** A shell with the card of the first of two keys on its screen. */
const withCard = async (options: ShellOptions = {}, plan = ""): Promise<{ shell: Shell; from: number }> => {
  const shell = startShell({ terminal: small, ...options });
  await shell.sees("> ");
  if (plan !== "") shell.type(`!plan ${plan}\r`);
  shell.type("offer 2\r");
  await shell.sees("choose");
  shell.type("0");
  return { shell, from: await shell.sees("Read back, group 1") };
};

const disclosures = ({ events }: Shell): string[] =>
  events.flatMap((event) => (event.type === "disclosure" ? event.keys.map(({ keyId }) => keyId) : []));

/** After the card was opened: whether blanks stood in its cells before the screen was left. */
const wasWiped = (output: string): boolean => {
  const rest = output.slice(output.lastIndexOf(opened));
  const wiping = rest.slice(rest.lastIndexOf("\u001b[1;1H"));
  return wiping.indexOf(" ".repeat(39)) < wiping.indexOf("\u001b[2J") && wiping.includes(closed);
};

describe("a UI process that chooses", () => {
  test.each([
    ["without an offer", "!chosen\r"],
    ["a row that is not there", "offer 2\r2"],
    ["after the command ended", "offer 2\rq!chosen\r"],
  ])("%s is ended, and no key is opened", async (_, keys) => {
    const shell = startShell();
    await shell.sees("> ");
    const [line = "", rest = ""] = keys.split(/(?<=\r)/);
    shell.type(line);
    if (line.startsWith("offer")) {
      await shell.sees("choose");
      shell.type(rest.slice(0, 1));
      if (rest.length > 1) {
        await shell.sees(/end 0 0/);
        shell.type("!chosen\r");
      }
    }
    await expect.poll(() => shell.lost).toMatchObject([{ cause: "breach", detail: "chosen out of turn" }]);
    expect(disclosures(shell)).toEqual([]);
    expect(shell.output()).not.toContain(opened);
  });

  test("twice is ended before its first choice is shown, and what it chose then is not opened", async () => {
    const shell = startShell({ terminal: small });
    await shell.sees("> ");
    shell.type("!plan twice\roffer 2\r");
    const from = await shell.sees("choose\r\n");
    shell.type("0");
    await shell.sees("notice: The screen stopped and was started again.", from);
    expect(shell.lost).toMatchObject([{ cause: "breach", detail: "chosen out of turn" }]);
    expect(disclosures(shell)).toEqual(["ID-0"]);
    expect(shell.output()).not.toContain(opened);
  });
});

test("a UI process gets no glyph and no digit of an offered key, and nothing of what is read back", async () => {
  const { shell, from } = await withCard();
  for (const digit of key.slice(0, 13)) shell.type(digit);
  await shell.sees("Read back, group 3", from);
  shell.type("\u001b");
  await shell.sees("resumed, spied []", from);
  await shell.sees("choose", from);
  shell.type("q");
  await shell.sees(/end 0 1/, from);
  expect(shell.output().slice(0, shell.output().indexOf(opened))).not.toMatch(/\d{6}/);
  expect(disclosures(shell)).toEqual(["ID-0"]);
});

test("names that pretend to be glyphs or sequences do nothing, in the list and on the card", async () => {
  const shell = startShell({ terminal: small });
  await shell.sees("> ");
  shell.type("planted-offer\r");
  await shell.sees("choose");
  shell.type("0");
  await shell.sees("Read back, group 1");
  const card = shell.output().slice(shell.output().lastIndexOf(opened));
  expect(card).toContain("evil");
  expect(card).not.toMatch(/\p{Co}|\u001b\]52|\u0007/u);
});

test("the record has the card without a digit, and says that the key was shown", async () => {
  const { shell, from } = await withCard();
  shell.type(key.slice(0, 6));
  await shell.sees("Read back, group 2", from);
  shell.type("99");
  await shell.sees("group 2: 99____", from);
  shell.type("\u001b");
  await shell.sees("choose", from);
  expect(shell.transcript()).toContain("shows the key of PC-0");
  expect(shell.transcript()).not.toMatch(new RegExp(`${key.split("-").join("|")}|99____`));
  expect(shell.markers().filter((marker) => marker.includes("disclosed"))).toEqual(["disclosed ID-0"]);
});

test("a UI process that stops the command behind the card closes it only when its user has hidden it", async () => {
  const { shell, from } = await withCard({}, "stop");
  shell.type(key.slice(0, 6));
  await shell.sees("Read back, group 2", from);
  shell.type("\u001b");
  await shell.sees(/end 130 1/, from);
  expect(wasWiped(shell.output().slice(0, shell.output().lastIndexOf("resumed")))).toBe(true);
});

test("a UI process that paints behind the card is shown only when the card is gone", async () => {
  const { shell, from } = await withCard({}, "paint");
  shell.type("\u001b");
  await shell.sees("Password, please", from);
  const output = shell.output().slice(from);
  expect(output.indexOf(closed)).toBeLessThan(output.indexOf("Password, please"));
});

describe("a card goes, overwritten,", () => {
  test("when the transcript can't be written any more", async () => {
    let breaks = false;
    const { shell } = await withCard({
      transcripts: (real) => async (opening) => {
        const transcript = await real(opening);
        return {
          fileName: transcript.fileName,
          output: async (text) => {
            if (breaks) throw new EndpointError("AuditUnavailable", "The disk is full.");
            await transcript.output(text);
          },
          resize: (columns, rows) => transcript.resize(columns, rows),
          marker: (label) => transcript.marker(label),
          discard: () => transcript.discard(),
          close: (exitStatus) => transcript.close(exitStatus),
        };
      },
    });
    breaks = true;
    shell.type("1");
    expect(await shell.result).toMatchObject({ reason: "transcript unavailable" });
    expect(wasWiped(shell.output())).toBe(true);
    expect(shell.output().slice(shell.output().lastIndexOf(closed))).toContain("can't be recorded any more");
  });

  test("when the server stops", async () => {
    const { shell } = await withCard({ dependencies: { drainMs: 50 } });
    shell.shutdown.abort();
    await shell.result;
    expect(wasWiped(shell.output())).toBe(true);
    expect(shell.output()).toContain("The server is shutting down");
  });

  test("when the time of its key is over", async () => {
    const { shell, from } = await withCard({ dependencies: { keyShownMs: 1_000 } });
    await shell.sees("Time is up", from);
    const last = shell.output().slice(shell.output().lastIndexOf("\u001b[2J"));
    expect(last).not.toMatch(/\d{6}/);
    shell.type(`${key}\r`);
    await shell.sees("choose", from);
    expect(shell.output()).toContain("resumed, spied []");
  });

  test("when the screen is locked, and the lock asks on a clear screen", async () => {
    const { shell, from } = await withCard({
      dependencies: {
        idleLockMs: 1_500,
        lock: (await stageLock()).lock,
      },
    });
    await shell.sees("Locked, because nothing was typed for long", from);
    const before = shell.output().slice(0, shell.output().indexOf("Locked"));
    expect(wasWiped(before)).toBe(true);
    expect(before.slice(before.lastIndexOf(closed))).toContain("\u001b[3J");
  });
});
