import { type Finding, type PreflightFacts, refuse, tell, warn } from './finding.ts';

/** Image, backup, servers, and the way to a VM that is off. */
export function hostFindings(facts: PreflightFacts): readonly Finding[] {
  return [...image(facts), ...backup(facts), ...sources(facts), ...powerOff(facts)];
}

function image({ image: found, disks }: PreflightFacts): Finding[] {
  // What is not there has no image either.
  if (!disks.some(({ role }) => role === 'loader')) return [];
  if (found.found !== 'yes') {
    if (found.found === 'no')
      return [refuse('no_image', `The loader's image cannot be used. ${found.why}`, found.advice)];
    const message = `Whether the loader's image can be read and written could not be looked up. ${found.why}`;
    return [warn('image_unknown', message, found.advice)];
  }
  const { size, diskSize, entries, other } = found;
  const findings = [];
  if (diskSize !== null && diskSize !== size) {
    const message = `The image at the configured path has ${size} bytes, and the VM's own disk has ${diskSize}: they are two.`;
    findings.push(refuse('image_differs', message, "Set `image` to the path at which the VM's own image is mounted."));
  }
  const { builder, dsm } = entries;
  if (builder === null && other !== null) {
    const message = `The loader's image is one of ${other}, which only its own menu can rebuild: the bridge knows TinyCore RedPill.`;
    const advice = `Rebuild it in the menu of ${other}, or attach an image of TinyCore RedPill.`;
    return [...findings, refuse('other_loader', message, advice)];
  }
  if (builder === null) {
    const message = "The loader's boot menu has no entry for the image builder.";
    findings.push(refuse('no_builder_entry', message, 'Begin with a fresh image of TinyCore RedPill.'));
  }
  if (dsm === null) {
    const message =
      "The loader's boot menu has no entry that starts DSM from this disk, to come home to when a build fails.";
    findings.push(refuse('no_dsm_entry', message, 'Build the loader once by hand, or begin with a fresh image.'));
  }
  return findings;
}

function backup({ backup: { needed, free, trouble }, image: { found } }: PreflightFacts): Finding[] {
  if (trouble !== null) {
    const advice = 'Let the bridge write there, or set `backup_dir` to another folder.';
    return [refuse('backup_unwritable', `No copy of the image can be made. ${trouble}`, advice)];
  }
  if (needed === null || free === null) {
    // How much there is to be copied is the least that is wrong.
    if (found !== 'yes') return [];
    const message = 'Whether there is space for a copy of the image could not be looked up.';
    return [warn('backup_space_unknown', message, null)];
  }
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
