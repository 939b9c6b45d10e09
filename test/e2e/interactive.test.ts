import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { run, startSharedEndpoint, type DemoUser, type Endpoint } from "../harness/endpoint.ts";
import { openTerminal, type Terminal } from "../harness/terminal.ts";

let endpoint: Endpoint;
beforeAll(async () => {
  // With screens that wait for whoever comes, as it is shipped.
  endpoint = await startSharedEndpoint({ spareUiProcesses: 2 });
  return endpoint.end;
});

const usual = { columns: 100, rows: 40 };

const logIn = async (user: DemoUser, size = usual, env: Record<string, string> = {}): Promise<Terminal> => {
  const terminal = endpoint.terminal(user, size, env);
  await terminal.waitFor(/PS.*>\s*$/);
  return terminal;
};

const keyIn = (screen: string): string | undefined => /\d{6}(?:-\d{6}){7}/.exec(screen)?.[0];

const keysOf = async (computerName: string): Promise<string[]> =>
  JSON.parse((await endpoint.ssh("exporter", "Get-RecoveryKeys -raw")).stdout)
    .filter((row: Record<string, string>) => row["ComputerName"] === computerName)
    .map((row: Record<string, string>) => row["RecoveryKey"]);

const transcripts = (): string =>
  readdirSync(join(endpoint.dataDirectory, "audit", "transcripts"))
    .map((name) => readFileSync(join(endpoint.dataDirectory, "audit", "transcripts", name), "utf8"))
    .join("\n");

describe("each demo user at a prompt", () => {
  const lines: readonly (readonly [DemoUser, string, RegExp])[] = [
    ["support", "Get-RecoveryKeys -ComputerName DEMO-PC-04 -Format table", /\d{6}(-\d{6}){7}/],
    ["support", "Get-RecoveryKeys", /InvalidArgument[^]*-ComputerName/],
    ["support", "Get-RecoveryKeys -ComputerName NOBODY", /ObjectNotFound[^]*NOBODY/],
    ["support", "verify-cert -raw", /^1$/m],
    ["support", "backup-cert -Name x", /CommandNotFound/],
    ["exporter", "Get-RecoveryKeys -raw | Measure-Object", /\b65\b/],
    ["certadmin", "verify-cert", /BitLockerManagement_CERT is there/],
    ["certadmin", "Get-RecoveryKeys -raw", /CommandNotFound/],
    ["approver", "Get-Command", /Get-Help/],
    ["auditor", "Get-Help Get-Command", /SYNTAX/],
    ["guest", "Get-RecoveryKeys", /CommandNotFound/],
    ["guest", "Get-Command; Get-Command", /ScriptsNotAllowed/],
  ];
  test.each(lines)("%s: %s", async (user, line, shows) => {
    const terminal = await logIn(user);
    terminal.type(`${line}\r`);
    await terminal.waitFor((seen) => shows.test(seen.slice(seen.lastIndexOf(line))) && /PS.*>\s*$/.test(seen));
    terminal.type("\u0004");
    expect(await terminal.exited).toBe(0);
  });
});

