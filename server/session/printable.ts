/**
 * Makes foreign text safe for a terminal: what a terminal would obey becomes visible instead (a computer name may hold
 * anything that a client once sent to the site). Control characters become their pictures (U+2400 block), other
 * invisible or reordering characters and lone surrogates become `\u{…}`.
 */
export const printable = (text: string): string =>
  text.replace(
    /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g,
    (character) => {
      const code = character.charCodeAt(0);
      if (code < 0x20) return String.fromCharCode(0x2400 + code);
      if (code === 0x7f) return "\u2421";
      return `\\u{${code.toString(16)}}`;
    },
  );

/** Takes private-use code points out of foreign text: on a screen they are glyphs, which stand for keys (design §5). */
export const withoutPrivateUse = (text: string): string =>
  text.replace(/[\ue000-\uf8ff\u{f0000}-\u{fffff}\u{100000}-\u{10ffff}]/gu, "");
