/**
 * Names of columns and of JSON properties, letters and digits only and without marks, the surest first. A name stands in
 * one list only. Seen in: Get-ADComputers-BitLockerInfo, `Get-ADObject | Export-Csv` of msFVE-RecoveryInformation, csvde,
 * collectors of Graph keys, `(Get-BitLockerVolume).KeyProtector | Export-Csv`, queries of Configuration Manager and MBAM,
 * remote management tools, and this endpoint's own output. Other languages: as Windows and Excel translate these words.
 */
const names = {
  password: [
    "recoverypassword",
    "msfverecoverypassword",
    "recoverykey",
    "bitlockerrecoverypassword",
    "bitlockerrecoverykey",
    "bitlockerkey",
    "bitlockerpassword",
    "numericalpassword",
    "wiederherstellungskennwort",
    "wiederherstellungsschlussel",
    "motdepassederecuperation",
    "cledurecuperation",
    "clederecuperation",
    "contrasenaderecuperacion",
    "clavederecuperacion",
    "passworddiripristino",
    "chiavediripristino",
    "senhaderecuperacao",
    "chavederecuperacao",
    "herstelwachtwoord",
    "herstelsleutel",
    "hasłoodzyskiwania",
    "kluczodzyskiwania",
    "aterstallningslosenord",
    "aterstallningsnyckel",
    "genoprettelsesnøgle",
    "gjenopprettingsnøkkel",
    "palautusavain",
    "obnovovaciklic",
    "ключвосстановления",
    "回復パスワード",
    "回復キー",
    "恢复密码",
    "恢复密钥",
    "복구키",
    "key",
  ],
  keyId: [
    "passwordid",
    "recoverypasswordid",
    "recoverykeyid",
    "keyprotectorid",
    "bitlockerkeyid",
    "bitlockerrecoverykeyid",
    "bitlocerkeyid",
    "recoveryid",
    "recoveryguid",
    "msfverecoveryguid",
    "keyid",
    "kennwortid",
    "schlusselid",
    "wiederherstellungsschlusselid",
    "iddecle",
    "idcle",
    "identifiantdecle",
    "iddeclave",
    "idclave",
    "idchiave",
    "idchave",
    "iddachave",
    "sleutelid",
    "identyfikatorklucza",
    "idklucza",
    "nyckelid",
    "nøgleid",
    "avaintunnus",
    "idklice",
    "идентификаторключа",
    "キーid",
    "密钥id",
    "키id",
    "id",
  ],
  computer: [
    "computername",
    "computer",
    "pscomputername",
    "devicename",
    "hostname",
    "machinename",
    "machine",
    "pcname",
    "host",
    "device",
    "rechnername",
    "rechner",
    "geratename",
    "nomdelordinateur",
    "nomordinateur",
    "nomdhote",
    "ordinateur",
    "nombredelequipo",
    "nombreequipo",
    "equipo",
    "nomecomputer",
    "nomedocomputador",
    "computador",
    "computernaam",
    "nazwakomputera",
    "komputer",
    "datornamn",
    "computernavn",
    "datamaskinnavn",
    "tietokoneennimi",
    "nazevpocitace",
    "имякомпьютера",
    "コンピューター名",
    "计算机名",
    "컴퓨터이름",
    "displayname",
    "dnshostname",
    "samaccountname",
    "azureaddeviceid",
    "deviceid",
  ],
  /** Of the computer in some scripts, of its recovery object in others; the value tells. */
  objectName: ["name", "cn", "title"],
  distinguishedName: ["bitlockerobject", "distinguishedname", "dn", "computerdistinguishedname"],
  /** Of a deleted object: where it was. */
  lastKnownParent: ["lastknownparent"],
  volumeId: ["volumeid", "volumeguid", "msfvevolumeguid"],
  volumeType: ["volumetype", "drivetype", "bitlockerdrivetype"],
  keyPackage: ["msfvekeypackage", "bitlockerrecoverykeypackage", "recoverykeypackage", "keypackage", "recoverypackage"],
  tpmPasswordHash: ["tpmpasswordhash", "mstpmownerinformation"],
  mountPoint: ["mountpoint", "driveletter", "drive", "laufwerk", "lecteur", "unidad", "unita"],
  time: ["lastupdatetime", "whencreated", "createddatetime", "keycreated", "created", "createdat", "backuptime"],
  date: ["date"],
  clock: ["time"],
  offset: ["gmt"],
  protectorType: ["keyprotectortype"],
  protectors: ["keyprotector", "keyprotectors"],
  fileName: ["keyfilename"],
  autoUnlock: ["autounlockprotector"],
  certificateType: ["keycertificatetype"],
  thumbprint: ["thumbprint"],
} as const;

export type Role = keyof typeof names;

const roles = Object.keys(names).filter((role): role is Role => role in names);

/** `Nom de l’ordinateur` → `nomdelordinateur`. */
export const plainName = (name: string): string =>
  name
    .normalize("NFKD")
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]/gu, "");

const roleByName: ReadonlyMap<string, { readonly role: Role; readonly rank: number }> = new Map(
  roles.flatMap((role) => names[role].map((name, rank) => [plainName(name), { role, rank }] as const)),
);

/** Which columns have what, the surest name first. */
export type Columns = ReadonlyMap<Role, readonly number[]>;

/** Finds columns by their names. */
export const columnsByName = (header: readonly string[]): Columns => {
  const found = new Map<Role, { readonly index: number; readonly rank: number }[]>();
  for (const [index, name] of header.entries()) {
    const known = roleByName.get(plainName(name));
    if (known === undefined) continue;
    const others = found.get(known.role) ?? [];
    found.set(known.role, [...others, { index, rank: known.rank }]);
  }
  return new Map(
    [...found].map(([role, columns]) => [
      role,
      columns.toSorted((left, right) => left.rank - right.rank).map(({ index }) => index),
    ]),
  );
};

/** A word that stands for anything, unless a whole GUID or a recovery password is with it. */
export const isWeakName = (name: string): boolean => ["key", "id"].includes(plainName(name));

export const roleOfName = (name: string): Role | undefined => roleByName.get(plainName(name))?.role;

/** Of text: a `Device` or an id may be of anything, and a display name of a user. */
const unsureLabels = ["device", "displayname", "deviceid", "azureaddeviceid"];

/** The label of a line of text (`Host Name: PC-1`) that names a computer. */
export const namesComputer = (label: string): boolean =>
  roleOfName(label) === "computer" && !unsureLabels.includes(plainName(label));

/** What `--column` calls the roles. */
export const givenRoles: ReadonlyMap<string, Role> = new Map([
  ["computer", "computer"],
  ["passwordid", "keyId"],
  ["recoverypassword", "password"],
  ["volumeid", "volumeId"],
  ["volumetype", "volumeType"],
  ["time", "time"],
] as const);
