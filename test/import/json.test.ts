import { describe, expect, test } from "vitest";
import { temporaryDirectory } from "../harness/temporary-directory.ts";
import { pairs, passwordOf, readAll, writeFile } from "./recovery-data.ts";
import { revealSecret } from "../../server/secret.ts";

const password = "490270-696377-450109-664092-596629-028820-126104-257345";
const id = "00FB8673-8B42-C835-484F-3E32248C1E89";
const other = {
  id: "601C567F-BB55-22E5-3A50-AE8DAE18AEFD",
  password: "428373-694848-697466-395450-590062-004103-372031-236489",
};
const computerName = "PC-1";

const readText = (text: string | Uint8Array, options = {}): ReturnType<typeof readAll> =>
  readAll(writeFile(temporaryDirectory(), "keys.json", text), options);
const read = (value: unknown, options = {}): ReturnType<typeof readAll> =>
  readText(JSON.stringify(value, undefined, 2), options);

const protector = (type: number | string, more: Record<string, unknown> = {}): Record<string, unknown> => ({
  KeyProtectorId: `{${id}}`,
  AutoUnlockProtector: null,
  KeyProtectorType: type,
  KeyFileName: "",
  RecoveryPassword: "",
  KeyCertificateType: null,
  Thumbprint: "",
  ...more,
});
const graphKey = (more: Record<string, unknown> = {}): Record<string, unknown> => ({
  id: id.toLowerCase(),
  createdDateTime: "2021-11-28T15:37:06.9380000Z",
  volumeType: "1",
  deviceId: "12115d8c-0794-4f43-b291-edfc1dac590a",
  key: password,
  ...more,
});

describe("PowerShell's key protectors", () => {
  const utf16 = (text: string, big: boolean): Buffer => {
    const bytes = Buffer.from(`\uFEFF${text}`, "utf16le");
    return big ? bytes.swap16() : bytes;
  };

  test.each([
    ["UTF-8", (text: string) => Buffer.from(text)],
    ["UTF-8 with a mark", (text: string) => Buffer.from(`\uFEFF${text}`)],
    ["UTF-16LE", (text: string) => utf16(text, false)],
    ["UTF-16BE", (text: string) => utf16(text, true)],
  ])("a single object in %s", async (_, encode) => {
    const text = JSON.stringify(protector(3, { RecoveryPassword: password }), undefined, 2).replaceAll("\n", "\r\n");
    expect(pairs(await readText(encode(text), { computerName }))).toEqual([[id, password]]);
  });

  test("types as names, as numbers in texts, and of all kinds", async () => {
    let passedOver = 0;
    const records = await read(
      [
        protector("RecoveryPassword", { RecoveryPassword: password }),
        protector("3", { RecoveryPassword: password }),
        protector("ExternalKey", { KeyFileName: "A.BEK" }),
        protector(2),
        protector(2, { AutoUnlockProtector: true }),
        protector("ExternalKey", { AutoUnlockProtector: "False" }),
        protector("PublicKey", { KeyCertificateType: 1, Thumbprint: "9DE688607336294A52B445D30D1EB92F0BEC1E78" }),
        protector(7, { KeyCertificateType: 2 }),
        ...[0, 1, 4, 5, 6, 8, 9, 10, "Tpm", "TpmPin", "Password"].map((type) => protector(type)),
      ],
      { computerName, onPassedOver: () => (passedOver += 1) },
    );
    expect(records.map(({ protector }) => protector)).toEqual([
      { kind: "NumericalPassword", keyId: id, recoveryPassword: expect.anything() },
      { kind: "NumericalPassword", keyId: id, recoveryPassword: expect.anything() },
      { kind: "ExternalKey", keyId: id, fileName: "A.BEK" },
      { kind: "ExternalKey", keyId: id },
      { kind: "ExternalKey", keyId: id, category: "Managed" },
      { kind: "ExternalKey", keyId: id, category: "Recovery" },
      { kind: "DataRecoveryAgent", keyId: id, certificateThumbprint: "9de688607336294a52b445d30d1eb92f0bec1e78" },
    ]);
    expect(passedOver).toBe(12);
  });

  test("a row's TPM password hash comes with its key, and one that is none is left out", async () => {
    const tpmPasswordHash = Buffer.alloc(20, 7).toString("base64");
    const row = { ComputerName: "PC-1", PasswordId: id, RecoveryPassword: password };
    const [record] = await read([{ ...row, TpmPasswordHash: tpmPasswordHash }]);
    expect(record?.tpmPasswordHash && revealSecret(record.tpmPasswordHash)).toBe(tpmPasswordHash);
    const [other] = await read([{ ...row, TpmPasswordHash: "none" }]);
    expect(other).not.toHaveProperty("tpmPasswordHash");
  });

  test("without a computer name the error says how to give it", async () => {
    await expect(read([protector(3, { RecoveryPassword: password })])).rejects.toThrow("--computer-name");
  });

  test("a whole volume names its computer and its type", async () => {
    const volume = {
      ComputerName: "PC-9",
      MountPoint: "C:",
      VolumeType: 0,
      KeyProtector: [protector(1), protector(3, { RecoveryPassword: password })],
    };
    const records = await read(volume);
    expect(records).toMatchObject([{ computerName: "PC-9", volumeType: "OperatingSystem" }]);
    expect(passwordOf(records[0])).toBe(password);
    await expect(read({ ...volume, KeyProtector: ["Microsoft.BitLocker"] })).rejects.toThrow("-Depth 4");
  });

  test("an empty password of a locked volume is told with its line", async () => {
    await expect(read([protector(1), protector(3)], { computerName })).rejects.toThrow(
      "line 11: the recovery password is empty",
    );
  });
});

