import * as z from "zod";

/**
 * One kind of event: its type, a title, its fields. docs/reference/events.md and the published JSON Schema are made of these, so a field
 * that its name does not explain has a description.
 */
export const event = <T extends string, F extends z.core.$ZodLooseShape>(type: T, title: string, fields: F) =>
  z.strictObject({ type: z.literal(type), ...fields }).describe(title);
