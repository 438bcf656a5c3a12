import { readBootPartition } from '../../loader/image/boot-entry.ts';
import { withMshell } from '../../loader/kinds/menu-config.ts';
import { bootFiles } from '../../loader/kinds/recognise.ts';
import { realWorld, type World } from '../../loader/plan/world.ts';
import { exitCode } from '../outcome.ts';
import type { Output } from '../terminal.ts';
import { ended, type InspectVmOptions, inspectVm } from './inspect.ts';
import { loaderReport, type ReadImage } from './loader-report.ts';
import { loaderText } from './loader-text.ts';

export interface LoaderOptions extends InspectVmOptions, Output {
  json: boolean;
  /** For tests. */
  partition?: typeof readBootPartition;
}

/**
 * `dsm2mqtt loader V`: which loader the VM has, what for, and whether it can be rebuilt, found out by this process;
 * changes nothing. 0; 1: its image could not be read, or libvirt has no such domain; 3: libvirt was not reached. Throws
 * `Refusal`.
 */
export async function loader(options: LoaderOptions): Promise<number> {
  const { json, stdout, world } = options;
  const { read, ...reading } = keeping({ ...realWorld, ...world }, options.partition ?? readBootPartition);
  try {
    const report = loaderReport(await inspectVm({ ...options, world: { ...world, ...reading } }), read);
    stdout.write(json ? `${JSON.stringify(report, null, 2)}\n` : `${loaderText(report).join('\n')}\n`);
    return report.loader ? exitCode.succeeded : exitCode.failed;
  } catch (error) {
    return ended(error, options);
  }
}

/** Keeps what an inspection reads, and reads what recognition needs of each kind. */
function keeping(world: World, partition: typeof readBootPartition) {
  const read: ReadImage = { partition: null, home: null };
  return {
    read,
    menu: async (...[image, options]: Parameters<World['menu']>) => {
      read.partition = await partition(image, bootFiles, options);
      return read.partition.boot;
    },
    home: async (...[image, place, signal]: Parameters<World['home']>) => {
      read.home = await world.home(image, withMshell(place), signal);
      return read.home;
    },
  };
}
