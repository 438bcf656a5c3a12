import { utils } from 'ssh2';

/** A new ed25519 key pair. ssh2 now and then makes one that it cannot read itself: then another. */
export function newKeyPair(): ReturnType<typeof utils.generateKeyPairSync> {
  for (;;) {
    const pair = utils.generateKeyPairSync('ed25519');
    if (!(utils.parseKey(pair.private) instanceof Error)) return pair;
  }
}
