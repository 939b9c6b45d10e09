/** A page needs one megabyte; a thread that needs more than this is broken, and must not take the server with it. */
export const threadLimits = { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 16 };
