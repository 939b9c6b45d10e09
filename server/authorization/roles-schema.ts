import { userName } from "../model/user-name.ts";
import * as z from "zod";
import { commandOrParameterName, ruleSchemas } from "./entry-rules.ts";

/** A letter first: such keys keep the file's order in a JavaScript object, and none is `__proto__`. */
const roleName = z
  .string()
  .regex(
    /^[A-Za-z][A-Za-z0-9._-]{0,63}$/,
    "must be a name: a letter, then up to 63 letters, digits, dots, underscores or hyphens",
  );

const user = z.string().regex(userName, "must be a user's name: letters, digits, dots, underscores, @ or hyphens");

const limitedParameter = z
  .strictObject({
    name: commandOrParameterName.describe("The parameter's name."),
    validateSet: z
      .array(z.string().min(1).max(1024))
      .min(1)
      .max(500)
      .optional()
      .describe(
        "The values allowed, compared without case; each value of a list is checked. On ComputerName and VolumeType it bounds the keys shown, too.",
      ),
    validatePattern: z
      .string()
      .min(1)
      .max(500)
      .optional()
      .describe(
        "A regular expression (RE2) for the whole value, without case. With a set too, both must hold. On ComputerName and VolumeType it bounds the keys shown, too.",
      ),
  })
  .describe("A parameter, and which of its values are allowed.");

const limitedCommand = z
  .strictObject({
    name: commandOrParameterName.describe("The command's name."),
    parameters: z
      .array(z.union([commandOrParameterName, limitedParameter]))
      .max(50)
      .optional()
      .describe("Only these parameters. Left out: all but the restricted ones."),
    ...ruleSchemas,
  })
  .describe("A command, and how it may be used.");

const requireSecondFactor = z
  .boolean()
  .optional()
  .describe("Its holders log in with a code after the key (pep users enrol), at any time and from anywhere.");

const roleCapability = z.strictObject({
  description: z.string().max(500).optional().describe("For people. It decides nothing."),
  requireSecondFactor,
  visibleCommands: z
    .array(z.union([commandOrParameterName, limitedCommand]))
    .max(200)
    .describe("The commands: a name, which grants all but the restricted parameters, or a command with its rules."),
});

export type GroupCondition =
  | string
  | { readonly And: readonly GroupCondition[] }
  | { readonly Or: readonly GroupCondition[] };

const groupCondition: z.ZodType<GroupCondition> = z.lazy(() =>
  z.union([
    roleName,
    z.strictObject({ And: z.array(groupCondition).min(1).max(50) }),
    z.strictObject({ Or: z.array(groupCondition).min(1).max(50) }),
  ]),
);

const minutesADay = 24 * 60;

const clock = z.string().regex(/^(?:[01][0-9]|2[0-3]):[0-5][0-9]$/, "must be a time of day as 08:30");

const roleDefinition = z.strictObject({
  roleCapabilities: z.array(roleName).min(1).max(50).describe("The role capabilities, by name."),
  requireSecondFactor,
  when: z
    .strictObject({
      days: z
        .array(z.enum(["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]))
        .min(1)
        .max(7)
        .optional()
        .describe("Left out: every day."),
      from: clock.describe("Included."),
      to: clock.describe("Not included. Earlier than from: on the next day."),
      timeZone: z.string().min(1).max(64).describe("As Europe/Berlin, or UTC."),
    })
    .optional()
    .describe("Only at these times; a session that runs loses these rights when they end."),
  from: z
    .array(z.string().min(1).max(64))
    .min(1)
    .max(100)
    .optional()
    .describe("Only from these addresses and networks, as 192.0.2.0/24."),
});

/** jea-roles.json as written: the decoder and the published JSON Schema both come from here. */
export const rolesFile = z
  .strictObject({
    $schema: z.string().optional(),
    roleCapabilities: z
      .record(roleName, roleCapability)
      .describe("What a role may run. Where several entries allow a line, the first in this file's order counts."),
    roleDefinitions: z
      .record(z.string().regex(/^(?:user|group):.+$/, 'must be "user:NAME" or "group:NAME"'), roleDefinition)
      .describe('Who has which roles: "user:NAME" or "group:NAME".'),
    groups: z.record(roleName, z.array(user).max(10_000)).optional().describe("The members of each group."),
    requiredGroups: groupCondition
      .optional()
      .describe('Who may connect at all: a group, or {"And": […]} or {"Or": […]} of such conditions.'),
    session: z
      .strictObject({
        idleTimeoutMinutes: z
          .number()
          .int()
          .min(1)
          .max(minutesADay)
          .optional()
          .describe("After this time without a key press the session ends. Left out: 15."),
        idleLockMinutes: z
          .number()
          .int()
          .min(1)
          .max(minutesADay)
          .optional()
          .describe(
            "After this time without a key press the screen is cleared and locked. The session of a user without a second factor ends instead. Left out: two thirds of idleTimeoutMinutes.",
          ),
        longestSessionMinutes: z
          .number()
          .int()
          .min(1)
          .max(7 * minutesADay)
          .optional()
          .describe("A session ends after this, whatever it does. Left out: 480."),
        sessionsPerUser: z
          .number()
          .int()
          .min(1)
          .max(1000)
          .optional()
          .describe("Sessions that one user may have at a time. Left out: 20."),
        commandsPerUser: z
          .number()
          .int()
          .min(1)
          .max(100)
          .optional()
          .describe("Commands of one user that run at a time; further ones wait their turn. Left out: 4."),
        approvalMinutes: z
          .number()
          .int()
          .min(1)
          .max(minutesADay)
          .optional()
          .describe("How long an approval can be used, once. Left out: 15."),
        requestMinutes: z
          .number()
          .int()
          .min(1)
          .max(minutesADay)
          .optional()
          .describe("How long a request waits for a decision. Left out: 60."),
        requireAcceptance: z
          .boolean()
          .optional()
          .describe(
            "Interactive sessions begin with the legal notice and a question that only yes answers. A command line has none: there the log-in past the banner counts.",
          ),
        legalNotice: z
          .string()
          .max(4096)
          .regex(
            /^[^\p{Cc}\p{Cf}\p{Co}\p{Cs}]*(?:\n[^\p{Cc}\p{Cf}\p{Co}\p{Cs}]*)*$/u,
            "must not hold control characters but line breaks",
          )
          .optional()
          .describe("The SSH banner, shown before the log-in. Left out: none."),
      })
      .optional()
      .describe("What is the same for everybody."),
  })
  .describe("Who may run what on a privileged endpoint.");

export type RolesFile = z.infer<typeof rolesFile>;

/** The JSON Schema for editors; `jea-roles.schema.json` is this, and a test keeps it so. */
export const rolesJsonSchema = (): unknown => z.toJSONSchema(rolesFile, { io: "input" });
