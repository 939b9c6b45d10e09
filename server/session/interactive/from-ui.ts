import * as z from "zod";
import type { FromUi } from "../../../ui/protocol.ts";
import { canonicalSearchPiece } from "../../model/search-piece.ts";

/** Longest line a user can send. */
export const maximumLineLength = 16_384;

export type ProcessMessage = Extract<FromUi, { type: "ready" | "pong" }>;
export type ScreenMessage = Exclude<FromUi, ProcessMessage>;

const id = z.int().positive();

/** As an honest UI process sends it: what can be in no name and in no id was never asked. */
const piece = z
  .string()
  .max(64)
  .refine((text) => canonicalSearchPiece(text) === text);

const processMessage = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("ready") }),
  z.strictObject({ type: z.literal("pong"), nonce: z.int().nonnegative() }),
]);

const screenMessage = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("line"), id, text: z.string().max(maximumLineLength) }),
  z.strictObject({ type: z.literal("look-up"), piece }),
  z.strictObject({ type: z.literal("more"), id }),
  z.strictObject({ type: z.literal("chosen"), id, row: z.int().nonnegative().nullable() }),
  z.strictObject({ type: z.literal("fetch"), id, from: z.int().nonnegative() }),
  z.strictObject({ type: z.literal("watched"), id }),
  z.strictObject({ type: z.literal("stop"), id }),
  z.strictObject({ type: z.literal("released"), id }),
  z.strictObject({ type: z.literal("suspended") }),
  z.strictObject({ type: z.literal("leave") }),
]);

/** JSON takes at most six bytes a UTF-16 unit (`\uXXXX`). */
const maximumMessageBytes = maximumLineLength * 6 + 1024;
const decoder = new TextDecoder("utf-8", { fatal: true });

const parse = (payload: Uint8Array): unknown => {
  if (payload.length > maximumMessageBytes) throw new RangeError(`message of ${payload.length} bytes`);
  return JSON.parse(decoder.decode(payload));
};

/** Decodes a message of session 0. Throws on anything else. */
export const decodeProcessMessage = (payload: Uint8Array): ProcessMessage => processMessage.parse(parse(payload));

/** Decodes a message of a screen. Throws on anything else. */
export const decodeScreenMessage = (payload: Uint8Array): ScreenMessage => screenMessage.parse(parse(payload));
