import type { DsmIdentity } from '../../../model/check.ts';
import type { WebPort } from './port.ts';

/** Where DSM has its pages, unless it says otherwise. */
export const usualPorts = { http: 5_000, https: 5_001 } as const;

/** Of what DSM serves, these are no web pages. */
const otherServices: ReadonlySet<number> = new Set([21, 22, 111, 137, 138, 139, 445, 548, 873, 2049, 3260, 9999]);

/** Where DSM's pages are: where it says itself, and its usual ports, or else whatever is configured. */
export function webPorts(ports: readonly number[], identity: DsmIdentity | null): WebPort[] {
  const { httpPort = null, httpsPort = null } = identity ?? {};
  const told = [
    ...(httpPort === null ? [] : [{ port: httpPort, secure: false }]),
    ...(httpsPort === null ? [] : [{ port: httpsPort, secure: true }]),
  ];
  const usual = [
    { port: usualPorts.http, secure: false },
    { port: usualPorts.https, secure: true },
  ];
  const expected = usual.filter(({ port }) => ports.includes(port));
  const others = ports.filter(port => !otherServices.has(port)).map(port => ({ port, secure: null }));
  const known: WebPort[] = [...told, ...(expected.length > 0 ? expected : others)];
  const all = known.length > 0 ? known : usual;
  return all.filter(({ port }, i) => all.findIndex(other => other.port === port) === i);
}
