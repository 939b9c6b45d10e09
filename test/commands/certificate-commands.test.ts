import { describe, expect, test } from "vitest";
import { revealSecret } from "../../server/secret.ts";
import { createMemorySite } from "./memory-site.ts";
import { columnNames, readAll, rowsOf, runLine } from "./run-line.ts";

const findings = [
  { check: "certificate", weight: "required", passed: true, finding: "It is there." },
  { check: "control", weight: "required", passed: false, finding: "Read lacks CONTROL." },
] as const;
const valid = { microsoftCheck: true, valid: true, findings };
const invalid = { microsoftCheck: false, valid: false, findings };

describe("verify-cert", () => {
  test.each([
    { verification: valid, raw: "1", exitStatus: 0 },
    { verification: invalid, raw: "0", exitStatus: 1 },
    { verification: { ...invalid, microsoftCheck: true }, raw: "0", exitStatus: 1 },
  ])("-raw prints $raw, and both ways end with $exitStatus", async ({ verification, raw, exitStatus }) => {
    const site = createMemorySite([], verification);
    expect((await runLine("verify-cert -raw", site)).result).toEqual({ kind: "text", text: raw, exitStatus });
    const { result } = await runLine("verify-cert -Format json", site);
    expect(rowsOf(result).exitStatus).toBe(exitStatus);
    expect(rowsOf(result).format).toBe("json");
  });

  test("answers each finding as a row", async () => {
    const { result } = await runLine("verify-cert", createMemorySite([], invalid));
    expect(columnNames(result)).toEqual(["Check", "Weight", "Passed", "Finding"]);
    expect(await readAll(result)).toEqual([
      ["certificate", "required", true, "It is there."],
      ["control", "required", false, "Read lacks CONTROL."],
    ]);
  });

  test.each([
    ["this site's, as SQL Server shows it", `0x${"AB".repeat(20)}`, 0, ["ab".repeat(20)], []],
    ["this site's, as Windows shows it", `"ab${" ab".repeat(19)}"`, 0, ["ab".repeat(20)], []],
    ["this site's, as this endpoint shows it", "cd".repeat(32), 0, ["cd".repeat(32)], []],
    ["another site's too", `${"ab".repeat(20)},${"0e".repeat(20)}`, 1, ["ab".repeat(20)], ["0e".repeat(20)]],
    ["the SHA-1 of another that begins the same", `${"ab".repeat(19)}ac`, 1, [], [`${"ab".repeat(19)}ac`]],
  ])("compares a thumbprint that is %s", async (_, given, exitStatus, same, differing) => {
    const thumbprints = { sha1: "ab".repeat(20), sha256: "cd".repeat(32) };
    const site = createMemorySite([], { microsoftCheck: true, valid: true, findings: [], thumbprints });
    const { result } = await runLine(`verify-cert -Thumbprint ${given}`, site);
    expect(rowsOf(result).exitStatus).toBe(exitStatus);
    const compared = (await readAll(result)).filter(([check]) => check === "same-certificate");
    const firstWords = (passed: boolean) =>
      compared.filter((row) => row[2] === passed).map((row) => String(row[3]).split(" ")[0]);
    expect([firstWords(true), firstWords(false)]).toEqual([same, differing]);
    const raw = await runLine(`verify-cert -raw -Thumbprint ${given}`, site);
    expect(raw.result).toEqual({ kind: "text", text: exitStatus === 0 ? "1" : "0", exitStatus });
  });

  test("does not pass a thumbprint where this site's certificate can't be seen", async () => {
    const { result } = await runLine(`verify-cert -Thumbprint ${"ab".repeat(20)}`, createMemorySite([], valid));
    expect(rowsOf(result).exitStatus).toBe(1);
  });

  test.each(["ab", "x".repeat(40), `${"ab".repeat(20)}c`])("refuses %s as a thumbprint", async (given) => {
    await expect(runLine(`verify-cert -Thumbprint ${given}`, createMemorySite([]))).rejects.toMatchObject({
      category: "InvalidArgument",
    });
  });

  test("keeps its exit status behind a pipe", async () => {
    const { result } = await runLine("verify-cert | Measure-Object", createMemorySite([], invalid));
    expect(await readAll(result)).toEqual([[2]]);
    expect(rowsOf(result).exitStatus).toBe(1);
  });
});

