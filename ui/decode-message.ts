import type { ToUi, UiCandidate, UiColumn, UiCommand, UiLookUp } from "./protocol.ts";

type Fields = Readonly<Record<string, unknown>>;

const fields = (raw: unknown): Fields => {
  if (typeof raw !== "object" || raw === null || Array.isArray(raw)) throw new TypeError("not an object");
  return raw as Fields; // an object that is no array: every key of it may be read as unknown
};

const text = (raw: unknown): string => {
  if (typeof raw !== "string") throw new TypeError("not a text");
  return raw;
};

const whole = (raw: unknown): number => {
  if (typeof raw !== "number" || !Number.isSafeInteger(raw) || raw < 0) throw new TypeError("not a whole number");
  return raw;
};

const flag = (raw: unknown): boolean => {
  if (typeof raw !== "boolean") throw new TypeError("neither true nor false");
  return raw;
};

const list = <T>(raw: unknown, decode: (each: unknown) => T): readonly T[] => {
  if (!Array.isArray(raw)) throw new TypeError("not a list");
  return raw.map((each) => decode(each));
};

const parameter = (raw: unknown): UiCommand["parameters"][number] => {
  const { name, synopsis, kind, placeholder, values } = fields(raw);
  if (kind !== "switch" && kind !== "value" && kind !== "list") throw new TypeError("not a kind of parameter");
  return {
    name: text(name),
    synopsis: text(synopsis),
    kind,
    placeholder: text(placeholder),
    ...(values === undefined ? {} : { values: list(values, text) }),
  };
};

const lookUpReason = (raw: unknown): NonNullable<UiLookUp["reason"]> => {
  const { offered, isNeeded, isListed } = fields(raw);
  return { offered: list(offered, text), isNeeded: flag(isNeeded), isListed: flag(isListed) };
};

const lookUpRights = (raw: unknown): UiLookUp => {
  const { minimumNameCharacters, minimumIdCharacters, reason } = fields(raw);
  return {
    minimumNameCharacters: whole(minimumNameCharacters),
    minimumIdCharacters: whole(minimumIdCharacters),
    ...(reason === undefined ? {} : { reason: lookUpReason(reason) }),
  };
};

const candidate = (raw: unknown): UiCandidate => {
  const { computerName, volumeType, keyId, updated, state } = fields(raw);
  return {
    computerName: text(computerName),
    volumeType: text(volumeType),
    keyId: text(keyId),
    updated: text(updated),
    state: text(state),
  };
};

const command = (raw: unknown): UiCommand => {
  const { name, aliases, synopsis, shaping, parameters, lookUp } = fields(raw);
  return {
    name: text(name),
    aliases: list(aliases, text),
    synopsis: text(synopsis),
    shaping: flag(shaping),
    parameters: list(parameters, parameter),
    ...(lookUp === undefined ? {} : { lookUp: lookUpRights(lookUp) }),
  };
};

const column = (raw: unknown): UiColumn => {
  const { name, width, secret } = fields(raw);
  return { name: text(name), width: whole(width), secret: flag(secret) };
};

/** One message of the server. Throws a TypeError on anything else: the process then ends, and gets a fresh successor. */
export const decodeToUi = (payload: Uint8Array): ToUi => {
  const raw = fields(JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(payload)));
  const { type } = raw;
  switch (type) {
    case "open":
      return {
        type,
        columns: whole(raw["columns"]),
        rows: whole(raw["rows"]),
        connectedUser: text(raw["connectedUser"]),
        endpointName: text(raw["endpointName"]),
        welcome: text(raw["welcome"]),
        commands: list(raw["commands"], command),
      };
    case "resize":
      return { type, columns: whole(raw["columns"]), rows: whole(raw["rows"]) };
    case "commands":
      return { type, commands: list(raw["commands"], command) };
    case "suspend":
    case "resume":
    case "input-over":
    case "close":
      return { type };
    case "table":
      return { type, id: whole(raw["id"]), columns: list(raw["columns"], column), list: flag(raw["list"]) };
    case "rows":
      return {
        type,
        id: whole(raw["id"]),
        rows: list(raw["rows"], (row) => list(row, text)),
        more: flag(raw["more"]),
      };
    case "offer":
      return {
        type,
        id: whole(raw["id"]),
        columns: list(raw["columns"], column),
        rows: list(raw["rows"], (row) => list(row, text)),
      };
    case "choose":
      return { type, id: whole(raw["id"]) };
    case "text":
      return { type, id: whole(raw["id"]), text: text(raw["text"]) };
    case "error":
      return { type, id: whole(raw["id"]), category: text(raw["category"]), message: text(raw["message"]) };
    case "end": {
      const { action } = raw;
      if (action !== undefined && action !== "clear" && action !== "exit") throw new TypeError("not an action");
      return {
        type,
        id: whole(raw["id"]),
        exitStatus: whole(raw["exitStatus"]),
        rowCount: whole(raw["rowCount"]),
        ...(action === undefined ? {} : { action }),
      };
    }
    case "transcript":
      return { type, id: whole(raw["id"]), sessionId: text(raw["sessionId"]), bytes: whole(raw["bytes"]) };
    case "piece":
      return { type, id: whole(raw["id"]), from: whole(raw["from"]), base64: text(raw["base64"]) };
    case "candidates":
      return {
        type,
        piece: text(raw["piece"]),
        at: text(raw["at"]),
        rows: list(raw["rows"], candidate),
        message: text(raw["message"]),
      };
    case "notice":
      return { type, text: text(raw["text"]) };
    case "ping":
      return { type, nonce: whole(raw["nonce"]) };
    default:
      throw new TypeError("unknown message");
  }
};
