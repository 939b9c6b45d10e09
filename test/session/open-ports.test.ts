import { expect, test } from "vitest";
import type { CommandContext, EstimateContext } from "../../server/command/define-command.ts";
import type { AuditEvent } from "../../server/audit/event.ts";
import { OnRecord } from "../../server/audit/on-record.ts";
import { EndpointError } from "../../server/errors.ts";
import { createMemorySite, makeKeys } from "../commands/memory-site.ts";
import { portsOf, startOnRecord } from "../harness/closed-ports.ts";

const siteDatabase = createMemorySite(makeKeys(6));
const { signal } = new AbortController();
const now = (): Date => new Date();
const ended: Extract<AuditEvent, { type: "server-stopped" }> = { type: "server-stopped", reason: "test" };

test("no context without the proof of a durable event: the compiler says so", async () => {
  // @ts-expect-error the ports alone are no context: the proof is missing
  const bare: EstimateContext = { siteDatabase, signal, now };
  // @ts-expect-error a literal is no proof, whatever it says of itself
  const literal: OnRecord<"elevation"> = { type: "elevation" };
  // @ts-expect-error only OnRecord.put makes one
  const made = (): unknown => new OnRecord("elevation");
  // @ts-expect-error nor is the event itself
  const event: CommandContext["opening"] = ended;
  const other = await OnRecord.put({ append: () => Promise.resolve() }, ended);
  // @ts-expect-error another event's proof opens nothing
  const opened = portsOf(siteDatabase).forEstimate(other, { keyBounds: undefined, signal });
  // @ts-expect-error a command's proof doesn't open what a request for approval is counted with
  portsOf(siteDatabase).forEstimate(await startOnRecord(), { keyBounds: undefined, signal });
  expect([bare, literal, made, event, opened].length).toBe(5);
});

test("what can't be recorded gives no proof", async () => {
  const failing = { append: () => Promise.reject(new EndpointError("AuditUnavailable", "The disk is full.")) };
  await expect(OnRecord.put(failing, ended)).rejects.toThrow("The disk is full.");
});

test("the proof comes when the event is durable, not before", async () => {
  const durable = Promise.withResolvers<void>();
  let proof: OnRecord<"server-stopped"> | undefined;
  const putting = OnRecord.put({ append: () => durable.promise }, ended).then((made) => (proof = made));
  await Promise.resolve();
  expect(proof).toBeUndefined();
  durable.resolve();
  expect((await putting).type).toBe("server-stopped");
});

test("the opened site has the keys of the bounds only", async () => {
  const context = portsOf(siteDatabase).forCommand(await startOnRecord(), {
    keyBounds: { computerName: { allows: (name) => name === "PC-0002" } },
    reviewer: { connectedUser: "alice" },
    signal,
  });
  expect(await context.siteDatabase.countRecoveryKeys({}, signal)).toBe(3);
});
