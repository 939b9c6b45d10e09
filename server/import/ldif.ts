import type { RecoveryRecord, SiteRecord, TpmRecord } from "../site-database/recovery-record.ts";
import { decodeGuid, guidInName } from "../model/guid.ts";
import { computerInName, computerInParts, parseDistinguishedName } from "./distinguished-name.ts";
import { decodeBase64, decodeTime, guidFromBytes } from "./fields.ts";
import { readLines, type Line } from "./lines.ts";
import { BrokenFile, type Reading } from "./reading.ts";
import { checkRecord, checkTpm } from "./record.ts";

interface Attribute {
  readonly line: number;
  /** Bytes where the file has base64, else the text. */
  readonly value: string | Uint8Array;
}

interface Entry {
  readonly line: number;
  /** By name in lower case, without options (`;binary`). */
  readonly attributes: ReadonlyMap<string, readonly Attribute[]>;
}

/** Far more than a computer's or a recovery object's attributes. */
const longestEntry = 1024 * 1024;
/** How many lines are remembered of entries without a password. */
const remembered = 20;

/** `name: text`, `name:: base64`, `name:< URL`; RFC 2849, attrval-spec. */
const attributeLine = /^([A-Za-z0-9][A-Za-z0-9.-]*)(?:;[A-Za-z0-9;-]*)?:(:|<)? *(.*)$/s;

const parseEntry = (lines: readonly Line[]): Entry | undefined => {
  const attributes = new Map<string, Attribute[]>();
  for (const { number, text } of lines) {
    // Ends each part of a changetype: modify, of which nothing is imported anyway.
    if (text === "-") continue;
    const [, name, mark, rest = ""] = attributeLine.exec(text) ?? [];
    if (name === undefined) throw new BrokenFile(number, "this is not a line of LDIF.");
    // `ldapsearch -t` has put it into a file of its own.
    if (mark === "<") continue;
    const value = mark === ":" ? decodeBase64(rest.trimEnd()) : rest;
    if (value === undefined) throw new BrokenFile(number, "this base64 value is damaged or cut off.");
    const attribute = { line: number, value };
    const key = name.toLowerCase();
    const others = attributes.get(key);
    if (others === undefined) attributes.set(key, [attribute]);
    else others.push(attribute);
  }
  const [first] = lines;
  return first === undefined ? undefined : { line: first.number, attributes };
};

/**
 * ldapsearch writes the name of an object that lost a conflict, or was deleted, into its comment as it is: with a line feed,
 * so that the comment goes on where no comment should (MS-ADTS 3.1.1.5.5).
 */
export const isRestOfComment = (text: string): boolean => /^(?:CNF|DEL):[0-9a-f-]*(?:,|$)/i.test(text);

/** Unfolds lines, drops comments, and cuts the text into entries at its blank lines (RFC 2849 §2). */
async function* readEntries(pieces: AsyncIterable<string>): AsyncGenerator<Entry> {
  let lines: { number: number; text: string }[] = [];
  let length = 0;
  let inComment = false;
  const take = (): Entry | undefined => {
    const entry = parseEntry(lines);
    lines = [];
    length = 0;
    inComment = false;
    return entry;
  };
  for await (const batch of readLines(pieces)) {
    for (const { number, text } of batch) {
      const last = lines.at(-1);
      length += text.length;
      if (length > longestEntry) throw new BrokenFile(number, `this entry is longer than ${longestEntry} characters.`);
      if (text === "") {
        const entry = take();
        if (entry !== undefined) yield entry;
      } else if (text.startsWith(" ")) {
        if (inComment) continue;
        if (last === undefined) throw new BrokenFile(number, "a folded line without a line before it.");
        last.text += text.slice(1);
      } else {
        inComment = text.startsWith("#") || (inComment && isRestOfComment(text));
        if (!inComment) lines.push({ number, text });
      }
    }
  }
  const entry = take();
  if (entry !== undefined) yield entry;
}

const textIn = (attribute: Attribute | undefined): string | undefined =>
  attribute === undefined
    ? undefined
    : typeof attribute.value === "string"
      ? attribute.value.trim()
      : Buffer.from(attribute.value).toString("utf8").trim();

/** A GUID is 16 bytes in an export; a hand-made file may have it as text. */
const guidIn = (attribute: Attribute): string | undefined =>
  typeof attribute.value === "string" ? decodeGuid(attribute.value.trim()) : guidFromBytes(attribute.value);

/** Recovery objects whose password the file does not have. */
interface WithoutPassword {
  count: number;
  readonly lines: number[];
}

