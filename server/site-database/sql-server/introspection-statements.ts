import { named } from "./statement.ts";
import type { Statement } from "./statement.ts";
import { tables } from "./statements.ts";

/* What the catalogue is asked, once per connection generation and by `pep doctor`. */

const query = (name: string, columns: readonly string[], text: string): Statement =>
  named({ name, kind: "query", text, parameters: {}, columns });

/** Where we are: which database, as whom, on which replica, at what time. */
export const introspectSession = (): Statement =>
  query(
    "introspect-session",
    ["DatabaseName", "LoginName", "UserName", "Updateability", "MajorVersion", "ServerTime"],
    `SELECT DB_NAME() AS DatabaseName, SUSER_SNAME() AS LoginName, USER_NAME() AS UserName,
  CONVERT(nvarchar(128), DATABASEPROPERTYEX(DB_NAME(), 'Updateability')) AS Updateability,
  CONVERT(int, SERVERPROPERTY('ProductMajorVersion')) AS MajorVersion,
  CONVERT(nvarchar(33), SYSUTCDATETIME(), 126) AS ServerTime`,
  );

/** Tables, views, procedures and functions of the recovery schemas that this login can see. */
export const introspectObjects = (): Statement =>
  query(
    "introspect-objects",
    ["SchemaName", "ObjectName", "ObjectType"],
    `SELECT s.name AS SchemaName, o.name AS ObjectName, RTRIM(o.type) AS ObjectType
FROM sys.objects o JOIN sys.schemas s ON s.schema_id = o.schema_id
WHERE s.name LIKE 'RecoveryAndHardware%' OR (s.name = 'dbo' AND o.name LIKE 'RecoveryAndHardwareCore%')`,
  );

export const introspectColumns = (): Statement =>
  query(
    "introspect-columns",
    ["TableName", "ColumnName", "TypeName"],
    `SELECT OBJECT_NAME(c.object_id) AS TableName, c.name AS ColumnName, TYPE_NAME(c.system_type_id) AS TypeName
FROM sys.columns c WHERE c.object_id IN (${Object.values(tables)
      .map((table) => `OBJECT_ID('dbo.${table}')`)
      .join(", ")})`,
  );

/** parameter_id 0 is a function's answer and is left out. */
export const introspectParameters = (): Statement =>
  query(
    "introspect-parameters",
    ["SchemaName", "ObjectName", "ParameterName", "TypeName"],
    `SELECT OBJECT_SCHEMA_NAME(p.object_id) AS SchemaName, OBJECT_NAME(p.object_id) AS ObjectName,
  p.name AS ParameterName, TYPE_NAME(p.system_type_id) AS TypeName
FROM sys.parameters p
WHERE p.parameter_id > 0 AND OBJECT_SCHEMA_NAME(p.object_id) LIKE 'RecoveryAndHardware%'`,
  );

export const introspectVolumeTypes = (hasTypeName: boolean): Statement =>
  query(
    "introspect-volume-types",
    ["Id", "TypeName"],
    `SELECT CONVERT(int, Id) AS Id, ${hasTypeName ? "CONVERT(nvarchar(128), TypeName)" : "CONVERT(nvarchar(128), NULL)"} AS TypeName
FROM dbo.${tables.volumeTypes}`,
  );

/** What the login may do, asked of the server itself; `Wanted` 0 is more than the endpoint needs. */
export const introspectPermissions = (): Statement => {
  const objects = [tables.keys, tables.machines, tables.links, tables.volumes, tables.volumeTypes];
  const onObject = (name: string, permission: string, wanted: 0 | 1): string =>
    `SELECT N'${permission} on ${name}' AS Permission, ${wanted} AS Wanted, HAS_PERMS_BY_NAME('${name}', 'OBJECT', '${permission}') AS Held`;
  const rows = [
    ...objects.map((table) => onObject(`dbo.${table}`, "SELECT", 1)),
    onObject("RecoveryAndHardwareRead.GetRecoveryKey", "EXECUTE", 1),
    onObject("RecoveryAndHardwareCore.DecryptString", "EXECUTE", 1),
    `SELECT N'VIEW DEFINITION on the certificate', 1, HAS_PERMS_BY_NAME('BitLockerManagement_CERT', 'CERTIFICATE', 'VIEW DEFINITION')`,
    ...["INSERT", "UPDATE", "DELETE", "ALTER"].map((permission) => onObject(`dbo.${tables.keys}`, permission, 0)),
    ...["CONTROL", "ALTER", "CREATE CERTIFICATE"].map(
      (permission) =>
        `SELECT N'${permission} on the database', 0, HAS_PERMS_BY_NAME(NULL, 'DATABASE', '${permission}')`,
    ),
    `SELECT N'membership of db_owner', 0, IS_ROLEMEMBER('db_owner')`,
    `SELECT N'membership of sysadmin', 0, IS_SRVROLEMEMBER('sysadmin')`,
    `SELECT N'CONTROL SERVER', 0, HAS_PERMS_BY_NAME(NULL, NULL, 'CONTROL SERVER')`,
  ];
  return query("introspect-permissions", ["Permission", "Wanted", "Held"], rows.join("\nUNION ALL "));
};
