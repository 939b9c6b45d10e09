import * as fc from "fast-check";
import { expect, test } from "vitest";
import { z } from "zod";
import { auditEvent, type AuditEvent } from "../../server/audit/event.ts";
import { eventText, isCertainlyAnEvent } from "../../server/audit/event-text.ts";
import { Secret } from "../../server/secret.ts";

const text = fc.oneof(fc.string({ unit: "grapheme" }), fc.string({ unit: "binary" }), fc.constant('\ud800\n\u2028"\\'));

/** Values of a schema, its keys in its order. Throws for what it does not know, so that nothing new goes untested. */
const valuesOf = (schema: unknown): fc.Arbitrary<unknown> => {
  if (schema instanceof z.ZodISODateTime) {
    return fc
      .date({ noInvalidDate: true, min: new Date("1970-01-01"), max: new Date("9999-01-01") })
      .map((date) => date.toISOString());
  }
  if (schema instanceof z.ZodString) return text;
  if (schema instanceof z.ZodNumber) {
    return schema.isInt ? fc.maxSafeInteger() : fc.double({ noNaN: true, noDefaultInfinity: true });
  }
  if (schema instanceof z.ZodBoolean) return fc.boolean();
  if (schema instanceof z.ZodLiteral) return fc.constantFrom(...schema.values);
  if (schema instanceof z.ZodEnum) return fc.constantFrom(...schema.options);
  if (schema instanceof z.ZodArray) return fc.array(valuesOf(schema.element), { maxLength: 4 });
  if (schema instanceof z.ZodUnion) return fc.oneof(...schema.options.map(valuesOf));
  if (schema instanceof z.ZodRecord) {
    return fc.dictionary(fc.oneof(text, fc.constantFrom("toJSON", "constructor", "1")), valuesOf(schema.valueType), {
      maxKeys: 4,
      noNullPrototype: true,
    });
  }
  if (!(schema instanceof z.ZodObject)) throw new Error(`no values for ${String(schema)}`);
  const shape = Object.entries(schema.shape);
  const fields = shape.map(([name, field]) =>
    field instanceof z.ZodOptional
      ? fc.option(
          valuesOf(field.unwrap()).map((value) => [name, value] as const),
          { nil: undefined },
        )
      : valuesOf(field).map((value) => [name, value] as const),
  );
  return fc.tuple(...fields).map((entries) => Object.fromEntries(entries.filter((entry) => entry !== undefined)));
};

const option = fc.constantFrom(...auditEvent.options);
const wellFormed = option.chain(valuesOf);

class Odd {
  readonly keyId = "1";
  readonly computerName = "2";
  toJSON(): unknown {
    return "another";
  }
}

/** What may stand where it should not. */
const strange = fc.oneof(
  fc.anything({
    withNullPrototype: true,
    withBigInt: true,
    withDate: true,
    withSparseArray: true,
    withBoxedValues: true,
  }),
  fc.constantFrom<unknown>(
    undefined,
    null,
    NaN,
    Infinity,
    -0,
    1.5,
    2 ** 53,
    "",
    new Odd(),
    [new Odd()],
    new Secret("x"),
  ),
  fc.constant(Object.assign(["a"], { toJSON: () => "another" })),
  fc.constant(Object.create({ keyId: "1", computerName: "2" })),
  fc.constant(JSON.parse('{"__proto__":{"keyId":"1"},"keyId":"1","computerName":"2"}')),
  fc.array(text),
);

type Place = readonly (string | number)[];

const placesIn = (value: unknown): Place[] => {
  if (typeof value !== "object" || value === null) return [[]];
  return [[], ...Object.entries(value).flatMap(([name, inner]) => placesIn(inner).map((rest) => [name, ...rest]))];
};

/** A copy with the value at a place replaced; `undefined` as the change takes the key away. */
const changed = (value: unknown, [name, ...rest]: Place, change: { readonly to: unknown } | undefined): unknown => {
  if (name === undefined) return change?.to;
  if (Array.isArray(value))
    return value.map((one, index) => (String(index) === name ? changed(one, rest, change) : one));
  const entries = Object.entries(Object(value)).flatMap(([key, one]): [string, unknown][] => {
    if (key !== name) return [[key, one]];
    return rest.length === 0 && change === undefined ? [] : [[key, changed(one, rest, change)]];
  });
  return Object.fromEntries(entries);
};

