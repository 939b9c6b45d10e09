import type { Respond } from "../respond.ts";
import type { TdsRequest } from "../rpc.ts";
import type { SqlType, SqlValue } from "../types.ts";
import { denied, SqlError } from "./sql-error.ts";
import { isReadOnly } from "./state.ts";
import type { SiteState } from "./state.ts";

/* What the site has: asked by introspection, and held against the text of every statement. */

const prefix = "RecoveryAndHardwareCore_";

/** Tables without their prefix, with their columns' types. */
const tablesOf = ({ shape }: SiteState): Readonly<Record<string, Readonly<Record<string, string>>>> => ({
  Keys: {
    Id: "int",
    VolumeId: shape.volumeIdType,
    RecoveryKeyId: shape.keyIdType,
    RecoveryKey: shape.keyColumn,
    LastUpdateTime: shape.timeType,
    Disclosed: "bit",
  },
  Machines: { Id: "int", Name: "nvarchar" },
  Machines_Volumes: { MachineId: "int", VolumeId: shape.volumeIdType },
  Volumes: { Id: shape.volumeIdType, VolumeTypeId: "int", ...(shape.hasVolumeGuid ? { VolumeGuid: "char" } : {}) },
  VolumeTypes: { Id: "int", ...(shape.hasTypeName ? { TypeName: "nvarchar" } : {}) },
});

interface Routine {
  readonly schema: string;
  readonly name: string;
  readonly type: "P" | "FN";
  readonly parameters: readonly (readonly [name: string, type: string])[];
}

const routinesOf = ({ shape }: SiteState): readonly Routine[] => [
  ...(shape.decryptParameters === 0
    ? []
    : [
        {
          schema: "RecoveryAndHardwareCore",
          name: "DecryptString",
          type: "FN",
          parameters: (
            [
              ["@value", shape.keyColumn],
              ["@reserved", "int"],
            ] as const
          ).slice(0, shape.decryptParameters),
        } as const,
      ]),
  ...(shape.hasGetRecoveryKey
    ? [
        {
          schema: "RecoveryAndHardwareRead",
          name: "GetRecoveryKey",
          type: "P",
          parameters: [
            ["@RecoveryKeyId", "varchar"],
            ["@Reason", "nvarchar"],
          ],
        } as const,
      ]
    : []),
  ...(shape.hasGetTpm
    ? [
        {
          schema: "RecoveryAndHardwareRead",
          name: "GetTpm",
          type: "P",
          parameters: [
            ["@MachineName", "nvarchar"],
            ["@MachineDomainName", "nvarchar"],
            ["@Reason", "nvarchar"],
          ],
        } as const,
      ]
    : []),
];

export const answerRows = async (
  respond: Respond,
  columns: Readonly<Record<string, SqlType>>,
  rows: readonly (readonly SqlValue[])[],
): Promise<void> => {
  respond.columns(Object.entries(columns).map(([name, type]) => ({ name, type })));
  for (const row of rows) await respond.row(row);
};

const name128 = "nvarchar(128)";

const volumeTypes: readonly (readonly [number, string])[] = [
  [0, "Unknown"],
  [1, "Operating System"],
  [2, "Fixed Data"],
  [3, "Removable Data"],
];

/** HAS_PERMS_BY_NAME and its kin: 1, 0, or NULL where there is no such thing. */
const holds = (state: SiteState, securable: string, kind: string, permission: string): number | null => {
  const has = (allowed: boolean): number => Number(allowed);
  if (kind === "DATABASE") return has(state.permissions.has("CONTROL on the database"));
  if (kind === "CERTIFICATE") {
    if (!state.certificates.has(securable)) return null;
    return has(state.permissions.has("see the certificate") || state.permissions.has("CONTROL on the certificate"));
  }
  const routine = routinesOf(state).find(({ schema, name }) => `${schema}.${name}` === securable);
  if (routine !== undefined)
    return has(
      state.permissions.has(routine.name === "DecryptString" ? "EXECUTE DecryptString" : "EXECUTE GetRecoveryKey"),
    );
  const table = securable.replace(`dbo.${prefix}`, "");
  if (!Object.hasOwn(tablesOf(state), table)) return null;
  return has(permission === "SELECT" && state.permissions.has("SELECT on the tables"));
};

const answerPermissions = (state: SiteState, { text }: TdsRequest, respond: Respond): Promise<void> => {
  const asked = text.matchAll(
    /SELECT N'(?<label>[^']+)'(?: AS Permission)?, (?<wanted>[01])(?: AS Wanted)?, (?<call>[A-Z_]+)\((?<list>[^)]*)\)/g,
  );
  const rows = [...asked].map(({ groups = {} }) => {
    const { label = "", wanted = "", call = "", list = "" } = groups;
    const [securable = "", kind = "", permission = ""] = list.split(",").map((part) => part.trim().replaceAll("'", ""));
    const isServer = securable === "NULL" && kind === "NULL";
    const held = call === "HAS_PERMS_BY_NAME" && !isServer ? holds(state, securable, kind, permission) : 0;
    return [label, Number(wanted), held];
  });
  return answerRows(respond, { Permission: "nvarchar(200)", Wanted: "int", Held: "int" }, rows);
};

