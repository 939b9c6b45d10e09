import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { run, startEndpoint } from "../harness/endpoint.ts";
import { prepareDemo, startLimited } from "../harness/limited-endpoint.ts";

test(
  "a session too many is refused in words, with 5, on the record; when one ends there is room",
  { timeout: 120_000 },
  async () => {
    const it = await startLimited((roles) => Object.assign(roles.session, { sessionsPerUser: 2 }));
    const shells = [1, 2].map(() => {
      // Without a terminal, and with its input held open: a session that stays.
      const child = spawn("ssh", it.sshArguments("support", ["-T", "-o", "LogLevel=ERROR"]), {
        stdio: ["pipe", "pipe", "ignore"],
      });
      onTestFinished(() => void child.kill("SIGKILL"));
      return child;
    });
    await expect.poll(() => it.events().filter(({ type }) => type === "session-started").length).toBe(2);
    const refused = await it.ssh("support", "verify-cert");
    expect(refused).toMatchObject({
      status: 5,
      stdout: "",
      stderr:
        "LimitsExceeded: You have 2 sessions, and 2 is the most a user has at a time (sessionsPerUser). End one first.\n",
    });
    expect(it.events()).toContainEqual(
      expect.objectContaining({
        type: "request-refused",
        connectedUser: "support",
        request: "session",
        reason: "too many sessions",
        detail: "sessionsPerUser: 2",
      }),
    );
    // Another user is not concerned.
    expect(await it.ssh("certadmin", "verify-cert -raw")).toMatchObject({ status: 0 });
    shells[0]?.stdin.end();
    await expect
      .poll(() => it.events().filter(({ type }) => type === "session-ended").length)
      .toBeGreaterThanOrEqual(2);
    expect(await it.ssh("support", "verify-cert -raw")).toMatchObject({ status: 0 });
  },
);

test(
  "commands of one user run one after the other where the roles say so, and all of them answer",
  { timeout: 120_000 },
  async () => {
    const it = await startLimited((roles) => Object.assign(roles.session, { commandsPerUser: 1 }));
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, index) => it.ssh("support", `Get-RecoveryKeys DEMO-PC-0${index + 1} -Format json`)),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 8 }, () => 0));
    // One command's start and end stand side by side on the record.
    const order = it
      .events()
      .flatMap((event) =>
        event.type === "command-started" || event.type === "command-finished" ? [[event.type, event.invocationId]] : [],
      );
    expect(order).toHaveLength(16);
    for (let index = 0; index < order.length; index += 2) {
      expect(order[index]?.[0]).toBe("command-started");
      expect(order[index + 1]).toEqual(["command-finished", order[index]?.[1]]);
    }
  },
);

test(
  "failed log-ins close the door for their source, and leave the demo's own alone",
  { timeout: 120_000 },
  async () => {
    const dataDirectory = await prepareDemo(() => undefined);
    const stranger = join(dataDirectory, "..", "stranger");
    expect(await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", stranger])).toMatchObject({ status: 0 });
    const tryAsStranger = async (it: Awaited<ReturnType<typeof startEndpoint>>): Promise<string> => {
      const options = ["-o", "IdentityFile=none", "-i", stranger, "-o", "BatchMode=yes", "-o", "HostKeyAlias=pep"];
      const args = [
        "-F",
        "/dev/null",
        ...options,
        "-o",
        "StrictHostKeyChecking=no",
        "-o",
        "UserKnownHostsFile=/dev/null",
      ];
      return (await run("ssh", [...args, "-p", String(it.port), "support@127.0.0.1", "verify-cert"])).stderr;
    };
    const lenient = await startEndpoint({ dataDirectory });
    for (let failure = 0; failure < 4; failure += 1)
      expect(await tryAsStranger(lenient)).toContain("Permission denied");
    expect(await lenient.ssh("support", "verify-cert -raw")).toMatchObject({ status: 0 });
    lenient.signal("SIGTERM");
    await lenient.exited;

    const path = join(dataDirectory, "endpoint.json");
    const endpoint: object = JSON.parse(readFileSync(path, "utf8"));
    writeFileSync(
      path,
      JSON.stringify({ ...endpoint, perSourcePenaltyExemptList: [], perSourcePenalties: { authfail: 20 } }),
    );
    const strict = await startEndpoint({ dataDirectory });
    expect(await tryAsStranger(strict)).toContain("Permission denied");
    await expect.poll(() => strict.events().filter(({ type }) => type === "source-penalised")).toHaveLength(1);
    expect(await tryAsStranger(strict)).not.toContain("Permission denied");
    expect(await strict.ssh("support", "verify-cert -raw")).toMatchObject({ status: 255 });
  },
);

test(
  "the notice is on the record as shown with each log-in, and as accepted or declined where roles ask for it",
  { timeout: 120_000 },
  async () => {
    const it = await startLimited((roles) => Object.assign(roles.session, { requireAcceptance: true }));
    // A command line has no question: the log-in past the banner counts.
    expect(await it.ssh("support", "verify-cert -raw")).toMatchObject({ status: 0, stderr: "" });
    const digest = createHash("sha256")
      .update("Authorised use only. Everything done here is on the record.\n")
      .digest("hex");
    expect(it.events()).toContainEqual(
      expect.objectContaining({ type: "authentication", outcome: "accepted", noticeShown: digest }),
    );
    const size = { columns: 80, rows: 24 };
    const accepting = it.terminal("support", size);
    await accepting.waitFor(/◆ Authorised use only[^]*Type yes to accept:/);
    expect(accepting.scrollback()).not.toContain("PS support@pep>");
    accepting.type("yes\r");
    await accepting.waitFor("PS support@pep>");
    accepting.type("exit\r");
    expect(await accepting.exited).toBe(0);
    const declining = it.terminal("support", size);
    await declining.waitFor("Type yes to accept:");
    declining.type("\u0003");
    expect(await declining.exited).toBe(130);
    expect(declining.scrollback()).toContain("The notice was not accepted, so the session was ended.");
    const answers = it.events().flatMap((event) => (event.type === "legal-notice" ? [event] : []));
    expect(answers).toMatchObject([
      { connectedUser: "support", answer: "accepted", digest },
      { connectedUser: "support", answer: "declined", digest },
    ]);
  },
);
