import { expect, test } from "vitest";
import { Secret } from "../../server/secret.ts";
import { createMemorySite, makeKeys, type MemorySite } from "./memory-site.ts";
import { columnNames, readAll, rowsOf, runLine } from "./run-line.ts";

const siteWith = (...computers: readonly string[]): MemorySite =>
  createMemorySite(
    makeKeys(9),
    undefined,
    undefined,
    undefined,
    undefined,
    computers.map((computerName) => ({
      computerName,
      hash: new Secret("BwcHBwcHBwcHBwcHBwcHBwcHBwc=", { keyId: "x", computerName, what: "tpm-password-hash" }),
      lastUpdateTime: "2026-11-01T00:00:00.000Z",
    })),
  );

test("the hashes of the computers that have one come, and the others are named beside them", async () => {
  const told: string[] = [];
  const site = siteWith("PC-0001");
  const { result } = await runLine("Get-TpmPasswordHash pc-0001,PC-0002", site, { prompts: [], told });
  expect(columnNames(result)).toEqual(["ComputerName", "TpmPasswordHash", "LastUpdateTime"]);
  expect(await readAll(result)).toEqual([["PC-0001", "•••", "2026-11-01T00:00:00.000Z"]]);
  expect(rowsOf(result).exitStatus).toBe(3);
  expect(told).toEqual(["No TPM password hash was found for computer PC-0002."]);
  expect([site.marked, new Set(site.asked.map(({ what }) => what))]).toEqual([[], new Set(["computers", "tpm"])]);
});

test("where none of the computers has one nothing is shown", async () => {
  await expect(runLine("Get-TpmPasswordHash PC-0002,PC-0003", siteWith("PC-0001"))).rejects.toMatchObject({
    category: "ObjectNotFound",
    message: "No TPM password hash was found for computer PC-0002, PC-0003.",
  });
});

test("a line without a computer is refused", async () => {
  await expect(runLine("Get-TpmPasswordHash", siteWith("PC-0001"))).rejects.toMatchObject({
    category: "InvalidArgument",
    message: "Give -ComputerName.",
  });
});
