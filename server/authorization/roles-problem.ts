import type * as z from "zod";
import { EndpointError } from "../errors.ts";
import type { JsonPositions } from "./json-positions.ts";

/** One thing wrong, or doubtful, in a roles file. */
export interface RolesProblem {
  /** From 1. */
  readonly line: number;
  /** `roleCapabilities.operator.visibleCommands[0].maxRows`; empty for the whole file. */
  readonly path: string;
  readonly message: string;
}

export const pathInWords = (path: readonly PropertyKey[]): string =>
  path
    .map((step, index) => (typeof step === "number" ? `[${step}]` : `${index === 0 ? "" : "."}${String(step)}`))
    .join("");

export const problemInWords = ({ line, path, message }: RolesProblem): string =>
  `line ${line}${path === "" ? "" : `, ${path}`}: ${message}`;

/** A roles file that can't be used, with everything that is wrong with it. */
export class RolesFileError extends EndpointError {
  readonly problems: readonly RolesProblem[];

  constructor(problems: readonly RolesProblem[], fileName = "jea-roles.json") {
    super("InvalidArgument", problems.map((problem) => `${fileName}, ${problemInWords(problem)}`).join("\n"));
    this.name = "RolesFileError";
    this.problems = problems;
  }
}

type Issue = z.core.$ZodIssue;

/**
 * zod reports a union as a list of what each branch found. The branch that was meant is the one that did not fail at
 * once by type; its own issues are what the author needs.
 */
const meantIssues = (issue: Issue): { readonly path: readonly PropertyKey[]; readonly issue: Issue }[] => {
  if (issue.code !== "invalid_union") return [{ path: issue.path, issue }];
  const meant = issue.errors.find(
    (branch) => branch.length > 0 && !branch.some((inner) => inner.code === "invalid_type" && inner.path.length === 0),
  );
  if (meant === undefined) return [{ path: issue.path, issue }];
  return meant.flatMap((inner) =>
    meantIssues(inner).map((found) => ({ path: [...issue.path, ...found.path], issue: found.issue })),
  );
};

const unknownKey = (key: string): string =>
  `${JSON.stringify(key)} is not known here. Names are written exactly as in the documentation.`;

const typesInWords: Readonly<Record<string, string>> = {
  int: "a whole number",
  number: "a number",
  string: "a text",
  boolean: "true or false",
  array: "a list",
  object: "an object",
  record: "an object",
};

const messageOf = (issue: Issue): string => {
  switch (issue.code) {
    case "invalid_union":
      return "must be a name, or an object with a name and its limits.";
    case "invalid_type":
      return issue.message.endsWith("received undefined")
        ? "is missing."
        : `must be ${typesInWords[issue.expected] ?? issue.expected}.`;
    case "invalid_key":
      return `${JSON.stringify(issue.path.at(-1))} ${issue.issues[0]?.message ?? "is not a name"}.`;
    case "invalid_format":
      return `${issue.message}.`;
    case "too_small":
      return `must be at least ${String(issue.minimum)}${issue.origin === "array" ? " long" : ""}.`;
    case "too_big":
      return `must be at most ${String(issue.maximum)}${issue.origin === "number" || issue.origin === "int" ? "" : " long"}.`;
    case "unrecognized_keys":
    case "not_multiple_of":
    case "invalid_element":
    case "invalid_value":
    case "custom":
      return `${issue.message}.`;
  }
};

export const problemsOf = (issues: readonly Issue[], positions: JsonPositions): RolesProblem[] =>
  issues.flatMap(meantIssues).flatMap(({ path, issue }) => {
    const places =
      issue.code === "unrecognized_keys"
        ? issue.keys.map((key) => ({ path: [...path, key], message: unknownKey(key) }))
        : [{ path, message: messageOf(issue) }];
    return places.map((place) => ({
      line: positions.lineOf(place.path),
      path: pathInWords(place.path),
      message: place.message,
    }));
  });
