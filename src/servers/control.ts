import type { Logger } from '../util/logger.ts';
import { type Route, Server } from './server.ts';

/**
 * Takes commands from this machine's own command line, without a broker: a socket in the data folder, for its owner.
 * `POST /command?vm=DSM` has the same body as a message on the VM's command topic. Each response is a line, the final
 * one the last. `POST /boot?vm=DSM` follows a boot: its newest lines, each that comes, and the end. Only the holder of the folder's lock may start it.
 */
export interface ControlOptions {
  path: string;
  /** Replies may come at once or later, until a final one. If the client goes away, the command goes on. */
  submit: (vm: string, payload: string, reply: (response: object, final: boolean) => void) => void;
  /** Hears lines of a boot, null at its end; returns how to stop. Null: there is no such VM. */
  follow?: (vm: string, follower: (lines: readonly string[] | null) => void) => (() => void) | null;
  logger: Logger;
  patience?: number;
}

/** Clients that wait for an answer; and as many that have not sent their request yet. */
const mostClients = 8;

export function controlServer({ path, submit, follow, logger, patience }: ControlOptions): Server {
  const command: Route = ({ query, body, others }, reply) => {
    // In the words of an answer to a command.
    const refuse = (status: number, code: string, message: string) =>
      reply({ id: null, command: null, status: 'rejected', code, message }, { status });
    if (body === null) refuse(413, 'invalid_payload', 'a command has at most 8192 bytes');
    else if (others >= mostClients) refuse(503, 'busy', 'too many others wait for an answer here');
    else submit(query.get('vm') ?? '', body, (response, final) => reply(response, { final }));
  };
  const boot: Route = ({ query, others, gone }, reply) => {
    if (others >= mostClients) return reply({ message: 'too many others wait for an answer here' }, { status: 503 });
    reply({ lines: [] }, { final: false });
    const stop = follow?.(query.get('vm') ?? '', lines => reply({ lines: lines ?? [] }, { final: lines === null }));
    if (stop) gone(stop);
    else reply({ message: 'the bridge has no such VM' });
  };
  return new Server({
    ...{ at: { path }, routes: { 'POST /command': command, 'POST /boot': boot }, mostSilent: mostClients, patience },
    unavailable: reason =>
      logger.warn(
        { event: 'control.unavailable', path, reason },
        'no control socket: the command line on this machine reaches this bridge through the broker only',
      ),
  });
}
