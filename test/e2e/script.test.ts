import { beforeAll, describe, expect, test } from "vitest";
import { run, startSharedEndpoint, type DemoUser, type Endpoint } from "../harness/endpoint.ts";

/* Lines on standard input, without a terminal: a script, a scheduled task, plink. */

let endpoint: Endpoint;
beforeAll(async () => {
  endpoint = await startSharedEndpoint();
  return endpoint.end;
});
const script = (user: DemoUser, input: string) =>
  run("ssh", endpoint.sshArguments(user, ["-T", "-o", "LogLevel=ERROR"]), { input });
const key = /^(?:\d{6}-){7}\d{6}$/m;

test("standard output has the answers and nothing else; prompts and errors are on the other", async () => {
  const lines = [
    "Get-RecoveryKeys DEMO-PC-01 -Format csv | Select-Object RecoveryKey",
    "Get-RecoveryKeys NO-PC",
    "nonsense",
    "Get-RecoveryKeys DEMO-PC-02 -Format csv | Select-Object RecoveryKey",
  ];
  const { stdout, stderr, status } = await script("support", lines.join("\n"));
  const [first, second, third, fourth, ...more] = stdout.split("\n");
  expect([first, third, more]).toEqual(["RecoveryKey", "RecoveryKey", [""]]);
  expect(second).toMatch(key);
  expect(fourth).toMatch(key);
  for (const words of ["Welcome, support.", "PS support@pep> ", "ObjectNotFound: ", "CommandNotFound: "])
    expect(stderr).toContain(words);
  expect(stderr).not.toMatch(key);
  expect(status).toBe(0);
});

describe("the exit status", () => {
  test.each([
    ["Get-Command\nnonsense\n", 127],
    ["nonsense\nGet-Command\n", 0],
    ["nonsense\nGet-Command\nexit\n", 0],
    ["Get-Command\nnonsense\nexit\nGet-Command\n", 127],
    ["Get-Command\nGet-Help No-Such\nnonsense\nGet-Command\nexit -FirstFailed\n", 3],
    ["Get-Command\nexit -FirstFailed\n", 0],
    ["verify-cert -raw\n", 127],
    [`Get-Help ${"x".repeat(9_000)}\n`, 5],
    ["", 0],
  ])("of %j is %i", async (input, status) => {
    expect((await script("guest", input)).status).toBe(status);
  });
});

test("a byte order mark and CR LF are no part of a line", async () => {
  const file = await script("guest", "\ufeffGet-Help Get-Command\r\nGet-Command | Measure-Object\r\n");
  expect([file.status, file.stderr]).toEqual([0, expect.not.stringContaining("CommandNotFound")]);
  expect(file.stdout).toContain("NAME\n    Get-Command");
  // As plink -m sends a file of one line.
  const line = await endpoint.ssh("guest", "\ufeffGet-Command | Measure-Object\r\n");
  expect(line).toMatchObject({ status: 0, stderr: "" });
});

test("a command's name with the dash that a word processor makes of a hyphen is understood", async () => {
  expect((await endpoint.ssh("guest", "Get\u2013Command | Measure-Object")).status).toBe(0);
});

test("several lines as one command are refused, with the way that works", async () => {
  const sent = await endpoint.ssh("guest", "Get-Command\nGet-Help\n");
  expect(sent).toMatchObject({ status: 126, stdout: "", stderr: expect.stringContaining("ssh -T HOST < FILE") });
});

test("a mark elsewhere is refused as any invisible character", async () => {
  expect((await endpoint.ssh("guest", "Get-\ufeffCommand")).status).toBe(2);
  expect((await script("guest", "Get-Command\n\ufeffGet-Command\n")).stderr).not.toContain("NotFound");
});

test("a password of a script is the next line, and asked for on standard error", async () => {
  const password = "Geheimnis-17-lang-genug!";
  const made = await script("certadmin", `backup-cert -Name script -Format csv\n${password}\n${password}\n`);
  expect(made.status, made.stderr).toBe(0);
  expect(made.stdout).toMatch(/^File,/);
  expect(made.stderr).toContain("asks: Password");
  expect(made.stdout + made.stderr).not.toContain(password);
});

test("what users wrote is text to a spreadsheet", async () => {
  const reasons = ["=1+1", "+cmd", "@SUM(A1)", "＝1", "-2"];
  for (const [at, reason] of reasons.entries()) {
    const line = `Request-Elevation 'Get-RecoveryKeys -ComputerName DEMO-PC-0${at + 1}' -Reason '${reason}'`;
    expect((await endpoint.ssh("requester", line)).status).toBe(0);
  }
  const { stdout } = await endpoint.ssh("requester", "Get-Elevation -Format csv | Select-Object Reason");
  expect(stdout.trim().split("\n").slice(1).toSorted()).toEqual(reasons.map((reason) => `'${reason}`).toSorted());
});
