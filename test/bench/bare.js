/**
 * The floor: a program that writes the bytes which the bridge wrote, in answer to the same bytes, and knows nothing of
 * what they mean. Its orders come over the benchmark's line; see `Orders` in bare.ts. Without orders it does nothing.
 */
import { connect } from 'node:net';
import { answer } from './usage.js';

const keepalive = 0x6b656570;
const message = 2;
const publish = 3;

process.once('message', async orders => {
  if (orders.job !== 'nothing') await begin(orders);
  answer();
  process.send('ready');
});

async function begin({ job, libvirt, broker, hello, greeting, ask, say, interval }) {
  const up = connect(libvirt);
  const down = connect(broker, '127.0.0.1').setNoDelay(true);
  const decode = job === 'poll, decoded' ? await decoder() : () => {};
  let answers = 0;
  let introduced;

  const take = frame => {
    if (frame.readUInt32BE(4) === keepalive) up.write(pong(frame));
    else if (frame.readInt32BE(16) !== message) answered(frame);
    else if (job === 'echo') down.write(say);
    else up.write(ask);
  };
  const answered = frame => {
    if (introduced) introduced();
    else if (job === 'event' && ++answers % 2 === 0) down.write(say);
    else if (job.startsWith('poll')) {
      decode(frame);
      down.write(say);
    }
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

  if (job === 'command') down.on('data', bytes => bytes[0] >> 4 === publish && up.write(ask));
  else down.resume();
  if (job.startsWith('poll')) setInterval(() => up.write(ask), interval);
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

async function decoder() {
  const { procedures } = await import('../../src/libvirt/procedures.ts');
  const { XdrReader } = await import('../../src/libvirt/xdr.ts');
  const { reply } = procedures.connectGetAllDomainStats;
  return frame => reply.decode(new XdrReader(frame.subarray(28)));
}
