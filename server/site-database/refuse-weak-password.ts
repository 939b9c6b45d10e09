import { EndpointError } from "../errors.ts";
import { problemOfNewPassword } from "../model/new-password.ts";

/** Refuses a weak password right before it is used. A prompt has judged it already. @throws EndpointError InvalidArgument */
export const refuseWeakPassword = (password: string): void => {
  const problem = problemOfNewPassword(password);
  if (problem !== undefined) throw new EndpointError("InvalidArgument", problem);
};
