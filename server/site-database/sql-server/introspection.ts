import type { VolumeType } from "../../command/site-database.ts";
import { decodeNumber, decodeText } from "./columns.ts";
import type { SqlConnection } from "./connection.ts";
import { unavailable } from "./errors.ts";
import {
  introspectColumns,
  introspectObjects,
  introspectParameters,
  introspectSession,
  introspectVolumeTypes,
} from "./introspection-statements.ts";
import { idTypes, timeTypes } from "./site-shape.ts";
import type { IdType, SiteShape, Storage, TimeType } from "./site-shape.ts";
import type { Statement } from "./statement.ts";
import { tables } from "./statements.ts";

interface SessionFacts {
  readonly databaseName: string;
  readonly loginName: string;
  readonly userName: string;
  readonly isWritable: boolean;
  /** 16 is SQL Server 2022. */
  readonly majorVersion: number;
  /** ISO 8601, UTC. */
  readonly serverTime: string;
}

/** What was found of a site. A function that needs a missing part says so in words; the rest works. */
export interface Site {
  readonly session: SessionFacts;
  /** Absent when keys can't be read at all; `missing` says why. */
  readonly shape: SiteShape | undefined;
  readonly volumeTypes: ReadonlyMap<number, VolumeType>;
  readonly canDisclose: boolean;
  /** One sentence each, for the log and `pep doctor`. */
  readonly missing: readonly string[];
  /** `schema.name` of every procedure and function of the recovery schemas. */
  readonly routines: ReadonlySet<string>;
}

type Ask = (statement: Statement) => Promise<readonly (readonly unknown[])[]>;

/** Columns that keys can't be read without, all proven by public scripts. */
const needed: readonly (readonly [table: string, columns: readonly string[]])[] = [
  [tables.keys, ["VolumeId", "RecoveryKeyId", "RecoveryKey", "LastUpdateTime", "Disclosed"]],
  [tables.machines, ["Id", "Name"]],
  [tables.links, ["MachineId", "VolumeId"]],
  [tables.volumes, ["Id", "VolumeTypeId"]],
  [tables.volumeTypes, ["Id"]],
];

/** sys.objects.type: procedures (SQL, CLR) and scalar functions (SQL, CLR). */
const routineTypes = new Set(["P", "PC", "FN", "FS"]);

const textTypes = new Set(["varchar", "nvarchar", "char", "nchar"]);
const binaryTypes = new Set(["varbinary", "binary", "image"]);

const isIdType = (name: string | undefined): name is IdType => name !== undefined && Object.hasOwn(idTypes, name);
const isTimeType = (name: string | undefined): name is TimeType => name !== undefined && Object.hasOwn(timeTypes, name);

/**
 * What a row of VolumeTypes means. By its name where there is one; by MbamVolumeType's numbers else (0 unknown, 1 operating
 * system, 2 fixed, 3 removable): that the table uses the same numbers is inferred.
 */
const volumeTypeOf = (id: number, typeName: string | null): VolumeType => {
  const name = typeName?.toLowerCase() ?? "";
  if (/remov/.test(name)) return "Removable";
  if (/operating|^os/.test(name)) return "OperatingSystem";
  if (/fixed/.test(name) && !/virtual/.test(name)) return "FixedData";
  if (name !== "") return "Unknown";
  return (["Unknown", "OperatingSystem", "FixedData", "Removable"] as const)[id] ?? "Unknown";
};

const describeSession = async (ask: Ask): Promise<SessionFacts> => {
  const row = (await ask(introspectSession()))[0] ?? [];
  return {
    databaseName: decodeText(row[0], "DB_NAME()"),
    loginName: typeof row[1] === "string" ? row[1] : "",
    userName: typeof row[2] === "string" ? row[2] : "",
    isWritable: row[3] === "READ_WRITE",
    majorVersion: typeof row[4] === "number" ? row[4] : 0,
    serverTime: decodeText(row[5], "SYSUTCDATETIME()"),
  };
};

interface Catalogue {
  readonly columns: ReadonlyMap<string, string>;
  readonly routines: ReadonlySet<string>;
  readonly parameterCounts: ReadonlyMap<string, number>;
}

const readCatalogue = async (ask: Ask): Promise<Catalogue> => {
  const objects = await ask(introspectObjects());
  const columns = await ask(introspectColumns());
  const parameters = await ask(introspectParameters());
  const parameterCounts = new Map<string, number>();
  for (const row of parameters) {
    const name = `${decodeText(row[0], "SchemaName")}.${decodeText(row[1], "ObjectName")}`;
    parameterCounts.set(name, (parameterCounts.get(name) ?? 0) + 1);
  }
  return {
    columns: new Map(
      columns.map((row) => [
        `${decodeText(row[0], "TableName")}.${decodeText(row[1], "ColumnName")}`,
        typeof row[2] === "string" ? row[2].toLowerCase() : "",
      ]),
    ),
    routines: new Set(
      objects
        .filter((row) => routineTypes.has(decodeText(row[2], "ObjectType")))
        .map((row) => `${decodeText(row[0], "SchemaName")}.${decodeText(row[1], "ObjectName")}`),
    ),
    parameterCounts,
  };
};

