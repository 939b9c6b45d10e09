/** A user's name as a client, a certificate or a person gives it. Lower-cased it is also a file's name, so it holds no path. */
export const userName = /^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$/;

export const isUserName = (text: string): boolean => userName.test(text);

/** The form that names files: lower case. Temporary files begin with a dot, which no name does. */
export const isCanonicalUserName = (text: string): boolean => isUserName(text) && text === text.toLowerCase();
