import { exitCode } from '../outcome.ts';
import type { Output } from '../terminal.ts';
import { ended, type InspectVmOptions, inspectVm } from './inspect.ts';
import { loaderReport } from './loader-report.ts';
import { loaderText } from './loader-text.ts';

export interface LoaderOptions extends InspectVmOptions, Output {
  json: boolean;
}

/**
 * `dsm2mqtt loader V`: which loader the VM has, what for, and whether it can be rebuilt, found out by this process;
 * changes nothing. 0; 1: its image could not be read, or libvirt has no such domain; 3: libvirt was not reached. Throws
 * `Refusal`.
 */
export async function loader(options: LoaderOptions): Promise<number> {
  const { json, stdout } = options;
  try {
    const report = loaderReport(await inspectVm(options));
    stdout.write(json ? `${JSON.stringify(report, null, 2)}\n` : `${loaderText(report).join('\n')}\n`);
    return report.loader ? exitCode.succeeded : exitCode.failed;
  } catch (error) {
    return ended(error, options);
  }
}
