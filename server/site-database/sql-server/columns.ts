import { EndpointError } from "../../errors.ts";

/** A value that a site database must not hold. Names the column, never the value. */
export const unreadable = (what: string): EndpointError =>
  new EndpointError("ResourceUnavailable", "Stored recovery data could not be read; the log says which.", {
    cause: new Error(what),
  });

export const decodeText = (raw: unknown, column: string): string => {
  if (typeof raw !== "string") throw unreadable(`${column} is not a text`);
  return raw;
};

/** int, smallint, …, and bigint, which the driver gives as text. */
export const decodeNumber = (raw: unknown, column: string): number => {
  const number = typeof raw === "string" && /^-?\d{1,16}$/.test(raw) ? Number(raw) : raw;
  if (typeof number !== "number" || !Number.isSafeInteger(number)) throw unreadable(`${column} is not a whole number`);
  return number;
};

export const decodeBytes = (raw: unknown): Uint8Array | undefined =>
  raw instanceof Uint8Array && raw.length > 0 ? raw : undefined;

const timeShape = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?$/;

/**
 * A time as style 126 writes it → ISO 8601, UTC, milliseconds. The fraction is missing where it is zero. That the site keeps
 * UTC is inferred: no source says so.
 */
export const decodeTime = (raw: unknown, column: string): string => {
  const match = typeof raw === "string" ? timeShape.exec(raw) : null;
  if (match === null) throw unreadable(`${column} is not a time`);
  return `${match[1]}.${(match[2] ?? "").padEnd(3, "0").slice(0, 3)}Z`;
};
