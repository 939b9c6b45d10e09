import { findJsonPositions } from "./json-positions.ts";
import type { RolesFile } from "./roles-schema.ts";

/** Another text in the place of a value, if there is one; all the rest stays as its author laid it out. */
const withValue = (text: string, path: readonly PropertyKey[], write: (value: string) => string): string => {
  const span = findJsonPositions(text).spanOf(path);
  if (span === undefined) return text;
  const [start, end] = span;
  return `${text.slice(0, start)}${write(text.slice(start, end))}${text.slice(end)}`;
};

/** The same roles, which nobody has: role capabilities alone give nothing. */
export const withoutUsers = (text: string): string =>
  withValue(
    withValue(text, ["roleDefinitions"], () => "{}"),
    ["groups"],
    () => "{}",
  );

/** Behind the last value of a list or of an object's members, before the bracket that ends it. */
const append = (value: string, added: string, isEmpty: boolean): string => {
  const inside = value.slice(0, -1).trimEnd();
  const between = value.slice(inside.length, -1);
  return `${inside}${isEmpty ? "" : ","}${added}${between}${value.slice(-1)}`;
};

/**
 * The same roles, with one role capability more for a user.
 *
 * @param file what the text says
 * @param user in lower case
 */
export const withRole = (text: string, file: RolesFile, user: string, role: string): string => {
  const definitions = Object.entries(file.roleDefinitions);
  const [own, has] = definitions.find(([key]) => key.toLowerCase() === `user:${user}`) ?? [];
  if (has?.roleCapabilities.includes(role) === true) return text;
  const name = JSON.stringify(role);
  if (own !== undefined) {
    return withValue(text, ["roleDefinitions", own, "roleCapabilities"], (list) => append(list, ` ${name}`, false));
  }
  const definition = `\n    ${JSON.stringify(`user:${user}`)}: { "roleCapabilities": [${name}] }`;
  return withValue(text, ["roleDefinitions"], (members) =>
    definitions.length === 0 ? `{${definition}\n  }` : append(members, definition, false),
  );
};
