import type { Answer } from "../delivery.ts";
import { printable } from "../../model/harmless-text.ts";

const pieceBytes = 64 * 1024;
const encoder = new TextEncoder();

/** Line ends stay; anything else that a terminal would obey is made visible. The file has such characters only if it was tampered with. */
const forTerminal = (text: string): Uint8Array => encoder.encode(text.split("\n").map(printable).join("\r\n"));

/**
 * The cast file, for a script: byte for byte as recorded, or as asciicast v2. On a terminal (`ssh -tt`) nothing of it may be obeyed.
 */
export async function* transcriptPieces(
  { transcript, v2 }: Extract<Answer, { kind: "transcript" }>,
  terminal: boolean,
): AsyncGenerator<Uint8Array> {
  if (v2) {
    for await (const line of transcript.linesV2()) yield terminal ? forTerminal(line) : encoder.encode(line);
    return;
  }
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  for (let from = 0; from < transcript.sizeBytes;) {
    const bytes = await transcript.read(from, pieceBytes);
    if (bytes.length === 0) return;
    from += bytes.length;
    yield terminal ? forTerminal(decoder.decode(bytes, { stream: true })) : bytes;
  }
}