/** @returns undefined when the entry is no recovery object, or was refused */
const readEntry = (
  { line, attributes }: Entry,
  without: WithoutPassword,
  reading: Reading,
): RecoveryRecord | undefined => {
  const first = (name: string): Attribute | undefined => attributes.get(name)?.[0];
  const parts = parseDistinguishedName(textIn(first("dn")) ?? "");
  const leaf = parts?.[0]?.value ?? "";
  const classes = attributes.get("objectclass")?.map((value) => textIn(value)?.toLowerCase()) ?? [];
  const isRecovery =
    classes.includes("msfve-recoveryinformation") ||
    first("msfve-recoverypassword") !== undefined ||
    first("msfve-recoveryguid") !== undefined ||
    // Cut off before the class that tells: its name does.
    (guidInName(leaf) !== undefined && classes.every((name) => name === "top"));
  if (!isRecovery) return undefined;
  const passwords = attributes.get("msfve-recoverypassword");
  const refuse = (at: number, message: string): undefined => {
    reading.refuse(at, message, passwords?.map((value) => textIn(value) ?? "").join("\n"));
    return undefined;
  };

  if (parts === undefined) return refuse(line, "this entry has no distinguished name, or a damaged one.");
  const change = first("changetype");
  if (change !== undefined && textIn(change)?.toLowerCase() !== "add") {
    return refuse(change.line, "this is a change of an entry, not an entry.");
  }
  const password = passwords?.[0];
  if (password === undefined) {
    without.count += 1;
    if (without.lines.length < remembered) without.lines.push(line);
    return undefined;
  }
  for (const name of ["msfve-recoverypassword", "msfve-recoveryguid", "msfve-volumeguid"]) {
    const second = attributes.get(name)?.[1];
    if (second !== undefined) return refuse(second.line, "this entry has an attribute twice that it can have once.");
  }

  const guid = first("msfve-recoveryguid");
  const keyId = guid === undefined ? guidInName(leaf) : guidIn(guid);
  if (guid !== undefined && keyId === undefined)
    return refuse(guid.line, "msFVE-RecoveryGuid is not a GUID of 16 bytes.");
  const named = guidInName(leaf);
  if (named !== undefined && keyId !== named)
    return refuse(line, "the entry's name has another key id than its msFVE-RecoveryGuid.");
  const volume = first("msfve-volumeguid");
  const volumeId = volume === undefined ? undefined : guidIn(volume);
  if (volume !== undefined && volumeId === undefined)
    return refuse(volume.line, "msFVE-VolumeGuid is not a GUID of 16 bytes.");
  const created = first("whencreated");
  // The object's own name begins with the time the client made the protector, 25 characters of ISO 8601.
  const lastUpdateTime = decodeTime(textIn(created) ?? leaf.slice(0, 25));
  if (created !== undefined && lastUpdateTime === undefined) return refuse(created.line, "whenCreated is not a time.");
  const keyPackage = first("msfve-keypackage");
  if (typeof keyPackage?.value === "string") return refuse(keyPackage.line, "msFVE-KeyPackage is not in base64.");

  return checkRecord(
    {
      line,
      // The recovery object is a child of its computer, unless it was deleted.
      computerName: computerInParts(parts) ?? computerInName(textIn(first("lastknownparent")) ?? ""),
      keyId,
      protector: { kind: "NumericalPassword", password: textIn(password) ?? "", passwordLine: password.line },
      volumeId,
      lastUpdateTime,
      recoveryPackage: keyPackage?.value,
    },
    reading,
  );
};

/**
 * What is known of a TPM: the computer's own attribute, as Windows 7 wrote it, or a TPM object's, whose back links name its computers. An
 * object that names none is of nobody.
 */
const readTpm = ({ line, attributes }: Entry, reading: Reading): readonly TpmRecord[] => {
  const [owner] = attributes.get("mstpm-ownerinformation") ?? [];
  if (owner === undefined) return [];
  const isTpm = attributes.get("objectclass")?.some((one) => textIn(one)?.toLowerCase() === "mstpm-informationobject");
  const names = attributes.get(isTpm === true ? "mstpm-tpminformationforcomputerbl" : "dn") ?? [];
  const lastUpdateTime = isTpm === true ? decodeTime(textIn(attributes.get("whencreated")?.[0]) ?? "") : undefined;
  const records = names.flatMap((name) => {
    const computerName = computerInName(textIn(name) ?? "");
    return checkTpm({ line: owner.line, computerName, tpmPasswordHash: textIn(owner), lastUpdateTime }, reading) ?? [];
  });
  if (records.length === 0) reading.passOver(line);
  return records;
};

/** Objects without a password are judged when it is known whether any had one. */
const judge = (without: WithoutPassword, withPassword: number, reading: Reading): void => {
  const [first] = without.lines;
  if (first === undefined) return;
  if (withPassword === 0 && without.count > 1) {
    throw new BrokenFile(
      first,
      `none of the ${without.count.toLocaleString("en-US")} recovery objects has a readable password: the account that ` +
        "exported them may lack the right to read msFVE-RecoveryPassword.",
    );
  }
  for (const line of without.lines) {
    reading.refuse(
      line,
      "this entry's recovery password is missing: is the file cut off, or may the account not read msFVE-RecoveryPassword?",
    );
  }
  const left = without.count - without.lines.length;
  if (left > 0) reading.refuse(without.lines.at(-1) ?? first, `${left} more entries without a password follow.`);
};

/** Reads an LDIF export of Active Directory; entries without recovery data are left aside. */
export async function* readLdif(pieces: AsyncIterable<string>, reading: Reading): AsyncGenerator<SiteRecord> {
  const without: WithoutPassword = { count: 0, lines: [] };
  let withPassword = 0;
  for await (const entry of readEntries(pieces)) {
    yield* readTpm(entry, reading);
    const record = readEntry(entry, without, reading);
    if (record === undefined) continue;
    withPassword += 1;
    yield record;
  }
  judge(without, withPassword, reading);
}
