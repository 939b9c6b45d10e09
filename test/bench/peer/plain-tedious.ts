/** The SQL Server peer: what one would write with tedious alone. Drains the rows of one statement and encodes them. */
import { readFileSync } from "node:fs";
import { Connection, Request, TYPES } from "tedious";

interface Asked {
  readonly port: number;
  readonly authority: string;
  readonly password: string;
  readonly text: string;
  readonly parameters: readonly {
    readonly name: string;
    readonly type: string;
    readonly value: string | number | boolean | null;
  }[];
}

const asked: Asked = JSON.parse(readFileSync(process.argv[2] ?? "", "utf8"));
const connection = new Connection({
  server: "localhost",
  authentication: { type: "default", options: { userName: "pep", password: asked.password } },
  options: {
    port: asked.port,
    database: "CM_PEP",
    encrypt: true,
    trustServerCertificate: false,
    cryptoCredentialsDetails: { ca: asked.authority },
    requestTimeout: 0,
  },
});
const typeOf = (type: string) => {
  if (type.startsWith("int")) return TYPES.Int;
  return type.startsWith("bit") ? TYPES.Bit : TYPES.NVarChar;
};

connection.connect((failure) => {
  if (failure !== undefined) throw failure;
  const request = new Request(asked.text, (error) => {
    if (error !== undefined && error !== null) throw error;
    process.stdout.write(lines.join(""), () => connection.close());
  });
  for (const { name, type, value } of asked.parameters) request.addParameter(name, typeOf(type), value);
  let lines: string[] = [];
  request.on(
    "row",
    (columns: readonly { readonly value: unknown; readonly metadata: { readonly colName: string } }[]) => {
      lines.push(
        `${JSON.stringify(Object.fromEntries(columns.map(({ metadata, value }) => [metadata.colName, value])))}\n`,
      );
      if (lines.length < 512) return;
      const full = process.stdout.write(lines.join(""));
      lines = [];
      if (full) return;
      request.pause();
      process.stdout.once("drain", () => request.resume());
    },
  );
  connection.execSql(request);
});
