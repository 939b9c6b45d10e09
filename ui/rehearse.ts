import { encodeFrame, frameKind, type ToUi, type UiCommand } from "./protocol.ts";
import { serveFrames } from "./serve-frames.ts";

const commands: readonly UiCommand[] = [
  {
    name: "Get-Rehearsal",
    aliases: [],
    synopsis: "Shows nothing to anybody.",
    shaping: false,
    parameters: [
      { name: "ComputerName", synopsis: "Of these.", kind: "list", placeholder: "<name>" },
      { name: "Format", synopsis: "How.", kind: "value", placeholder: "<format>", values: ["table", "json"] },
      { name: "Latest", synopsis: "Only the newest.", kind: "switch", placeholder: "" },
    ],
  },
  { name: "Select-Object", aliases: [], synopsis: "Picks columns.", shaping: true, parameters: [] },
];

const columns = [
  { name: "ComputerName", width: 16, secret: false },
  { name: "PasswordId", width: 36, secret: false },
  { name: "RecoveryKey", width: 55, secret: true },
];
/** As a key's glyphs are: each one column wide, outside the basic plane. */
const glyphs = String.fromCodePoint(...Array.from({ length: 55 }, (_, index) => 0xf0000 + index));
const rows = Array.from({ length: 3 }, (_, index) => [`LAPTOP-${index}`, "9".repeat(36), glyphs]);

const line = "Get-Rehearsal -ComputerName PC-1 -La\t| Sel\u007f\u007fel";

/** A made-up session, from its opening to its close, in the frames that the server would send. */
const sessionFrames = (): readonly Uint8Array[] => {
  const session = 1;
  const utf8 = new TextEncoder();
  const message = (content: ToUi): Uint8Array =>
    encodeFrame(frameKind.message, session, utf8.encode(JSON.stringify(content)));
  const typed = (text: string): Uint8Array => encodeFrame(frameKind.terminal, session, utf8.encode(text));
  const open = {
    type: "open",
    columns: 100,
    rows: 30,
    connectedUser: "nobody",
    endpointName: "pep",
    welcome: "Nobody sees this.",
    commands,
  } as const;
  return [
    message(open),
    ...Array.from(line, typed),
    typed("\r"),
    message({ type: "table", id: 1, columns, list: false }),
    message({ type: "rows", id: 1, rows, more: false }),
    message({ type: "text", id: 1, text: "3 keys.\n" }),
    message({ type: "end", id: 1, exitStatus: 0, rowCount: rows.length }),
    typed("Get\r"),
    message({ type: "error", id: 2, category: "CommandNotFound", message: "Not recognised." }),
    message({ type: "end", id: 2, exitStatus: 127, rowCount: 0 }),
    message({ type: "close" }),
  ];
};

/**
 * Plays a session to nobody, one frame a turn of the event loop, so that the first person on this process does not type into
 * code that was never run: V8's code cache brings bytecode along, and this is about what comes after. One session is enough: four
 * took a quarter of a second more and made no first key faster.
 *
 * @param isWanted asked before each frame; false ends it, as somebody is there
 * @returns when it is over
 */
export const rehearse = async (
  parts: { readonly color: boolean; readonly onLost: () => void },
  isWanted: () => boolean,
): Promise<void> => {
  const receive = serveFrames({
    ...parts,
    write: () => undefined,
    clock: { now: () => performance.now(), after: () => ({ cancel: () => undefined }) },
  });
  for (const frame of sessionFrames()) {
    await new Promise((resolve) => setImmediate(resolve));
    if (!isWanted()) return;
    receive(frame);
  }
};
