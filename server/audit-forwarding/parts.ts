import type { AuditEvent } from "../audit/event.ts";

/** An event, or a part of one, that fits into a message. */
export interface Part {
  readonly event: AuditEvent;
  /** Texts were shortened: the log alone has them whole. */
  readonly cut: boolean;
}

/** The value has the field's shape: fewer items, or a shorter text. */
const withField = (event: AuditEvent, field: string, value: unknown): AuditEvent => ({ ...event, [field]: value });

const longestList = (event: AuditEvent): readonly [string, readonly unknown[]] | undefined =>
  Object.entries(event)
    .flatMap(([field, value]) => (Array.isArray(value) && value.length > 1 ? [[field, value] as const] : []))
    .sort(([, a], [, b]) => JSON.stringify(b).length - JSON.stringify(a).length)[0];

const mark = "…[cut]";

/** Every text in a value shortened to a length, marked where it was. */
const shortened = (value: unknown, longest: number): unknown => {
  if (typeof value === "string") return value.length <= longest ? value : `${value.slice(0, longest)}${mark}`;
  if (Array.isArray(value)) return value.map((item) => shortened(item, longest));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, shortened(inner, longest)]));
};

/** Texts are halved until it fits: an event with one item left is too long by its texts alone. */
const cutToFit = (event: AuditEvent, fits: (event: AuditEvent) => boolean): Part => {
  for (let longest = 2048; longest >= 1; longest = Math.floor(longest / 2)) {
    const smaller = Object.entries(event)
      .filter(([field]) => field !== "type")
      .reduce((shorter, [field, value]) => withField(shorter, field, shortened(value, longest)), event);
    if (fits(smaller)) return { event: smaller, cut: true };
  }
  // Hundreds of fields or names: say that it happened, and where to read it.
  return { event: { type: event.type } as AuditEvent, cut: true }; // its type alone, which every reader of types can show
};

/**
 * Splits an event that is too long for one message along its longest list (the keys of a disclosure, the files of an import):
 * each part is an event by itself, with some of the items. No item is left out; a text is shortened only where one item is too
 * long by itself.
 */
export const partsOf = (event: AuditEvent, fits: (event: AuditEvent) => boolean): readonly Part[] => {
  if (fits(event)) return [{ event, cut: false }];
  const list = longestList(event);
  if (list === undefined) return [cutToFit(event, fits)];
  const [field, items] = list;
  const half = Math.ceil(items.length / 2);
  return [items.slice(0, half), items.slice(half)].flatMap((some) => partsOf(withField(event, field, some), fits));
};
