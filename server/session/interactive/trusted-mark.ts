/**
 * Stands before everything the server itself paints. The painter takes it out of what a UI process writes, so where a
 * user sees it, the server asks or speaks.
 */
export const trustedMark = "◆";
