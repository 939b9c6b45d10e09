export { createEmbeddedSiteDatabase, openEmbeddedSiteDatabase } from "./database.ts";
export type { EmbeddedSiteDatabase } from "./database.ts";
export type { RowsExamined } from "./examine-rows.ts";
export { createMasterKeyFile } from "./master-key.ts";
export type { MasterKeySource } from "./master-key.ts";
export { openRecoveryRecordWriter } from "./write-records.ts";
