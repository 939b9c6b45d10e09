/*
 * ATTACK  A compromised UI process tries to bring recovery keys out another way than to its user's screen: it paints
 *         glyphs it was never given, hides glyphs in titles, the clipboard and queries, cuts them byte by byte, repaints
 *         them after their release, and says that a running answer's glyphs are released. Foreign data brings code points
 *         that look like glyphs.
 * DANGER  Keys in the transcript, in the clipboard or in a terminal's answer; a key in the place of another text.
 * EXPECT  A glyph is a character for the terminal and `•` for the record, or it is nothing. Foreign ones are removed.
 */
import { expect, test } from "vitest";
import { recoveryKeyAt, startShell } from "../session/interactive/shell.ts";

test("glyphs that stand for nothing become nothing", async () => {
  const shell = startShell();
  await shell.sees("> ");
  const from = shell.output().length;
  shell.type("!unallotted\r");
  await shell.sees("abcde", from);
  expect(shell.output()).not.toMatch(/\p{Co}/u);
});

test("glyphs inside a title, the clipboard or a query are not sent, with nothing around them", async () => {
  const shell = startShell();
  await shell.sees("> ");
  shell.type("!plan keep\r");
  await shell.run("keys 1");
  const from = shell.output().length;
  shell.type("!osc\r");
  await shell.sees("xyz", from);
  expect(shell.output().slice(from)).not.toMatch(/[0-9]{6}|\u001b/);
});

test("glyphs cut into single bytes are whole for the terminal and masked in the transcript", async () => {
  const shell = startShell();
  await shell.sees("> ");
  shell.type("!plan keep\r");
  await shell.run("keys 1");
  const from = shell.output().length;
  shell.type("!split\r");
  await shell.sees(`split ${recoveryKeyAt(0)} done`, from);
  shell.type("\u0004");
  await shell.result;
  expect(shell.transcript()).toContain(`split ${"•".repeat(55)} done`);
  expect(shell.transcript()).not.toMatch(/[0-9]{6}-/);
});

test("glyphs painted after their release are nothing", async () => {
  const shell = startShell();
  await shell.run("keys 1");
  const from = shell.output().length;
  shell.type("!again\r");
  await expect(shell.sees("again  done", from)).resolves.toBeGreaterThan(0);
});

test("releasing the glyphs of the answer that is being shown ends the process", async () => {
  const shell = startShell();
  await shell.sees("> ");
  shell.type("!plan release\rkeys 1\r");
  await expect.poll(() => shell.lost).toMatchObject([{ cause: "breach", detail: "released out of turn" }]);
});

test("a computer that is called like a key's glyphs is shown without them, and obeys no terminal", async () => {
  const shell = startShell();
  await shell.sees("> ");
  const seen = await shell.run("planted");
  expect(seen).toContain(`␛[7mevil␛]52;c;x␇ | ${recoveryKeyAt(0)}`);
});

test("glyph-like code points in texts, errors and typed lines are removed", async () => {
  const shell = startShell();
  expect(await shell.run("foreign")).toContain("abc␛[31md␇e");
  expect(await shell.run("crash")).toMatch(/InvalidResult: The command failed\. Reference R-[0-9A-F]+\./);
  expect(await shell.run("nonsense\u{F0000}\uE001")).toContain("'nonsense' is not recognised");
  expect(shell.output()).not.toMatch(/\p{Co}/u);
});
