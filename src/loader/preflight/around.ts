import { type Finding, type PreflightFacts, refuse, tell, warn } from './finding.ts';

/** Image, backup, servers, and the way to a VM that is off. */
export function aroundFindings(facts: PreflightFacts): readonly Finding[] {
  return [...image(facts), ...backup(facts), ...sources(facts), ...powerOff(facts)];
}

function image({ image: found }: PreflightFacts): Finding[] {
  if (found === 'yes') return [];
  if (found === 'unknown')
    return [warn('image_unknown', "Whether the loader's image can be read and written could not be looked up.", null)];
  const advice = 'Mount its folder and set `image` to the path, or let libvirt have a storage pool there.';
  return [refuse('no_image', "The loader's image was not found, or cannot be read and written.", advice)];
}

function backup({ backup: { needed, free } }: PreflightFacts): Finding[] {
  if (needed === null || free === null)
    return [
      warn('backup_space_unknown', 'Whether there is space for a copy of the image could not be looked up.', null),
    ];
  if (free >= needed) return [];
  const message = `A copy of the image needs ${mib(needed)}, and ${mib(free)} are free.`;
  return [refuse('backup_space', message, 'Make room in `backup_dir`, or keep fewer backups.')];
}

function sources({ sources: reachable }: PreflightFacts): Finding[] {
  if (reachable === 'yes') return [];
  if (reachable === 'unknown')
    return [tell('sources_unknown', "Whether the loader's sources can be reached could not be looked up.")];
  const message = "Not all of the loader's sources can be reached from here: the build would fail.";
  return [warn('sources_unreachable', message, 'Check the way to github.com and global.download.synology.com.')];
}

function powerOff({ running, obeysAcpi, onTimeout }: PreflightFacts): Finding[] {
  if (!running || obeysAcpi !== 'no') return [];
  const message = 'What runs in the VM now (an installer, a recovery, a loader) does not heed the power button';
  if (onTimeout === 'force_off') return [warn('no_acpi', `${message}: when its time is up, its power is cut.`, null)];
  const advice = 'Power it off yourself, or ask with `on_timeout: force_off`.';
  return [warn('no_acpi', `${message}: the rebuild will end there, with the VM running.`, advice)];
}

function mib(bytes: number): string {
  return `${Math.ceil(bytes / 2 ** 20)} MiB`;
}
