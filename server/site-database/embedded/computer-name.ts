/** The form in which computer names are compared and ordered: without case, for all letters. */
export const foldComputerName = (name: string): string => name.normalize("NFC").toUpperCase();
