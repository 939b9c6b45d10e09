import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openCode } from "../../server/bundle/code.ts";
import { root, run } from "../harness/endpoint.ts";
import { temporaryDirectory } from "../harness/temporary-directory.ts";

// ATTACK   Compiled code beside a program text that it was not compiled from: after half an upgrade, or a fix by hand.
// DANGER   V8 compares the texts' lengths alone. What runs is then not what stands in the file that everybody reads.
// EXPECT   The text runs, compiled anew.
test.each([
  ["of another text of the same length", (text: string) => text.replace("pep has no command", "pep has NO COMMAND")],
  ["of a longer text", (text: string) => text.replace("pep has no command", "pep has NO COMMAND ")],
])("compiled code %s is not used", async (_, change) => {
  const folder = temporaryDirectory();
  cpSync(join(root, "dist", "server"), join(folder, "dist", "server"), { recursive: true });
  cpSync(join(root, "package.json"), join(folder, "package.json"));
  const text = join(folder, "dist", "server", "pep.cjs");
  const main = join(folder, "dist", "server", "main.js");
  expect((await run(process.execPath, [main, "nonsense"])).stderr).toContain("pep has no command");
  writeFileSync(text, change(readFileSync(text, "utf8")));
  const { status, stderr } = await run(process.execPath, [main, "nonsense"]);
  expect(stderr).toContain("pep has NO COMMAND");
  expect(status).toBe(2);
});

// ATTACK   Compiled code that is damaged: cut off, or with a bit wrong. V8 has no checksum of it.
// DANGER   The server doesn't start, or runs what nobody wrote.
// EXPECT   It starts, compiled anew.
test.each<[string, (code: Buffer) => Buffer]>([
  ["empty", (code) => code.subarray(0, 0)],
  ["cut off", (code) => code.subarray(0, 1000)],
  ["with one bit wrong", (code) => Buffer.concat([code.subarray(0, -1), Buffer.from([(code.at(-1) ?? 0) ^ 1])])],
])("compiled code that is %s is not used", async (_, damage) => {
  const source = readFileSync(join(root, "dist", "server", "pep.cjs"));
  const code = readFileSync(join(root, "dist", "server", "pep.code"));
  expect(openCode(source, code)).toBeDefined();
  expect(openCode(source, damage(code))).toBeUndefined();
  const folder = temporaryDirectory();
  cpSync(join(root, "dist", "server"), join(folder, "dist", "server"), { recursive: true });
  cpSync(join(root, "package.json"), join(folder, "package.json"));
  writeFileSync(join(folder, "dist", "server", "pep.code"), damage(code));
  const { status, stderr } = await run(process.execPath, [join(folder, "dist", "server", "main.js"), "--version"]);
  expect(status, stderr).toBe(0);
});
