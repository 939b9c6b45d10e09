/** An object of a file, with its properties as they are. */
export interface FoundObject {
  /** Line of its opening brace. */
  readonly line: number;
  /** Keys in lower case: PowerShell's own scripts write `KeyProtectorId` and `KeyProtectorID`. */
  readonly properties: ReadonlyMap<string, unknown>;
  /** What the object around it said before the list in which it stands. */
  readonly around?: ReadonlyMap<string, unknown>;
  /** The lists in it were read already, object by object. */
  readonly isRead?: boolean;
}

export const propertiesOf = (value: unknown): ReadonlyMap<string, unknown> | undefined =>
  typeof value === "object" && value !== null && !Array.isArray(value)
    ? new Map(Object.entries(value).map(([key, property]) => [key.toLowerCase(), property]))
    : undefined;
