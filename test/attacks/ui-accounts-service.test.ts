/*
 * ATTACK  The server runs as a service of its own account, with the few capabilities that let it give UI processes theirs. Code that got out of
 *         a UI process looks for those capabilities.
 * DANGER  CAP_SETUID is every account of the machine, CAP_KILL every process.
 * EXPECT  None is left in a UI process, nor a way to one. A server that lacks something it needs for that starts no screens, and says what.
 */
import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { judgeIsolation } from "../../server/session/interactive/isolation.ts";
import type { Machine } from "../../server/session/interactive/accounts/machine.ts";
import { startEndpoint } from "../harness/endpoint.ts";
import { account, canTry, dataDirectoryWith, serveAs, withCapabilities } from "../harness/other-account.ts";
import { childrenOf, isRunning, statusOf, uidOf } from "../harness/processes.ts";
import { temporaryDirectory } from "../harness/temporary-directory.ts";
import { openTerminal } from "../harness/terminal.ts";
import { accounts } from "../harness/ui-isolation.ts";

const size = { columns: 100, rows: 24 };
const four = ["setuid", "setgid", "kill", "setpcap"];
const three = ["setuid", "setgid", "kill"];

const setOf = (status: string, name: string): string | undefined =>
  new RegExp(`^${name}:\\t(\\w+)$`, "m").exec(status)?.[1];
const none = "0".repeat(16);

