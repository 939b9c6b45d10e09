import { EndpointError } from "../server/errors.ts";
import type { CertificateMade, CertificateState } from "../server/command/site-database.ts";
import type { CommandContext, Row } from "../server/command/define-command.ts";
import { text } from "../server/command/parameter-kinds.ts";
import { flag, value } from "../server/command/parameters.ts";
import { given } from "../server/command/given.ts";
import { columnsOf } from "../server/command/rows-command.ts";

/** What create-cert and restore-cert have in common: who agreed to it, the master key's password, the answer. */

export const acceptLosing = value(
  text({
    placeholder: "<database>",
    expects: "the site database's name: letters, digits, hyphens and underscores",
    fits: /^[A-Za-z0-9_][A-Za-z0-9_-]{0,127}$/,
  }),
  {
    synopsis:
      "Accepts that encrypted keys which the certificate can't open stay lost. Name the site database: its name in SQL Server, or " +
      "site for the embedded one. Without this, such a certificate is not kept.",
  },
);

export const force = flag({
  synopsis: "Makes the change without a question, for scripts. A person at a terminal is asked in any case.",
});

interface Change {
  readonly command: string;
  readonly question: string;
  readonly force: true | undefined;
  readonly acceptLosing: string | undefined;
}

/** Has a person agree on the trusted path, or a script by its switch; throws otherwise. */
export const agreeTo = async (change: Change, context: CommandContext): Promise<void> => {
  if (!context.interactive) {
    if (change.force === true) return;
    throw new EndpointError(
      "InvalidArgument",
      `${change.command} changes the site database. Add -Force, or log in without a command to be asked.`,
    );
  }
  const loss =
    change.acceptLosing === undefined ? "" : ` Encrypted keys of ${change.acceptLosing} that it can't open STAY LOST.`;
  if (!(await context.confirm(`${change.question}${loss} Go on?`)))
    throw new EndpointError("OperationStopped", "Nothing was changed.");
};

/** Parts of the request that both share; the master key's password is asked for only where there is none. */
export const changeRequest = async (
  { hasMasterKey }: CertificateState,
  accepted: string | undefined,
  context: CommandContext,
) => ({
  ...(hasMasterKey
    ? {}
    : {
        masterKeyPassword: await context.askPassword(
          "Password for the new master key (12 characters or more of three kinds: capitals, small letters, digits, others)",
          "new",
        ),
      }),
  ...given({ acceptUnreadableKeysIn: accepted }),
});

export const madeColumns = columnsOf({ Part: 36, Result: 9, Thumbprint: 64 });

export const rowsOfMade = ({ thumbprint, parts }: CertificateMade): readonly Row[] =>
  parts.map(({ part, result }) => [part, result, thumbprint]);
