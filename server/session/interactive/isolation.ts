/**
 * Why no screen may start; `undefined`: screens may. A server that is not root can't give UI processes another account than its own,
 * and code that got out of one could then read what the server reads. That is the administrator's to accept, by name.
 *
 * @param uid the server's; `undefined` where the system has none
 */
export const whyNoScreens = (uid: number | undefined, acceptSharedAccount: boolean): string | undefined =>
  uid === 0 || acceptSharedAccount
    ? undefined
    : "This server starts no screens: it does not run as root, so they would have its own account. Your administrator can " +
      'start it as root, or accept that in endpoint.json: "userInterface": { "acceptSharedAccount": true }. ' +
      "Command lines work: ssh HOST 'Get-Command'.";