describe("backup-cert", () => {
  test("asks for the password twice, passes it on, and answers the files", async () => {
    const site = createMemorySite([]);
    const asked = { prompts: [] };
    const { result, bound } = await runLine("backup-cert site-1 -Form pfx", site, asked);
    expect(asked.prompts).toEqual([
      { prompt: expect.stringMatching(/^Password for the private key's backup \(12 characters/), purpose: "new" },
    ]);
    const backup = site.asked[0]?.backup;
    expect(backup).toMatchObject({ name: "site-1", form: "Pfx" });
    expect(backup === undefined ? "" : revealSecret(backup.password)).toBe("correct horse battery staple");
    expect(columnNames(result)).toEqual(["File", "Bytes", "SHA256", "Thumbprint"]);
    expect(await readAll(result)).toEqual([["site-1.pfx", 1024, "0".repeat(64), "f".repeat(64)]]);
    expect(bound.command.parameters).toEqual({ Name: "site-1", Form: "Pfx" });
  });

  test("makes certificate and key in two files when no form is given", async () => {
    const site = createMemorySite([]);
    expect(await readAll((await runLine("backup-cert -Name a", site)).result)).toHaveLength(2);
    expect(site.asked[0]?.backup?.form).toBe("Pkcs8");
  });
});

describe.each([
  { command: "create-cert", line: "create-cert", password: [] },
  {
    command: "restore-cert",
    line: "restore-cert site-1",
    password: [{ prompt: "Password of the backup", purpose: "existing" }],
  },
])("$command", ({ command, line, password }) => {
  const changes = ({ asked }: ReturnType<typeof createMemorySite>): readonly string[] =>
    asked.map(({ what }) => what).filter((what) => what !== "find");

  test("a script must say -Force, before anything is asked or done", async () => {
    const site = createMemorySite([]);
    const asked = { prompts: [] };
    await expect(runLine(line, site, asked)).rejects.toMatchObject({
      category: "InvalidArgument",
      message: expect.stringContaining("-Force"),
    });
    expect([changes(site), asked.prompts]).toEqual([[], []]);
  });

  test("a person is asked, also with -Force, and what is lost is in the question", async () => {
    for (const [answer, done] of [
      [false, []],
      [true, [command.replace("-cert", "")]],
    ] as const) {
      const site = createMemorySite([]);
      const asked = { prompts: [], questions: [], answer };
      const running = runLine(`${line} -Force -AcceptLosing CM_ABC`, site, asked);
      if (answer) await running;
      else await expect(running).rejects.toMatchObject({ category: "OperationStopped" });
      expect(asked.questions).toEqual([expect.stringMatching(/BitLockerManagement_CERT.*CM_ABC.*STAY LOST/)]);
      expect(changes(site)).toEqual(done);
    }
  });

  test("asks for the master key's password only where there is none, and answers each part", async () => {
    for (const hasMasterKey of [true, false]) {
      const site = createMemorySite([], undefined, { hasMasterKey });
      const asked = { prompts: [] };
      const { result, bound } = await runLine(`${line} -Force -AcceptLosing CM_ABC`, site, asked);
      const forMasterKey = { prompt: expect.stringContaining("Password for the new master key"), purpose: "new" };
      expect(asked.prompts).toEqual(hasMasterKey ? password : [...password, forMasterKey]);
      const request = site.asked.at(-1)?.create ?? site.asked.at(-1)?.restore;
      expect(request?.acceptUnreadableKeysIn).toBe("CM_ABC");
      expect(request?.masterKeyPassword === undefined).toBe(hasMasterKey);
      expect(columnNames(result)).toEqual(["Part", "Result", "Thumbprint"]);
      expect(await readAll(result)).toEqual([
        ["BitLockerManagement_CERT", "was there", "f".repeat(64)],
        ["CONTROL for RecoveryAndHardwareRead", "granted", "f".repeat(64)],
      ]);
      expect(bound.command.parameters).toMatchObject({ AcceptLosing: "CM_ABC", Force: true });
    }
  });
});

describe("create-cert on a SQL Server whose certificates do not work on later ones", () => {
  const warning = "It does not work on later ones.";

  test("warns a person in the question, and a script beside the answer", async () => {
    const asked = { prompts: [], questions: [], told: [], answer: true };
    await runLine("create-cert", createMemorySite([], undefined, { hasMasterKey: true, warning }), asked);
    expect(asked.questions).toEqual([expect.stringContaining(warning)]);
    const script = { prompts: [], told: [] };
    await runLine("create-cert -Force", createMemorySite([], undefined, { hasMasterKey: true, warning }), script);
    expect(script.told).toEqual([warning]);
  });
});
