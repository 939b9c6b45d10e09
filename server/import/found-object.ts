/** Of an object, by name as written: in a list by computers the names are theirs. */
export type Properties = ReadonlyMap<string, unknown>;

/** An object of a file, with its properties as they are. */
export interface FoundObject {
  /** Line of its opening brace. */
  readonly line: number;
  readonly properties: Properties;
  /** What the object around it said before the list in which it stands. */
  readonly around?: Properties;
  /** Number of the table it stands in. Nothing shows that two tables of a page are of one computer. */
  readonly table?: number;
  /** The lists in it were read already, object by object. */
  readonly isRead?: boolean;
}

export const propertiesOf = (value: unknown): Properties | undefined =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? new Map(Object.entries(value)) : undefined;

/** @param name in lower case, as scripts write `KeyProtectorId` and `KeyProtectorID` */
export const propertyIn = (properties: Properties, name: string): unknown => {
  for (const [key, value] of properties) {
    if (key.length === name.length && key.toLowerCase() === name) return value;
  }
  return undefined;
};
