import { enumerate } from '../../util/enumerate.ts';
import { probeTcp, type TcpProbe } from '../../util/tcp-probe.ts';
import { bare, type Findings, type Limits } from '../finding.ts';

interface TcpTarget {
  address: string;
  ports: readonly number[];
}

/** Error codes that mean that this machine itself has no route. */
const noRoute = 'ENETUNREACH';

/** Whether the ports, one at least, accept connections. Tries all at once, and closes each connection at once. */
export async function tcp({ address, ports }: TcpTarget, limits: Limits): Promise<Findings['tcp']> {
  limits.signal.throwIfAborted();
  const tries = await Promise.all(ports.map(async port => ({ port, ...(await probeTcp(address, port, limits)) })));
  limits.signal.throwIfAborted();
  const portsOf = (answer: TcpProbe['answer']) => tries.filter(each => each.answer === answer).map(({ port }) => port);
  const [open, refused] = [portsOf('open'), portsOf('refused')];
  const closed = tries.filter(({ answer }) => answer !== 'open').map(({ port }) => port);
  if (tries.every(({ code }) => code === noRoute)) {
    return { ...bare('tcp', 'not_applicable', `This machine has no route to ${address}.`), closed };
  }
  const times = tries.filter(({ answer }) => answer === 'open').map(({ ms }) => ms);
  const clauses = Object.entries(words).flatMap(([answer, [one, more]]) => {
    const such = portsOf(answer as TcpProbe['answer']);
    if (such.length === 0) return [];
    return such.length === 1 ? `port ${such[0]} ${one}` : `ports ${enumerate(such)} ${more}`;
  });
  const none = refused.length > 0 ? 'refused' : 'silent';
  const some = closed.length === 0 ? 'all' : 'some';
  return {
    kind: open.length > 0 ? some : none,
    ms: open.length > 0 ? Math.round(Math.min(...times) * 10) / 10 : null,
    explanation: `At ${address} ${clauses.join(', ')}.`,
    open,
    closed,
  };
}

const words: Readonly<Record<TcpProbe['answer'], readonly [one: string, more: string]>> = {
  open: ['is open', 'are open'],
  refused: ['refuses', 'refuse'],
  silent: ['does not answer', 'do not answer'],
};
