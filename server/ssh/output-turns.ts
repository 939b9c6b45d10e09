/** Something with output for the connection, one packet at a time. */
export interface Sender {
  /** Sends at most one packet. @returns whether it has another one to send right now */
  sendNext(): boolean;
}

export interface OutputTurns {
  /** Gives a sender its turn as soon as the connection can take output. */
  want(sender: Sender): void;
  forget(sender: Sender): void;
  /** The connection may be able to take output again: a socket drained, a key exchange ended. */
  resume(): void;
}

/**
 * Shares one connection among its channels, a packet each in turn, and only while `mayArrive` says that output would get
 * somewhere. ssh2 ignores what `socket.write()` returns and queues without bound during a key exchange; one channel
 * that fills the socket again at each drain would starve the others.
 */
export const createOutputTurns = (mayArrive: () => boolean): OutputTurns => {
  const waiting = new Set<Sender>();
  let running = false;
  const run = (): void => {
    if (running) return; // sendNext() may lead to another want()
    running = true;
    try {
      for (const sender of waiting) {
        if (!mayArrive()) return;
        waiting.delete(sender);
        if (sender.sendNext()) waiting.add(sender); // at the end: a Set keeps insertion order
      }
    } finally {
      running = false;
    }
  };
  return {
    want: (sender) => {
      waiting.add(sender);
      run();
    },
    forget: (sender) => {
      waiting.delete(sender);
    },
    resume: run,
  };
};
