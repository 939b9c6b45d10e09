import { join } from "node:path";
import { onTestFinished } from "vitest";
import { syslogReceiver, type SyslogReceiver } from "../../server/audit-forwarding/configuration.ts";
import { defaultWaits, readCredentials, type Waits } from "../../server/audit-forwarding/connection.ts";
import { startForwarding } from "../../server/audit-forwarding/forwarding.ts";
import type { OpenRecord, RecordOptions } from "../../server/audit/open-record.ts";
import { emptyRecord, openAt, type MadeRecord } from "../audit-review/record.ts";
import { makeAuthority, rsyslogdIn, type Driver } from "../harness/rsyslogd.ts";
import { temporaryDirectory } from "../harness/temporary-directory.ts";
import { testRuntime } from "../harness/runtime.ts";
import { freePort } from "../harness/free-port.ts";

/** Certificates, and a receiver that is not started yet. */
export const receiverStage = async (driver: Driver = "ossl") => {
  const directory = temporaryDirectory();
  const port = await freePort();
  const authority = await makeAuthority(directory);
  const server = await authority.issue("siem.example.com");
  const client = await authority.issue("pep.example.com");
  const receiver: SyslogReceiver = {
    ...syslogReceiver.parse({
      server: "127.0.0.1",
      port,
      serverName: "siem.example.com",
      ca: authority.ca,
      ...client,
      resendSeconds: 1,
    }),
  };
  const rsyslogd = rsyslogdIn({
    directory,
    port,
    ca: authority.ca,
    server,
    permittedPeer: "pep.example.com",
    driver,
  });
  return { directory, port, authority, server, client, receiver, rsyslogd };
};

/** A record, and its forwarding; the record is what a running server has. */
export const forward = async (
  receiver: SyslogReceiver,
  made: MadeRecord = emptyRecord(),
  options: Partial<RecordOptions> = {},
  waits: Waits = defaultWaits,
) => {
  const reports: string[] = [];
  let forwarding: Awaited<ReturnType<typeof startForwarding>> | undefined;
  const record: OpenRecord = await openAt(made, { ...options, onDurable: () => forwarding?.grown() });
  await record.append({
    type: "server-started",
    version: "1",
    listening: "127.0.0.1:22",
    hostKey: "SHA256:x",
    runtime: "y",
  });
  const cursorPath = join(made.dataDirectory, "state", "syslog-cursor");
  forwarding = await startForwarding({
    receiver,
    credentials: () => readCredentials(receiver),
    log: record,
    logDirectory: join(made.dataDirectory, "audit", "log"),
    cursorPath,
    hostName: "pep-1",
    processId: 7,
    version: "0.1.0",
    runtime: testRuntime({ report: (problem) => reports.push(problem) }),
    waits,
    retryMs: { first: 200, longest: 2000 },
  });
  const started = forwarding;
  let closed = false;
  const end = async (): Promise<void> => {
    if (closed) return;
    closed = true;
    await started.close();
    await record.close();
  };
  onTestFinished(end);
  return { made, record, reports, cursorPath, end };
};