const malformed = fc
  .tuple(wellFormed, fc.nat(), fc.constantFrom("replace", "remove", "add", "reverse", "type"), text, strange)
  .map(([event, at, how, name, value]): unknown => {
    const places = placesIn(event);
    const place = places[at % places.length] ?? [];
    if (how === "reverse") return Object.fromEntries(Object.entries(Object(event)).toReversed());
    if (how === "type") return changed(event, ["type"], { to: name });
    if (how === "add") return { ...Object(event), [name]: value };
    return changed(event, place, how === "remove" ? undefined : { to: value });
  });

/** The reference: zod alone. */
const byZod = (event: unknown): string | undefined => {
  const { success, data } = auditEvent.safeParse(event);
  return success ? JSON.stringify(data) : undefined;
};

const ours = (event: unknown): string | undefined => {
  try {
    // A cast: what the type forbids is what this is about.
    return eventText(event as AuditEvent);
  } catch {
    return undefined;
  }
};

const refines = (event: unknown): boolean => {
  const { data } = z.looseObject({ type: z.string() }).safeParse(event);
  return data?.type === "review" || data?.type === "storage";
};

test("every event there can be is written as zod would have it, and nearly every type without asking zod", () => {
  fc.assert(
    fc.property(wellFormed, (event) => {
      const expected = byZod(event);
      expect(ours(event)).toBe(expected);
      if (refines(event)) return;
      expect(expected).toBeDefined();
      expect(isCertainlyAnEvent(event as AuditEvent)).toBe(true); // a cast: made from the schema, which says so
    }),
    { numRuns: 3_000 },
  );
});

test("what is changed anywhere in an event is refused where zod refuses it, and written as zod has it where not", () => {
  let refused = 0;
  let accepted = 0;
  fc.assert(
    fc.property(malformed, (event) => {
      const expected = byZod(event);
      if (expected === undefined) refused += 1;
      else accepted += 1;
      expect(ours(event)).toBe(expected);
    }),
    { numRuns: 10_000 },
  );
  expect(refused).toBeGreaterThan(1_000);
  expect(accepted).toBeGreaterThan(100);
});

const invocation = { invocationId: "I", command: "c" };
const started = { type: "command-started", ...invocation, parameters: {}, pipeline: [], roleCapability: "r" };
const finished = { type: "command-finished", ...invocation, outcome: "failed", exitStatus: 1, rows: 0, durationMs: 1 };

test.each<readonly [string, unknown]>([
  ["a class with toJSON", { type: "disclosure", invocationId: "I", command: "c", how: "exec", keys: [new Odd()] }],
  [
    "an array with toJSON",
    {
      type: "log-pruned",
      localUser: "u",
      before: "b",
      throughSeq: 1,
      transcripts: Object.assign(["a"], { toJSON: () => "x" }),
    },
  ],
  ["inherited fields", Object.create({ type: "server-stopped", reason: "x" })],
  ["a field that no type has", { type: "server-stopped", reason: "x", recoveryKey: "1" }],
  ["a type there is not", { type: "server-exploded", reason: "x" }],
  ["a number that is none", { type: "log-repaired", file: "f", droppedBytes: NaN, keptAs: "k" }],
  ["a duration that is none", { ...finished, durationMs: Infinity }],
  ["a parameter with the name of a prototype", { ...started, parameters: JSON.parse('{"__proto__":"x"}') }],
  [
    "a hole",
    { type: "log-pruned", localUser: "u", before: "b", throughSeq: 1, transcripts: Object.assign([], { length: 1 }) },
  ],
  ["a time that is none", { type: "storage", state: "low", since: "yesterday", reserveBytes: 1 }],
  ["a review by nobody", { type: "review", action: "list" }],
])("%s is zod's to decide", (_, event) => {
  expect(isCertainlyAnEvent(event as AuditEvent)).toBe(false); // a cast: see above
  expect(ours(event)).toBe(byZod(event));
});
