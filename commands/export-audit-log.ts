import { EndpointError } from "../server/errors.ts";
import { defineCommand } from "../server/command/define-command.ts";

export const exportAuditLog = defineCommand({
  name: "Export-AuditLog",
  synopsis: "Sends the whole record as a tar archive, to keep and verify elsewhere.",
  description:
    "Writes log, checkpoints, public key and transcripts to standard output, as the newest checkpoint signs them. For scripts only. To " +
    "check them elsewhere: tar xf record.tar, then pep audit verify --data-dir pep-record --public-key log-key.pub. Take the copy of the " +
    "key that you kept. The record holds no recovery key. Its transcripts show what people typed and saw.",
  examples: [{ line: "Export-AuditLog", explains: "From your own machine: ssh HOST Export-AuditLog > record.tar" }],
  parameters: {},
  run: async (_, { review, interactive }) => {
    if (interactive) {
      throw new EndpointError(
        "InvalidArgument",
        "A screen can't take a file. Run it from your own machine: ssh HOST Export-AuditLog > record.tar",
      );
    }
    return { kind: "bytes", chunks: await review.exportRecord() };
  },
});
