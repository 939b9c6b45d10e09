import * as z from "zod";

/** What all rows of the embedded site database together are after a write, as the record knows it. */
export const siteState = z.strictObject({
  /** Of writes of that database, from 1. */
  counter: z.number().int(),
  /** Keyed, of the rows and of the state before it: it says that a state is this one, and nothing of its rows. */
  digest: z.string(),
  keys: z.number().int(),
  /** Rows that tie a computer to a volume. */
  links: z.number().int(),
});

export type SiteState = Readonly<z.infer<typeof siteState>>;

const rowNumbers = siteState.pick({ keys: true, links: true });

/** Why no key is shown: the rows are not those that the record knows. */
const siteRefusals = [
  /** A state before the record's: an older copy. */
  "older",
  /** Neither the record's state nor its successor. */
  "other",
  /** Written before, but the record has no state of it. */
  "unknown",
  /** What seals the state is missing, or was not written with the master key. */
  "unsealed",
  /** The rows are not those of the sealed state. */
  "rows",
] as const;

/** No key is shown any more: the rows are not those that the record knows. Once for what was found. */
const siteRefused = z.strictObject({
  type: z.literal("site-refused"),
  reason: z.enum(siteRefusals),
  recorded: siteState.optional(),
  /** What the database says of itself; absent where that can't be trusted. */
  found: siteState.optional(),
  /** What was counted in it. */
  rows: rowNumbers.optional(),
  /** What the file's structure is damaged by. */
  detail: z.string().optional(),
});

export type SiteRefused = Readonly<z.infer<typeof siteRefused>>;

/** What becomes of the embedded site database's rows. The newest of `site-written` and `site-restore-accepted` is the state that counts. */
export const siteEvents = [
  /** Rows were written; or a state that is on the record already is said again, before old lines are pruned. */
  z.strictObject({ type: z.literal("site-written"), ...siteState.shape }),
  siteRefused,
  /** An administrator of the machine accepted the rows as they are, after the restore of a backup say. */
  z.strictObject({
    type: z.literal("site-restore-accepted"),
    localUser: z.string(),
    ...siteState.shape,
    recorded: siteState.optional(),
    found: siteState.optional(),
    /** Rows whose own digest is wrong: they stay refused. */
    wrongRows: z.number().int(),
  }),
] as const;
