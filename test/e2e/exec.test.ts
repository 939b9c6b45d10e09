import { spawn } from "node:child_process";
import { parse } from "csv-parse/sync";
import { beforeAll, describe, expect, test } from "vitest";
import type { AuditEvent } from "../../server/audit/event.ts";
import { startSharedEndpoint, type DemoUser, type Endpoint } from "../harness/endpoint.ts";

let endpoint: Endpoint;
beforeAll(async () => {
  endpoint = await startSharedEndpoint();
  return endpoint.end;
});

const ssh: Endpoint["ssh"] = (user, commandLine, options) => endpoint.ssh(user, commandLine, options);

const newEvents = async (action: () => Promise<unknown>): Promise<AuditEvent[]> => {
  const before = endpoint.events().length;
  await action();
  return endpoint.events().slice(before);
};

const keyShape = /\d{6}(-\d{6}){7}/;

describe("who may run what, over the real ssh", () => {
  const verdicts: readonly (readonly [DemoUser, string, number])[] = [
    ["support", "Get-RecoveryKeys -ComputerName DEMO-PC-01", 0],
    ["support", "get-recoverykeys -computername demo-pc-01", 0],
    ["support", "Get-AzsRecoveryKeys -ComputerName DEMO-PC-01 -Format json", 0],
    ["support", "Get-RecoveryKeys", 2],
    ["support", "Get-RecoveryKeys -ComputerName NO-SUCH-PC", 3],
    ["support", "Get-RecoveryKeys -ComputerName DEMO-PC-01 -raw", 2],
    ["support", "Get-RecoveryKeys -ComputerName DEMO-PC-01 -NoRotation", 2],
    ["support", "Get-RecoveryKeys -RecoveryKeyId 1234567", 2],
    ["support", "Get-RecoveryKeys -VolumeType Floppy -ComputerName x", 2],
    ["support", "verify-cert -raw", 0],
    ["support", "backup-cert -Name x", 127],
    ["exporter", "Get-RecoveryKeys -raw", 0],
    ["exporter", "Get-RecoveryKeys -raw -Format table", 0],
    ["exporter", "Get-RecoveryKeys -raw | Measure-Object", 0],
    ["certadmin", "verify-cert", 0],
    ["certadmin", "Get-RecoveryKeys -raw", 127],
    ["approver", "Get-RecoveryKeys -raw", 127],
    ["auditor", "verify-cert", 127],
    ["guest", "Get-Command", 0],
    ["guest", "Get-Help Get-Command", 0],
    ["guest", "Get-Help Get-RecoveryKeys", 3],
    ["guest", "Get-RecoveryKeys", 127],
    ["guest", "No-SuchCommand", 127],
    ["guest", "Clear-Host", 0],
    ["guest", "exit", 0],
    ["support", "Get-Command; Get-Command", 126],
    ["support", "Get-Command | sh", 126],
    ["support", "Get-Command > /tmp/x", 126],
    ["support", "$env:PATH", 126],
    ["support", "scp -t /tmp", 127],
    ["support", "/usr/lib/openssh/sftp-server", 127],
    ["support", "bash -c id", 127],
    ["support", "   ", 2],
  ];
  test.each(verdicts)("%s: %s → %i", async (user, commandLine, status) => {
    const answer = await ssh(user, commandLine);
    expect(answer.status, answer.stderr).toBe(status);
    if (status === 0) expect(answer.stderr).toBe("");
    else {
      expect(answer.stdout).toBe("");
      expect(answer.stderr).toMatch(/^[A-Za-z]+: .+/);
    }
  });

  test("a hidden command and one that was never written get the same words", async () => {
    const hidden = await ssh("guest", "Get-RecoveryKeys");
    const unknown = await ssh("guest", "Get-RecoverySeat");
    expect(hidden.stderr.replaceAll("Get-RecoveryKeys", "X")).toBe(unknown.stderr.replaceAll("Get-RecoverySeat", "X"));
  });
});

describe("formats", () => {
  test("all five show the same keys, and csv and json have the columns of -raw in order", async () => {
    const columns = ["PasswordId", "RecoveryKey", "ComputerName", "VolumeId", "VolumeType", "LastUpdateTime"];
    const csv = parse((await ssh("exporter", "Get-RecoveryKeys -raw -Format csv")).stdout);
    expect(csv[0]).toEqual(columns);
    const keys = csv.slice(1).map((row) => row[1]);
    expect(keys.length).toBeGreaterThan(50);
    expect(keys.every((key) => keyShape.test(key ?? ""))).toBe(true);
    const json = JSON.parse((await ssh("exporter", "Get-RecoveryKeys -raw -Format json")).stdout);
    expect(Object.keys(json[0])).toEqual(columns);
    expect(json.map((row: Record<string, string>) => row["RecoveryKey"])).toEqual(keys);
    const ndjson = (await ssh("exporter", "Get-RecoveryKeys -raw -Format ndjson")).stdout.trimEnd().split("\n");
    expect(ndjson.map((line) => JSON.parse(line).RecoveryKey)).toEqual(keys);
    for (const format of ["table", "list"]) {
      const { stdout } = await ssh("exporter", `Get-RecoveryKeys -raw -Format ${format}`);
      expect(stdout.match(new RegExp(keyShape, "g"))).toEqual(keys);
    }
    const raw = JSON.parse((await ssh("exporter", "Get-RecoveryKeys -raw")).stdout);
    expect(raw).toEqual(json);
  });

  test("a key is found by its id, by eight digits of it, in any spelling", async () => {
    const [first] = JSON.parse((await ssh("exporter", "Get-RecoveryKeys -raw")).stdout);
    for (const id of [
      first.PasswordId,
      `'{${first.PasswordId}}'`,
      first.PasswordId.toLowerCase(),
      first.PasswordId.slice(0, 8),
    ]) {
      const { stdout, stderr } = await ssh("support", `Get-RecoveryKeys -RecoveryKeyId ${id} -Format ndjson`);
      expect(stderr).toBe("");
      expect(
        stdout
          .trim()
          .split("\n")
          .map((line) => JSON.parse(line).RecoveryKey),
      ).toContain(first.RecoveryKey);
    }
  });

  test("with ssh -tt lines end in CR LF, without it in LF", async () => {
    const plain = await ssh("guest", "Get-Command -Format csv");
    expect(plain.stdout).not.toContain("\r");
    const terminal = await ssh("guest", "Get-Command -Format csv", { options: ["-tt"] });
    expect(terminal.stdout.replaceAll("\r\n", "\n")).toBe(plain.stdout);
    expect(terminal.stdout).toContain("\r\n");
  });
});

