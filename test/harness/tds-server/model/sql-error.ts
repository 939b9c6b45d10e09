/** An error of SQL Server's, thrown inside the model and sent as an error token. */
export class SqlError extends Error {
  readonly number: number;
  readonly class: number;

  constructor(number: number, message: string, severity = 16) {
    super(message);
    this.name = "SqlError";
    this.number = number;
    this.class = severity;
  }
}

export const syntaxError = (near: string): SqlError =>
  // As the server does, it repeats what it could not read, which may be a password.
  new SqlError(102, `Incorrect syntax near '${near}'.`, 15);

/** Also what a login gets that may not see the thing. */
export const notFound = (kind: string, name: string): SqlError =>
  new SqlError(15151, `Cannot find the ${kind} '${name}', because it does not exist or you do not have permission.`);

export const denied = (permission: string, object: string): SqlError =>
  new SqlError(229, `The ${permission} permission was denied on the object '${object}'.`, 14);
