/**
 * The demo's picture, from the documents as they came over MQTT, and the two ways of showing it: in place on a
 * terminal, else a copy every few seconds.
 */
import { styleText } from 'node:util';
import { renderVm } from '../src/cli/table.ts';
import type { BridgeDocument, CheckDocument, StateDocument } from '../src/model/documents.ts';
import type { Stats } from '../src/model/stats.ts';
import type { Stage } from './demo-stage.ts';

/** All that is known, and from whom. */
export interface View {
  bridge: string | null;
  availability: string | null;
  info: BridgeDocument | null;
  state: StateDocument | null;
  stats: Stats | null;
  check: CheckDocument | null;
  response: Response | null;
  /** What the demo is waiting for, or has given the guest to do. */
  doing: string | null;
}

export interface Response {
  id: string | null;
  command: string | null;
  status: string;
  code: string;
  message: string;
  elapsed_ms: number;
}

type Style = Parameters<typeof styleText>[0];
interface Line {
  text: string;
  style?: Style;
  /** Too long for the terminal it goes on in the next row, so that it can be copied; else it is cut. */
  whole?: true;
}

/** The table with what belongs to it; empty until the bridge has said anything of the VM. */
export function table(view: View, name: string): Line[] {
  const { state, stats, info, response } = view;
  if (!state) return [];
  const hardware = {
    vcpus: state.vcpus,
    disks: Object.entries(state.disks).map(([target, { role, bus, source }]) => ({
      target,
      role: role as 'data' | 'loader' | 'removable',
      bus,
      source,
    })),
    nics: Object.values(state.nics),
  };
  const [head = '', ...rows] = renderVm({ name, state: state.state, reason: state.reason, hardware, stats }).split(
    '\n',
  );
  const libvirt = info?.libvirt.up
    ? `libvirt ${info.libvirt.libvirt} with ${info.libvirt.hypervisor}`
    : `libvirt is away: ${info?.libvirt.reason ?? 'nothing said yet'}`;
  return [
    { text: head, style: ['bold', state.power === 'ON' ? 'green' : 'yellow'] },
    ...rows.map(text => ({ text })),
    ...(view.check?.checked_at ? [{ text: `  DSM: ${view.check.verdict}: ${view.check.reason}` }] : []),
    { text: `  Power ${state.power ?? '–'}, activity ${state.activity}${until(state.deadline)}` },
    { text: `  Bridge ${view.bridge ?? '–'}, ${libvirt}`, ...(view.bridge !== 'online' && { style: 'red' as const }) },
    { text: `  Last response: ${response ? spoken(response) : 'none yet'}` },
  ];
}

function until(deadline: string | null): string {
  return deadline === null ? '' : ` (until ${deadline.slice(11, 19)} UTC)`;
}

function spoken({ id, command, status, code, message, elapsed_ms }: Response): string {
  const what = [command ?? '?', id && `(${id})`].filter(Boolean).join(' ');
  return `${what} ${status}/${code} after ${(elapsed_ms / 1_000).toFixed(2)} s: ${message}`;
}

export interface Screen extends Disposable {
  /** Something that happened, once. */
  say(text: string): void;
  /** The picture as it is now. */
  show(view: View): void;
}

interface Output {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
  write(text: string): unknown;
  on(event: 'resize', listener: () => void): unknown;
}

export function openScreen(stage: Stage, name: string, output: Output & NodeJS.WriteStream): Screen {
  return output.isTTY ? inPlace(stage, name, output) : inTurn(stage, name, output);
}

function hints(stage: Stage): Line[] {
  return [{ text: 'Try in another terminal:', style: 'bold' }, ...stage.hints.map(hint)];
}

function hint(text: string): Line {
  return { text: `  ${text}`, whole: true };
}

const hideCursor = '\x1b[?25l';
const showCursor = '\x1b[?25h';
const clearLine = '\x1b[K';
const clearBelow = '\x1b[J';

/** The same lines again and again, over themselves. */
function inPlace(stage: Stage, name: string, output: Output & NodeJS.WriteStream): Screen {
  let height = 0;
  let clear = '';
  output.on('resize', () => {
    // The terminal may have wrapped what is there; nobody knows where it is now.
    clear = '\x1b[2J\x1b[H';
    height = 0;
  });
  const style = ({ text, style: format, whole }: Line, width: number): string => {
    const cut = text.length > width && !whole ? `${text.slice(0, width - 1)}…` : text;
    return format && cut ? styleText(format, cut, { stream: output }) : cut;
  };
  return {
    say(text) {
      output.write(`${text}\n`);
      height = 0;
    },
    show(view) {
      const picture: Line[] = [
        { text: '' },
        { text: `dsm2mqtt demo: ${stage.about}`, style: 'cyan' },
        { text: '' },
        ...table(view, name),
        { text: '' },
        { text: view.doing ?? '', style: 'yellow' },
        { text: '' },
        ...hints(stage),
        { text: 'Ctrl-C ends all of it.', style: 'dim' },
      ];
      const { columns = 80, rows = 24 } = output;
      const up = height ? `\x1b[${height}A` : '';
      let text = `${clear}${hideCursor}${up}\r`;
      height = 0;
      for (const line of picture) {
        const needs = line.whole ? Math.max(1, Math.ceil(line.text.length / columns)) : 1;
        if (height + needs >= rows) break;
        height += needs;
        text += `${style(line, columns)}${clearLine}\n`;
      }
      output.write(text + clearBelow);
      clear = '';
    },
    [Symbol.dispose]: () => output.write(showCursor),
  };
}

/** Milliseconds between two copies. */
const pause = 5_000;

function inTurn(stage: Stage, name: string, output: Output): Screen {
  const began = performance.now();
  const say = (text: string): void => {
    output.write(`[${((performance.now() - began) / 1_000).toFixed(1).padStart(5)} s] ${text}\n`);
  };
  let doing: string | null = null;
  let shown = Number.NEGATIVE_INFINITY;
  let first = true;
  return {
    say,
    show(view) {
      if (view.doing !== doing && view.doing) say(view.doing);
      doing = view.doing;
      const lines = table(view, name);
      if (lines.length === 0 || !view.stats || performance.now() - shown < pause) return;
      shown = performance.now();
      if (first) {
        first = false;
        say(stage.about);
        for (const { text } of hints(stage)) output.write(`${text}\n`);
      }
      output.write(`\n${lines.map(({ text }) => `${text}\n`).join('')}\n`);
    },
    [Symbol.dispose]: () => {},
  };
}