/** Answers a question about the catalogue; false when the statement is none. */
export const answerCatalogue = async (
  name: string,
  state: SiteState,
  request: TdsRequest,
  respond: Respond,
): Promise<boolean> => {
  switch (name) {
    case "check-health":
      await answerRows(respond, { Alive: "int" }, [[1]]);
      return true;
    case "introspect-session":
      await answerRows(
        respond,
        {
          DatabaseName: name128,
          LoginName: name128,
          UserName: name128,
          Updateability: name128,
          MajorVersion: "int",
          ServerTime: "nvarchar(33)",
        },
        [
          [
            state.databaseName,
            request.user,
            request.user,
            isReadOnly(state, request) ? "READ_ONLY" : "READ_WRITE",
            state.shape.majorVersion,
            `${new Date().toISOString().slice(0, -1)}0000`,
          ],
        ],
      );
      return true;
    case "introspect-objects":
      await answerRows(respond, { SchemaName: name128, ObjectName: name128, ObjectType: "nvarchar(2)" }, [
        ...Object.keys(tablesOf(state)).map((table) => ["dbo", `${prefix}${table}`, "U"]),
        ...routinesOf(state).map((routine) => [routine.schema, routine.name, routine.type]),
      ]);
      return true;
    case "introspect-columns":
      await answerRows(
        respond,
        { TableName: name128, ColumnName: name128, TypeName: name128 },
        Object.entries(tablesOf(state)).flatMap(([table, columns]) =>
          Object.entries(columns).map(([column, type]) => [`${prefix}${table}`, column, type]),
        ),
      );
      return true;
    case "introspect-parameters":
      await answerRows(
        respond,
        { SchemaName: name128, ObjectName: name128, ParameterName: name128, TypeName: name128 },
        routinesOf(state).flatMap(({ schema, name: routine, parameters }) =>
          parameters.map(([parameter, type]) => [schema, routine, parameter, type]),
        ),
      );
      return true;
    case "introspect-volume-types":
      await answerRows(
        respond,
        { Id: "int", TypeName: name128 },
        volumeTypes.map(([id, typeName]) => [id, state.shape.hasTypeName ? typeName : null]),
      );
      return true;
    case "introspect-permissions":
      await answerPermissions(state, request, respond);
      return true;
    default:
      return false;
  }
};

/**
 * Holds a statement's text against the site: tables, columns, the function and its arguments, variables. Not a parser of
 * T-SQL; it finds what a wrong guess of the site's shape would get wrong.
 */
export const checkReferences = (state: SiteState, { text, parameters }: TdsRequest): void => {
  const tables = tablesOf(state);
  const aliases = new Map<string, string>();
  // Everything before FROM may name aliases that follow, so tables are collected first.
  for (const [, table = "", alias = ""] of text.matchAll(
    /(?:FROM|JOIN)\s+dbo\.RecoveryAndHardwareCore_(\w+)(?:\s+(\w+))?/g,
  )) {
    if (!Object.hasOwn(tables, table)) throw new SqlError(208, `Invalid object name 'dbo.${prefix}${table}'.`);
    if (!state.permissions.has("SELECT on the tables")) throw denied("SELECT", `${prefix}${table}`);
    if (!["ON", "WHERE", "ORDER", ""].includes(alias)) aliases.set(alias, table);
  }
  for (const [, alias = "", column = ""] of text.matchAll(/\b(\w+)\.(\w+)\b/g)) {
    const table = aliases.get(alias);
    if (table !== undefined && !Object.hasOwn(tables[table] ?? {}, column))
      throw new SqlError(207, `Invalid column name '${column}'.`);
  }
  if (
    /\bTypeName\b/.test(text) &&
    /VolumeTypes\b/.test(text) &&
    !state.shape.hasTypeName &&
    /[(,]\s*TypeName\)/.test(text)
  )
    throw new SqlError(207, "Invalid column name 'TypeName'.");
  for (const [, list = ""] of text.matchAll(/RecoveryAndHardwareCore\.DecryptString\(([^()]*)\)/g)) {
    const given = list.split(",").length;
    const { decryptParameters } = state.shape;
    if (decryptParameters === 0)
      throw new SqlError(4121, 'Cannot find either column "RecoveryAndHardwareCore" or the function "DecryptString".');
    if (!state.permissions.has("EXECUTE DecryptString")) throw denied("EXECUTE", "DecryptString");
    if (given > decryptParameters)
      throw new SqlError(8144, "Procedure or function DecryptString has too many arguments.");
    if (given < decryptParameters)
      throw new SqlError(313, "An insufficient number of arguments were supplied for DecryptString.");
  }
  const declared = new Set(parameters.map(({ name }) => name.toLowerCase()));
  for (const [, name = ""] of text.matchAll(/(?<![@\w])@([a-z]\w*)/gi))
    if (!declared.has(name.toLowerCase())) throw new SqlError(137, `Must declare the scalar variable "@${name}".`, 15);
};
