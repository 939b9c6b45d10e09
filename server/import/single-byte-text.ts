/**
 * The upper half of code page 850, in which cmd.exe of western Windows writes what is redirected to a file (`> keys.txt`).
 * 437, that of the United States, has the same letters in the same places, but for few.
 */
const upperHalf =
  "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜø£Ø×ƒáíóúñÑªº¿®¬½¼¡«»░▒▓│┤ÁÂÀ©╣║╗╝¢¥┐└┴┬├─┼ãÃ╚╔╩╦╠═╬¤ðÐÊËÈıÍÎÏ┘┌█▄¦Ì▀ÓßÔÒõÕµþÞÚÛÙýÝ¯´" +
  "\u00AD±‗¾¶§÷¸°¨·¹³²■\u00A0";

const oem = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => (byte < 0x80 ? String.fromCharCode(byte) : (upperHalf[byte - 0x80] ?? "\uFFFD"))).join(
    "",
  );

/** No characters of windows-1252. */
const unused: ReadonlySet<number> = new Set([0x81, 0x8f, 0x90, 0x9d]);
/** Marks of windows-1252 (‚ „ † ‡ ˆ ‰ ‹ “ ” • ˜), which stand inside no word; in code page 850 é ä å ç ê ë ï ô ö ò ÿ. */
const marks: ReadonlySet<number> = new Set([0x82, 0x84, 0x86, 0x87, 0x88, 0x89, 0x8b, 0x93, 0x94, 0x95, 0x98]);

const isLetter = (byte: number | undefined): boolean =>
  byte !== undefined && /[A-Za-z]/.test(String.fromCharCode(byte));
const isCapital = (byte: number | undefined): boolean => byte !== undefined && byte >= 0x41 && byte <= 0x5a;

/** Whether bytes are words in code page 850 only: `Büro` and `Schlüssel` in it have marks of windows-1252 in the middle. */
const looksOem = (bytes: Uint8Array): boolean =>
  bytes.some((byte, index) => {
    if (unused.has(byte)) return true;
    const [before, after] = [bytes[index - 1], bytes[index + 1]];
    if (marks.has(byte)) return isLetter(before) && isLetter(after);
    // `BÜRO`: a small š between capitals is none.
    return byte === 0x9a && isCapital(before) && isCapital(after);
  });

/**
 * Decodes bytes that are no UTF-8: the ANSI code page of western Windows (`Add-Content`, ldifde, Notepad), or its OEM code
 * page (cmd.exe). A file is of one of them, so a part that can only be OEM tells for what follows, too.
 */
export const createSingleByteDecoder = (): ((bytes: Uint8Array) => string) => {
  const ansi = new TextDecoder("windows-1252");
  let isOem = false;
  return (bytes) => {
    isOem ||= looksOem(bytes);
    return isOem ? oem(bytes) : ansi.decode(bytes);
  };
};
