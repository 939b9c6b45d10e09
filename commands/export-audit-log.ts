import { EndpointError } from "../server/errors.ts";
import { defineCommand } from "../server/command/define-command.ts";

export const exportAuditLog = defineCommand({
  name: "Export-AuditLog",
  synopsis: "Sends the whole record as a tar archive, to keep and verify elsewhere.",
  description:
    "Log, checkpoints, public key and transcripts, as the newest checkpoint signs them, on standard output: for scripts only. Then, " +
    "without this endpoint: tar xf record.tar && pep audit verify --data-dir pep-record --public-key log-key.pub (a copy of the key " +
    "that you kept elsewhere). The record holds no recovery key; its transcripts hold what people typed and saw.",
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