describe("Microsoft Graph's recovery keys", () => {
  test.each([
    ["an array", [graphKey(), graphKey({ id: other.id, key: other.password })]],
    [
      "a list in value",
      {
        "@odata.context": "…",
        value: [graphKey(), graphKey({ id: other.id, key: other.password })],
        "@odata.nextLink": "…",
      },
    ],
  ])("%s", async (_, value) => {
    const records = await read(value);
    expect(pairs(records)).toEqual([
      [id, password],
      [other.id, other.password],
    ]);
    expect(records[0]).toMatchObject({
      computerName: "12115d8c-0794-4f43-b291-edfc1dac590a",
      volumeType: "OperatingSystem",
      lastUpdateTime: "2021-11-28T15:37:06.938Z",
    });
  });

  test.each([
    ["an object", graphKey()],
    ["an object in value", { "@odata.context": "…", value: graphKey() }],
  ])("%s, once and again after itself", async (_, value) => {
    const text = JSON.stringify(value, undefined, 2);
    expect(pairs(await readText(text))).toEqual([[id, password]]);
    for (const between of ["", " ", "\n", "\r\n\r\n"]) {
      expect(await readText([text, text, text].join(between))).toHaveLength(3);
    }
  });

  test("all in one line, longer than any piece that is read at a time", async () => {
    const keys = Array.from({ length: 2000 }, () => graphKey({ note: "Größe ".repeat(20) }));
    expect(await readText(JSON.stringify(keys))).toHaveLength(2000);
  });

  test("volume types as numbers, as names and unknown ones", async () => {
    const types = [
      1,
      "2",
      3,
      "operatingSystemVolume",
      "fixedDataVolume",
      "removableDataVolume",
      "unknownFutureValue",
      null,
    ];
    const records = await read(types.map((volumeType) => graphKey({ volumeType })));
    expect(records.map(({ volumeType }) => volumeType)).toEqual([
      "OperatingSystem",
      "FixedData",
      "Removable",
      "OperatingSystem",
      "FixedData",
      "Removable",
      "Unknown",
      "Unknown",
    ]);
  });

  test("--computer-name names the one device, and a second device is refused", async () => {
    expect(await read([graphKey(), graphKey()], { computerName })).toMatchObject([{ computerName }, { computerName }]);
    await expect(read([graphKey(), graphKey({ deviceId: other.id })], { computerName })).rejects.toThrow(
      ":9: a second device begins here",
    );
  });

  test("a list without keys holds nothing; a key missing among keys is a problem", async () => {
    const list = { value: [graphKey({ key: undefined }), graphKey({ key: undefined })] };
    await expect(read(list)).rejects.toThrow("names 2 recovery keys but holds none");
    await expect(read([graphKey(), graphKey({ key: null })])).rejects.toThrow("line 9: the key itself is missing");
  });

  test("an error answer among the answers is told", async () => {
    await expect(read([graphKey(), { error: { code: "Forbidden" } }])).rejects.toThrow(
      "line 9: this is an error answer",
    );
  });

  test.each([
    ["createdDateTime", { createdDateTime: "yesterday" }, "line 2: createdDateTime is not a time"],
    ["id", { id: "1234" }, "line 2: the key id is not a whole GUID"],
    ["deviceId", { deviceId: "a b" }, "line 2: the computer's name has characters"],
    ["no deviceId", { deviceId: undefined }, "line 2: the computer's name is missing"],
    ["key", { key: password.slice(1) }, "line 2: the recovery password is not well-formed"],
  ])("a wrong %s is told with its line", async (_, change, message) => {
    await expect(read([graphKey(change)])).rejects.toThrow(message);
  });
});

