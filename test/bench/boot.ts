import { Recording } from '../../src/boot/recording.ts';
import { encodePacket, FrameDecoder, frameStatus, frameType, remoteProgram } from '../../src/libvirt/frame.ts';
import { procedures } from '../../src/libvirt/procedures.ts';
import { spread } from './numbers.ts';
import { floor, measured, type Section } from './report.ts';

/** Bytes a second at 115 200 baud, and of a packet: libvirt sends what the pty has. */
const rate = 11_520;
const packet = 64;
/** Seconds of a boot that are read at once. */
const seconds = 30;

/** What the recording of a boot costs at the full speed of a serial port, beside the decoding of the same packets. */
export function boot(runs: number): Section {
  const stream = packets();
  const samples = { whole: [] as number[], least: [] as number[] };
  for (let run = -3; run < runs; run++) {
    const options = { startedAt: new Date(), known: ['52:54:00:d5:30:01'], good: null, seconds: () => 1 };
    const recording = new Recording(options);
    const whole = cost(stream, bytes => recording.hear(bytes, 'console'));
    const least = cost(stream, () => {});
    if (run < 0) continue;
    samples.whole.push(whole);
    samples.least.push(least);
  }
  return {
    title: 'serial console at 115 200 baud',
    rows: [
      measured('recording a boot', '% of a core', spread(samples.whole), { limit: 1, on: 'median' }),
      floor('reading the bytes alone', '% of a core', spread(samples.least)),
    ],
  };
}

/** Percent of a core. */
function cost(stream: readonly Buffer[], hear: (bytes: Buffer) => void): number {
  const decoder = new FrameDecoder();
  const before = process.cpuUsage();
  for (const bytes of stream) for (const { payload } of decoder.push(bytes)) hear(payload);
  const { user, system } = process.cpuUsage(before);
  return ((user + system) / 1e6 / seconds) * 100;
}

function packets(): Buffer[] {
  const { number: program, version } = remoteProgram;
  const { number: procedure } = procedures.domainOpenConsole;
  const header = { program, version, procedure, type: frameType.stream, serial: 1, status: frameStatus.continue };
  let text = '';
  for (let i = 0; text.length < rate * seconds; i++) {
    const time = (i / 100).toFixed(6).padStart(12);
    text += `[${time}] pci 0000:00:1f.${i % 8}: reg 0x${(i * 64).toString(16)}: [mem 0xfebf1000-0xfebf1fff 64bit pref]\r\n`;
  }
  const bytes = Buffer.from(text);
  const count = Math.ceil(bytes.length / packet);
  return Array.from({ length: count }, (_, i) => encodePacket(header, bytes.subarray(i * packet, (i + 1) * packet)));
}
