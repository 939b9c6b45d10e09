/*
 * ATTACK  An administrator starts the server as an account of its own, which is good practice, and doesn't know that people's screens
 *         then have that account too. Code that got out of a UI process reads the master key.
 * DANGER  Every recovery key, through a weakness that nobody decided to accept.
 * EXPECT  No screen starts, and its user is told what the administrator must do; command lines work. Accepted by name, screens start.
 *         A demo accepts it, with a warning. doctor and the server's own output name it.
 */
import { chownSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { examineScreens } from "../../server/cli/doctor.ts";
import { judgeIsolation } from "../../server/session/interactive/isolation.ts";
import { pep, run } from "../harness/endpoint.ts";
import { account, canTry, dataDirectoryWith, serveAs } from "../harness/other-account.ts";
import { temporaryDirectory } from "../harness/temporary-directory.ts";
import { openTerminal } from "../harness/terminal.ts";
import { accounts, machine } from "../harness/ui-isolation.ts";

const size = { columns: 100, rows: 24 };

test.runIf(canTry)("no screen starts in the server's own account, and command lines do", async () => {
  const { said, ssh } = await serveAs(await dataDirectoryWith({}));
  expect(said()).toMatch(/starts no screens/);
  const screen = openTerminal("ssh", ["-tt", ...ssh, "support@127.0.0.1"], size);
  await screen.waitFor("acceptSharedAccount");
  expect(await screen.exited).not.toBe(0);
  const line = await run("ssh", [...ssh, "support@127.0.0.1", "Get-Command -Format csv"]);
  expect(line.status).toBe(0);
  // Plain lines have no UI process.
  const plain = openTerminal("ssh", ["-tt", ...ssh, "support@127.0.0.1"], size, { TERM: "dumb" });
  await plain.waitFor("Welcome, support");
  plain.type("exit\r");
  expect(await plain.exited).toBe(0);
});

test.runIf(canTry)("accepted by name, screens start", async () => {
  const accepting = { userInterface: { acceptSharedAccount: true } };
  const { said, ssh } = await serveAs(await dataDirectoryWith(accepting));
  const screen = openTerminal("ssh", ["-tt", ...ssh, "support@127.0.0.1"], size);
  await screen.waitFor("Welcome, support");
  await screen.waitFor("PS support@pep>");
  screen.type("exit\r");
  expect(await screen.exited).toBe(0);
  expect(said()).not.toMatch(/starts no screens/);
});

test.runIf(canTry)("a demo accepts it, with a warning", async () => {
  const folder = temporaryDirectory();
  chownSync(folder, account, account);
  const { said } = await serveAs(join(folder, "pep"), { more: ["--demo"] });
  expect(said()).toMatch(/WARNING: all screens share one account/);
});

test("pep init writes what a script accepted, and nothing by itself; doctor names both", async () => {
  const folder = temporaryDirectory();
  const written = async (name: string, ...flags: string[]): Promise<unknown> => {
    expect((await pep(["init", "--data-dir", join(folder, name), ...flags])).status).toBe(0);
    return JSON.parse(readFileSync(join(folder, name, "endpoint.json"), "utf8"));
  };
  expect(await written("accepting", "--accept-shared-account")).toHaveProperty(
    "userInterface.acceptSharedAccount",
    true,
  );
  expect(await written("silent")).not.toHaveProperty("userInterface");
  const again = await pep(["init", "--data-dir", join(folder, "silent"), "--accept-shared-account"]);
  expect(again.stderr).toContain("This one was left as it is");
  expect(await written("silent")).not.toHaveProperty("userInterface");
  const finding = (acceptSharedAccount: boolean) =>
    examineScreens(
      judgeIsolation(
        { ...machine, uid: account, rights: { effective: 0n, bounding: 0n } },
        { accounts, acceptSharedAccount },
      ),
    );
  expect(finding(false)).toMatchObject([{ passed: false, finding: expect.stringContaining("starts no screens") }]);
  expect(finding(true)).toMatchObject([{ passed: false, finding: expect.stringContaining("server's own account") }]);
});
