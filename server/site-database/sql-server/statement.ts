/** A parameter's value with its type on the wire; texts go as nvarchar. */
export type Parameter =
  | { readonly type: "text"; readonly value: string | null }
  | { readonly type: "int"; readonly value: number }
  | { readonly type: "bit"; readonly value: boolean };

/** One thing the product says to SQL Server. Only statements.ts and certificate-statements.ts make them. */
export interface Statement {
  /** Stands in front of the text as a comment, in logs, and in the listing. */
  readonly name: string;
  /**
   * `query` goes as sp_executesql with parameters; `batch` as it is, for DDL that takes literals only; `procedure` is a
   * procedure's name, called by RPC.
   */
  readonly kind: "query" | "batch" | "procedure";
  readonly text: string;
  readonly parameters: Readonly<Record<string, Parameter>>;
  /** The answer's columns, in order; checked against what the server sends. Absent where any will do. */
  readonly columns?: readonly string[];
  /** Holds a password or key bytes: nothing the server says about it may be repeated, for it quotes what it could not read. */
  readonly sensitive?: true;
}

/** Puts the name in front, so that a DBA sees in a trace which statement of ours it is. */
export const named = (statement: Statement): Statement =>
  statement.kind === "procedure" ? statement : { ...statement, text: `/* pep:${statement.name} */ ${statement.text}` };

export const text = (value: string | null): Parameter => ({ type: "text", value });
export const int = (value: number): Parameter => ({ type: "int", value });
export const bit = (value: boolean): Parameter => ({ type: "bit", value });
