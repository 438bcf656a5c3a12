import { enumerate } from '../../util/enumerate.ts';
import { probeTcp, type TcpProbe } from '../../util/tcp-probe.ts';
import type { Findings, Kind, Limits } from '../finding.ts';

export interface TcpTarget {
  address: string;
  ports: readonly number[];
}

/** What this machine says when it has no route there itself. */
const noRoute = 'ENETUNREACH';

/** Whether the ports take connections, all asked at once; each is hung up on at once. */
export async function tcp({ address, ports }: TcpTarget, limits: Limits): Promise<Findings['tcp']> {
  limits.signal.throwIfAborted();
  const tries = await Promise.all(ports.map(async port => ({ port, ...(await probeTcp(address, port, limits)) })));
  limits.signal.throwIfAborted();
  const of = (answer: TcpProbe['answer']) => tries.filter(each => each.answer === answer);
  const open = of('open');
  const closed = tries.filter(({ answer }) => answer !== 'open').map(({ port }) => port);
  const ms = open.length > 0 ? Math.round(Math.min(...open.map(each => each.ms)) * 10) / 10 : null;
  const found = { ms, open: open.map(({ port }) => port), closed };
  if (tries.length === 0) return { ...found, kind: 'not_applicable', explanation: 'No port is configured.' };
  if (tries.every(({ code }) => code === noRoute)) {
    const explanation = `This machine has no route to ${address}.`;
    return { ...found, kind: 'not_applicable', explanation };
  }
  return { ...found, kind: kindOf(open, closed, of('refused')), explanation: explain(address, of) };
}

function kindOf(open: readonly TcpProbe[], closed: readonly number[], refused: readonly TcpProbe[]): Kind<'tcp'> {
  if (closed.length === 0) return 'all';
  if (open.length > 0) return 'some';
  return refused.length > 0 ? 'refused' : 'silent';
}

function explain(address: string, of: (answer: TcpProbe['answer']) => readonly { port: number }[]): string {
  const clauses = (['open', 'refused', 'silent'] as const).flatMap(answer => {
    const ports = of(answer).map(({ port }) => port);
    if (ports.length === 0) return [];
    const [one, more] = words[answer];
    return ports.length === 1 ? `port ${ports[0]} ${one}` : `ports ${enumerate(ports)} ${more}`;
  });
  return `At ${address} ${clauses.join(', ')}.`;
}

const words = {
  open: ['is open', 'are open'],
  refused: ['refuses', 'refuse'],
  silent: ['does not answer', 'do not answer'],
} as const satisfies Record<TcpProbe['answer'], readonly [string, string]>;
