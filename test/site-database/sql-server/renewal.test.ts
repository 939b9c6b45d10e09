import { afterEach, expect, test } from "vitest";
import { countClosedKeys } from "../../../server/site-database/sql-server/count-closed-keys.ts";
import { examineSqlServer } from "../../../server/site-database/sql-server/doctor.ts";
import { findRenewalOnServer, renewalOnServerInWords } from "../../../server/site-database/sql-server/plan-renewal.ts";
import { makeCertificatePair, thumbprintOf } from "../../harness/tds-server/model/certificate-files.ts";
import { certificateName, storedCertificate } from "../../harness/tds-server/model/state.ts";
import { guid, neverStopped, passwordOf } from "../fixture.ts";
import { startSite } from "./start-site.ts";
import type { StartedSite } from "./start-site.ts";

let site: StartedSite;
afterEach(() => site.dispose());

/** `opened` keys of the certificate that is there, and one of each other kind. */
const start = async ({ opened = 3, closed = 0, rotated = false } = {}): Promise<void> => {
  site = await startSite();
  const { model } = site;
  const other = await makeCertificatePair();
  for (let n = 0; n < opened; n += 1)
    model.add({ keyId: guid(`key ${n}`), computerName: `PC-${n}`, recoveryKey: passwordOf(n) });
  for (let n = 0; n < closed; n += 1)
    model.add({
      keyId: guid(`closed ${n}`),
      computerName: `PC-C${n}`,
      recoveryKey: passwordOf(n),
      encryptedBy: thumbprintOf(other),
    });
  if (rotated)
    model.state.certificates = new Map(model.state.certificates).set(
      "BitLockerManagement_CERT_OLD",
      storedCertificate(other, "RecoveryAndHardwareCore"),
    );
};

const plan = async (): Promise<string> =>
  renewalOnServerInWords(await findRenewalOnServer(await site.open(), "CM_PEP", neverStopped));

const cellsOf = async (whole = false): Promise<string | undefined> => {
  const expected = { database: "CM_PEP", encrypt: "strict", whole } as const;
  const findings = await examineSqlServer(await site.open(), expected, neverStopped);
  const found = findings.find(({ check }) => check === "cells");
  return found && `${found.passed ? "ok" : "FAIL"} ${found.finding}`;
};

test("pages count every key once, and name the first that nothing opens", async () => {
  await start({ opened: 2100, closed: 3 });
  const { connections } = await site.open();
  const first = [0, 1, 2].map((n) => guid(`closed ${n}`)).toSorted()[0];
  await expect(countClosedKeys(connections.writes, Infinity, neverStopped)).resolves.toEqual({
    tried: 2103,
    closed: 3,
    firstClosed: first,
  });
  await expect(countClosedKeys(connections.writes, 0, neverStopped)).resolves.toMatchObject({
    tried: 2000,
    stoppedAt: expect.any(String),
  });
});

test("doctor says how many keys no certificate opens, also with a closed master key", async () => {
  await start();
  await expect(cellsOf()).resolves.toBe("ok All 3 recovery keys open with the certificate.");
  await site.dispose();
  await start({ closed: 1 });
  await expect(cellsOf(true)).resolves.toMatch(/^FAIL .*opens 1 of 4 recovery keys \(the first is [0-9A-F-]{36}\)/);
  site.model.state.masterKey = "closed";
  await expect(cellsOf()).resolves.toMatch(/^FAIL .*opens 4 of 4 recovery keys/);
});

test("a dry run tells the state, and names the next step", async () => {
  await start();
  const found = await plan();
  expect(found).toContain("All 3 recovery keys can be opened with it.");
  expect(found).toContain("Next: step 1.");
  expect(found).toContain("USE CM_PEP;");
  await site.dispose();
  await start({ closed: 1 });
  await expect(plan()).resolves.toContain("Next: none of the steps.");
  await site.dispose();
  await start({ closed: 2, rotated: true });
  await expect(plan()).resolves.toMatch(/CERT_OLD is there beside it.*2 of 5 recovery keys[^]*Next: step 5/);
  await site.dispose();
  await start({ rotated: true });
  await expect(plan()).resolves.toContain("Next: step 6");
  site.model.state.certificates = new Map();
  await expect(plan()).resolves.toContain(`there is no ${certificateName}`);
});

test("a dry run sends no statement that changes anything", async () => {
  await start({ rotated: true });
  await plan();
  const sent = site.server.requests().map(({ text, procedure }) => text || procedure);
  expect(sent.length).toBeGreaterThan(3);
  for (const statement of sent)
    expect(statement).not.toMatch(/\b(?:CREATE|DROP|ALTER|GRANT|BACKUP|UPDATE|INSERT|BEGIN|EXEC)\b/);
});

test("verify-cert tells that an old certificate is there, and what is next", async () => {
  await start({ closed: 1, rotated: true });
  const { findings } = await (await site.open()).verifyCertificate(neverStopped);
  expect(findings.find(({ check }) => check === "renewal")).toMatchObject({
    weight: "advice",
    passed: false,
    finding: expect.stringMatching(
      /BitLockerManagement_CERT_OLD is there.*3 of the newest 4.*pep renew-cert --dry-run/,
    ),
  });
});
