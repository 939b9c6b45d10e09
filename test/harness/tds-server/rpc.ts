import { ByteReader } from "./bytes.ts";
import type { ServerMessage } from "./tokens.ts";
import { readTyped } from "./types.ts";
import type { SqlValue } from "./types.ts";

interface Parameter {
  /** Without `@`. */
  readonly name: string;
  /** As T-SQL writes it: `nvarchar(4000)`, `datetime2(7)`, … */
  readonly type: string;
  readonly value: SqlValue;
  /** Passed by reference: the caller wants a value back. */
  readonly output: boolean;
}

/** One request, as the test's answer gets it. */
export interface TdsRequest {
  readonly kind: "batch" | "rpc";
  /** The statement of a batch, of sp_executesql and of a prepared call; empty when a procedure of the database is called. */
  readonly text: string;
  /** The called procedure; empty for a batch. */
  readonly procedure: string;
  /** The statement's or procedure's own, without those of sp_executesql and its kin. */
  readonly parameters: readonly Parameter[];
  readonly database: string;
  readonly user: string;
  /** The login said ApplicationIntent=ReadOnly. */
  readonly readOnlyIntent: boolean;
  readonly connection: number;
}

interface Call {
  readonly procedure: string;
  readonly parameters: readonly Parameter[];
}

/** Skips ALL_HEADERS, whose length comes first and counts itself. */
const afterHeaders = (body: Buffer): ByteReader => {
  const input = new ByteReader(body);
  const length = input.u32();
  input.take(length - 4);
  return input;
};

export const readBatch = (body: Buffer): string => afterHeaders(body).rest().toString("utf16le");

/** [MS-TDS] 2.2.6.6: procedures that may be called by number. */
const numberedProcedures: Readonly<Record<number, string>> = {
  10: "sp_executesql",
  11: "sp_prepare",
  12: "sp_execute",
  13: "sp_prepexec",
  15: "sp_unprepare",
};
const byNumber = 0xffff;

export const readCall = (body: Buffer): Call => {
  const input = afterHeaders(body);
  const length = input.u16();
  const number = length === byNumber ? input.u16() : undefined;
  const procedure = number === undefined ? input.utf16(length) : numberedProcedures[number];
  if (procedure === undefined) throw new Error(`procedure number ${number} is not supported`);
  input.u16();
  const parameters: Parameter[] = [];
  while (!input.atEnd) {
    const name = input.utf16(input.u8()).replace(/^@/, "");
    const output = (input.u8() & 0x01) !== 0;
    parameters.push({ name, ...readTyped(input), output });
  }
  return { procedure, parameters };
};

/** The statements a connection has prepared, by handle. */
export class PreparedStatements {
  readonly #statements = new Map<number, { readonly text: string; readonly declaration: string }>();
  #lastHandle = 0;

  add(text: string, declaration: string): number {
    this.#lastHandle += 1;
    this.#statements.set(this.#lastHandle, { text, declaration });
    return this.#lastHandle;
  }

  find(handle: number): { readonly text: string; readonly declaration: string } | undefined {
    return this.#statements.get(handle);
  }

  remove(handle: number): boolean {
    return this.#statements.delete(handle);
  }
}

/** What a call comes down to: a statement or procedure to answer, a new handle to give back, or an error. */
export interface ResolvedCall {
  readonly run?: Pick<TdsRequest, "text" | "procedure" | "parameters">;
  readonly handle?: number;
  readonly error?: ServerMessage;
}

const textOf = (parameter: Parameter | undefined): string => {
  if (parameter === undefined || parameter.value === null) return "";
  if (typeof parameter.value !== "string") throw new TypeError("a statement's text is no text");
  return parameter.value;
};

/** Names for values that came without, from `@a int, @b nvarchar(4000)`: sp_execute may pass them by position. */
const withNames = (parameters: readonly Parameter[], declaration: string): readonly Parameter[] => {
  const names = [...declaration.matchAll(/@(\w+)\s+\w/g)].map((match) => match[1] ?? "");
  return parameters.map((parameter, i) => (parameter.name === "" ? { ...parameter, name: names[i] ?? "" } : parameter));
};

const noSuchHandle = (handle: SqlValue): ServerMessage => ({
  number: 8179,
  message: `Could not find prepared statement with handle ${String(handle)}.`,
});

export const resolveCall = ({ procedure, parameters }: Call, prepared: PreparedStatements): ResolvedCall => {
  const [first, second, third, ...afterThird] = parameters;
  const handle = typeof first?.value === "number" ? first.value : -1;
  switch (procedure.toLowerCase()) {
    case "sp_executesql": {
      const values = withNames(parameters.slice(2), textOf(second));
      return { run: { text: textOf(first), procedure, parameters: values } };
    }
    case "sp_prepare":
      return { handle: prepared.add(textOf(third), textOf(second)) };
    case "sp_prepexec": {
      const values = withNames(afterThird, textOf(second));
      return {
        handle: prepared.add(textOf(third), textOf(second)),
        run: { text: textOf(third), procedure, parameters: values },
      };
    }
    case "sp_execute": {
      const found = prepared.find(handle);
      if (found === undefined) return { error: noSuchHandle(first?.value ?? null) };
      const values = withNames(parameters.slice(1), found.declaration);
      return { run: { text: found.text, procedure, parameters: values } };
    }
    case "sp_unprepare":
      return prepared.remove(handle) ? {} : { error: noSuchHandle(first?.value ?? null) };
    default:
      return { run: { text: "", procedure, parameters } };
  }
};