describe("the record", () => {
  test("start, disclosure and outcome are there in this order, with the digest of what was sent", async () => {
    const events = await newEvents(() =>
      ssh("support", "Get-RecoveryKeys -ComputerName DEMO-PC-02 -Reason 'Lost PIN'"),
    );
    const order = events.map(({ type }) => type).filter((type) => /command|disclosure|session/.test(type));
    expect(order).toEqual(["session-started", "command-started", "disclosure", "command-finished", "session-ended"]);
    const disclosure = events.find((event) => event.type === "disclosure");
    expect(disclosure).toMatchObject({ connectedUser: "support", how: "exec", reason: "Lost PIN" });
    expect(disclosure?.keys.map(({ computerName }) => computerName)).toContain("DEMO-PC-02");
    const finished = events.find((event) => event.type === "command-finished");
    expect(finished).toMatchObject({ outcome: "succeeded", exitStatus: 0, rows: disclosure?.keys.length });
    expect(finished?.sentDigest).toMatch(/^[0-9a-f]{64}$/);
  });

  test("keys that are not selected are not disclosed", async () => {
    const events = await newEvents(() =>
      ssh("exporter", "Get-RecoveryKeys -raw | Select-Object -Property ComputerName"),
    );
    expect(events.map(({ type }) => type)).not.toContain("disclosure");
  });

  test("a refused line is recorded as reason and length, never as text", async () => {
    const line = "Get-Secret 235818-357951-253979-013365-241120-245575-342914-591910";
    const events = await newEvents(() => ssh("support", line));
    const refused = events.find((event) => event.type === "command-refused");
    expect(refused).toMatchObject({ reason: "unknown", lineLength: line.length });
    expect(JSON.stringify(events)).not.toMatch(/\d{6}-\d{6}/);
  });

  test.each([
    ["sftp", ["-s", "sftp"], "subsystem"],
    ["a forwarded port", ["-o", "ExitOnForwardFailure=yes", "-R", "0:127.0.0.1:1", "-N"], "tcpip-forward"],
  ])("%s is refused and recorded", async (_, options, request) => {
    const [subsystem] = options[0] === "-s" ? ["sftp"] : [""];
    const events = await newEvents(async () => {
      const more = options[0] === "-s" ? ["-s"] : options;
      const answer = await ssh("exporter", subsystem ?? "", { options: more });
      expect(answer.status).not.toBe(0);
    });
    // ssh leaves as soon as it is refused; the event may become durable a moment later.
    const before = endpoint.events().length - events.length;
    const refused = (): string =>
      endpoint
        .events()
        .slice(before)
        .flatMap((event) => (event.type === "request-refused" ? [event.request] : []))
        .join();
    await expect.poll(refused).toContain(request);
  });

  test("someone without a key of this endpoint gets in nowhere, on the record", async () => {
    const events = await newEvents(async () => {
      const key = endpoint.dataDirectory + "/demo/keys/guest";
      const answer = await ssh("support", "Get-Command", {
        options: [
          "-o",
          `IdentityFile=${key}`,
          "-o",
          "IdentitiesOnly=yes",
          "-F",
          "/dev/null",
          "-p",
          String(endpoint.port),
          "-o",
          `UserKnownHostsFile=${endpoint.dataDirectory}/demo/known_hosts`,
          "-o",
          "HostName=127.0.0.1",
          "-o",
          "BatchMode=yes",
        ],
      });
      expect(answer.status).toBe(255);
    });
    expect(events.filter((event) => event.type === "authentication").map(({ outcome }) => outcome)).toContain(
      "refused",
    );
    expect(events.map(({ type }) => type)).not.toContain("session-started");
  });
});

describe("cancel", () => {
  test("a client that goes away stops its command", async () => {
    const child = spawn("ssh", [...endpoint.sshArguments("certadmin", ["-tt"]), "backup-cert -Name cancelled"], {
      stdio: ["pipe", "pipe", "ignore"],
    });
    await new Promise((resolve) => child.stdout.once("data", resolve)); // the password prompt
    child.kill("SIGKILL");
    await expect
      .poll(() =>
        endpoint
          .events()
          .filter((event) => event.type === "command-finished")
          .at(-1),
      )
      .toMatchObject({ command: "backup-cert", outcome: "stopped", exitStatus: 130 });
  });
});
