/** A page needs one megabyte; a thread that needs more than this is broken, and must not take the server with it. */
export const threadLimits = { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 16 };

/**
 * Pages asked for ahead of who reads, so that the thread works on while a batch is put on the record and sent. Decrypted keys that
 * wait for a slow client are at most so many pages.
 */
export const pagesAhead = 4;
