import * as fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import type { AuditEvent } from "../../server/audit/event.ts";
import { addressGroup } from "../../server/ssh/client-socket.ts";
import { generateSshKeyPair } from "../../server/identity/generate-key.ts";
import { InputBuffer } from "../../server/ssh/input-buffer.ts";
import { defaultLimits } from "../../server/ssh/limits.ts";
import { createOutputTurns } from "../../server/ssh/output-turns.ts";
import { decodePublicKey, fingerprintOf } from "../../server/identity/public-key.ts";
import { decodeSignedRequest } from "../../server/identity/signature.ts";
import { readableText } from "../../server/ssh/readable-text.ts";
import { createRecorder } from "../../server/ssh/recorder.ts";
import { createRefusals } from "../../server/ssh/refusals.ts";
import { createResizes, decodePseudoTerminal } from "../../server/ssh/terminal.ts";
import { uint32, WireError, wireString } from "../../server/identity/wire.ts";

describe("addresses are counted", () => {
  test.each([
    ["192.0.2.7", "192.0.2.7"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
    ["2001:db8:1:2::9", "2001:db8:1:2::/64"],
    ["2001:0db8:0001:0002::9", "2001:db8:1:2::/64"],
    ["2001:db8::1", "2001:db8:0:0::/64"],
    ["::1", "0:0:0:0::/64"],
    ["fe80::1%eth0", "fe80:0:0:0::/64"],
  ])("%s as %s", (address, group) => {
    expect(addressGroup(address)).toBe(group);
  });
});

describe("text of strangers", () => {
  test("loses what a terminal obeys, what is shaped like a recovery key, and what is too long", () => {
    expect(readableText("plain name")).toBe("plain name");
    expect(readableText("a\u001b[2J\u0000\u202eb\ue000")).toBe("a\uFFFD[2J\uFFFD\uFFFDb\uFFFD");
    expect(readableText("x".repeat(1000), 10)).toBe("xxxxxxxxxx…");
    expect(readableText("key 235818-357951-253979-013365-241120-245575-342914-591910!")).toBe(
      `key ${"••••••-".repeat(8).slice(0, -1)}!`,
    );
    expect(readableText("235818-357951-253979-013365")).not.toMatch(/[0-9]/);
    expect(readableText("\ud83d", 10)).toBe("\uFFFD");
  });

  test("never holds a key's digits nor a control character, whatever is around them", () => {
    const group = fc.nat(65_535).map((quotient) => String(quotient * 11).padStart(6, "0"));
    fc.assert(
      fc.property(
        fc.string(),
        fc.array(group, { minLength: 8, maxLength: 8 }),
        fc.string(),
        (before, groups, after) => {
          const shown = readableText(`${before}${groups.join("-")}${after}`);
          expect(shown).not.toContain(groups.join("-"));
          expect(shown).not.toMatch(/\p{Cc}/u);
        },
      ),
    );
  });
});

describe("keys and signed requests", () => {
  test("arbitrary bytes give a WireError and nothing else", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.constantFrom("ssh-ed25519", "ssh-rsa", "x"), (bytes, type) => {
        for (const raw of [bytes, Buffer.concat([wireString(type), bytes])]) {
          expect(() => decodePublicKey(raw)).toThrow(WireError);
          expect(() => decodeSignedRequest(raw)).toThrow(WireError);
        }
      }),
    );
  });

  test("a key with any byte added or taken away is refused", () => {
    const blob = Buffer.from(generateSshKeyPair("x").publicKey.split(" ")[1] ?? "", "base64");
    expect(decodePublicKey(blob)).toMatchObject({ type: "ssh-ed25519", blob });
    for (let length = 0; length < blob.length; length += 1) {
      expect(() => decodePublicKey(blob.subarray(0, length))).toThrow(WireError);
    }
    expect(() => decodePublicKey(Buffer.concat([blob, Buffer.of(0)]))).toThrow("trailing bytes");
    expect(fingerprintOf(blob)).toMatch(/^SHA256:[A-Za-z0-9+/]{43}$/);
  });

  test("an RSA key with a negative or padded modulus is refused", () => {
    const modulus = Buffer.alloc(384, 0xc1);
    const key = (bytes: Buffer): Buffer =>
      Buffer.concat([wireString("ssh-rsa"), wireString(Buffer.of(1, 0, 1)), wireString(bytes)]);
    expect(decodePublicKey(key(Buffer.concat([Buffer.of(0), modulus]))).numberBytes).toBe(384);
    expect(() => decodePublicKey(key(modulus))).toThrow("not positive");
    expect(() => decodePublicKey(key(Buffer.concat([Buffer.of(0, 0), modulus])))).toThrow("needless zeros");
    expect(() => decodePublicKey(key(Buffer.concat([Buffer.of(0), modulus.subarray(1)])))).toThrow("has 3064");
    expect(() => decodePublicKey(key(Buffer.concat([Buffer.of(0), Buffer.alloc(1025, 0xc1)])))).toThrow("has 8200");
  });

  test("every generated pair can be read, also those that begin with zeros", () => {
    const points = Array.from({ length: 6000 }, () => {
      const blob = Buffer.from(generateSshKeyPair("x").publicKey.split(" ")[1] ?? "", "base64");
      return decodePublicKey(blob).blob.subarray(-32);
    });
    expect(points.some((point) => point[0] === 0)).toBe(true); // 1 in 256: none of 6000 is 1 in 10^10
  });

  test("a length that overflows is a short read", () => {
    expect(() => decodePublicKey(Buffer.concat([uint32(0xffff_ffff), Buffer.from("ssh-ed25519")]))).toThrow(
      "short read",
    );
  });
});

