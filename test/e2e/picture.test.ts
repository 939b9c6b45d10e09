import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { root, startEndpoint } from "../harness/endpoint.ts";

/** Ids, keys and times are made up anew for each demo. */
const withoutWhatDiffers = (text: string): string =>
  text
    .replaceAll(/[0-9A-F]{8}(?:-[0-9A-F]{4}){3}-[0-9A-F]{12}/g, "KEY-ID")
    .replaceAll(/\d{6}/g, "DIGITS")
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "TIME")
    .replaceAll(/ +$/gm, "");

test("the picture in README is what a demo's screen shows", async () => {
  const [, picture = ""] =
    /<!-- picture -->\n+```[a-z]*\n([^]*?)\n```/.exec(readFileSync(join(root, "README.md"), "utf8")) ?? [];
  const endpoint = await startEndpoint();
  const terminal = endpoint.terminal("support", { columns: 80, rows: 14 });
  await terminal.waitFor("PS support@pep>");
  terminal.type("Get-RecoveryKeys -ComputerName DEMO-PC-07 -Reason 'Lost PIN'\r");
  await terminal.waitFor("Read back, group 1");
  const [first = "", second = ""] = terminal.screen().match(/\b\d{6}\b/g) ?? [];
  terminal.type(first);
  terminal.type(second);
  await terminal.waitFor("Read back, group 3");
  terminal.type("27");
  await terminal.waitFor("Read back, group 3: 27____");
  expect(withoutWhatDiffers(terminal.screen())).toBe(withoutWhatDiffers(picture));
});