const decryptString = "RecoveryAndHardwareCore.DecryptString";
export const getRecoveryKeyName = "RecoveryAndHardwareRead.GetRecoveryKey";

const storageOf = (keyType: string | undefined, hasDecrypt: boolean): Storage | undefined => {
  if (keyType === undefined) return undefined;
  if (textTypes.has(keyType)) return hasDecrypt ? "mixed" : "plainText";
  return binaryTypes.has(keyType) && hasDecrypt ? "encrypted" : undefined;
};

/** Works out the shape; puts what stands in the way into `missing`. */
const shapeOf = ({ columns, routines, parameterCounts }: Catalogue, missing: string[]): SiteShape | undefined => {
  for (const [table, names] of needed) {
    const lacking = names.filter((name) => !columns.has(`${table}.${name}`));
    if (lacking.length === names.length)
      missing.push(`The table dbo.${table} is not there, or the login may not see it.`);
    else for (const name of lacking) missing.push(`The table dbo.${table} has no column ${name}.`);
  }
  const typeOf = (column: string): string | undefined => columns.get(`${tables.keys}.${column}`);
  const keyIdType = typeOf("RecoveryKeyId");
  const volumeIdType = typeOf("VolumeId");
  const timeType = typeOf("LastUpdateTime");
  const hasDecrypt = routines.has(decryptString);
  const keyType = typeOf("RecoveryKey");
  const storage = storageOf(keyType, hasDecrypt);
  const decryptParameters = parameterCounts.get(decryptString) ?? 2;
  if (missing.length > 0) return undefined;
  if (!hasDecrypt && keyType !== undefined && binaryTypes.has(keyType))
    missing.push(
      `The function ${decryptString} is not there, or the login may not see it: encrypted keys can't be read.`,
    );
  else if (storage === undefined) missing.push(`The column RecoveryKey has the type ${keyType}, which is not known.`);
  if (!isIdType(keyIdType)) missing.push(`The column RecoveryKeyId has the type ${keyIdType}, which is not known.`);
  if (!isIdType(volumeIdType)) missing.push(`The column VolumeId has the type ${volumeIdType}, which is not known.`);
  if (!isTimeType(timeType)) missing.push(`The column LastUpdateTime has the type ${timeType}, which is not known.`);
  if (decryptParameters !== 1 && decryptParameters !== 2)
    missing.push(`The function ${decryptString} has ${decryptParameters} parameters; 1 or 2 are known.`);
  if (storage === undefined || !isIdType(keyIdType) || !isIdType(volumeIdType) || !isTimeType(timeType))
    return undefined;
  return {
    keyIdType,
    volumeIdType,
    timeType,
    storage,
    decryptParameters: decryptParameters === 1 ? 1 : 2,
    hasVolumeGuid: columns.has(`${tables.volumes}.VolumeGuid`),
    hasTypeName: columns.has(`${tables.volumeTypes}.TypeName`),
  };
};

/** Asks the catalogue what this site has, over one connection. */
export const introspect = async (connection: SqlConnection, signal: AbortSignal): Promise<Site> => {
  const ask: Ask = (statement) => connection.rows(statement, { signal });
  const session = await describeSession(ask);
  const catalogue = await readCatalogue(ask);
  const missing: string[] = [];
  const shape = shapeOf(catalogue, missing);
  const rows = shape === undefined ? [] : await ask(introspectVolumeTypes(shape.hasTypeName));
  const canDisclose = catalogue.routines.has(getRecoveryKeyName);
  if (!canDisclose)
    missing.push(
      `The procedure ${getRecoveryKeyName} is not there, or the login may not see it: keys can't be marked as disclosed.`,
    );
  return {
    session,
    shape,
    volumeTypes: new Map(
      rows.map((row) => {
        const id = decodeNumber(row[0], "VolumeTypes.Id");
        return [id, volumeTypeOf(id, typeof row[1] === "string" ? row[1] : null)];
      }),
    ),
    canDisclose,
    missing,
    routines: catalogue.routines,
  };
};

/** The site's shape, or an error that says in words (in the log) what is missing. */
export const shapeForReading = (site: Site): SiteShape => {
  if (site.shape === undefined)
    throw unavailable(
      "The site database is not as this endpoint knows it; the log says what is missing.",
      site.missing.join(" "),
    );
  return site.shape;
};