describe("input", () => {
  test("comes in order and whole, and tells what was taken", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 40_000 }), { maxLength: 6 }), async (pieces) => {
        let taken = 0;
        const input = new InputBuffer((bytes) => (taken += bytes));
        const read = (async () => {
          const got: Uint8Array[] = [];
          for await (const block of input) got.push(block);
          return Buffer.concat(got);
        })();
        for (const piece of pieces) {
          input.push(Buffer.from(piece));
          await Promise.resolve();
        }
        input.end();
        const whole = Buffer.concat(pieces);
        expect(await read).toEqual(whole);
        expect(taken).toBe(whole.length);
      }),
    );
  });

  test("what was handed out is never written to again", async () => {
    const input = new InputBuffer(() => undefined);
    const iterator = input[Symbol.asyncIterator]();
    input.push(Buffer.from("one"));
    const first = await iterator.next();
    input.push(Buffer.from("two"));
    expect(String(first.value)).toBe("one");
    expect(String((await iterator.next()).value)).toBe("two");
    expect(() => input[Symbol.asyncIterator]()).toThrow("read once");
  });
});

test("senders take turns, a packet each, and only while output may arrive", () => {
  const sent: string[] = [];
  let mayArrive = false;
  const turns = createOutputTurns(() => mayArrive && sent.length < 7);
  const sender = (name: string, packets: number) => {
    let left = packets;
    return {
      sendNext: () => {
        sent.push(name);
        left -= 1;
        return left > 0;
      },
    };
  };
  turns.want(sender("a", 10));
  turns.want(sender("b", 2));
  turns.want(sender("c", 10));
  expect(sent).toEqual([]);
  mayArrive = true;
  turns.resume();
  expect(sent.join("")).toBe("abcabca");
});

test("window changes wait for their listener and are clamped", () => {
  vi.useFakeTimers();
  try {
    const resizes = createResizes({ columns: 80, rows: 24 }, 50);
    resizes.change({ columns: 100, rows: 30 });
    resizes.change({ columns: 101, rows: 31 });
    const told: unknown[] = [];
    resizes.listen((size) => told.push(size));
    vi.advanceTimersByTime(0);
    expect(told).toEqual([{ columns: 101, rows: 31 }]);
    resizes.change({ columns: 102, rows: 31 });
    resizes.stop();
    vi.advanceTimersByTime(1000);
    expect(told).toHaveLength(1);
  } finally {
    vi.useRealTimers();
  }
  expect(decodePseudoTerminal({ term: "xterm\u001b[31m", cols: 0, rows: 99_999 })).toEqual({
    term: "",
    columns: 80,
    rows: 1000,
  });
  expect(decodePseudoTerminal(undefined)).toEqual({ term: "", columns: 80, rows: 24 });
});

test("the budget of recorded refusals grows back with time, and what was left out is told first", async () => {
  const events: AuditEvent[] = [];
  const recorder = createRecorder({ append: (event) => Promise.resolve(void events.push(event)) }, () => undefined);
  let now = 0;
  const limits = { ...defaultLimits, recordedRefusals: 2, recordedRefusalIntervalMs: 1000 };
  const refusals = createRefusals(
    recorder,
    () => ({}),
    limits,
    () => now,
  );
  for (let asked = 0; asked < 5; asked += 1) {
    refusals.refuse({ request: `r${asked}`, reason: "not available", detail: "no" });
  }
  now = 1500;
  refusals.refuse({ request: "later", reason: "not available", detail: "no" });
  refusals.close();
  await recorder.settled();
  expect(events.map((event) => (event.type === "request-refused" ? `${event.request} ${event.detail}` : ""))).toEqual([
    "r0 no",
    "r1 no",
    "several 3 more requests were refused and not recorded one by one",
    "later no",
  ]);
});

test("a log that fails is reported once for an outage", async () => {
  const problems: string[] = [];
  let works = false;
  const log = { append: () => (works ? Promise.resolve() : Promise.reject(new Error("disk full"))) };
  const recorder = createRecorder(log, (problem) => problems.push(problem));
  const event: AuditEvent = { type: "connection-closed" };
  expect(await Promise.all([recorder.record(event), recorder.record(event)])).toEqual([false, false]);
  works = true;
  expect(await recorder.record(event)).toBe(true);
  works = false;
  expect(await recorder.record(event)).toBe(false);
  expect(problems).toHaveLength(2);
});
