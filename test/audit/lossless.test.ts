import { array, assert, asyncProperty, constant, integer, oneof, string, uint8Array } from "fast-check";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { transcriptsIn } from "../../server/audit/transcript.ts";
import { Glyphs } from "../../server/session/interactive/glyphs.ts";
import { Painter } from "../../server/session/interactive/painter.ts";
import { rounds } from "../harness/share.ts";
import { temporaryDirectory } from "../harness/temporary-directory.ts";

const key = "719356-523875-462396-049016-394317-508893-349525-271326";

/*
 * ATTACK  A UI process writes bytes that are no UTF-8, cut anywhere, between the glyphs of a key.
 * DANGER  What a person saw can't be rebuilt from the transcript.
 * EXPECT  Whatever the bytes, what reaches the client is text, and the transcript has the same text, glyphs as `•`.
 */
test("every byte that a screen shows can be rebuilt from its transcript, but for the masked glyphs", async () => {
  const directory = temporaryDirectory();
  let run = 0;
  await assert(
    asyncProperty(
      array(oneof(uint8Array({ maxLength: 40 }), constant("glyphs"), string({ unit: "binary" })), {
        maxLength: 12,
      }),
      integer({ min: 1, max: 7 }),
      async (parts, cut) => {
        run += 1;
        const glyphs = new Glyphs();
        const painter = new Painter(glyphs);
        const painted = glyphs.reveal(key, 1);
        const bytes = Buffer.concat(
          parts.map((part) => (part === "glyphs" ? Buffer.from(painted) : Buffer.from(part as string))), // Uint8Array or string: both overloads
        );
        const open = transcriptsIn(directory, { now: () => new Date(), clockMs: () => 0 });
        const transcript = await open({ sessionId: `S-${run}`, columns: 80, rows: 24, term: "xterm" });
        const shown: Buffer[] = [];
        let characters = 0;
        for (let at = 0; at < bytes.length; at += cut) {
          const piece = painter.paint(bytes.subarray(at, at + cut));
          await transcript.output(piece.recorded);
          shown.push(Buffer.from(new TextEncoder().encode(piece.shown)));
          characters += Array.from(piece.shown).length;
        }
        await transcript.close(0);
        const recorded = readFileSync(join(directory, transcript.fileName), "utf8")
          .trimEnd()
          .split("\n")
          .map((line): unknown => JSON.parse(line))
          .flatMap((event) => (Array.isArray(event) && event[1] === "o" ? [String(event[2])] : []))
          .join("");
        const before = Array.from(Buffer.concat(shown).toString("utf8"));
        const after = Array.from(recorded);
        expect(after).toHaveLength(characters);
        expect(recorded).not.toContain(key.slice(0, 13));
        for (const [index, character] of after.entries()) {
          if (character === "•") expect(before[index]).toMatch(/[\d•-]/);
          else expect(before[index]).toBe(character);
        }
      },
    ),
    { numRuns: rounds(100, 300) },
  );
});
