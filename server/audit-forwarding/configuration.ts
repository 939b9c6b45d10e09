import * as z from "zod";

const pemFile = (description: string, example: string) =>
  z
    .string()
    .min(1)
    .register(z.globalRegistry, { description: `PEM file: ${description}`, examples: [example] });

/**
 * `syslog` of endpoint.json. TLS with certificates on both sides and nothing else: there is no plain TCP or UDP, and strict, so
 * that a setting which asks for it is an error and not ignored.
 */
export const syslogReceiver = z.strictObject({
  server: z
    .string()
    .regex(/^[A-Za-z0-9._:-]{1,255}$/, "must be a host name or an address")
    .register(z.globalRegistry, {
      description: "The receiver's host name or address.",
      examples: ["siem.example.com"],
    }),
  port: z.number().int().min(1).max(65_535).default(6514).register(z.globalRegistry, {
    description: "The receiver's port. The default is IANA's for syslog over TLS.",
    unit: "port",
  }),
  serverName: z
    .string()
    .regex(/^[A-Za-z0-9.-]{1,255}$/)
    .optional()
    .register(z.globalRegistry, {
      description: "The name that the receiver's certificate must be for.",
      leftOut: "`server`",
      examples: ["siem.example.com"],
    }),
  ca: pemFile("the authority of the receiver's certificate.", "/etc/pep/siem-ca.pem"),
  certificate: pemFile("this endpoint's certificate, with its chain.", "/etc/pep/pep.pem"),
  key: pemFile("this endpoint's private key.", "/etc/pep/pep.key"),
  format: z
    .enum(["cef", "json"])
    .default("json")
    .register(z.globalRegistry, { description: "How the body of a message is written." }),
  enterpriseId: z.number().int().min(1).max(0xff_ff_ff_ff).default(32_473).register(z.globalRegistry, {
    description:
      "Private enterprise number behind the `@` of the structured data. The default is for examples (RFC 5612): put in your own.",
    unit: "number",
  }),
  resendSeconds: z.number().int().min(1).max(3600).default(30).register(z.globalRegistry, {
    description: "How long the receiver may hold what it has read. That much is sent again after a loss.",
    unit: "seconds",
  }),
  warnAfterEvents: z
    .number()
    .int()
    .min(1)
    .default(10_000)
    .register(z.globalRegistry, { description: "So many unconfirmed events are worth a warning.", unit: "events" }),
  warnAfterMinutes: z.number().min(0.01).max(10_080).default(5).register(z.globalRegistry, {
    description: "So long without a confirmation, while events wait, is worth a warning.",
    unit: "minutes",
  }),
});

/** With the paths resolved. */
export type SyslogReceiver = Readonly<z.infer<typeof syslogReceiver>>;

/** `siem.example.com:6514`, for people. */
export const nameOf = ({ server, port }: SyslogReceiver): string =>
  `${server.includes(":") ? `[${server}]` : server}:${port}`;
