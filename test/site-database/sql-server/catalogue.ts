import type { Respond } from "../../harness/tds-server/respond.ts";
import type { TdsRequest } from "../../harness/tds-server/rpc.ts";
import type { Column } from "../../harness/tds-server/tokens.ts";
import type { SqlValue } from "../../harness/tds-server/types.ts";

/* What both sites of the tests answer: the catalogue of a Configuration Manager database, as far as public scripts show it. */

export const columns = (names: Readonly<Record<string, Column["type"]>>): readonly Column[] =>
  Object.entries(names).map(([name, type]) => ({ name, type }));

/** Of a page of keys. */
export const keyColumns = columns({
  RecoveryKeyId: "nvarchar(64)",
  ComputerName: "nvarchar(63)",
  VolumeKey: "nvarchar(64)",
  VolumeId: "nvarchar(64)",
  VolumeTypeId: "int",
  LastUpdateTime: "nvarchar(33)",
  Disclosed: "bit",
  RecoveryKey: "nvarchar(4000)",
});

export const result = async (
  respond: Respond,
  of: readonly Column[],
  rows: readonly (readonly SqlValue[])[],
): Promise<void> => {
  respond.columns(of);
  for (const row of rows) await respond.row(row);
};

const tableColumns: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  RecoveryAndHardwareCore_Keys: {
    VolumeId: "int",
    RecoveryKeyId: "varchar",
    RecoveryKey: "varbinary",
    LastUpdateTime: "datetime",
    Disclosed: "bit",
  },
  RecoveryAndHardwareCore_Machines: { Id: "int", Name: "nvarchar" },
  RecoveryAndHardwareCore_Machines_Volumes: { MachineId: "int", VolumeId: "int" },
  RecoveryAndHardwareCore_Volumes: { Id: "int", VolumeTypeId: "int", VolumeGuid: "char" },
  RecoveryAndHardwareCore_VolumeTypes: { Id: "int", TypeName: "nvarchar" },
};

export const nameOf = ({ text, procedure }: TdsRequest): string =>
  /^\/\* pep:([a-z-]+) \*\//.exec(text)?.[1] ?? procedure;

export const parameter = ({ parameters }: TdsRequest, name: string): SqlValue =>
  parameters.find((each) => each.name === name)?.value ?? null;

/** Answers what is asked of the catalogue; false when the request is something else. */
export const answerCatalogue = async (request: TdsRequest, respond: Respond): Promise<boolean> => {
  switch (nameOf(request)) {
    case "check-health":
      await result(respond, columns({ Alive: "int" }), [[1]]);
      return true;
    case "introspect-session":
      await result(
        respond,
        columns({
          DatabaseName: "nvarchar(128)",
          LoginName: "nvarchar(128)",
          UserName: "nvarchar(128)",
          Updateability: "nvarchar(128)",
          MajorVersion: "int",
          ServerTime: "nvarchar(33)",
        }),
        [["CM_PEP", "pep", "pep", "READ_WRITE", 16, new Date().toISOString().slice(0, -1)]],
      );
      return true;
    case "introspect-objects":
      await result(
        respond,
        columns({ SchemaName: "nvarchar(128)", ObjectName: "nvarchar(128)", ObjectType: "nvarchar(2)" }),
        [
          ["RecoveryAndHardwareCore", "DecryptString", "FN"],
          ["RecoveryAndHardwareRead", "GetRecoveryKey", "P"],
        ],
      );
      return true;
    case "introspect-columns":
      await result(
        respond,
        columns({ TableName: "nvarchar(128)", ColumnName: "nvarchar(128)", TypeName: "nvarchar(128)" }),
        Object.entries(tableColumns).flatMap(([table, of]) =>
          Object.entries(of).map(([column, type]) => [table, column, type]),
        ),
      );
      return true;
    case "introspect-parameters":
      await result(
        respond,
        columns({
          SchemaName: "nvarchar(128)",
          ObjectName: "nvarchar(128)",
          ParameterName: "nvarchar(128)",
          TypeName: "nvarchar(128)",
        }),
        ["@value", "@reserved"].map((each) => ["RecoveryAndHardwareCore", "DecryptString", each, "int"]),
      );
      return true;
    case "introspect-volume-types":
      await result(respond, columns({ Id: "int", TypeName: "nvarchar(128)" }), [
        [0, "Unknown"],
        [1, "Operating System"],
        [2, "Fixed Data"],
        [3, "Removable Data"],
      ]);
      return true;
    default:
      return false;
  }
};