describe("any JSON", () => {
  const key = { Id: `{${id}}`, Password: password };
  test.each([
    ["a batch of Graph", { responses: [{ id: "1", status: 200, body: graphKey({ deviceName: "PC-9" }) }] }],
    ["drives and keys of a tool", { Host: "PC-9", Drives: [{ Drive: "C:", Keys: [key] }], _meta: { v: "1.2" } }],
    [
      "lists of PowerShell 5.1",
      { ComputerName: "PC-9", KeyProtector: { value: [protector(3, { RecoveryPassword: password })], Count: 1 } },
    ],
    ["a list below its computer", { computerName: "PC-9", value: [key] }],
    [
      "lists side by side",
      [{ ComputerName: "PC-9", KeyProtectorId: [other.id, id], RecoveryPassword: ["", password] }],
    ],
    [
      "bytes of a GUID",
      [
        {
          Name: "PC-9",
          "msFVE-RecoveryGuid": [115, 134, 251, 0, 66, 139, 53, 200, 72, 79, 62, 50, 36, 140, 30, 137],
          "msFVE-RecoveryPassword": password,
        },
      ],
    ],
  ])("%s", async (_, value) => {
    const records = await read(value);
    expect(pairs(records)).toEqual([[id, password]]);
    expect(records[0]?.computerName).toBe("PC-9");
  });

  test("a list by computers: their names are those of the properties", async () => {
    const text = JSON.stringify({ "PC-9": [protector(3, { RecoveryPassword: password })], "Pc-10": { Drives: [key] } });
    expect(
      (await readText(text.replace(`{${id}}","Password`, `{${other.id}}","Password`))).map(
        ({ computerName }) => computerName,
      ),
    ).toEqual(["PC-9", "Pc-10"]);
    await expect(readText(text, { computerName: "PC-9" })).rejects.toThrow("another computer");
  });

  test("what is made like the given name is another computer's, whatever the property is called", async () => {
    const volume = { Asset: "PC-2", KeyProtector: [protector(3, { RecoveryPassword: password })] };
    await expect(read([volume], { computerName })).rejects.toThrow("another computer");
    expect(await read([{ ...volume, Asset: "PC-1" }], { computerName })).toMatchObject([{ computerName }]);
  });

  test("1 is a data volume where it is not Graph's number", async () => {
    const row = { ComputerName: "PC-9", VolumeType: 1, KeyID: id, RecoveryKey: password };
    expect(await read([row])).toMatchObject([{ volumeType: "Unknown" }]);
    expect(await read([{ ...row, VolumeType: 0 }])).toMatchObject([{ volumeType: "OperatingSystem" }]);
  });

  test("a key without an id is told", async () => {
    await expect(read({ host_id: 8, encryption_key: { key: password } })).rejects.toThrow("the key id is missing");
  });

  test("this endpoint's own output can be imported again", async () => {
    const row = {
      PasswordId: id,
      RecoveryKey: password,
      ComputerName: "PC-9",
      VolumeId: other.id,
      VolumeType: "FixedData",
      LastUpdateTime: "2026-11-22T09:30:00.000Z",
    };
    expect(await read([row])).toMatchObject([
      { computerName: "PC-9", volumeId: other.id, volumeType: "FixedData", lastUpdateTime: "2026-11-22T09:30:00.000Z" },
    ]);
  });

  test.each([
    [
      "cut off in an object",
      JSON.stringify([graphKey()], undefined, 2).slice(0, -30),
      ":7: the JSON ends in the middle",
    ],
    ["cut off in a list", JSON.stringify([graphKey()]).slice(0, -1), ":1: the JSON ends in the middle"],
    ["a bare word", '[\n{"id": nothing}]', ":2: this is not valid JSON"],
    ["a list of texts", '[\n"a"]', ":2: an object was expected"],
    ["null", "[null]", ":1: an object was expected"],
    ["an object of something else", '[\n\n{"a": 1}]', "line 3: this object is neither"],
    ["brackets without end", "[".repeat(100_000), ":1: the JSON is nested too deeply"],
    ["an object without end", `[{"a": "${"x".repeat(2_000_000)}"}]`, ":1: an object is longer than"],
    ["nothing", "[]", "nothing to import"],
  ])("%s: an error with its line", async (_, text, message) => {
    await expect(readText(text)).rejects.toMatchObject({
      category: "InvalidArgument",
      message: expect.stringContaining(message),
    });
  });

  test("a broken structure stops the file even when invalid records are skipped, and quotes nothing", async () => {
    const text = `${JSON.stringify([graphKey()]).slice(0, -1)} "${password}"]`;
    const error: unknown = await readText(text, { onSkipped: () => undefined }).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ category: "InvalidArgument" });
    expect(error).not.toHaveProperty("cause.message");
    expect(String(error)).not.toContain("490270");
  });
});

test("a recovery package that PowerShell made a list of numbers is read as bytes", async () => {
  const bytes = Array.from({ length: 600 }, (_, index) => (index * 7) % 256);
  const [record] = await read([
    { ComputerName: "PC-1", "msFVE-RecoveryPassword": password, KeyId: id, "msFVE-KeyPackage": bytes },
  ]);
  expect(passwordOf(record)).toBe(password);
  expect([...(record?.recoveryPackage ?? [])]).toEqual(bytes);
});
