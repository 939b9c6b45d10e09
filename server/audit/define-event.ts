import * as z from "zod";

/** For `register()`. Not `describe()`, which copies a schema: for all of them that would be 20 ms of each start. */
export const saying = (description: string) => [z.globalRegistry, { description }] as const;

/**
 * One kind of event: its type, a title, its fields. docs/reference/events.md and the published JSON Schema are made of these, so a field
 * that its name does not explain has a description.
 */
export const event = <T extends string, F extends z.core.$ZodLooseShape>(type: T, title: string, fields: F) =>
  z.strictObject({ type: z.literal(type), ...fields }).register(...saying(title));
