import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeToUi } from "../../ui/decode-message.ts";
import { createFrameReader, encodeFrame, type Frame, frameKind } from "../../ui/protocol.ts";
import { keyColumns, openAt } from "./fixtures.ts";

const payload = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

describe("frames", () => {
  test("come out as they went in, whatever the chunks", () => {
    const frame = fc.record({
      kind: fc.constantFrom(frameKind.terminal, frameKind.message),
      session: fc.nat(0xffffffff),
      payload: fc.uint8Array({ maxLength: 60 }),
    });
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 8 }), fc.array(fc.nat(20)), (frames, cuts) => {
        const bytes = Uint8Array.from(
          frames.flatMap(({ kind, session, payload }) => [...encodeFrame(kind, session, payload)]),
        );
        const read = createFrameReader();
        const got: Frame[] = [];
        let at = 0;
        for (const cut of cuts) {
          got.push(...read(bytes.slice(at, at + cut)));
          at += cut;
        }
        got.push(...read(bytes.slice(at)));
        expect(got).toEqual(frames);
      }),
    );
  });
  test("of an impossible length or kind are refused", () => {
    expect(() => createFrameReader()(Uint8Array.from([255, 0, 0, 0, 0, 0, 0, 0, 1]))).toThrow(RangeError);
    expect(() => createFrameReader()(Uint8Array.from([0, 0, 0, 0, 9, 0, 0, 0, 1]))).toThrow(RangeError);
  });
});

const found = { computerName: "PC-1", volumeType: "FixedData", keyId: "3A78", updated: "", state: "" };
const command = { name: "Get-Command", aliases: [], synopsis: "", shaping: false, parameters: [] };
const shortest = { minimumNameCharacters: 3, minimumIdCharacters: 4 };
const reason = { offered: ["Lost PIN"], isNeeded: true, isListed: false };

describe("messages of the server", () => {
  test.each([
    openAt(80, 24),
    { type: "resize", columns: 1, rows: 2 },
    { type: "table", id: 1, columns: keyColumns, list: true },
    { type: "rows", id: 1, rows: [["a", ""]], more: false },
    { type: "end", id: 1, exitStatus: 127, rowCount: 0, action: "clear" },
    { type: "end", id: 1, exitStatus: 0, rowCount: 3 },
    { type: "error", id: 1, category: "ObjectNotFound", message: "No." },
    { type: "candidates", piece: "3A78", at: "", rows: [found], message: "" },
    { type: "commands", commands: [{ ...command, lookUp: shortest }] },
    { type: "commands", commands: [{ ...command, lookUp: { ...shortest, reason } }] },
    { type: "ping", nonce: 7 },
    { type: "close" },
  ])("$type is read back", (message) => {
    expect(decodeToUi(payload(message))).toEqual(message);
  });
  test.each([
    [{ type: "run", command: "x" }],
    [{ type: "rows", id: 1, rows: [[1]], more: false }],
    [{ type: "rows", id: -1, rows: [], more: false }],
    [{ type: "end", id: 1, exitStatus: 0, rowCount: 0, action: "shutdown" }],
    [{ type: "candidates", piece: "3A78", at: "", rows: [{ ...found, state: 1 }], message: "" }],
    [{ type: "candidates", piece: "3A78", at: "", rows: {}, message: "" }],
    [{ type: "candidates", piece: "3A78", at: "", rows: [] }],
    [{ type: "commands", commands: [{ ...command, lookUp: {} }] }],
    [{ type: "commands", commands: [{ ...command, lookUp: { ...shortest, reason: { ...reason, isNeeded: 1 } } }] }],
    [[]],
    [null],
    ["close"],
  ])("%j is refused", (message) => {
    expect(() => decodeToUi(payload(message))).toThrow(TypeError);
  });
});
