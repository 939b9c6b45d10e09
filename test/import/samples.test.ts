import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { pairs, readAll, samples, samplesAreThere, sharedData } from "./recovery-data.ts";

const volumes = z.array(
  z.object({
    computerName: z.string(),
    volumeType: z.string(),
    protectors: z.array(z.object({ keyId: z.string(), recoveryPassword: z.string() })),
  }),
);

const expected = (): { keyId: string; password: string; computerName: string; volumeType: string }[] =>
  volumes
    .parse(JSON.parse(readFileSync(join(sharedData, "bitlocker-volumes.json"), "utf8")))
    .flatMap(({ computerName, volumeType, protectors }) =>
      protectors.map(({ keyId, recoveryPassword }) => ({
        keyId,
        password: recoveryPassword,
        computerName,
        volumeType,
      })),
    );

const deviceIds: Readonly<Record<string, string>> = {
  "PC-0001": "12115d8c-0794-4f43-b291-edfc1dac590a",
  "PC-0002": "37489d6f-960f-4083-bc48-aaa1c1d2bcd9",
  "PC-0003": "2fa5f37e-c798-4296-ba37-1d175ba40610",
  "PC-0004": "e258f2ad-f270-4f96-ab1e-7807aacf2d19",
  "PC-0005": "4cfb39c9-fcdc-41bb-bda6-f92d962e36c7",
  "PC-0006": "6284c884-6975-418e-b985-fcd65522ded8",
};

describe.skipIf(!samplesAreThere)("samples of real tools (skipped: ../shared/data is not there)", () => {
  const sample = (name: string): string => join(samples, name);
  const all = (): [string, string][] => expected().map(({ keyId, password }) => [keyId, password]);

  test.each(["BitLockerInfo.csv", "msFVE-RecoveryInformation.ldf"])(
    "%s gives all ten keys with their computers",
    async (name) => {
      const records = await readAll(sample(name));
      expect(pairs(records)).toEqual(all());
      expect(records.map(({ computerName }) => computerName)).toEqual(
        expected().map(({ computerName }) => computerName),
      );
    },
  );

  test("the CSV and the LDIF agree on when each protector was made", async () => {
    const csv = await readAll(sample("BitLockerInfo.csv"));
    const ldif = await readAll(sample("msFVE-RecoveryInformation.ldf"));
    expect(csv.map(({ lastUpdateTime }) => lastUpdateTime)).toEqual(ldif.map(({ lastUpdateTime }) => lastUpdateTime));
    expect(csv[0]?.lastUpdateTime).toBe("2021-11-28T15:37:06.000Z");
  });

  test("the LDIF puts the two passwords of one volume on one volume", async () => {
    const records = await readAll(sample("msFVE-RecoveryInformation.ldf"));
    // Volume id of bitlk-aes-xts-128-two-recovery, from the volume's own metadata.
    expect(records.filter(({ volumeId }) => volumeId === "316A9DD0-5D5D-48FB-A2E8-0A02BB08701C")).toHaveLength(2);
  });

  test("Graph's keys come with their device ids and volume types", async () => {
    const records = await readAll(sample("graph-recoveryKeys-with-key.json"));
    expect(pairs(records)).toEqual(all());
    expect(records.map(({ computerName }) => computerName)).toEqual(
      expected().map(({ computerName }) => deviceIds[computerName]),
    );
    expect(records.map(({ volumeType }) => volumeType)).toEqual(expected().map(({ volumeType }) => volumeType));
  });

  test("Graph's list without keys is refused, saying why", async () => {
    await expect(readAll(sample("graph-recoveryKeys-list.json"))).rejects.toMatchObject({
      category: "InvalidArgument",
      message: expect.stringMatching(/nothing to import: this list of Microsoft Graph names 10 recovery keys/),
    });
  });

  test("PowerShell's protectors in UTF-16 give three passwords and the external key", async () => {
    let passedOver = 0;
    const records = await readAll(sample("Get-BitLockerVolume-KeyProtector.json"), {
      computerName: "PC-0001",
      onPassedOver: () => (passedOver += 1),
    });
    expect(pairs(records)).toEqual(all().slice(0, 3));
    expect(records.map(({ protector }) => protector)).toContainEqual({
      kind: "ExternalKey",
      keyId: "AA80A52B-9B66-47AE-B097-33F536FFBB07",
      fileName: "AA80A52B-9B66-47AE-B097-33F536FFBB07.BEK",
    });
    expect(passedOver).toBe(2);
  });

  test("manage-bde's text gives its password, not the passphrase before it", async () => {
    const records = await readAll(sample("manage-bde-protectors-get-C.txt"), { computerName: "pc-0001" });
    expect(pairs(records)).toEqual(all().slice(0, 1));
    expect(records.map(({ protector }) => protector.kind)).toEqual(["NumericalPassword", "ExternalKey"]);
    expect(records[0]).toMatchObject({ line: 10, computerName: "pc-0001", volumeType: "Unknown" });
  });
});
