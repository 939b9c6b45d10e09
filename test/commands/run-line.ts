import type { Cell, CommandResult, PasswordPurpose, RowsResult } from "../../server/command/define-command.ts";
import type { BoundLine, VisibleCommands } from "../../server/authorization/contract.ts";
import { decode, everythingGranted } from "../authorization/roles-text.ts";
import { Secret } from "../../server/secret.ts";
import { portsOf, startOnRecord } from "../harness/closed-ports.ts";
import { noElevationPort } from "../harness/elevation.ts";
import type { SiteDatabase } from "../../server/command/site-database.ts";

/** A user who may do everything that can be granted. */
const allPowers = (): VisibleCommands => decode(everythingGranted()).commandsFor("alice");

const now = new Date("2026-11-22T12:00:00.000Z");

export interface Ran {
  readonly bound: BoundLine;
  readonly result: CommandResult;
}

/** What a command asked, and how a person at a terminal answers; without `answer` there is none. */
export interface Asked {
  readonly prompts: { readonly prompt: string; readonly purpose: PasswordPurpose }[];
  readonly questions?: string[];
  readonly told?: string[];
  readonly answer?: boolean;
}

/** Binds and runs a line as `invoke` does, without a record: the answer is shaped and not read yet. */
export const runLine = async (
  line: string,
  siteDatabase: SiteDatabase,
  asked: Asked = { prompts: [] },
): Promise<Ran> => {
  const visible = allPowers();
  const bound = visible.bindLine(line);
  const opening = await startOnRecord();
  const { signal } = new AbortController();
  const result = await bound.command.run({
    ...portsOf(siteDatabase, () => now).forCommand(opening, {
      keyBounds: bound.keyBounds?.allows,
      reviewer: { connectedUser: "alice" },
      signal,
    }),
    connectedUser: "alice",
    visibleCommands: visible.descriptions,
    interactive: asked.answer !== undefined,
    confirm: async (question) => {
      asked.questions?.push(question);
      return asked.answer ?? false;
    },
    askPassword: async (prompt, purpose) => {
      asked.prompts.push({ prompt, purpose });
      return new Secret("correct horse battery staple");
    },
    search: undefined,
    closeComputers: undefined,
    elevation: noElevationPort,
    tell: async (text) => void asked.told?.push(text),
  });
  return {
    bound,
    result:
      result.kind === "rows"
        ? bound.shaping.reduce<RowsResult>((rows, shaping) => shaping.apply(rows), result)
        : result,
  };
};

export const rowsOf = (result: CommandResult): RowsResult => {
  if (result.kind !== "rows") throw new Error(`answered ${result.kind}, not rows`);
  return result;
};

/** Every row, secrets as they print. */
export const readAll = async (
  result: CommandResult,
): Promise<readonly (readonly (string | number | boolean | null)[])[]> => {
  const rows: (readonly Cell[])[] = [];
  const { batches, mark } = rowsOf(result);
  for await (const batch of batches) {
    rows.push(...batch);
    // As disclose() does, for exactly the keys that would be shown.
    const shown = batch.flatMap((row) =>
      row.flatMap((cell) => (cell instanceof Secret ? [cell.label?.keyId ?? ""] : [])),
    );
    if (shown.length > 0) await mark?.(shown);
  }
  return rows.map((row) => row.map((cell) => (cell instanceof Secret ? String(cell) : cell)));
};

export const columnNames = (result: CommandResult): readonly string[] => rowsOf(result).columns.map(({ name }) => name);
