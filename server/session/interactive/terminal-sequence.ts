const escape = "\u001b";

/** Prefix, parameters, intermediates, final byte (ECMA-48 §5.4). */
const shape = /^([<-?]?)([0-9;:]*)([ -/]*)([@-~])$/;
/** Cursor movement (A–H, f, d), erase (J, K, X). */
const movesOrErases = /^[A-HfdJKX]$/;
const fewSmallNumbers = /^[0-9]{0,4}(?:;[0-9]{0,4})?$/;
/** Cursor visible, bracketed paste, synchronised output. */
const switchableModes = new Set(["25", "2004", "2026"]);
/** How many parts follow `38`, `48`, `58` in the form with semicolons: `5;n` and `2;r;g;b`. */
const colourParts: Readonly<Record<string, number>> = { "5": 2, "2": 4 };

/**
 * Whether a rendition is kept for the trusted path: any background (40–48, 100–107), and hiding (8).
 * Only the server's own prompts stand in reverse video, so that no UI process can paint one (see the README).
 */
const isReserved = (code: number): boolean => code === 8 || (code >= 40 && code <= 48) || (code >= 100 && code <= 107);

/** Reverse video becomes underlining: what the UI marks with it stays marked, and can't look like a trusted prompt. */
const insteadOf: Readonly<Record<number, string>> = { 7: "4", 27: "24" };

/** The parameters of SGR without the reserved ones; undefined when nothing is left, or terminals might disagree on it. */
const renditionOf = (parameters: string): string | undefined => {
  if (parameters === "") return "";
  const parts = parameters.split(";");
  const kept: string[] = [];
  for (let at = 0; at < parts.length; at += 1) {
    const part = parts[at] ?? "";
    if (!/^[0-9]{0,4}(?::[0-9]{0,4}){0,6}$/.test(part)) return undefined;
    const [head = "", ...sub] = part.split(":");
    const code = Number(head);
    const taken = [part];
    if ((code === 38 || code === 48 || code === 58) && sub.length === 0) {
      const count = colourParts[parts[at + 1] ?? ""];
      const colour = parts.slice(at + 1, at + 1 + (count ?? 0));
      if (count === undefined || colour.length !== count || !colour.every((n) => /^[0-9]{1,3}$/.test(n))) {
        return undefined;
      }
      taken.push(...colour);
      at += count;
    }
    const instead = insteadOf[code];
    if (instead !== undefined) kept.push(instead);
    else if (!isReserved(code)) kept.push(...taken);
  }
  return kept.length === 0 ? undefined : kept.join(";");
};

/**
 * What of a control sequence may reach the user's terminal: colours, cursor movement, erasing, cursor visibility,
 * bracketed paste and synchronised output. A list of what passes, not of what is bad: terminals know reports (DSR, DA,
 * DECRQM, window operations) that make them type back into the session, and new ones keep coming.
 *
 * @param body what stands between `ESC [` and the end of the final byte
 * @returns the sequence to send, written anew, or undefined
 */
export const allowedControlSequence = (body: string): string | undefined => {
  const [, prefix = "", parameters = "", intermediates = "", final = ""] = shape.exec(body) ?? [];
  if (final === "" || intermediates !== "") return undefined;
  if (prefix === "?") {
    const modes = parameters.split(";");
    return (final === "h" || final === "l") && modes.every((mode) => switchableModes.has(mode))
      ? `${escape}[?${parameters}${final}`
      : undefined;
  }
  if (prefix !== "") return undefined;
  if (final === "m") {
    const rendition = renditionOf(parameters);
    return rendition === undefined ? undefined : `${escape}[${rendition}m`;
  }
  if (final === "s" || final === "u") return parameters === "" ? `${escape}[${final}` : undefined;
  return movesOrErases.test(final) && fewSmallNumbers.test(parameters) ? `${escape}[${parameters}${final}` : undefined;
};

/** What may follow a bare ESC: saving and restoring the cursor (DECSC, DECRC). */
export const allowedEscape = (character: string): string | undefined =>
  character === "7" || character === "8" ? `${escape}${character}` : undefined;
