import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { auditEventJsonSchema } from "../../server/audit/event.ts";

const path = join(import.meta.dirname, "../../server/audit/audit-event.schema.json");

test("the published JSON Schema of the log's lines is what the log accepts", () => {
  const published: unknown = JSON.parse(readFileSync(path, "utf8"));
  expect(published, "write it again: see server/audit/README.md").toEqual(
    JSON.parse(JSON.stringify(auditEventJsonSchema())),
  );
});