describe("what a person sees", () => {
  test.each(["xterm-256color", "dumb"])(
    "is ssh's last words on a line of their own after Ctrl-D (%s)",
    async (TERM) => {
      const terminal = await logIn("guest", usual, { TERM });
      terminal.type("\u0004");
      expect(await terminal.exited).toBe(0);
      await terminal.waitFor(/PS guest@pep>\s*\nConnection to \S+ closed/);
    },
  );
  test.each([
    { columns: 40, rows: 10 },
    { columns: 80, rows: 24 },
    { columns: 200, rows: 60 },
  ])("a key is whole and right at $columns × $rows", async (size) => {
    const [key = ""] = await keysOf("DEMO-PC-04");
    const terminal = await logIn("support", size);
    terminal.type("Get-RecoveryKeys -ComputerName DEMO-PC-04 -Format table\r");
    // At 40 columns a key stands on two lines, broken between groups.
    await terminal.waitFor((seen) =>
      seen
        .replace(/-\n/g, "-")
        .replace(/[^\d-]+/g, " ")
        .includes(key.slice(0, 27)),
    );
    const seen = await terminal.waitFor(/1 row/);
    const groups = seen.match(/\b\d{6}\b/g) ?? [];
    expect(groups.join("-")).toContain(key);
  });

  test("more than a screenful asks first, and No shows nothing", async () => {
    const terminal = await logIn("exporter");
    terminal.type("Get-RecoveryKeys -raw -Format table\r");
    await terminal.waitFor(/Show 65 recovery keys\? \[y\/N\]/);
    terminal.type("\r");
    await terminal.waitFor(/Nothing was shown/);
    expect(keyIn(terminal.raw())).toBeUndefined();
  });

  test("keys that were not paged to were not disclosed", async () => {
    const terminal = await logIn("exporter");
    const before = endpoint.events().length;
    terminal.type("Get-RecoveryKeys -raw -Format table\r");
    await terminal.waitFor(/\[y\/N\]/);
    terminal.type("y\r");
    await terminal.waitFor(/-- more --/);
    terminal.type("q");
    await terminal.waitFor(/PS.*>\s*$/);
    const disclosed = endpoint
      .events()
      .slice(before)
      .flatMap((event) => (event.type === "disclosure" ? event.keys : []));
    expect(disclosed.length).toBeGreaterThan(0);
    expect(disclosed.length).toBeLessThan(65);
    const shown = new Set(terminal.scrollback().match(/[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}/g));
    for (const { keyId } of disclosed) expect(shown).toContain(keyId);
  });

  test("Tab completes commands, parameters and allowed values; a hidden command is not offered", async () => {
    const terminal = await logIn("support");
    terminal.type("get-rec\t");
    await terminal.waitFor(/Get-RecoveryKeys/i);
    terminal.type(" -vol\t");
    await terminal.waitFor(/-VolumeType/);
    terminal.type(" Op\t");
    await terminal.waitFor(/OperatingSystem/);
    terminal.type("\u0003back\t");
    await terminal.waitFor(/PS.*> back/);
    expect(terminal.screen()).not.toMatch(/backup-cert/i);
  });

  test("after a resize the prompt is there, and the next answer fits", async () => {
    const terminal = await logIn("support", { columns: 120, rows: 30 });
    terminal.type("verify-cert\r");
    await terminal.waitFor(/11 rows/);
    terminal.resize(44, 60);
    await expect.poll(transcripts).toContain('"r","44x60"');
    terminal.type("Get-Command\r");
    const seen = await terminal.waitFor((text) =>
      /\d+ rows\n+PS.*>\s*$/.test(text.slice(text.lastIndexOf("> Get-Command"))),
    );
    const after = seen.slice(seen.lastIndexOf("> Get-Command") + "> ".length);
    expect(Math.max(...after.split("\n").map((line) => line.length))).toBeLessThanOrEqual(44);
  });
});

describe("leaving, stopping, pasting", () => {
  test("Ctrl-C clears the line and does not end the session; exit does, with status 0", async () => {
    const terminal = await logIn("guest");
    terminal.type("half a line\u0003");
    terminal.type("exit\r");
    expect(await terminal.exited).toBe(0);
  });

  test("several pasted lines run one after the other, each when Enter is pressed", async () => {
    const terminal = await logIn("guest");
    terminal.type("\u001b[200~Get-Help exit\nGet-Command -Format csv\n\u001b[201~");
    expect(await terminal.waitFor("1 more pasted line:")).not.toContain("SYNTAX");
    terminal.type("\r");
    expect(await terminal.waitFor(/SYNTAX[^]*guest@pep> Get-Command -Format csv/)).not.toContain("Name,Aliases");
    terminal.type("\r");
    await terminal.waitFor(/Name,Aliases/);
  });

  test("a paste that never ends does not lock the user out", async () => {
    const terminal = await logIn("guest");
    terminal.type("\u001b[200~Get-Help exit");
    terminal.type("\u0003");
    terminal.type("\u0004");
    terminal.type("\r\u0003\u0004");
    expect(await terminal.exited).toBe(0);
  });
});

