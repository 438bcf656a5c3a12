import { Child } from './child.ts';
import { type Exchange, type Peers, startPeers } from './peers.ts';

/** What the bare program (bare.js) is to do: `ask` libvirt, and `say` it all to the broker after so many answers. */
export interface Orders extends Exchange {
  /** When: an event of libvirt's comes, a publication of the broker's, or `interval` milliseconds have passed. */
  on: 'event' | 'publication' | 'time';
  interval?: number;
}

export interface Bare extends AsyncDisposable {
  child: Child;
  peers: Peers;
}

/** A bare program with peers of its own, introduced to them in the words of the bridge at `model`. */
export async function startBare(model: Peers, orders: Orders): Promise<Bare> {
  const peers = await startPeers(model.domains);
  const { ask, say, answers, on, interval } = orders;
  const child = await startIdle({
    ...{ ask, say, answers, on, interval },
    libvirt: peers.libvirtd.path,
    broker: peers.broker.port,
    hello: model.libvirtd.hello,
    greeting: model.broker.hello,
  });
  return {
    child,
    peers,
    async [Symbol.asyncDispose]() {
      await child[Symbol.asyncDispose]();
      await peers[Symbol.asyncDispose]();
    },
  };
}

/** A Node that has loaded these packages, and does nothing. */
export function startNothing(...load: readonly string[]): Promise<Child> {
  return startIdle({ load });
}

async function startIdle(message: object): Promise<Child> {
  const child = Child.start('bare', []);
  const ready = child.heard();
  child.send(message);
  await ready;
  return child;
}
