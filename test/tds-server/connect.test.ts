import { isIPv4 } from "node:net";
import { describe, expect, test } from "vitest";
import type { LoginRecord } from "../harness/tds-server/login.ts";
import type { OnQuery } from "../harness/tds-server/answer.ts";
import {
  ask,
  certificatesForFile,
  connect,
  connectError,
  modes,
  startServer,
  tracesOf,
  userName,
  userPassword,
} from "./client.ts";

const certificates = certificatesForFile();
const { authority: ca } = certificates;

const answerOne: OnQuery = async (_request, respond) => {
  respond.columns([{ name: "One", type: "int" }]);
  await respond.row([1]);
};

const checkPassword = ({ password }: LoginRecord) =>
  password === userPassword
    ? undefined
    : [{ number: 18456, class: 14, message: "Login failed for user 'pep_reader'." }];

describe.each(modes)("$mode", ({ encryption }) => {
  const isStrict = encryption.encrypt === "strict";

  test("a client that trusts the authority logs in, and what it sent is on record", async () => {
    const server = await startServer({ tls: certificates.server, login: checkPassword, onQuery: answerOne });
    const connection = await connect({ port: server.port, ca, options: { ...encryption, readOnlyIntent: true } });
    expect((await ask(connection, "SELECT 1")).rows).toEqual([[1]]);
    expect(server.connections()).toBe(1);
    expect(server.logins()).toMatchObject([
      {
        connection: 1,
        user: userName,
        password: userPassword,
        database: "CM_ABC",
        application: "pep-test",
        strict: isStrict,
        tls: isStrict ? "TLSv1.3" : "TLSv1.2",
        alpn: isStrict ? "tds/8.0" : "",
        tdsVersion: encryption.tdsVersion === "8_0" ? 0x0800_0000 : 0x7400_0004,
        readOnlyIntent: true,
      },
    ]);
  });

  test("a certificate of another authority is refused before a login leaves", async () => {
    const server = await startServer({ tls: certificates.otherIssuer, onQuery: answerOne });
    const error = await connectError({ port: server.port, ca, options: encryption });
    expect(tracesOf(error)).toContain("UNABLE_TO_VERIFY_LEAF_SIGNATURE");
    expect(server.logins()).toEqual([]);
  });

  test("a certificate for another name is refused, unless that name is what the client asks for", async () => {
    const server = await startServer({ tls: certificates.otherName, onQuery: answerOne });
    const error = await connectError({ port: server.port, ca, options: encryption });
    expect(tracesOf(error)).toContain("ERR_TLS_CERT_ALTNAME_INVALID");
    expect(server.logins()).toEqual([]);
    const serverName = certificates.otherNameHost;
    const connection = await connect({ port: server.port, ca, options: { ...encryption, serverName } });
    expect((await ask(connection, "SELECT 1")).rows).toEqual([[1]]);
  });

  test("an IP address is checked against the certificate's addresses", async () => {
    const host = "127.0.0.1";
    expect(isIPv4(host)).toBe(true);
    const server = await startServer({ tls: certificates.server, onQuery: answerOne });
    await connect({ port: server.port, ca, host, options: encryption });
    server.setFaults({ identity: certificates.otherName });
    const error = await connectError({ port: server.port, ca, host, options: encryption });
    expect(tracesOf(error)).toContain("ERR_TLS_CERT_ALTNAME_INVALID");
    expect(server.logins()).toHaveLength(1);
  });

  test("a wrong password is ELOGIN with the server's number", async () => {
    const server = await startServer({ tls: certificates.server, login: checkPassword, onQuery: answerOne });
    const error = await connectError({
      port: server.port,
      ca,
      options: encryption,
      authentication: { type: "default", options: { userName, password: "wrong" } },
    });
    expect(tracesOf(error)).toContain("ELOGIN");
    expect(tracesOf(error)).toContain("Login failed for user 'pep_reader'.");
    expect(server.logins().map(({ password }) => password)).toEqual(["wrong"]);
  });

  test("a transient login error is tried again, each time over a new connection", async () => {
    const errors = [{ number: 40613, class: 17, message: "The database is not currently available." }];
    const server = await startServer({
      tls: certificates.server,
      onQuery: answerOne,
      faults: { refuseLogins: { times: 2, errors } },
    });
    const retries = { maxRetriesOnTransientErrors: 3, connectionRetryInterval: 1 };
    const connection = await connect({ port: server.port, ca, options: { ...encryption, ...retries } });
    expect((await ask(connection, "SELECT 1")).rows).toEqual([[1]]);
    expect(server.logins().map((login) => login.connection)).toEqual([1, 2, 3]);
  });

  test("integrated authentication arrives as SSPI bytes and no password", async () => {
    const server = await startServer({ tls: certificates.server, onQuery: answerOne });
    const error = await connectError({
      port: server.port,
      ca,
      options: encryption,
      authentication: { type: "ntlm", options: { userName, password: userPassword, domain: "CONTOSO" } },
    });
    expect(tracesOf(error)).toContain("ELOGIN");
    const [login] = server.logins();
    expect(login?.sspi.toString("latin1")).toContain("NTLMSSP");
    expect(login?.password).toBe("");
  });

  test.each([512, 4096, 16_384, 32_767])("packets of %i bytes are agreed on and kept to", async (packetSize) => {
    const text = "ä€😀".repeat(9000);
    const server = await startServer({
      tls: certificates.server,
      onQuery: async ({ parameters }, respond) => {
        respond.columns([{ name: "Echo", type: "nvarchar(max)" }]);
        await respond.row([parameters[0]?.value ?? null]);
      },
    });
    const { TYPES } = await import("tedious");
    const connection = await connect({ port: server.port, ca, options: { ...encryption, packetSize } });
    const { rows } = await ask(connection, "SELECT @text", [{ name: "text", type: TYPES.NVarChar, value: text }]);
    expect(rows).toEqual([[text]]);
    expect(server.logins()[0]?.packetSize).toBe(packetSize);
  });
});