describe.runIf(canTry && existsSync("/usr/bin/setpriv"))("a server of another account", () => {
  test("gives each screen an account without a capability, and ends what it leaves", async () => {
    const { said, ssh, pid, end } = await serveAs(await dataDirectoryWith({}), {
      rights: [...withCapabilities(four), "--no-new-privs"],
    });
    expect(said()).not.toMatch(/screens/);
    expect(uidOf(pid)).toBe(account);
    const screen = openTerminal("ssh", ["-tt", ...ssh, "support@127.0.0.1"], size);
    await screen.waitFor("PS support@pep>");
    const [ui = 0] = childrenOf(pid);
    const status = statusOf(ui);
    for (const name of ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"]) expect(setOf(status, name)).toBe(none);
    expect(setOf(status, "NoNewPrivs")).toBe("1");
    expect(status).toMatch(/^Groups:\s*$/m);
    expect(uidOf(ui)).toBeGreaterThanOrEqual(accounts.first);
    expect(uidOf(ui)).toBeLessThanOrEqual(accounts.last);
    screen.type("exit\r");
    expect(await screen.exited).toBe(0);
    // Only CAP_KILL reaches it.
    end();
    await expect.poll(() => isRunning(ui)).toBe(false);
  });

  test("with CAP_SETUID, CAP_SETGID and CAP_KILL alone does the same, and says what stays in the bounding set", async () => {
    const { said, ssh, pid } = await serveAs(await dataDirectoryWith({}), { rights: withCapabilities(three) });
    expect(said()).toMatch(/CAP_SETPCAP/);
    const screen = openTerminal("ssh", ["-tt", ...ssh, "support@127.0.0.1"], size);
    await screen.waitFor("PS support@pep>");
    const [ui = 0] = childrenOf(pid);
    const status = statusOf(ui);
    for (const name of ["CapInh", "CapPrm", "CapEff", "CapAmb"]) expect(setOf(status, name)).toBe(none);
    expect(setOf(status, "NoNewPrivs")).toBe("1");
    expect(uidOf(ui)).not.toBe(account);
    screen.type("exit\r");
    expect(await screen.exited).toBe(0);
  });

  test("with less starts no screens", async () => {
    const { said } = await serveAs(await dataDirectoryWith({}), { rights: withCapabilities(["setuid", "setgid"]) });
    expect(said()).toMatch(/starts no screens/);
  });
});

/** A container may forbid it. */
const mayHide = canTry && spawnSync("unshare", ["--mount", "true"]).status === 0;

test.runIf(mayHide)(
  "a demo on a machine without util-linux runs its screens as nobody, and says what to install",
  async () => {
    const hidden = 'mount --bind /dev/null "$(realpath /usr/bin/setpriv)" && exec "$@"';
    const endpoint = await startEndpoint({ wrapper: ["unshare", "--mount", "sh", "-c", hidden, "sh"] });
    const screen = endpoint.terminal("support", size);
    await screen.waitFor("PS support@pep>");
    expect(endpoint.stderr()).toMatch(/all screens have the account nobody: .*install util-linux/);
    expect(childrenOf(endpoint.pid).map(uidOf)).toEqual(expect.arrayContaining([account]));
    screen.type("exit\r");
    expect(await screen.exited).toBe(0);
  },
);

test.runIf(mayHide)(
  "a demo on a kernel that starts nothing in an account of its own runs its screens as nobody",
  async () => {
    const folder = temporaryDirectory();
    const [real, old] = [join(folder, "real"), join(folder, "old")];
    copyFileSync("/usr/bin/prlimit", real);
    // As the kernel then answers `setpriv`.
    writeFileSync(old, `#!/bin/sh\ncase "$*" in *--nproc=0:*) exit 126;; esac\nexec ${real} "$@"\n`, { mode: 0o755 });
    const exchanged = `mount --bind ${old} "$(realpath /usr/bin/prlimit)" && exec "$@"`;
    const endpoint = await startEndpoint({ wrapper: ["unshare", "--mount", "sh", "-c", exchanged, "sh"] });
    const screen = endpoint.terminal("support", size);
    await screen.waitFor("PS support@pep>");
    expect(endpoint.stderr()).toMatch(/all screens have the account nobody: .*Linux 5\.17/);
    screen.type("exit\r");
    expect(await screen.exited).toBe(0);
  },
);

describe("where accounts can't be given", () => {
  const everything = [{ first: 0, last: 2 ** 32 - 2 }];
  const machine: Machine = {
    uid: 0,
    rights: { effective: 0xffff_ffffn, bounding: 0xffff_ffffn },
    setpriv: "/usr/bin/setpriv",
    prlimit: "/usr/bin/prlimit",
    mapped: everything,
    taken: [],
    startsAlone: true,
    closedFiles: [],
  };
  const judge = (change: Partial<Machine>, acceptSharedAccount = false) =>
    judgeIsolation({ ...machine, ...change }, { accounts, acceptSharedAccount });

  test("each account of the range can be, where nothing is in the way", () => {
    const judged = judge({});
    expect(judged).toMatchObject({ kind: "own-accounts", emptiesBounding: true, notes: [] });
    expect(judged.kind === "own-accounts" && judged.ids.length).toBe(448);
  });

  test.each<readonly [string, Partial<Machine>, RegExp]>([
    ["without setpriv", { setpriv: undefined }, /install util-linux/],
    ["without prlimit", { prlimit: undefined }, /install util-linux/],
    ["a container's root without CAP_SETUID", { rights: { effective: 0x60n, bounding: 0n } }, /root has no CAP_SETUID/],
    ["an ordinary account", { uid: 1000, rights: { effective: 0n, bounding: 0n } }, /does not run as root/],
    ["a container without these ids", { mapped: [{ first: 0, last: 999 }] }, /60736 to 61183/],
    ["a directory that has them all", { taken: [{ ...accounts, by: "user somebody" }] }, /60736 to 61183/],
    ["files that only root reads", { closedFiles: ["chmod a+rx /x/node"] }, /chmod a\+rx \/x\/node/],
    ["an older kernel", { startsAlone: false }, /Linux 5\.17/],
    ["a system that is not Linux", { rights: undefined }, /not Linux/],
  ])("%s starts no screens, or by name with one account for all", (_, change, why) => {
    expect(judge(change)).toMatchObject({ kind: "no-screens", why: expect.stringMatching(why) });
    expect(judge(change, true)).toMatchObject({ kind: "shared-account", why: expect.stringMatching(why) });
  });

  test("root never gives screens its own account", () => {
    expect(judge({ setpriv: undefined }, true)).toMatchObject({ account: "nobody" });
    expect(judge({ uid: 1000, setpriv: undefined }, true)).toMatchObject({ account: "server" });
  });

  test("an account that somebody has is left out, and told", () => {
    const judged = judge({
      taken: [
        { first: 60_740, last: 60_740, by: "user alice" },
        { first: 61_000, last: 70_000, by: "/etc/subuid (bob)" },
      ],
    });
    if (judged.kind !== "own-accounts") throw new Error(judged.kind);
    expect(judged.ids).not.toContain(60_740);
    expect(judged.ids.at(-1)).toBe(60_999);
    expect(judged.notes).toEqual([
      expect.stringMatching(/user alice has 60740, \/etc\/subuid \(bob\) has 61000 to 70000/),
    ]);
  });
});
