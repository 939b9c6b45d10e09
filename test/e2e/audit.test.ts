import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { makeDemo, pep, startEndpoint } from "../harness/endpoint.ts";
import { temporaryDirectory } from "../harness/temporary-directory.ts";

test("what was done over SSH is listed, shown, proved by receipts, and verified from a copy", async () => {
  const endpoint = await startEndpoint();
  const { dataDirectory } = endpoint;
  const keys = await endpoint.ssh("support", "Get-RecoveryKeys -ComputerName DEMO-PC-01 -Format json");
  expect(keys.status, keys.stderr).toBe(0);
  const [{ PasswordId: keyId = "", RecoveryKey: recoveryKey = "" } = {}] = JSON.parse(keys.stdout);

  // While it runs: reviews go through its control socket.
  const listed = await pep(["audit", "list", "--data-dir", dataDirectory, "--key-id", keyId, "--since", "1h"]);
  expect(listed.status, listed.stderr).toBe(0);
  const [, row = "", ...others] = listed.stdout.trimEnd().split("\n");
  expect(others).toEqual([]);
  expect(row).toContain("support");
  const [sessionId = ""] = row.split(/\s+/);
  const shown = await pep(["audit", "show", sessionId, "--data-dir", dataDirectory]);
  const types = shown.stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line).event.type);
  expect(types).toEqual(["session-started", "command-started", "disclosure", "command-finished", "session-ended"]);
  const noTranscript = await pep(["audit", "play", sessionId, "--data-dir", dataDirectory]);
  expect(noTranscript.status).toBe(3);
  expect(endpoint.events().filter(({ type }) => type === "review")).toHaveLength(2);

  endpoint.signal("SIGTERM");
  expect(await endpoint.exited).toBe(0);

  const copy = join(temporaryDirectory(), "copy");
  mkdirSync(copy);
  for (const name of ["audit", "log-key.pub"]) cpSync(join(dataDirectory, name), join(copy, name), { recursive: true });
  const publicKey = join(copy, "log-key.pub");
  const verified = await pep(["audit", "verify", "--data-dir", copy, "--public-key", publicKey]);
  expect(verified.stdout).toContain(" 0 problems.");
  expect(verified.stdout).not.toContain("unsigned");
  expect(verified.status).toBe(0);

  const receipts = join(temporaryDirectory(), "receipts");
  const exported = await pep(["audit", "export", "--data-dir", copy, "--receipts", receipts, "--user", "support"]);
  expect(exported.status, exported.stderr).toBe(0);
  const [receipt = ""] = readdirSync(receipts);
  const file = join(receipts, receipt);
  expect(readFileSync(file, "utf8")).not.toContain(recoveryKey);
  const proved = await pep(["audit", "verify", "--receipt", file, "--public-key", publicKey]);
  expect(proved.stdout).toContain(keyId);
  expect(proved.stdout).not.toContain(recoveryKey);
  expect(proved.status).toBe(0);

  const segment = join(copy, "audit", "log", "000000000001.ndjson");
  writeFileSync(segment, readFileSync(segment, "utf8").replace('"how":"exec"', '"how":"line"'));
  const tampered = await pep(["audit", "verify", "--data-dir", copy]);
  expect(tampered.stdout).toContain("PROBLEM");
  expect(tampered.status).toBe(1);
  // Ten processes one after the other: more than the usual limit on a busy machine.
}, 120_000);

test("a log whose end was cut off stops the start, with one clear line", async () => {
  const dataDirectory = join(temporaryDirectory(), "data");
  await makeDemo(dataDirectory);
  const segment = join(dataDirectory, "audit", "log", "000000000001.ndjson");
  const [first = ""] = readFileSync(segment, "utf8").split("\n");
  writeFileSync(segment, `${first}\n`);
  const served = await pep(["serve", "--data-dir", dataDirectory, "--listen", "127.0.0.1:0"]);
  expect(served.status).toBe(254);
  expect(served.stderr.trimEnd().split("\n").at(-1)).toMatch(
    /The log has 1 lines, but its checkpoint was signed over 4/,
  );
});

test("a new log key goes on with the log, and whoever has the old public key can still verify", async () => {
  const dataDirectory = join(temporaryDirectory(), "data");
  await makeDemo(dataDirectory);
  const old = join(temporaryDirectory(), "old.pub");
  cpSync(join(dataDirectory, "log-key.pub"), old);
  const rotated = await pep(["audit", "rotate-key", "--data-dir", dataDirectory]);
  expect(rotated.status, rotated.stderr).toBe(0);
  expect(readFileSync(join(dataDirectory, "log-key.pub"), "utf8")).not.toBe(readFileSync(old, "utf8"));
  expect(existsSync(join(dataDirectory, "log-key.next"))).toBe(false);
  const listed = await pep(["audit", "list", "--data-dir", dataDirectory]);
  expect(listed.status, listed.stderr).toBe(0);
  for (const key of [old, join(dataDirectory, "log-key.pub")]) {
    const verified = await pep(["audit", "verify", "--data-dir", dataDirectory, "--public-key", key]);
    expect(verified.stdout).toContain(" 0 problems.");
    expect(verified.status).toBe(0);
  }
  rmSync(join(dataDirectory, "audit", "checkpoint"));
  expect((await pep(["audit", "verify", "--data-dir", dataDirectory, "--public-key", old])).status).toBe(1);
  // Seven processes one after the other.
}, 120_000);
