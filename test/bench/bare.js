/**
 * The floor: a program that writes the bytes which the bridge wrote, in answer to the same bytes, and knows nothing of
 * what they mean. Its orders come over the benchmark's line; see `Orders` in bare.ts. Without peers it only loads.
 */
import { connect } from 'node:net';
import { answer } from './usage.ts';

const keepalive = 0x6b656570;
const message = 2;
const publish = 3;

process.once('message', async ({ load = [], ...orders }) => {
  for (const name of load) await import(name);
  if (orders.libvirt) await begin(orders);
  answer();
  process.send('ready');
});

async function begin({ libvirt, broker, hello, greeting, on, ask, answers, say, interval }) {
  const up = connect(libvirt);
  const down = connect(broker, '127.0.0.1').setNoDelay(true);
  let waiting = 0;
  let introduced;

  const act = () => {
    waiting = answers;
    if (ask.length > 0) up.write(ask);
    if (answers === 0) down.write(say);
  };
  const take = frame => {
    if (frame.readUInt32BE(4) === keepalive) up.write(pong(frame));
    else if (frame.readInt32BE(16) === message) on === 'event' && act();
    else if (introduced) introduced();
    else if (--waiting === 0) down.write(say);
  };
  up.on('data', frames(take));

  for (const packet of greeting) {
    down.write(packet);
    await new Promise(resolve => down.once('data', resolve));
  }
  for (const frame of hello) {
    up.write(frame);
    await new Promise(resolve => {
      introduced = resolve;
    });
  }
  introduced = undefined;

  down.on('data', bytes => on === 'publication' && bytes[0] >> 4 === publish && act());
  if (on === 'time') setInterval(act, interval);
}

/** Whole frames out of chunks; nothing of them is looked at but their length. */
function frames(take) {
  let chunks = [];
  let buffered = 0;
  return chunk => {
    chunks.push(chunk);
    buffered += chunk.length;
    while (buffered >= 4) {
      if (chunks[0].length < 4) chunks = [Buffer.concat(chunks)];
      const length = chunks[0].readUInt32BE(0);
      if (buffered < length) return;
      const all = chunks.length === 1 ? chunks[0] : Buffer.concat(chunks);
      chunks = all.length > length ? [all.subarray(length)] : [];
      buffered -= length;
      take(all.subarray(0, length));
    }
  };
}

function pong(ping) {
  const frame = Buffer.from(ping);
  frame.writeInt32BE(2, 12);
  return frame;
}
