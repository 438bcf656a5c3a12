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
}

/** A bridge in a process of its own, online and with every domain known. */
export async function startBridge(options: BridgeOptions): Promise<BenchBridge> {
  const { domains = 1, interval, settle = 300, gc = false } = options;
  const peers = await startPeers(domains);
  const { published } = peers.broker;
  const online = published.next(({ topic: name }) => name === topic.bridge.state, 'online');
  const known = Promise.all(
    peers.libvirtd.fake.domains.map(({ name }) => published.next(isOnline(topic.vm(name).availability), name)),
  );
  const child = Child.start('./subject.js', [peers.config, String(interval)], { gc });
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
