import { createHash } from "node:crypto";
import { appendFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { describe, expect, test } from "vitest";
import type { AuditEvent, EventLog } from "../../server/audit/event.ts";
import { importCommand } from "../../server/cli/import.ts";
import { EndpointError } from "../../server/errors.ts";
import type { RecoveryRecordWriter } from "../../server/import/contract.ts";
import { createProgress } from "../../server/import/progress.ts";
import { temporaryDirectory } from "../harness/temporary-directory.ts";
import { createRandom, fixture, makeGuid, makePassword, passwordOf, writeFile } from "./recovery-data.ts";

/** Keeps records as the database does: all of a file or nothing; what it has already is unchanged. */
const createStore = (order: string[] = []): RecoveryRecordWriter & { readonly keys: Map<string, string> } => {
  const keys = new Map<string, string>();
  return {
    keys,
    importFile: async (records, { onProgress }) => {
      const fresh = new Map<string, string>();
      let unchanged = 0;
      for await (const record of records) {
        if (!("protector" in record)) continue;
        if (keys.has(record.protector.keyId)) unchanged += 1;
        else fresh.set(record.protector.keyId, passwordOf(record) ?? "");
        onProgress(fresh.size + unchanged);
      }
      for (const [keyId, password] of fresh) keys.set(keyId, password);
      order.push("stored");
      return { added: fresh.size, unchanged };
    },
  };
};

const run = async (
  files: readonly string[],
  more: Partial<Parameters<typeof importCommand>[0]> & { readonly terminal?: number } = {},
): Promise<{ status: number; text: string; events: AuditEvent[] }> => {
  const events: AuditEvent[] = [];
  let text = "";
  const { terminal, ...options } = more;
  const status = await importCommand({
    files,
    computerName: undefined,
    skipInvalid: false,
    columns: [],
    deviceNames: undefined,
    readInput: async function* () {},
    log: { append: async (event) => void events.push(event) },
    writer: createStore(),
    localUser: "admin",
    stderr: { isTTY: terminal !== undefined, columns: terminal ?? 0, write: (part) => (text += part) },
    signal: new AbortController().signal,
    ...options,
  });
  return { status, text, events };
};

const header = "ComputerName,PasswordID,RecoveryPassword";
const makeRows = (count: number, seed = 5): string[] => {
  const random = createRandom(seed);
  return Array.from({ length: count }, (_, index) => `PC-${index},${makeGuid(random)},${makePassword(random)}`);
};
const csv = fixture("get-adobject.csv");

describe("pep import", () => {
  test("imports files in order, on the record with their digests, one summary line each", async () => {
    const order: string[] = [];
    const log: EventLog = { append: async ({ type }) => void order.push(type) };
    const writer = createStore(order);
    const first = await run([csv, fixture("export.ldf")], { log, writer });
    expect(order).toEqual(["import-started", "stored", "stored", "import-finished"]);
    expect(first.status).toBe(0);
    expect(first.text).toBe(
      `${csv}: 2 key protectors added, 0 already known, 0 skipped\n${fixture("export.ldf")}: 0 key protectors added, 2 already known, 0 skipped\n`,
    );
    expect(writer.keys.size).toBe(2);

    const { events } = await run([csv], { writer });
    const sha256 = createHash("sha256").update(readFileSync(csv)).digest("hex");
    expect(events).toEqual([
      { type: "import-started", localUser: "admin", files: [{ name: csv, sha256 }] },
      {
        type: "import-finished",
        localUser: "admin",
        outcome: "succeeded",
        files: [{ name: csv, added: 0, unchanged: 2, skipped: 0 }],
      },
    ]);
  });

  test("counts what it passed over", async () => {
    const { text } = await run([fixture("manage-bde-all-kinds.txt")], { computerName: "PC-1" });
    expect(text).toMatch(/: 4 key protectors added, 0 already known, 0 skipped, 2 other protectors passed over\n$/);
  });

  test("reads standard input, once, on the record with its digest", async () => {
    const bytes = Buffer.from([header, ...makeRows(2)].join("\n"));
    const readInput = async function* (): AsyncGenerator<Uint8Array> {
      yield bytes.subarray(0, 50);
      yield bytes.subarray(50);
    };
    const { status, text, events } = await run(["-"], { readInput });
    expect(status).toBe(0);
    expect(text).toBe("standard input: 2 key protectors added, 0 already known, 0 skipped\n");
    expect(events[0]).toMatchObject({
      files: [{ name: "standard input", sha256: createHash("sha256").update(bytes).digest("hex") }],
    });
    expect((await run(["-", "-"], { readInput })).text).toBe("Standard input (-) can be read once only.\n");
  });

  test("takes the columns it is told, and names those there are when it can't", async () => {
    const [row = ""] = makeRows(1);
    const path = writeFile(temporaryDirectory(), "keys.csv", `AssetName,PasswordID,RecoveryPassword\n${row}\n`);
    expect((await run([path])).text).toContain("The columns are: AssetName, PasswordID, RecoveryPassword.");
    expect((await run([path], { columns: ["Computer=asset name"] })).status).toBe(0);
    expect((await run([path], { columns: ["Computer=Asset"] })).text).toContain(
      "no column of the name that --column says",
    );
    expect((await run([path], { columns: ["Colour=AssetName"] })).text).toContain("--column: WHAT=NAME");
  });

  test("names devices by a list of them", async () => {
    const device = makeGuid(createRandom(9));
    const graph = { id: makeGuid(createRandom(8)), deviceId: device, key: makePassword(createRandom(8)) };
    const path = writeFile(temporaryDirectory(), "graph.json", JSON.stringify([graph]));
    const names: string[] = [];
    const writer: RecoveryRecordWriter = {
      importFile: async (records) => {
        for await (const { computerName } of records) names.push(computerName);
        return { added: 1, unchanged: 0 };
      },
    };
    const lists = [
      `DeviceId;DisplayName\n${device};PC-77\n`,
      JSON.stringify({ value: [{ id: graph.id, deviceId: device.toLowerCase(), displayName: "PC-77" }] }),
    ];
    for (const list of lists) {
      const deviceNames = writeFile(temporaryDirectory(), "devices", list);
      expect((await run([path], { writer, deviceNames })).status).toBe(0);
      const other = await run([path], { writer, deviceNames, computerName: "PC-1" });
      expect(other.text).toContain("another computer than --computer-name says");
    }
    expect(names).toEqual(["PC-77", "PC-77"]);
    const deviceNames = writeFile(temporaryDirectory(), "devices", "a;b\n");
    expect((await run([path], { writer, deviceNames })).text).toContain("this is no list of devices");
  });

  test("counts the computers that a report has no key for", async () => {
    const path = writeFile(
      temporaryDirectory(),
      "report.csv",
      [header, "PC-0,,N/A", "PC-1,,", ...makeRows(1)].join("\n"),
    );
    const { text } = await run([path]);
    expect(text).toMatch(/: 1 key protector added, 0 already known, 0 skipped, 2 computers without a key\n$/);
  });

  test("a file with problems: nothing of it, its lines, its exit status, recorded as failed; later files wait", async () => {
    const bad = writeFile(temporaryDirectory(), "bad.csv", [header, ...makeRows(3), "PC-9,x,y"].join("\n"));
    const writer = createStore();
    const { status, text, events } = await run([csv, bad, csv], { writer });
    expect(status).toBe(2);
    expect(writer.keys.size).toBe(2);
    expect(text).toContain(
      `${bad}: nothing of it was imported: 1 problem.\n  line 5: the key id is not a whole GUID.\n`,
    );
    expect(text).toContain("1 later file not imported.\n");
    expect(events.at(-1)).toMatchObject({
      type: "import-finished",
      outcome: "failed",
      files: [{ name: csv, added: 2 }],
      error: expect.stringContaining("InvalidArgument"),
    });
  });

  test("--skip-invalid imports the rest and tells what it left out", async () => {
    const bad = writeFile(temporaryDirectory(), "bad.csv", [header, "PC-9,x,y", ...makeRows(3)].join("\n"));
    const { status, text, events } = await run([bad], { skipInvalid: true });
    expect(status).toBe(0);
    expect(text).toBe(
      `${bad}:2: skipped: the key id is not a whole GUID.\n${bad}: 3 key protectors added, 0 already known, 1 skipped\n`,
    );
    expect(events.at(-1)).toMatchObject({ outcome: "succeeded", files: [{ added: 3, skipped: 1 }] });
  });

  test("--skip-invalid does not fill the screen", async () => {
    const rows = Array.from({ length: 500 }, () => "PC-9,x,y");
    const bad = writeFile(temporaryDirectory(), "bad.csv", [header, ...rows, ...makeRows(1)].join("\n"));
    const { text } = await run([bad], { skipInvalid: true });
    expect(text.trim().split("\n")).toHaveLength(22);
    expect(text).toContain("1 key protector added, 0 already known, 500 skipped");
  });

  test("a file that is not there stops all before anything is recorded", async () => {
    const { status, text, events } = await run([csv, join(temporaryDirectory(), "gone.csv")]);
    expect(status).toBe(3);
    expect(text).toContain("gone.csv: there is no such file.");
    expect(events).toEqual([]);
  });

  test("no record, no import", async () => {
    const writer = createStore();
    const log: EventLog = {
      append: () => Promise.reject(new EndpointError("AuditUnavailable", "It could not be recorded.")),
    };
    const { status, text } = await run([csv], { writer, log });
    expect(status).toBe(254);
    expect(text).toBe("It could not be recorded.\n");
    expect(writer.keys.size).toBe(0);
  });

  test("a file that changes between its digest and its import is refused", async () => {
    const path = writeFile(temporaryDirectory(), "keys.csv", `${[header, ...makeRows(2)].join("\n")}\n`);
    const writer = createStore();
    const log: EventLog = {
      append: async ({ type }) => {
        if (type === "import-started") appendFileSync(path, `${makeRows(1, 6)[0]}\n`);
      },
    };
    const { status, text } = await run([path], { writer, log });
    expect(status).toBe(2);
    expect(text).toContain("the file changed while it was read");
    expect(writer.keys.size).toBe(0);
  });

  test("Ctrl-C in a file: nothing of it is imported, and the record says so", async () => {
    const path = writeFile(temporaryDirectory(), "large.csv", [header, ...makeRows(5000)].join("\n"));
    const stop = new AbortController();
    const store = createStore();
    const writer: RecoveryRecordWriter = {
      importFile: (records, options) =>
        store.importFile(records, {
          ...options,
          onProgress: (count) => {
            if (count === 100) stop.abort();
            options.onProgress(count);
          },
        }),
    };
    const { status, text, events } = await run([csv, path], { writer, signal: stop.signal });
    expect(status).toBe(130);
    expect(store.keys.size).toBe(2);
    expect(text).toContain("The import was stopped.");
    expect(events.at(-1)).toMatchObject({ outcome: "failed", files: [{ name: csv, added: 2 }] });
  });

  test("a bug in the writer is recorded without its words and passed on", async () => {
    const bug = new Error("490270-696377 UNIQUE constraint failed");
    const events: AuditEvent[] = [];
    const log: EventLog = { append: async (event) => void events.push(event) };
    await expect(run([csv], { log, writer: { importFile: () => Promise.reject(bug) } })).rejects.toBe(bug);
    expect(events.at(-1)).toMatchObject({ outcome: "failed", error: "Error" });
  });
});

describe("the progress bar", () => {
  /** What a bar draws, one text a redraw, at the given times. */
  const draw = (columns: number, times: readonly number[], name = "BitLockerInfo.csv"): string[] => {
    const written: string[] = [];
    let now = 0;
    const output = { isTTY: true, columns, write: (text: string) => void written.push(text) };
    const progress = createProgress({ name, bytes: 1000 }, output, () => now);
    for (const [index, time] of times.entries()) {
      now = time;
      progress.show({ bytes: ((index + 1) * 1000) / times.length, keys: (index + 1) * 5000 });
    }
    progress.end();
    return written;
  };

  test.each([200, 120, 80, 40, 30, 20, 10, 5, 2])("never wraps at %d columns", (columns) => {
    for (const name of ["BitLockerInfo.csv", "日本語の鍵.csv", "a".repeat(200)]) {
      for (const line of draw(columns, [0, 1000, 200_000, 90_000_000], name).slice(0, -1)) {
        expect(line.startsWith("\r\u001B[K")).toBe(true);
        const shown = stripVTControlCharacters(line).replace("\r", "");
        // East Asian characters take two columns.
        const width = Array.from(shown).reduce(
          (sum, character) => sum + (/\p{Script=Han}|\p{Script=Hiragana}/u.test(character) ? 2 : 1),
          0,
        );
        expect(width).toBeLessThan(Math.max(columns, 2));
      }
    }
  });

  test("shows share, rate and time left, and is gone at the end", () => {
    const lines = draw(40, [100, 4000]);
    expect(lines[0]).toMatch(/^\r\u001B\[KBitLockerInfo\.csv \[#+\.+\]  50%$/);
    expect(lines[1]).toContain("100% 2,500/s 1s left");
    expect(lines.at(-1)).toBe("\r\u001B[K");
  });

  test("is drawn for 80 columns where the terminal says 0", () => {
    expect(draw(0, [100, 4000])).toEqual(draw(80, [100, 4000]));
  });

  test("is drawn ten times a second at most", () => {
    expect(
      draw(
        80,
        Array.from({ length: 1000 }, (_, index) => index),
      ),
    ).toHaveLength(11);
  });

  test("is drawn on a terminal only, and the summary follows on a clean line", async () => {
    const path = writeFile(temporaryDirectory(), "keys.csv", [header, ...makeRows(3000)].join("\n"));
    expect((await run([path])).text).not.toContain("\u001B");
    const { text } = await run([path], { terminal: 80 });
    expect(text).toMatch(/\[#+\.*\]/);
    expect(text.endsWith(`\r\u001B[K${path}: 3,000 key protectors added, 0 already known, 0 skipped\n`)).toBe(true);
  });
});