test("a server that answers NOT_SUP to encryption gets no login", async () => {
  const server = await startServer({ tls: certificates.server, onQuery: answerOne, faults: { downgrade: true } });
  const error = await connectError({ port: server.port, ca, options: { encrypt: true } });
  expect(tracesOf(error)).toContain("EENCRYPT");
  expect(server.accepted()).toBeGreaterThan(0);
  expect(server.logins()).toEqual([]);
});

test("the downgrade is real: a client that asks for no encryption sends its password in clear", async () => {
  const server = await startServer({ tls: certificates.server, onQuery: answerOne, faults: { downgrade: true } });
  const connection = await connect({ port: server.port, ca, options: { encrypt: false } });
  expect((await ask(connection, "SELECT 1")).rows).toEqual([[1]]);
  expect(server.logins()).toMatchObject([{ tls: "none", password: userPassword }]);
});

test("a server that demands encryption is refused by a client that wants none", async () => {
  const server = await startServer({ tls: certificates.server, onQuery: answerOne });
  const error = await connectError({ port: server.port, ca, options: { encrypt: false } });
  expect(tracesOf(error)).toContain("EENCRYPT");
  expect(server.logins()).toEqual([]);
});

test("a strict client gets nowhere with a server that does not know TDS 8.0, and sends no login", async () => {
  const server = await startServer(
    { tls: { ...certificates.server, strict: false }, onQuery: answerOne },
    { mayHaveProblems: true },
  );
  const error = await connectError({ port: server.port, ca, options: { encrypt: "strict" } });
  expect(tracesOf(error)).toContain("ESOCKET");
  expect(server.logins()).toEqual([]);
  expect(server.problems()[0]).toContain("no TDS packet: type 22");
});

test("a closed port is ESOCKET", async () => {
  const server = await startServer({ tls: certificates.server, onQuery: answerOne });
  const { port } = server;
  await server.close();
  expect(tracesOf(await connectError({ port, ca, options: { encrypt: true } }))).toContain("ESOCKET");
});