describe("backup-cert on the trusted path", () => {
  const password = "Correct-Horse-77-Battery";

  test("asks twice, echoes nothing, writes files that open with the password", async () => {
    const terminal = await logIn("certadmin");
    terminal.type("backup-cert -Name typed\r");
    await terminal.waitFor(/pep asks/);
    terminal.type(`${password}\r`);
    await terminal.waitFor(/again/i);
    terminal.type(`${password}\r`);
    await terminal.waitFor(/typed\.cer/);
    expect(terminal.raw()).not.toContain(password);
    expect(transcripts()).not.toContain(password);
    const key = join(`${endpoint.dataDirectory}.backup`, "typed.key");
    const opened = await run("openssl", ["pkey", "-inform", "DER", "-in", key, "-passin", "stdin", "-noout"], {
      input: password,
    });
    const pem = await run("openssl", ["pkey", "-in", key, "-passin", "stdin", "-noout"], { input: password });
    expect([opened.status, pem.status]).toContain(0);
  });

  test("two different passwords, a weak one, Ctrl-C: nothing is written", async () => {
    const terminal = await logIn("certadmin");
    terminal.type("backup-cert -Name never\r");
    await terminal.waitFor(/pep asks/);
    terminal.type(`${password}\r`);
    await terminal.waitFor(/again/i);
    terminal.type("Something-Else-88\r");
    await terminal.waitFor(/differ/);
    // It asks again; the line is taken for a password, and Ctrl-C right behind it still counts.
    await terminal.waitFor((seen) => (seen.match(/pep asks/g) ?? []).length === 3);
    terminal.type("backup-cert -Name never\r\u0003");
    await terminal.waitFor(/OperationStopped|Stopped/);
    expect(existsSync(join(`${endpoint.dataDirectory}.backup`, "never.cer"))).toBe(false);
  });

  test("a script gives it on standard input; a weak one is refused with the rule", async () => {
    const weak = await endpoint.ssh("certadmin", "backup-cert -Name script", { input: "short\n" });
    expect(weak).toMatchObject({ status: 2, stdout: "" });
    expect(weak.stderr).toContain("12");
    const good = await endpoint.ssh("certadmin", "backup-cert -Name script -Form Pfx", { input: `${password}\n` });
    expect(good.status, good.stderr).toBe(0);
    expect(good.stdout).toContain("script.pfx");
    const again = await endpoint.ssh("certadmin", "backup-cert -Name script -Form Pfx", { input: `${password}\n` });
    expect(again.status).toBe(4);
    const none = await endpoint.ssh("certadmin", "backup-cert -Name nothing", { input: "" });
    expect(none.status).toBe(2);
  });
});

describe("a command on a terminal, without a screen", () => {
  test("ssh -tt asks twice without an echo, and Backspace works", async () => {
    const terminal = openTerminal(
      "ssh",
      [...endpoint.sshArguments("certadmin", ["-tt"]), "backup-cert -Name tty"],
      usual,
    );
    const password = "Correct-Horse-77-Battery";
    await terminal.waitFor(/others\):\s*$/);
    terminal.type(`${password}x\u007f\r`);
    await terminal.waitFor(/again:/);
    terminal.type(`${password}\r`);
    await terminal.waitFor(/tty\.cer/);
    expect(await terminal.exited).toBe(0);
    expect(terminal.raw()).not.toContain("Correct");
  });

  test("Ctrl-C stops it with status 130", async () => {
    const terminal = openTerminal(
      "ssh",
      [...endpoint.sshArguments("certadmin", ["-tt"]), "backup-cert -Name no"],
      usual,
    );
    await terminal.waitFor(/others\):\s*$/);
    terminal.type("\u0003");
    expect(await terminal.exited).toBe(130);
  });
});

describe("plain lines", () => {
  test("TERM=dumb gets a prompt and plain text, and the transcript is masked all the same", async () => {
    const [key = ""] = await keysOf("DEMO-PC-07");
    const terminal = endpoint.terminal("support", usual, { TERM: "dumb" });
    await terminal.waitFor(/PS.*>\s*$/);
    terminal.type("Get-RecoveryKeys -ComputerName DEMO-PC-07\r");
    await terminal.waitFor(key);
    expect(terminal.raw()).not.toContain("\u001b[?");
    terminal.type("exit\r");
    expect(await terminal.exited).toBe(0);
    expect(transcripts()).not.toContain(key.slice(0, 13));
    expect(transcripts()).toContain("•");
  });

  test("without a terminal lines come from standard input", async () => {
    const answer = await run("ssh", endpoint.sshArguments("guest", ["-T"]), { input: "Get-Command\nnonsense\nexit\n" });
    expect(answer.status).toBe(127); // of the last command before it
    expect(answer.stdout).toContain("Measure-Object");
    expect(answer.stderr).toContain("CommandNotFound");
  });
});
