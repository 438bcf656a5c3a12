import type { CallFailure } from '../model/job/job.ts';
import type { VmKey } from '../model/snapshot.ts';
import type { SimpleCommand } from './dispatcher.ts';

export interface SimpleCommandsOptions {
  /** A picture of the VM's screen, PNG. */
  screenshot: (key: VmKey) => Promise<Buffer | CallFailure>;
  setAutostart: (key: VmKey, enabled: boolean) => Promise<CallFailure | null>;
  /** Whether a rebuild may be commanded without confirmation, for a while; resolves to what that means, in a sentence. */
  arm: (key: VmKey, enabled: boolean) => string;
  /** One whole check; resolves to what it found, in a sentence. */
  check: (key: VmKey) => Promise<string>;
  /** Reads everything of the VM again. */
  read: (key: VmKey) => Promise<void>;
  /** Publishes everything of the VM again. */
  publish: (key: VmKey) => void;
  publishScreen: (key: VmKey, picture: Buffer) => boolean;
}

/** Commands that need no job place: they change nothing that another one could be at. */
export function simpleCommands(options: SimpleCommandsOptions) {
  const { screenshot, setAutostart, arm, check, read, publish, publishScreen } = options;
  return async (key: VmKey, { word, enabled }: SimpleCommand): Promise<string | CallFailure> => {
    switch (word) {
      case 'refresh':
        await read(key);
        publish(key);
        return 'read and published again';
      case 'arm':
        return arm(key, enabled === true);
      case 'check':
        return check(key);
      case 'autostart': {
        const failure = await setAutostart(key, enabled === true);
        // libvirt has no event for it.
        await read(key);
        return failure ?? (enabled ? 'it starts with the host' : 'it does not start with the host');
      }
      case 'screenshot': {
        const picture = await screenshot(key);
        if (!Buffer.isBuffer(picture)) return picture;
        if (publishScreen(key, picture)) return `${picture.length} bytes of PNG`;
        return {
          kind: 'failed',
          code: 'outcome_unknown',
          message: 'the broker did not take the picture: it is away, or the picture too large',
        };
      }
    }
  };
}
