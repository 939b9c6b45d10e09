import * as z from "zod";

const path = z.string().min(1);

/**
 * `syslog` of endpoint.json. TLS with certificates on both sides and nothing else: there is no plain TCP or UDP, and strict, so
 * that a setting which asks for it is an error and not ignored.
 */
export const syslogReceiver = z.strictObject({
  /** Host name or address. */
  server: z.string().regex(/^[A-Za-z0-9._:-]{1,255}$/, "must be a host name or an address"),
  /** IANA's syslog-tls. */
  port: z.number().int().min(1).max(65_535).default(6514),
  /** The name that the receiver's certificate must be for, where it is not `server`. */
  serverName: z
    .string()
    .regex(/^[A-Za-z0-9.-]{1,255}$/)
    .optional(),
  /** PEM files: the authority of the receiver's certificate, and this endpoint's own certificate (with its chain) and key. */
  ca: path,
  certificate: path,
  key: path,
  format: z.enum(["cef", "json"]).default("json"),
  /** Private enterprise number after the `@` of the structured data; 32473 is the one for examples (RFC 5612). */
  enterpriseId: z.number().int().min(1).max(0xff_ff_ff_ff).default(32_473),
  /** How long the receiver may hold what it has read before it is safe there: that much is sent again after a loss. */
  resendSeconds: z.number().int().min(1).max(3600).default(30),
  warnAfterEvents: z.number().int().min(1).default(10_000),
  warnAfterMinutes: z.number().min(0.01).max(10_080).default(5),
});

/** With the paths resolved. */
export type SyslogReceiver = Readonly<z.infer<typeof syslogReceiver>>;

/** `siem.example.com:6514`, for people. */
export const nameOf = ({ server, port }: SyslogReceiver): string =>
  `${server.includes(":") ? `[${server}]` : server}:${port}`;
