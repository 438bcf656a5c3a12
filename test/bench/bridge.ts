import { setTimeout as delay } from 'node:timers/promises';
import { Child } from './child.ts';
import { type Peers, startPeers, topic } from './peers.ts';

export interface BenchBridge extends AsyncDisposable {
  child: Child;
  peers: Peers;
}

export interface BridgeOptions {
  domains?: number;
  /** Milliseconds between polls. */
  interval: number;
  /** Milliseconds after it is online until what belongs to its start is over. */
  settle?: number;
  gc?: boolean;
  /** Its peers, which it takes over; default: of its own. */
  peers?: Peers;
  /** What its checks go through (see place.ts); default: the real probes. */
  setting?: object;
}

/** A bridge in a process of its own, online and with every domain known. */
export async function startBridge(options: BridgeOptions): Promise<BenchBridge> {
  const { domains = 1, interval, settle = 300, gc = false, setting } = options;
  const peers = options.peers ?? (await startPeers(domains));
  const { published } = peers.broker;
  const online = published.next(({ topic: name }) => name === topic.bridge.state, 'online');
  const known = Promise.all(
    peers.libvirtd.fake.domains.map(({ name }) => published.next(isOnline(topic.vm(name).availability), name)),
  );
  const script = setting ? 'check-subject' : 'subject';
  const child = Child.start(script, [peers.config, String(interval), JSON.stringify(setting ?? null)], { gc });
  await Promise.all([online, known]);
  await delay(settle);
  return {
    child,
    peers,
    async [Symbol.asyncDispose]() {
      await child[Symbol.asyncDispose]();
      await peers[Symbol.asyncDispose]();
    },
  };
}

function isOnline(name: string) {
  return (message: { topic: string; payload: Buffer }) =>
    message.topic === name && message.payload.toString() === 'online';
}
