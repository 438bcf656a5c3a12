import { probeTcp } from '../util/tcp-probe.ts';

/** Whether anything listens on one of these ports; a guest that shuts down closes them early. */
export async function anyPortOpen(host: string, ports: readonly number[], patience = 2_000): Promise<boolean> {
  const knocks = await Promise.all(ports.map(port => probeTcp(host, port, { timeout: patience })));
  return knocks.some(({ answer }) => answer === 'open');
}
