import { EndpointError } from "../errors.ts";
import { problemOfNewPassword } from "../model/new-password.ts";

/** The last look at a password that is to stand alone; whoever asked a person for it judged it before. @throws EndpointError InvalidArgument */
export const refuseWeakPassword = (password: string): void => {
  const problem = problemOfNewPassword(password);
  if (problem !== undefined) throw new EndpointError("InvalidArgument", problem);
};
